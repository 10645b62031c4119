// What one thread of a run receives: some queues, a consumer, and how to wait. Private to run().
#pragma once

#include "runtime/run.hpp"

#include <atomic>
#include <limits>
#include <poll.h>
#include <thread>

namespace xdpf::runtime {

// A queue and what came from it. Written by one thread, read by others.
struct alignas(64) Lane {
    std::size_t session = 0;
    Queue *queue = nullptr;
    std::atomic<std::uint64_t> packets = 0;
    std::atomic<std::uint64_t> bytes = 0;

    [[nodiscard]] QueueCount count() const
    {
        return {session, queue->index(), packets.load(std::memory_order_relaxed),
                bytes.load(std::memory_order_relaxed)};
    }
};

// How many packets may still be taken, by all threads together. A thread claims some before it looks how many there
// are; what it does not find it gives back, so that nothing left to claim does not mean that all are taken.
class Quota {
public:
    explicit Quota(std::optional<std::uint64_t> packets)
        : limited_(packets.has_value()), unclaimed_(packets.value_or(0)), untaken_(packets.value_or(0))
    {
    }
    [[nodiscard]] bool spent() const { return limited_ && untaken_.load(std::memory_order_relaxed) == 0; }
    [[nodiscard]] std::uint32_t claim(std::uint32_t most);
    void settle(std::uint32_t claimed, std::uint32_t taken);

private:
    bool limited_;
    std::atomic<std::uint64_t> unclaimed_;
    std::atomic<std::uint64_t> untaken_;
};

class Receiver {
public:
    Receiver(std::vector<Lane *> lanes, Quota &quota, const RunPlan &plan, const RunCallbacks &callbacks);
    Receiver(const Receiver &) = delete;
    Receiver &operator=(const Receiver &) = delete;
    ~Receiver() { end(); }

    // On a thread of its own, which calls `ended` when the quota is spent or a consumer failed.
    [[nodiscard]] Result<void> start(std::optional<unsigned> cpu, std::function<void()> ended);
    void end(); // the thread

    // Once over all its queues; how many packets there were.
    std::uint32_t round();
    // After a round without packets: sleeps for RunPlan::gather, where that pays. False: it did not.
    bool rest();
    // Takes back what was sent meanwhile. False: something is still on its way.
    bool settle();
    [[nodiscard]] const std::optional<Error> &error() const { return error_; } // after the thread's end

private:
    void work();
    void sleep(bool settled);
    std::uint32_t take(Lane &lane);

    std::vector<Lane *> lanes_;
    Quota &quota_;
    const RunPlan &plan_;
    const RunCallbacks &callbacks_;
    std::optional<Error> error_;
    std::uint64_t gathered_ = 0; // packets since `emptied_`, when a round found none
    std::chrono::steady_clock::time_point emptied_;
    std::uint32_t most_gathered_ = std::numeric_limits<std::uint32_t>::max();
    Fd stop_fd_;
    std::vector<pollfd> polled_; // `stop_fd_` and the queues
    std::atomic<bool> stop_ = false;
    std::function<void()> ended_;
    std::thread thread_;
};

} // namespace xdpf::runtime
