#include "runtime/run.hpp"

#include "runtime/receiver.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <poll.h>
#include <utility>

namespace xdpf::runtime {
namespace {

using Clock = std::chrono::steady_clock;

class Run {
public:
    Run(std::span<Session> sessions, const RunLimits &limits, const RunPlan &plan, const RunCallbacks &callbacks)
        : sessions_(sessions), limits_(limits), plan_(plan), callbacks_(callbacks), quota_(limits.packets),
          records_(sessions.size()), endings_(sessions.size())
    {
        deal_out();
    }
    Run(const Run &) = delete;
    Run &operator=(const Run &) = delete;
    ~Run()
    {
        for (Session &session : sessions_)
            session.take_queues_back();
    }

    void run()
    {
        next_tick_ = started_ + callbacks_.tick_every;
        listen();
        if (!alone_ && !start_threads())
            return;
        while (!ended_ && step()) {
        }
        if (alone_)
            end_of(*receivers_.front());
        for (const auto &receiver : receivers_) {
            receiver->end();
            end_of(*receiver);
        }
    }

    // Nothing comes any more: what the rings still hold, as far as the limit allows.
    void finish()
    {
        for (const auto &receiver : receivers_) {
            while (receiver->round() != 0) {
            }
            const Clock::time_point patience = Clock::now() + std::chrono::milliseconds(100);
            while (!receiver->settle() && Clock::now() < patience) {
            }
        }
    }

    void take_records()
    {
        for (std::size_t i = 0; i < sessions_.size(); ++i)
            records_[i] += sessions_[i].receive_records(callbacks_.record);
    }

    [[nodiscard]] Summary summary(std::size_t session) const;

private:
    // Rounds over the queues before the clock and the other descriptors are looked at again.
    static constexpr int rounds = 64;

    void deal_out();
    void listen();
    bool start_threads();

    // False: the end.
    bool step()
    {
        const Clock::time_point now = Clock::now();
        if (callbacks_.tick && now >= next_tick_) {
            callbacks_.tick(now - started_, counts());
            next_tick_ = now + callbacks_.tick_every;
        }
        if (now >= end_)
            return false;
        return wait(now, patience(now));
    }

    // Who is registered for a socket all the time is also told of each packet that it has sent, so the sockets are
    // listened to only while nothing is done.
    bool wait(Clock::time_point now, std::chrono::milliseconds patience)
    {
        constexpr std::chrono::milliseconds longest(1000);
        const auto once = patience.count() < 0 ? longest : std::min(patience, longest);
        const int ready = poll(polled_.data(), polled_.size(), static_cast<int>(once.count()));
        // Sessions look after their programs now and then.
        const bool all = ready <= 0 || now - looked_ >= longest;
        if (all)
            looked_ = now;
        const auto sockets = std::span(polled_).subspan(sessions_.size());
        if (ready > 0 && std::ranges::any_of(sockets, [](const pollfd &one) { return one.revents != 0; }) && drain())
            return false;
        for (std::size_t i = 0; i < sessions_.size(); ++i)
            if ((all || polled_[i].revents != 0) && !woken(i, sessions_[i].wait(std::chrono::milliseconds(0))))
                return false;
        return true;
    }

    bool woken(std::size_t session, const Result<Session::Wake> &wake)
    {
        if (!wake) {
            endings_[session] = wake.error();
            return false;
        }
        take_records();
        switch (*wake) {
        case Session::Wake::stop: return false;
        case Session::Wake::down:
        case Session::Wake::up:
        case Session::Wake::renamed:
            if (callbacks_.link)
                callbacks_.link(session, *wake);
            return true;
        case Session::Wake::packets: // its sockets are not the session's any more
        case Session::Wake::records:
        case Session::Wake::timeout: break;
        }
        if (alone_)
            (void)receivers_.front()->settle();
        return true;
    }

    // Whether that was all that is wanted.
    bool drain()
    {
        Receiver &receiver = *receivers_.front();
        for (int i = 0; i < rounds && !quota_.spent() && !receiver.error(); ++i)
            if (receiver.round() == 0 && !receiver.rest())
                break;
        settled_ = receiver.settle();
        return quota_.spent() || receiver.error();
    }

    void end_of(const Receiver &receiver)
    {
        if (receiver.error() && !ended_)
            ended_ = receiver.error();
    }

    [[nodiscard]] std::vector<QueueCount> counts() const
    {
        std::vector<QueueCount> counts;
        for (const auto &lane : lanes_)
            counts.push_back(lane->count());
        return counts;
    }

    [[nodiscard]] std::chrono::milliseconds patience(Clock::time_point now) const
    {
        const Clock::time_point until = callbacks_.tick ? std::min(next_tick_, end_) : end_;
        if (!settled_) // what is on its way comes back without waking anybody
            return std::chrono::milliseconds(1);
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

    std::span<Session> sessions_;
    const RunLimits &limits_;
    const RunPlan &plan_;
    const RunCallbacks &callbacks_;
    Quota quota_;
    std::vector<std::unique_ptr<Lane>> lanes_; // in order of sessions and queues
    std::vector<std::unique_ptr<Receiver>> receivers_;
    bool alone_ = true;          // one receiver, on this thread
    bool settled_ = true;        // of the receiver on this thread
    std::vector<pollfd> polled_; // the sessions, then the sockets
    Clock::time_point looked_ = Clock::now();
    std::vector<std::uint64_t> records_;
    std::vector<std::optional<Error>> endings_; // of sessions
    std::optional<Error> ended_;                // of all
    Clock::time_point started_ = Clock::now();
    Clock::time_point end_ = end();
    Clock::time_point next_tick_;
};

// Queues that share memory go to the same thread; others by their place in their session.
void Run::deal_out()
{
    std::map<const Umem *, std::size_t> threads;
    alone_ = plan_.cpus.empty() && plan_.waiting == Waiting::block;
    std::vector<std::vector<Lane *>> shares(std::max<std::size_t>(plan_.cpus.size(), 1));
    for (std::size_t session = 0; session < sessions_.size(); ++session) {
        std::size_t place = 0;
        for (Queue &queue : sessions_[session].queues()) {
            auto &lane = *lanes_.emplace_back(std::make_unique<Lane>());
            lane.session = session;
            lane.queue = &queue;
            const auto [thread, fresh] = threads.try_emplace(queue.memory().get(), place % shares.size());
            place += fresh ? 1 : 0;
            shares[thread->second].push_back(&lane);
        }
    }
    for (std::vector<Lane *> &share : shares)
        receivers_.push_back(std::make_unique<Receiver>(std::move(share), quota_, plan_, callbacks_));
}

// To the sessions' news, and to the sockets, unless threads do that.
void Run::listen()
{
    for (Session &session : sessions_) {
        session.leave_queues_to_others();
        polled_.push_back({session.fd(), POLLIN, 0});
    }
    for (const auto &lane : lanes_)
        if (alone_)
            polled_.push_back({lane->queue->fd(), POLLIN, 0});
}

bool Run::start_threads()
{
    for (std::size_t i = 0; i < receivers_.size(); ++i) {
        const auto cpu = i < plan_.cpus.size() ? std::optional(plan_.cpus[i]) : std::nullopt;
        if (Result<void> started = receivers_[i]->start(cpu, [this] { sessions_.front().stop(); }); !started) {
            ended_ = std::move(started.error());
            return false;
        }
    }
    return true;
}

std::optional<InterfaceCounters> gained(const Interface &before)
{
    const Result<Interface> now = find_interface(before.index, {});
    if (!now)
        return {};
    return now->counters - before.counters;
}

Summary Run::summary(std::size_t session) const
{
    Summary summary;
    summary.ended_by = endings_[session] || session != 0 ? endings_[session] : ended_;
    summary.records = records_[session];
    summary.restored = sessions_[session].restored();
    for (const auto &lane : lanes_) {
        if (lane->session != session)
            continue;
        const Queue &queue = *lane->queue;
        QueueSummary one{lane->count(), queue.zero_copy(), queue.waiting(),
                         queue.statistics().value_or(QueueStatistics{}), queue.sent()};
        summary.packets += one.received.packets;
        summary.bytes += one.received.bytes;
        summary.not_taken += one.not_taken;
        summary.lost += one.dropped.lost();
        summary.sent += one.sent.sent;
        summary.queues.push_back(one);
    }
    summary.interface = gained(sessions_[session].interface());
    return summary;
}

} // namespace

std::vector<Summary> run(std::span<Session> sessions, const RunLimits &limits, const RunPlan &plan,
                         const RunCallbacks &callbacks)
{
    const Clock::time_point started = Clock::now();
    Run loop(sessions, limits, plan, callbacks);
    loop.run();
    const Clock::duration elapsed = Clock::now() - started;
    std::vector<Result<void>> detached(sessions.size());
    if (limits.detach) {
        for (std::size_t i = 0; i < sessions.size(); ++i)
            detached[i] = sessions[i].detach();
        loop.finish();
    }
    loop.take_records(); // what came with the last packets
    std::vector<Summary> summaries;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
        summaries.push_back(loop.summary(i));
        summaries.back().elapsed = elapsed;
        summaries.back().detached = std::move(detached[i]);
    }
    return summaries;
}

Summary run(Session &session, const RunLimits &limits, const RunCallbacks &callbacks)
{
    return std::move(run(std::span(&session, 1), limits, {}, callbacks).front());
}

} // namespace xdpf::runtime
