// The AF_XDP sockets of another process, and the XSKMAPs that they stand in, looked at without a change to either.
#pragma once

#include "runtime/fd.hpp"
#include "runtime/queue.hpp"
#include "runtime/registry.hpp"
#include "runtime/xsk.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::runtime::why {

struct SocketState {
    QueueStatistics counters;
    std::uint32_t arrived = 0; // packets that the kernel ever put into the RX ring, modulo 2^32
    std::uint32_t taken = 0;   // of them, what its process took out
    std::uint32_t free = 0;    // frames in the fill ring
    [[nodiscard]] std::uint32_t waiting() const { return arrived - taken; }
};

// A socket by a descriptor of this process and its rings' heads, read only. It lives on as long as this does.
class SocketView {
public:
    // By pidfd_getfd(2), which wants what ptrace wants.
    [[nodiscard]] static Result<SocketView> open(const Registered &entry, const RegisteredSocket &socket);

    [[nodiscard]] const RegisteredSocket &registered() const { return registered_; }
    [[nodiscard]] Result<SocketState> look() const;

private:
    struct Head { // of a ring
        xsk::Mapping memory;
        const std::uint32_t *producer = nullptr;
        const std::uint32_t *consumer = nullptr;
    };
    [[nodiscard]] static std::optional<Head> map_head(int fd, bool fill);

    RegisteredSocket registered_;
    Fd fd_;
    Head rx_;
    Head fill_;
};

// What a slot of an XSKMAP held, of so many looks.
struct SlotLooks {
    MapId map;
    std::uint32_t slot = 0;
    std::uint32_t looks = 0;
    std::uint32_t empty = 0;
    std::optional<std::uint32_t> other; // the queue of a socket that it held, and that is not the slot's
    bool empty_now = false;
};

// Only programs can look into an XSKMAP: one for each slot, which the kernel runs on no packet.
class SlotView {
public:
    // Of the slots up to the number of queues.
    [[nodiscard]] static Result<SlotView> open(MapId map, int fd, std::uint32_t slots);
    void look();
    [[nodiscard]] const std::vector<SlotLooks> &slots() const { return slots_; }

private:
    std::vector<Fd> programs_;
    std::vector<SlotLooks> slots_;
};

// "R (running)", "T (stopped)" of /proc/PID/status; empty: there is no such process.
[[nodiscard]] std::string process_state(int pid);

} // namespace xdpf::runtime::why
