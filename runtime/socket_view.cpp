#include "runtime/socket_view.hpp"

#include "runtime/xsk.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

// The C library's functions are declared without C linkage in Debian 12.
Fd open_process(int pid) { return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }
Fd copy_of(const Fd &process, int fd) { return Fd(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), fd, 0))); }

Error cannot_look(const Registered &entry, const char *call, int code)
{
    Error error = system_error(
        fmt::format("cannot look at the sockets of '{}' (process {})", entry.program(), entry.pid), call, code);
    if (code == EPERM) {
        error.cause = "only who may trace a process sees its sockets (CAP_SYS_PTRACE)";
        error.remedy = "sudo xdpf …";
    } else if (code == ENOSYS) {
        error.cause = "kernels before 5.6 do not lend the descriptors of a process";
        error.remedy = "uname -r";
    }
    return error;
}

bool is_af_xdp(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_XDP;
}

xsk::Outcome<SocketView> look(int fd, std::uint32_t queue)
{
    const auto counters = xsk::statistics(fd);
    if (!counters)
        return std::unexpected(counters.error());
    const auto rx = xsk::rx_indices(fd);
    if (!rx)
        return std::unexpected(rx.error());
    SocketView out{
        .queue = queue, .counters = queue_statistics(*counters), .taken = rx->consumer, .waiting = rx->level()};
    if (const auto fill = xsk::fill_indices(fd))
        out.free_frames = fill->level();
    // What is done with is read first: it never is more than what was put in, less what the kernel refused.
    const auto completion = xsk::completion_indices(fd);
    const auto tx = xsk::tx_indices(fd);
    if (!tx)
        return out;
    out.to_send = tx->level();
    if (completion) {
        out.sent = completion->producer;
        out.tx_outstanding =
            tx->producer - completion->producer - static_cast<std::uint32_t>(out.counters.tx_invalid_descs);
    }
    return out;
}

} // namespace

Result<Fd> borrow_socket(const Registered &entry, int number)
{
    const Fd process = open_process(entry.pid);
    if (!process)
        return std::unexpected(cannot_look(entry, "pidfd_open", errno));
    Fd copy = copy_of(process, number);
    if (!copy)
        return std::unexpected(cannot_look(entry, "pidfd_getfd", errno));
    return copy;
}

Result<std::vector<SocketView>> look_at_sockets(const Registered &entry)
{
    std::vector<SocketView> out;
    if (entry.sockets.empty() || entry.pid == 0)
        return out;
    const Fd process = open_process(entry.pid);
    if (!process && errno != ESRCH)
        return std::unexpected(cannot_look(entry, "pidfd_open", errno));
    if (!process || !is_at_work(entry)) // behind pidfd_open(): it is not another process of that number
        return out;
    for (const RegisteredSocket &socket : entry.sockets) {
        const Fd copy = copy_of(process, socket.fd);
        if (!copy && (errno == EBADF || errno == ESRCH))
            continue;
        if (!copy)
            return std::unexpected(cannot_look(entry, "pidfd_getfd", errno));
        if (!is_af_xdp(copy.get()))
            continue;
        const xsk::Outcome<SocketView> seen = look(copy.get(), socket.queue);
        if (!seen)
            return std::unexpected(cannot_look(entry, seen.error().call, seen.error().code));
        out.push_back(*seen);
    }
    return out;
}

} // namespace xdpf::runtime
