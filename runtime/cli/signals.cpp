#include "runtime/cli/signals.hpp"

#include <atomic>
#include <cstdint>
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

} // namespace xdpf::cli
