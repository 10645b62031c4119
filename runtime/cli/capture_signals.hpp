// Signals that end a capture, for a command whose threads receive packets while the first one waits.
#pragma once

#include "runtime/fd.hpp"

#include <atomic>
#include <csignal>
#include <functional>

namespace xdpf::cli {

// SIGINT, SIGTERM and SIGHUP (unless nohup set it aside) are blocked as long as this lives, in threads that are begun
// meanwhile, too, and are waited for. To be made before these threads.
class SignalWait {
public:
    SignalWait();
    SignalWait(const SignalWait &) = delete;
    SignalWait &operator=(const SignalWait &) = delete;
    ~SignalWait();

    // Returns when done() was called `times` times. Calls `stop` at the first signal; another one has its usual effect.
    // With `pipe`, also where that descriptor is a pipe whose reader is gone.
    void wait(int times, int pipe, const std::function<void()> &stop);
    void done(); // from any thread

private:
    sigset_t signals_{};
    sigset_t before_{};
    runtime::Fd signal_;
    runtime::Fd done_; // an eventfd
};

} // namespace xdpf::cli
