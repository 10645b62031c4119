#include "runtime/test_device.hpp"

#include "runtime/library_log.hpp"
#include "runtime/netlink.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

namespace xdpf::runtime {
namespace {

// Out of the way of indices that a test asks for.
constexpr std::uint32_t stand_in_index = 0x7e00'0000;
constexpr std::uint32_t peer_offset = 0x0100'0000;

ifinfomsg link_with(std::uint32_t index)
{
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(index);
    return info;
}

int remove_link(int fd, std::uint32_t index)
{
    netlink::Request request(RTM_DELLINK, 0);
    request.add_struct(link_with(index));
    return netlink::ask(fd, request);
}

int set_up(int fd, const std::string &name)
{
    netlink::Request request(RTM_NEWLINK, 0);
    ifinfomsg info = link_with(if_nametoindex(name.c_str()));
    info.ifi_flags = IFF_UP;
    info.ifi_change = IFF_UP;
    request.add_struct(info);
    return netlink::ask(fd, request);
}

Result<Fd> passing_program()
{
    const std::array<bpf_insn, 2> pass = {
        {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    Fd fd(bpf_prog_load(BPF_PROG_TYPE_XDP, "xdpf_pass", "GPL", pass.data(), pass.size(), nullptr));
    if (!fd)
        return std::unexpected(system_error("cannot make a test interface", "bpf(BPF_PROG_LOAD)", errno));
    return fd;
}

} // namespace

Result<void> make_veth(const VethOptions &options)
{
    Result<Fd> fd = netlink::open();
    if (!fd)
        return std::unexpected(std::move(fd.error()));
    netlink::Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    request.add_struct(link_with(options.index));
    request.attribute(IFLA_IFNAME, std::string_view(options.name));
    request.attribute(IFLA_NUM_RX_QUEUES, options.queues);
    request.attribute(IFLA_NUM_TX_QUEUES, options.queues);
    const std::size_t info = request.open(IFLA_LINKINFO);
    request.attribute(IFLA_INFO_KIND, std::string_view("veth"));
    const std::size_t data = request.open(IFLA_INFO_DATA);
    const std::size_t peer = request.open(VETH_INFO_PEER);
    request.add_struct(link_with(options.peer_index));
    request.attribute(IFLA_IFNAME, std::string_view(options.peer));
    request.attribute(IFLA_NUM_RX_QUEUES, options.peer_queues);
    request.attribute(IFLA_NUM_TX_QUEUES, options.peer_queues);
    request.close(peer);
    request.close(data);
    request.close(info);
    int code = netlink::ask(fd->get(), request);
    // Not while making them: an end cannot be up before it has its other end.
    for (const std::string &name : {options.name, options.peer})
        if (code == 0)
            code = set_up(fd->get(), name);
    if (code != 0)
        return std::unexpected(
            system_error(fmt::format("cannot make the veth pair '{}' with {} queues", options.name, options.queues),
                         "rtnetlink RTM_NEWLINK", code));
    return {};
}

Result<void> TestDevices::enter_namespace()
{
    if (entered_)
        return {};
    if (unshare(CLONE_NEWNET) != 0)
        return std::unexpected(system_error("cannot make a network namespace", "unshare(CLONE_NEWNET)", errno));
    entered_ = true;
    Result<Fd> program = passing_program();
    if (!program)
        return std::unexpected(std::move(program.error()));
    program_ = std::move(*program);
    return {};
}

Result<std::uint32_t> TestDevices::with_queue(std::uint32_t wanted, std::uint32_t queue)
{
    const std::uint32_t index = wanted == 1 ? stand_in_index : wanted;
    if (const auto known = queues_.find(index); known != queues_.end() && queue < known->second)
        return index;
    if (Result<void> entered = enter_namespace(); !entered)
        return std::unexpected(std::move(entered.error()));
    if (const auto small = queues_.find(index); small != queues_.end()) {
        if (const Result<Fd> fd = netlink::open(); fd)
            (void)remove_link(fd->get(), index);
        queues_.erase(small);
    }
    const std::uint32_t queues = std::min(max_queues, std::bit_ceil(std::max(16U, queue + 1)));
    const std::uint32_t peer_index = index ^ peer_offset;
    Result<void> made = make_veth({.name = fmt::format("t{}", index),
                                   .peer = fmt::format("p{}", index),
                                   .index = index,
                                   .peer_index = peer_index,
                                   .queues = queues});
    if (!made)
        return std::unexpected(std::move(made.error()));
    const LibraryLog said;
    const int result = bpf_xdp_attach(static_cast<int>(index), program_.get(), XDP_FLAGS_DRV_MODE, nullptr);
    if (result < 0) {
        Error error = system_error("cannot make a test interface", "bpf_xdp_attach", -result);
        error.cause = said.kernel_message();
        return std::unexpected(std::move(error));
    }
    queues_[index] = queues;
    return index;
}

} // namespace xdpf::runtime
