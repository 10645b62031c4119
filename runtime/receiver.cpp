#include "runtime/receiver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

Result<void> pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    const int code = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (code == 0)
        return {};
    Error error = system_error(fmt::format("cannot receive on processor {}", cpu), "sched_setaffinity", code);
    if (code == EINVAL)
        error.cause = "there is no such processor, or this process may not use it";
    error.remedy = "nproc; taskset -p $$   (which there are)";
    return std::unexpected(std::move(error));
}

void add(std::atomic<std::uint64_t> &count, std::uint64_t more)
{
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

} // namespace

std::uint32_t Quota::claim(std::uint32_t most)
{
    if (!limited_)
        return most;
    std::uint64_t left = unclaimed_.load();
    while (!unclaimed_.compare_exchange_weak(left, left - std::min<std::uint64_t>(left, most))) {
    }
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(left, most));
}

void Quota::settle(std::uint32_t claimed, std::uint32_t taken)
{
    if (!limited_)
        return;
    if (claimed != taken)
        unclaimed_ += claimed - taken;
    if (taken != 0)
        untaken_ -= taken;
}

Receiver::Receiver(std::vector<Lane *> lanes, Quota &quota, const RunPlan &plan, const RunCallbacks &callbacks)
    : lanes_(std::move(lanes)), quota_(quota), plan_(plan), callbacks_(callbacks)
{
    constexpr std::uint32_t reserve = 8; // the memory holds many times what gathers
    for (const Lane *lane : lanes_)
        most_gathered_ = std::min(most_gathered_, lane->queue->memory()->options().frames / reserve);
}

std::uint32_t Receiver::take(Lane &lane)
{
    const std::uint32_t wanted = quota_.claim(Batch::capacity);
    if (wanted == 0)
        return 0;
    Batch batch = lane.queue->receive(wanted);
    const std::uint32_t got = batch.size();
    quota_.settle(wanted, got);
    if (got == 0)
        return 0;
    std::uint64_t bytes = 0;
    for (const std::span<std::byte> packet : batch) {
        bytes += packet.size();
        if (callbacks_.packet)
            callbacks_.packet(lane.queue->index(), packet);
    }
    add(lane.packets, got);
    add(lane.bytes, bytes);
    if (callbacks_.batch)
        if (Result<void> taken = callbacks_.batch(lane.session, *lane.queue, batch); !taken)
            error_ = std::move(taken.error());
    return got;
}

std::uint32_t Receiver::round()
{
    std::uint32_t got = 0;
    for (Lane *lane : lanes_)
        if (!error_)
            got += take(*lane);
    gathered_ += got;
    return got;
}

bool Receiver::rest()
{
    if (plan_.waiting != Waiting::block || plan_.busy_poll || plan_.gather.count() == 0)
        return false;
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> span = now - std::exchange(emptied_, now);
    const auto got = static_cast<double>(std::exchange(gathered_, 0));
    const double expected = got * std::chrono::duration<double>(plan_.gather).count() / span.count();
    constexpr double least = 8;
    if (expected < least || expected > most_gathered_)
        return false;
    std::this_thread::sleep_for(plan_.gather);
    return true;
}

bool Receiver::settle()
{
    bool settled = true;
    for (Lane *lane : lanes_) {
        if (lane->queue->unsent() == 0)
            continue;
        (void)lane->queue->flush(); // an interface that is down or gone is told of by its session
        settled = settled && lane->queue->unsent() == 0;
    }
    return settled;
}

Result<void> Receiver::start(std::optional<unsigned> cpu, std::function<void()> ended)
{
    ended_ = std::move(ended);
    stop_fd_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_fd_)
        return std::unexpected(system_error("cannot receive on a thread of its own", "eventfd", errno));
    polled_.push_back({stop_fd_.get(), POLLIN, 0});
    for (const Lane *lane : lanes_)
        polled_.push_back({lane->queue->fd(), POLLIN, 0});
    std::promise<Result<void>> pinned;
    std::future<Result<void>> started = pinned.get_future();
    thread_ = std::thread([this, cpu, pinned = std::move(pinned)]() mutable {
        Result<void> here = cpu ? pin(*cpu) : Result<void>();
        const bool goes = here.has_value();
        pinned.set_value(std::move(here));
        if (goes)
            work();
    });
    Result<void> result = started.get();
    if (!result)
        end();
    return result;
}

void Receiver::end()
{
    if (!thread_.joinable())
        return;
    stop_ = true;
    const std::uint64_t once = 1;
    (void)!write(stop_fd_.get(), &once, sizeof once);
    thread_.join();
}

void Receiver::work()
{
    using Clock = std::chrono::steady_clock;
    Clock::time_point last = Clock::now();
    while (!stop_.load(std::memory_order_relaxed)) {
        if (round() != 0) {
            if (plan_.waiting == Waiting::adaptive)
                last = Clock::now();
            continue;
        }
        if (error_ || quota_.spent()) {
            ended_();
            return;
        }
        const bool settled = settle();
        if (plan_.busy_poll)
            for (Lane *lane : lanes_)
                lane->queue->poll_driver();
        if (rest())
            continue;
        if (plan_.waiting == Waiting::spin ||
            (plan_.waiting == Waiting::adaptive && Clock::now() - last < plan_.spin)) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
            continue;
        }
        sleep(settled);
    }
}

// What is still on its way comes back without waking anybody.
void Receiver::sleep(bool settled) { (void)poll(polled_.data(), polled_.size(), settled ? -1 : 1); }

} // namespace xdpf::runtime
