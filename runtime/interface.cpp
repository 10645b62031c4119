#include "runtime/interface.hpp"

#include "runtime/ethtool.hpp"
#include "runtime/netlink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

namespace xdpf::runtime {
namespace {

std::uint32_t queues_in_sysfs(const std::string &name)
{
    std::uint32_t queues = 0;
    std::error_code failed;
    for (const auto &entry : std::filesystem::directory_iterator("/sys/class/net/" + name + "/queues", failed))
        queues += entry.path().filename().native().starts_with("rx-") ? 1 : 0;
    return queues;
}

std::string kind_in(std::span<const std::byte> link_info)
{
    std::string kind;
    netlink::for_each_attribute(link_info, [&](std::uint16_t type, std::span<const std::byte> value) {
        if (type == IFLA_INFO_KIND)
            kind.assign(reinterpret_cast<const char *>(value.data()),
                        strnlen(reinterpret_cast<const char *>(value.data()), value.size()));
    });
    return kind;
}

void read_link(const nlmsghdr &message, Interface &interface)
{
    const auto *info = static_cast<const ifinfomsg *>(NLMSG_DATA(&message));
    interface.index = info->ifi_index;
    interface.up = (info->ifi_flags & IFF_UP) != 0;
    interface.running = (info->ifi_flags & IFF_RUNNING) != 0;
    if (info->ifi_type == ARPHRD_LOOPBACK)
        interface.kind = "loopback";
    const auto *begin = reinterpret_cast<const std::byte *>(IFLA_RTA(info));
    const std::span attributes(begin, IFLA_PAYLOAD(&message));
    netlink::for_each_attribute(attributes, [&](std::uint16_t type, std::span<const std::byte> value) {
        if (type == IFLA_IFNAME && !value.empty())
            interface.name = reinterpret_cast<const char *>(value.data());
        if (type == IFLA_MTU && value.size() >= sizeof interface.mtu)
            std::memcpy(&interface.mtu, value.data(), sizeof interface.mtu);
        if (type == IFLA_LINK && value.size() >= sizeof interface.peer)
            std::memcpy(&interface.peer, value.data(), sizeof interface.peer);
        if (type == IFLA_LINK_NETNSID && value.size() >= sizeof(int))
            std::memcpy(&interface.peer_namespace.emplace(), value.data(), sizeof(int));
        if (type == IFLA_LINKINFO)
            interface.kind = kind_in(value);
        if (type == IFLA_STATS64) {
            rtnl_link_stats64 counters{};
            std::memcpy(&counters, value.data(), std::min(sizeof counters, value.size()));
            interface.counters = {counters.rx_packets, counters.rx_bytes, counters.rx_dropped, counters.tx_packets,
                                  counters.tx_dropped};
        }
    });
}

Error not_there(const std::string &stage, const std::string &call, int code)
{
    Error error = system_error(stage, call, code);
    if (code == ENODEV || code == ERANGE || code == EINVAL) {
        error.code = ENODEV;
        error.message = "No such device";
        error.cause = "there is no interface of that name in this network namespace";
        error.remedy = "ip link show";
    }
    return error;
}

Result<Interface> ask_for_link(netlink::Request &request, const std::string &stage)
{
    Result<Fd> fd = netlink::open();
    if (!fd)
        return std::unexpected(std::move(fd.error()));
    Interface interface;
    const int code = netlink::ask(fd->get(), request, [&](const nlmsghdr &message) {
        if (message.nlmsg_type == RTM_NEWLINK)
            read_link(message, interface);
    });
    if (code != 0 || interface.index == 0)
        return std::unexpected(not_there(stage, "rtnetlink RTM_GETLINK", code != 0 ? code : ENODEV));
    if (interface.kind != "veth")
        interface.peer = 0; // of others it is what they lie on
    interface.receive_queues = ethtool::channels_of(interface.name).receive;
    if (interface.receive_queues == 0)
        interface.receive_queues = std::max(1U, queues_in_sysfs(interface.name));
    return interface;
}

} // namespace

Result<Interface> find_interface(const std::string &name, const std::string &stage)
{
    if (name.empty() || name.size() >= IFNAMSIZ) {
        Error error = not_there(stage, "rtnetlink RTM_GETLINK", ENODEV);
        error.cause =
            fmt::format("names of interfaces have 1 to {} bytes, and this one has {}", IFNAMSIZ - 1, name.size());
        return std::unexpected(std::move(error));
    }
    netlink::Request request(RTM_GETLINK, 0);
    request.add_struct(ifinfomsg{});
    request.attribute(IFLA_IFNAME, std::string_view(name));
    return ask_for_link(request, stage);
}

Result<Interface> find_interface(int index, const std::string &stage)
{
    netlink::Request request(RTM_GETLINK, 0);
    ifinfomsg info{};
    info.ifi_index = index;
    request.add_struct(info);
    return ask_for_link(request, stage);
}

InterfaceCounters operator-(const InterfaceCounters &now, const InterfaceCounters &before)
{
    return {now.rx_packets - before.rx_packets, now.rx_bytes - before.rx_bytes, now.rx_dropped - before.rx_dropped,
            now.tx_packets - before.tx_packets, now.tx_dropped - before.tx_dropped};
}

Result<LinkWatch> LinkWatch::open(const Interface &interface)
{
    Result<Fd> fd = netlink::open(RTMGRP_LINK);
    if (!fd)
        return std::unexpected(std::move(fd.error()));
    LinkWatch watch;
    watch.fd_ = std::move(*fd);
    watch.index_ = interface.index;
    watch.name_ = interface.name;
    watch.state_ = interface.up ? State::up : State::down;
    return watch;
}

LinkWatch::State LinkWatch::read()
{
    alignas(nlmsghdr) std::array<char, 16384> buffer;
    while (true) {
        const ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == ENOBUFS) { // news were lost: look for ourselves
            const Result<Interface> now = find_interface(index_, {});
            state_ = !now ? State::gone : now->up ? State::up : State::down;
            if (now)
                name_ = now->name;
            continue;
        }
        if (got < 0)
            return state_;
        auto length = static_cast<unsigned>(got);
        for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, length);
             message = NLMSG_NEXT(message, length)) {
            const auto *info = static_cast<const ifinfomsg *>(NLMSG_DATA(message));
            const bool mine = info->ifi_family == AF_UNSPEC && info->ifi_index == index_;
            if (mine && message->nlmsg_type == RTM_DELLINK)
                state_ = State::gone;
            else if (mine && message->nlmsg_type == RTM_NEWLINK && state_ != State::gone) {
                Interface now;
                read_link(*message, now);
                state_ = now.up ? State::up : State::down;
                if (!now.name.empty())
                    name_ = now.name;
            }
        }
    }
}

} // namespace xdpf::runtime
