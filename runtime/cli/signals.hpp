// Signals that end a command's work in order: SIGINT, SIGTERM, SIGHUP (unless nohup set it aside).
#pragma once

#include "runtime/fd.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <initializer_list>
#include <optional>

namespace xdpf::cli {

// As long as it lives, such a signal adds 1 to the eventfd. The first one ends the work, the second one what is said at
// its end; who sends a third wants the process gone.
class StopOnSignal {
public:
    explicit StopOnSignal(int eventfd);
    StopOnSignal(const StopOnSignal &) = delete;
    StopOnSignal &operator=(const StopOnSignal &) = delete;
    ~StopOnSignal();

    [[nodiscard]] static int seen(); // how many there were

private:
    static constexpr std::array<int, 3> signals = {SIGINT, SIGTERM, SIGHUP};
    std::array<struct sigaction, 3> before_{};
};

// As long as it lives, those signals wait until somebody asks for them, and others that are named. In a process of
// several threads: made before the others.
class HeldSignals {
public:
    explicit HeldSignals(std::initializer_list<int> others = {});
    HeldSignals(const HeldSignals &) = delete;
    HeldSignals &operator=(const HeldSignals &) = delete;
    ~HeldSignals();

    [[nodiscard]] int fd() const { return fd_.get(); } // readable when there are some
    [[nodiscard]] std::optional<int> next() const;     // one that came
    // Whether one came, now or within that time.
    [[nodiscard]] bool came_within(std::chrono::milliseconds time) const;

private:
    sigset_t before_{};
    runtime::Fd fd_;
};

} // namespace xdpf::cli
