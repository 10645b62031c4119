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
    std::optional<std::uint64_t> packets; // stop after that many; a few more may come with the last batch
    std::optional<std::chrono::milliseconds> duration;
};

struct QueueCount {
    std::uint32_t queue = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

struct QueueSummary {
    QueueCount received;
    bool zero_copy = false;
    QueueStatistics dropped; // the socket's own counters
};

// What is known at the end, and from where. The program's verdicts are not counted by the kernel, so what it passed or
// dropped shows only where the difference of two counters tells it.
struct Summary {
    std::chrono::duration<double> elapsed{};
    std::vector<QueueSummary> queues;
    std::uint64_t packets = 0; // the sums over the queues
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;                     // redirected, but lost at the socket (QueueStatistics)
    std::uint64_t records = 0;                  // from ring buffers
    std::optional<InterfaceCounters> interface; // what the interface's own counters gained meanwhile; none: it is gone
    std::optional<Error> ended_by;              // what ended the loop early
};

struct RunCallbacks {
    std::function<void(std::uint32_t queue, std::span<std::byte> packet)> packet; // optional
    std::function<void(const Record &)> record;                                   // optional
    // Every `tick_every`, with the counts so far; also while nothing arrives.
    std::function<void(std::chrono::duration<double> elapsed, std::span<const QueueCount> counts)> tick;
    std::chrono::milliseconds tick_every{500};
    std::function<void(bool up)> link; // the interface was set down or up
};

// Runs until a limit, Session::stop() or an interface that goes away (Summary::ended_by). The session stays attached.
[[nodiscard]] Summary run(Session &session, const RunLimits &limits, const RunCallbacks &callbacks = {});

} // namespace xdpf::runtime
