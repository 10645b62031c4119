#include "runtime/cli/shell_signals.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace xdpf::cli {
namespace {

std::atomic<int> shell_news = -1;
std::atomic<bool> shell_interrupted = false;
std::atomic<bool> shell_ended = false;
std::atomic<bool> shell_resized = false;
std::atomic<bool> shell_continued = false;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void note_signal(int number)
{
    const int before = errno;
    switch (number) {
    case SIGINT: shell_interrupted = true; break;
    case SIGWINCH: shell_resized = true; break;
    case SIGCONT: shell_continued = true; break;
    default: shell_ended = true;
    }
    const std::uint64_t once = 1;
    (void)!write(shell_news, &once, sizeof once);
    errno = before;
}

} // namespace

// Without SA_RESTART: what waits for a key or a line looks up.
ShellSignals::ShellSignals() : news_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    shell_news = news_.get();
    for (std::atomic<bool> *flag : {&shell_interrupted, &shell_ended, &shell_resized, &shell_continued})
        *flag = false;
    struct sigaction action {};
    action.sa_handler = note_signal;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        sigaction(numbers[i], nullptr, &before_[i]);
        if (numbers[i] != SIGHUP || before_[i].sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, nullptr);
    }
}

ShellSignals::~ShellSignals()
{
    for (std::size_t i = 0; i < numbers.size(); ++i)
        sigaction(numbers[i], &before_[i], nullptr);
    shell_news = -1;
}

void ShellSignals::forget_interrupts() { shell_interrupted = false; }
bool ShellSignals::interrupted() const { return shell_interrupted; }
bool ShellSignals::ended() const { return shell_ended; }
bool ShellSignals::take_resized() { return shell_resized.exchange(false); }
bool ShellSignals::take_continued() { return shell_continued.exchange(false); }

void ShellSignals::heed() const
{
    std::uint64_t times = 0;
    (void)!read(news_.get(), &times, sizeof times);
}

bool ShellSignals::stops_within(std::chrono::milliseconds time) const
{
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + time;
    while (!stops()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        if (left.count() <= 0)
            return false;
        pollfd news{news_.get(), POLLIN, 0};
        if (poll(&news, 1, static_cast<int>(left.count())) > 0)
            heed();
    }
    return true;
}

} // namespace xdpf::cli
