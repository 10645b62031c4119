#include "runtime/cli/signals.hpp"

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace xdpf::cli {
namespace {

std::atomic<int> stop_fd = -1;
std::atomic<int> signals_seen = 0;

void on_signal(int number)
{
    const std::uint64_t once = 1;
    (void)!write(stop_fd.load(), &once, sizeof once);
    if (++signals_seen == 2)
        (void)std::signal(number, SIG_DFL);
}

} // namespace

StopOnSignal::StopOnSignal(int eventfd)
{
    stop_fd = eventfd;
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < signals.size(); ++i) {
        sigaction(signals[i], nullptr, &before_[i]);
        if (signals[i] != SIGHUP || before_[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, nullptr);
    }
}

StopOnSignal::~StopOnSignal()
{
    for (std::size_t i = 0; i < signals.size(); ++i)
        sigaction(signals[i], &before_[i], nullptr);
}

int StopOnSignal::seen() { return signals_seen; }

HeldSignals::HeldSignals(std::initializer_list<int> others)
{
    sigset_t held;
    sigemptyset(&held);
    for (const int one : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction now {};
        sigaction(one, nullptr, &now);
        if (one != SIGHUP || now.sa_handler != SIG_IGN)
            sigaddset(&held, one);
    }
    for (const int one : others)
        sigaddset(&held, one);
    sigprocmask(SIG_BLOCK, &held, &before_);
    fd_ = runtime::Fd(signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK));
}

HeldSignals::~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

std::optional<int> HeldSignals::next() const
{
    signalfd_siginfo one{};
    return read(fd_.get(), &one, sizeof one) == sizeof one ? std::optional(static_cast<int>(one.ssi_signo))
                                                           : std::nullopt;
}

bool HeldSignals::came_within(std::chrono::milliseconds time) const
{
    pollfd readable{fd_.get(), POLLIN, 0};
    const auto most = static_cast<int>(std::min<std::int64_t>(time.count(), INT_MAX));
    return poll(&readable, 1, most) > 0 && next(); // taken: the end of holding would let it through
}

} // namespace xdpf::cli
