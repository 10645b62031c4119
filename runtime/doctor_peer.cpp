// The other end of a veth pair, which is often in another network namespace: what it leaves undone in the packets it
// sends, and whether it takes redirected ones.
#include "runtime/attached.hpp"
#include "runtime/doctor_parts.hpp"
#include "runtime/ethtool.hpp"
#include "runtime/netlink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cstring>
#include <filesystem>

namespace xdpf::runtime::doctor {
namespace {

namespace fs = std::filesystem;

std::string name_of_index(int index)
{
    std::array<char, IF_NAMESIZE> name{};
    return if_indextoname(static_cast<unsigned>(index), name.data()) != nullptr ? name.data() : "";
}

// The id that this network namespace has given the other one; nothing: none.
std::optional<int> id_of_namespace(const Fd &other)
{
    const Result<Fd> fd = netlink::open();
    if (!fd)
        return std::nullopt;
    netlink::Request request(RTM_GETNSID, 0);
    request.add_struct(rtgenmsg{});
    request.attribute(NETNSA_FD, static_cast<std::uint32_t>(other.get()));
    std::optional<int> id;
    (void)netlink::ask(fd->get(), request, [&](const nlmsghdr &message) {
        if (message.nlmsg_type != RTM_NEWNSID)
            return;
        const auto *begin = static_cast<const std::byte *>(NLMSG_DATA(&message)) + NLMSG_ALIGN(sizeof(rtgenmsg));
        const std::span attributes(begin, message.nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(sizeof(rtgenmsg))));
        netlink::for_each_attribute(attributes, [&](std::uint16_t type, std::span<const std::byte> value) {
            int number = 0;
            if (type == NETNSA_NSID && value.size() >= sizeof number) {
                std::memcpy(&number, value.data(), sizeof number);
                id = number;
            }
        });
    });
    return id;
}

// In its namespace. A veth has NAPI while it has a program, or (kernel 5.13) GRO.
Peer peer_named(const std::string &name, int index, std::string enter)
{
    Peer peer{name, std::move(enter), ethtool::channels_of(name), ethtool::offloads_of(name), false};
    Interface interface;
    interface.index = index;
    peer.napi = peer.offloads.gro.value_or(false) || find_attached(interface).id != 0;
    return peer;
}

std::optional<Peer> look_there(const Fd &there, int index, std::string enter)
{
    Worker worker;
    return worker.call([&]() -> std::optional<Peer> {
        if (setns(there.get(), CLONE_NEWNET) != 0)
            return std::nullopt;
        const std::string name = name_of_index(index);
        return peer_named(name, index, std::move(enter));
    });
}

} // namespace

// Namespaces have names only where `ip netns` gave them one; the first one is that of process 1.
std::optional<Peer> find_peer(const Interface &interface)
{
    if (interface.kind != "veth")
        return std::nullopt;
    if (!interface.peer_namespace) {
        const std::string name = name_of_index(interface.peer);
        return name.empty() ? std::nullopt : std::optional(peer_named(name, interface.peer, ""));
    }
    std::vector<std::pair<std::string, std::string>> places = {{"/proc/1/ns/net", "nsenter --target 1 --net "}};
    std::error_code failed;
    for (const auto &entry : fs::directory_iterator("/run/netns", failed))
        places.emplace_back(entry.path(), fmt::format("ip netns exec {} ", entry.path().filename().string()));
    for (auto &[path, enter] : places) {
        const Fd there(open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (there && id_of_namespace(there) == interface.peer_namespace)
            return look_there(there, interface.peer, std::move(enter));
    }
    return std::nullopt;
}

void check_peer(std::vector<Finding> &out, const Interface &interface, const Features &features,
                const std::optional<Peer> &peer)
{
    if (interface.kind != "veth")
        return;
    const std::string name = peer ? peer->name : "PEER";
    const std::string enter = peer ? peer->enter : "";
    // The driver says so of this end, where it says anything.
    if (features ? features->basic && !features->ndo_xmit : peer && !peer->napi)
        out.push_back({"interface.peer_napi", Level::warning,
                       fmt::format("packets that are redirected to {} are dropped", interface.name),
                       "its peer takes them only with NAPI, which a program there or GRO switches on",
                       fmt::format("{}ethtool -K {} gro on", enter, name)});
    if (!peer) {
        out.push_back({"interface.peer", Level::note,
                       "the other end is in a network namespace that cannot be looked into",
                       "whether it leaves checksums and VLAN tags for others to fill in is not known",
                       fmt::format("ethtool -k {}   (in the namespace of the other end)", name)});
        return;
    }
    if (peer->offloads.tx_checksum.value_or(false))
        out.push_back({"interface.peer_checksum", Level::warning,
                       fmt::format("the other end, {}, leaves checksums of TCP and UDP unfinished", name),
                       "who looks at received packets sees wrong ones, and what is sent on or "
                       "echoed is dropped by others",
                       fmt::format("{}ethtool -K {} tx off", enter, name)});
    if (peer->offloads.tx_vlan.value_or(false))
        out.push_back({"interface.peer_vlan", Level::note,
                       fmt::format("the other end, {}, sends VLAN tags beside the packet", name),
                       "programs do not see tags of a VLAN interface there: `vlan` matches nothing",
                       fmt::format("{}ethtool -K {} txvlan off", enter, name)});
}

} // namespace xdpf::runtime::doctor
