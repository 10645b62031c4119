// Signals of a shell: Ctrl-C ends what runs, SIGTERM and SIGHUP end the shell in order.
#pragma once

#include "runtime/fd.hpp"

#include <array>
#include <chrono>
#include <csignal>

namespace xdpf::cli {

// As long as it lives, SIGINT, SIGTERM, SIGHUP (unless nohup set it aside), SIGWINCH and SIGCONT are noted. One at a
// time in a process.
class ShellSignals {
public:
    ShellSignals();
    ShellSignals(const ShellSignals &) = delete;
    ShellSignals &operator=(const ShellSignals &) = delete;
    ~ShellSignals();

    void forget_interrupts();               // those until now
    [[nodiscard]] bool interrupted() const; // SIGINT came since
    [[nodiscard]] bool ended() const;       // SIGTERM or SIGHUP came
    [[nodiscard]] bool stops() const { return interrupted() || ended(); }
    [[nodiscard]] bool take_resized(); // the window has another size since the last call
    [[nodiscard]] bool take_continued();

    [[nodiscard]] int fd() const { return news_.get(); } // readable when one came; heed() takes that back
    void heed() const;
    // Whether what runs is to stop, now or within that time.
    [[nodiscard]] bool stops_within(std::chrono::milliseconds time) const;

private:
    static constexpr std::array<int, 5> numbers{SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT};
    std::array<struct sigaction, numbers.size()> before_{};
    runtime::Fd news_; // an eventfd
};

} // namespace xdpf::cli
