// The receive loop of `xdpf run`: takes packets from the queues of one or several sessions, hands them to a consumer
// and counts them, until it is told to stop.
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
    std::optional<std::uint64_t> packets{}; // stop after exactly that many
    std::optional<std::chrono::milliseconds> duration{};
    bool detach = false; // at the end, before the last packets are taken; the sockets stay open
};

// How a receiving thread waits when nothing is there.
enum class Waiting : std::uint8_t {
    block,    // it sleeps until the kernel wakes it
    spin,     // it does not sleep
    adaptive, // it spins for a while after the last packet, then sleeps
};

struct RunPlan {
    Waiting waiting = Waiting::block;
    std::chrono::microseconds spin{50}; // of adaptive: so long
    // Of block: where packets come so fast that many do within this, a thread that has found none sleeps so long
    // without being woken (and up to 50 us longer, the kernel's timer slack). They share a system call then, and
    // whoever brings them wakes nobody: a fraction of the processor time a packet, for that delay. 0: never.
    std::chrono::microseconds gather{0};
    bool busy_poll = false; // the sockets have QueueOptions::busy_poll: spinning drives the driver
    // A thread on each of these processors; the queues are dealt out to them in order. Empty: one thread, anywhere.
    std::vector<unsigned> cpus{};
};

struct QueueCount {
    std::size_t session = 0; // index
    std::uint32_t queue = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

struct QueueSummary {
    QueueCount received;
    bool zero_copy = false;
    std::uint32_t not_taken = 0; // lie in the ring behind the limit
    QueueStatistics dropped;     // the socket's own counters
    SendCounts sent;
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
    std::uint64_t sent = 0;                     // by consumers
    std::uint64_t restored = 0;                 // sockets put back into XSKMAPs
    std::uint64_t records = 0;                  // from ring buffers
    std::optional<InterfaceCounters> interface; // what the interface's own counters gained meanwhile; none: it is gone
    std::optional<Error> ended_by;              // what ended the loop early
    Result<void> detached;
};

struct RunCallbacks {
    // Each batch, on the thread that received it; `session` is an index. An error ends the loop.
    std::function<Result<void>(std::size_t session, Queue &queue, Batch &batch)> batch{}; // optional
    std::function<void(std::uint32_t queue, std::span<std::byte> packet)> packet{}; // optional, in place of `batch`
    std::function<void(const Record &)> record{};                                   // optional
    // Every `tick_every`, with the counts so far; also while nothing arrives.
    std::function<void(std::chrono::duration<double> elapsed, std::span<const QueueCount> counts)> tick{};
    std::chrono::milliseconds tick_every{500};
    std::function<void(std::size_t session, Session::Wake news)> link{}; // down, up or renamed
};

// Runs until a limit or a Session::stop(), or until an interface goes away or somebody else detaches a program
// (Summary::ended_by). A summary for each session. Queues that share memory are served by the same thread.
[[nodiscard]] std::vector<Summary> run(std::span<Session> sessions, const RunLimits &limits, const RunPlan &plan,
                                       const RunCallbacks &callbacks);
[[nodiscard]] Summary run(Session &session, const RunLimits &limits, const RunCallbacks &callbacks = {});

} // namespace xdpf::runtime
