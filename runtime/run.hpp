// The receive loop of `xdpf run`: takes packets from every queue and counts them until it is told to stop.
#pragma once

#include "runtime/session.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xdpf::runtime {

struct RunLimits {
    std::optional<std::uint64_t> packets; // stop after exactly that many
    std::optional<std::chrono::milliseconds> duration;
    bool detach = false; // at the end, before the last packets are taken; the sockets stay open
};

struct QueueCount {
    std::uint32_t queue = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

struct QueueSummary {
    QueueCount received;
    bool zero_copy = false;
    std::uint32_t not_taken = 0; // lie in the ring behind the limit
    QueueStatistics dropped;     // the socket's own counters
};

// What is known at the end, and from where. What the program redirected into sockets was received, not taken or lost.
// Verdicts are not in here: the program counts them itself (Loaded::verdict_counts).
struct Summary {
    std::chrono::duration<double> elapsed{};
    std::vector<QueueSummary> queues;
    std::uint64_t packets = 0; // the sums over the queues
    std::uint64_t bytes = 0;
    std::uint64_t not_taken = 0;
    std::uint64_t lost = 0;                     // redirected, but lost at the socket (QueueStatistics)
    std::uint64_t records = 0;                  // from ring buffers
    std::optional<InterfaceCounters> interface; // what the interface's own counters gained meanwhile; none: it is gone
    std::optional<Error> ended_by;              // what ended the loop early
    Result<void> detached;
};

struct RunCallbacks {
    std::function<void(std::uint32_t queue, std::span<std::byte> packet)> packet; // optional
    std::function<void(const Record &)> record;                                   // optional
    // Every `tick_every`, with the counts so far; also while nothing arrives.
    std::function<void(std::chrono::duration<double> elapsed, std::span<const QueueCount> counts)> tick;
    std::chrono::milliseconds tick_every{500};
    std::function<void(bool up)> link; // the interface was set down or up
};

// Runs until a limit or Session::stop(), or until the interface goes away or somebody else detaches the program
// (Summary::ended_by).
[[nodiscard]] Summary run(Session &session, const RunLimits &limits, const RunCallbacks &callbacks = {});

} // namespace xdpf::runtime
