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
            if (limits_.duration && now - started_ >= *limits_.duration)
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

    void take_records() { records_ += session_.receive_records(callbacks_.record); }

    [[nodiscard]] std::span<const QueueCount> counts() const { return counts_; }
    [[nodiscard]] std::uint64_t records() const { return records_; }
    [[nodiscard]] Clock::time_point started() const { return started_; }

private:
    // Rounds over the queues before the clock and the other descriptors are looked at again.
    static constexpr int rounds = 64;

    bool drain()
    {
        for (int round = 0; round < rounds; ++round) {
            std::uint32_t got = 0;
            for (std::size_t i = 0; i < counts_.size(); ++i)
                got += take(session_.queues()[i], counts_[i]);
            total_ += got;
            if (limits_.packets && total_ >= *limits_.packets)
                return true;
            if (got == 0)
                return false;
        }
        return false;
    }

    std::uint32_t take(Queue &queue, QueueCount &count)
    {
        const Batch batch = queue.receive(Batch::capacity);
        for (const std::span<std::byte> packet : batch) {
            count.bytes += packet.size();
            if (callbacks_.packet)
                callbacks_.packet(count.queue, packet);
        }
        count.packets += batch.size();
        return batch.size();
    }

    [[nodiscard]] std::chrono::milliseconds patience(Clock::time_point now) const
    {
        std::optional<Clock::time_point> until;
        if (callbacks_.tick)
            until = next_tick_;
        if (limits_.duration)
            until = std::min(until.value_or(Clock::time_point::max()),
                             started_ + std::chrono::duration_cast<Clock::duration>(*limits_.duration));
        if (!until)
            return std::chrono::milliseconds(-1);
        return std::max(std::chrono::ceil<std::chrono::milliseconds>(*until - now), std::chrono::milliseconds(0));
    }

    Session &session_;
    const RunLimits &limits_;
    const RunCallbacks &callbacks_;
    std::vector<QueueCount> counts_;
    std::uint64_t total_ = 0;
    std::uint64_t records_ = 0;
    Clock::time_point started_ = Clock::now();
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
    loop.take_records(); // what came with the last packets
    summary.records = loop.records();
    summary.elapsed = Clock::now() - loop.started();
    for (std::size_t i = 0; i < session.queues().size(); ++i) {
        const Queue &queue = session.queues()[i];
        QueueSummary one{loop.counts()[i], queue.zero_copy(), queue.statistics().value_or(QueueStatistics{})};
        summary.packets += one.received.packets;
        summary.bytes += one.received.bytes;
        summary.lost += one.dropped.lost();
        summary.queues.push_back(one);
    }
    summary.interface = gained(session.interface());
    return summary;
}

} // namespace xdpf::runtime
