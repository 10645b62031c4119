#include "runtime/bind_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>

namespace xdpf::runtime {
namespace {

void explain_bind(Error &error, const Interface &interface, const QueueOptions &options)
{
    const bool forced = options.copy == CopyMode::zero_copy;
    if (error.code == EBUSY) {
        error.cause = "another AF_XDP socket has that queue";
        error.remedy = "ss --xdp --processes   (who it is), or other --queues";
    } else if (forced && (error.code == EOPNOTSUPP || error.code == EINVAL)) {
        error.cause = fmt::format("the driver of {} offers no zero-copy{}", interface.name,
                                  error.code == EINVAL ? " with this UMEM or this virtual machine's settings" : "");
        error.remedy = fmt::format("the same command with --copy; ethtool -i {}   (the driver)", interface.name);
    } else if (options.multi_buffer && (error.code == EINVAL || error.code == EOPNOTSUPP)) {
        error.cause = "this kernel (before 6.6) or this driver has no AF_XDP packets of several frames";
        error.remedy = "uname -r   (or a program without 'frags', and an MTU that fits into one frame)";
    } else if (error.code == ENETDOWN) {
        error.cause = fmt::format("{} is down", interface.name);
        error.remedy = fmt::format("ip link set dev {} up", interface.name);
    } else if (error.code == ENODEV) {
        error.cause = "the interface is gone";
        error.remedy = "ip link show";
    } else if (error.code == EINVAL) {
        error.cause = fmt::format("{} has queues 0 to {}", interface.name, interface.receive_queues - 1);
        error.remedy = fmt::format("ethtool -l {}", interface.name);
    }
}

void explain_busy_poll(Error &error)
{
    if (error.code == EPERM) {
        error.cause = "busy polling for longer than net.core.busy_read, and larger budgets, need CAP_NET_ADMIN";
        error.remedy = how_to_give_capabilities();
    } else if (error.code == ENOPROTOOPT) {
        error.cause = "this kernel is built without CONFIG_NET_RX_BUSY_POLL";
        error.remedy = "the same command without --busy-poll";
    }
}

} // namespace

Error not_bound(const Interface &interface, std::uint32_t queue, const QueueOptions &options,
                const xsk::Refusal &refusal)
{
    Error error = system_error(fmt::format("cannot bind an AF_XDP socket to queue {} of '{}'", queue, interface.name),
                               refusal.call, refusal.code);
    const std::string_view call = refusal.call;
    if (call.starts_with("bind"))
        explain_bind(error, interface, options);
    else if (call.find("BUSY_POLL") != std::string_view::npos)
        explain_busy_poll(error);
    else if (refusal.code == EAFNOSUPPORT)
        error.cause = "this kernel is built without CONFIG_XDP_SOCKETS";
    else if (refusal.code == EINVAL || refusal.code == ENOMEM)
        error.cause = "the ring's size is no power of two, or there is no memory for it";
    return error;
}

Error not_sent(std::uint32_t queue, int code)
{
    Error error = system_error(fmt::format("cannot send by queue {}", queue), "sendto(AF_XDP)", code);
    if (code == ENETDOWN) {
        error.cause = "the interface is down";
        error.remedy = "ip link show   (which is), then: ip link set dev NAME up";
    } else if (code == ENXIO || code == ENODEV) {
        error.cause = "the interface is gone";
        error.remedy = "ip link show";
    }
    return error;
}

} // namespace xdpf::runtime
