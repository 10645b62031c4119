// Signals that end a command's work in order: SIGINT, SIGTERM, SIGHUP (unless nohup set it aside).
#pragma once

#include <array>
#include <csignal>

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

} // namespace xdpf::cli
