#include "runtime/cli/capture_signals.hpp"

#include <array>
#include <cstdint>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace xdpf::cli {

SignalWait::SignalWait()
{
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    struct sigaction hang_up {};
    sigaction(SIGHUP, nullptr, &hang_up);
    if (hang_up.sa_handler != SIG_IGN)
        sigaddset(&signals_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    signal_ = runtime::Fd(signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK));
    done_ = runtime::Fd(eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE));
}

SignalWait::~SignalWait() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void SignalWait::wait(int times, int pipe, const std::function<void()> &stop)
{
    std::array<pollfd, 3> polled{{{done_.get(), POLLIN, 0}, {signal_.get(), POLLIN, 0}, {pipe, 0, 0}}};
    while (times > 0) {
        if (poll(polled.data(), polled.size(), -1) <= 0)
            continue;
        std::uint64_t one = 0;
        if (polled[0].revents != 0 && read(done_.get(), &one, sizeof one) > 0)
            --times;
        if (polled[1].revents != 0) {
            signalfd_siginfo first{};
            (void)!read(signal_.get(), &first, sizeof first);
            polled[1].fd = -1;
            std::signal(static_cast<int>(first.ssi_signo), SIG_DFL); // a shell's background jobs ignore SIGINT
            pthread_sigmask(SIG_SETMASK, &before_, nullptr);
            stop();
        }
        if ((polled[2].revents & POLLERR) != 0) {
            polled[2].fd = -1;
            stop();
        }
    }
}

void SignalWait::done()
{
    const std::uint64_t one = 1;
    (void)!write(done_.get(), &one, sizeof one);
}

} // namespace xdpf::cli
