#include "runtime/run.hpp"

#include <algorithm>
#include <utility>

namespace xdpf::runtime {
namespace {

using Clock = std::chrono::steady_clock;

class Loop {
public:
    Loop(Session &session, const RunLimits &limits, const RunCallbacks &callbacks)
        : session_(session), limits_(limits), callbacks_(callbacks)
    {
        for (const Queue &queue : session.queues())
            counts_.push_back({queue.index(), 0, 0});
    }

    // Returns what ended it early, if anything did.
    std::optional<Error> run()
    {
        next_tick_ = started_ + callbacks_.tick_every;
        while (true) {
            const Clock::time_point now = Clock::now();
            if (callbacks_.tick && now >= next_tick_) {
                callbacks_.tick(now - started_, counts_);
                next_tick_ = now + callbacks_.tick_every;
            }
            if (now >= end_)
                return {};
            const Result<Session::Wake> wake = session_.wait(patience(now));
            if (!wake)
                return wake.error();
            take_records();
            if (*wake == Session::Wake::stop)
                return {};
            if (callbacks_.link && (*wake == Session::Wake::down || *wake == Session::Wake::up))
                callbacks_.link(*wake == Session::Wake::up);
            if (*wake == Session::Wake::packets && drain())
                return {};
        }
    }

    // Nothing comes any more: what the rings still hold, as far as the limit allows.
    void finish()
    {
        while (round() != 0) {
        }
    }

    void take_records() { records_ += session_.receive_records(callbacks_.record); }

    [[nodiscard]] std::span<const QueueCount> counts() const { return counts_; }
    [[nodiscard]] std::uint64_t records() const { return records_; }
    [[nodiscard]] Clock::time_point started() const { return started_; }

private:
    // Rounds over the queues before the clock and the other descriptors are looked at again.
    static constexpr int rounds = 64;

    bool drain()
    {
        for (int i = 0; i < rounds && !enough(); ++i)
            if (round() == 0)
                break;
        return enough();
    }

    [[nodiscard]] bool enough() const { return limits_.packets && total_ >= *limits_.packets; }

    // Once over all queues; how many packets there were.
    std::uint32_t round()
    {
        std::uint32_t got = 0;
        for (std::size_t i = 0; i < counts_.size() && !enough(); ++i)
            got += take(session_.queues()[i], counts_[i]);
        return got;
    }

    std::uint32_t take(Queue &queue, QueueCount &count)
    {
        const std::uint64_t wanted = limits_.packets ? *limits_.packets - total_ : Batch::capacity;
        const Batch batch = queue.receive(static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, Batch::capacity)));
        for (const std::span<std::byte> packet : batch) {
            count.bytes += packet.size();
            if (callbacks_.packet)
                callbacks_.packet(count.queue, packet);
        }
        count.packets += batch.size();
        total_ += batch.size();
        return batch.size();
    }

    [[nodiscard]] std::chrono::milliseconds patience(Clock::time_point now) const
    {
        const Clock::time_point until = callbacks_.tick ? std::min(next_tick_, end_) : end_;
        if (until == Clock::time_point::max())
            return std::chrono::milliseconds(-1);
        return std::max(std::chrono::ceil<std::chrono::milliseconds>(until - now), std::chrono::milliseconds(0));
    }

    // A duration beyond the clock's range has no end.
    [[nodiscard]] Clock::time_point end() const
    {
        using std::chrono::milliseconds;
        const auto most = std::chrono::floor<milliseconds>(Clock::time_point::max() - started_);
        if (!limits_.duration || *limits_.duration >= most)
            return Clock::time_point::max();
        return started_ + *limits_.duration;
    }

    Session &session_;
    const RunLimits &limits_;
    const RunCallbacks &callbacks_;
    std::vector<QueueCount> counts_;
    std::uint64_t total_ = 0;
    std::uint64_t records_ = 0;
    Clock::time_point started_ = Clock::now();
    Clock::time_point end_ = end();
    Clock::time_point next_tick_;
};

std::optional<InterfaceCounters> gained(const Interface &before)
{
    const Result<Interface> now = find_interface(before.name, {});
    if (!now || now->index != before.index)
        return {};
    return InterfaceCounters{now->counters.rx_packets - before.counters.rx_packets,
                             now->counters.rx_bytes - before.counters.rx_bytes,
                             now->counters.rx_dropped - before.counters.rx_dropped};
}

} // namespace

Summary run(Session &session, const RunLimits &limits, const RunCallbacks &callbacks)
{
    Loop loop(session, limits, callbacks);
    Summary summary;
    summary.ended_by = loop.run();
    summary.elapsed = Clock::now() - loop.started();
    if (limits.detach) {
        summary.detached = session.detach();
        loop.finish();
    }
    loop.take_records(); // what came with the last packets
    summary.records = loop.records();
    for (std::size_t i = 0; i < session.queues().size(); ++i) {
        const Queue &queue = session.queues()[i];
        QueueSummary one{loop.counts()[i], queue.zero_copy(), queue.waiting(),
                         queue.statistics().value_or(QueueStatistics{})};
        summary.packets += one.received.packets;
        summary.bytes += one.received.bytes;
        summary.not_taken += one.not_taken;
        summary.lost += one.dropped.lost();
        summary.queues.push_back(one);
    }
    summary.interface = gained(session.interface());
    return summary;
}

} // namespace xdpf::runtime
