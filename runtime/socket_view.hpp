// The AF_XDP sockets of a program at work, seen from another process: what only the socket's owner knows, without
// asking it. pidfd_getfd(2) (kernel 5.6) gives a second descriptor of the same socket; the kernel's counters and the
// indices of its rings are read through it, and the receiver neither waits nor notices.
//
// A socket lives as long as any descriptor or mapping of it. So nothing is kept: each look opens anew, and closes
// everything before it returns. A queue is free as soon as its owner ends.
#pragma once

#include "runtime/queue.hpp"
#include "runtime/registry.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace xdpf::runtime {

// Numbers of ring entries: with multi-buffer, of frames in place of packets.
struct SocketView {
    std::uint32_t queue = 0;
    QueueStatistics counters;                    // since it was bound
    std::uint32_t taken = 0;                     // out of the RX ring since it was made; wraps (its consumer index)
    std::uint32_t waiting = 0;                   // in the RX ring: user space has not taken them
    std::optional<std::uint32_t> free_frames;    // in the fill ring; none: a kernel before 6.5, which does not tell
    std::optional<std::uint32_t> to_send;        // in the TX ring: the kernel has not taken them; none: it has no ring
    std::optional<std::uint32_t> sent;           // that the kernel is done with; wraps; none: no TX ring, or before 6.5
    std::optional<std::uint32_t> tx_outstanding; // put into the TX ring and not done with; none: as `sent`
};

// A second descriptor of one of the sockets. Errors: as below; the process or the socket is gone (ESRCH, EBADF).
[[nodiscard]] Result<Fd> borrow_socket(const Registered &entry, int number);

// In order of the registration. Empty: there are none, or its process is gone. A socket that was closed meanwhile is
// left out. Errors: who may not trace the process (CAP_SYS_PTRACE, ptrace(2)), kernels before 5.6.
[[nodiscard]] Result<std::vector<SocketView>> look_at_sockets(const Registered &entry);

// A count of 64 bits from an index of 32 that wraps, looked at more often than it goes round once: at 10 million
// packets a second, every 7 minutes.
class LongCount {
public:
    std::uint64_t follow(std::uint32_t index)
    {
        count_ += static_cast<std::uint32_t>(index - static_cast<std::uint32_t>(count_));
        return count_;
    }

private:
    std::uint64_t count_ = 0;
};

} // namespace xdpf::runtime
