// A terminal as a screen that is drawn anew in place, and put back as it was.
#pragma once

#include "runtime/cli/signals.hpp"

#include <chrono>
#include <string>
#include <termios.h>
#include <vector>

namespace xdpf::cli {

enum class LineStyle : std::uint8_t { plain, bold, alarm };

struct Line {
    std::string text; // UTF-8 without control characters
    LineStyle style = LineStyle::plain;
};

// Takes the other screen of the terminal that standard output is, without a cursor and without the echo of keys. Every
// way out of the process that can be caught puts it back, Ctrl-Z for as long as the process is stopped.
class Screen {
public:
    // Whether standard output is a terminal that can do this.
    [[nodiscard]] static bool possible();

    Screen();
    Screen(const Screen &) = delete;
    Screen &operator=(const Screen &) = delete;
    ~Screen();

    // Those lines that fit; the last one says how many do not.
    void draw(std::vector<Line> lines) const;

    enum class Event : std::uint8_t { none, resized, quit };
    // What comes first: the time, another size of the window, or the end: q, Ctrl-C, a signal, a terminal that is gone.
    [[nodiscard]] Event wait_until(std::chrono::steady_clock::time_point time);

private:
    void enter();
    void leave() const;
    [[nodiscard]] Event on_signal(int number);
    [[nodiscard]] bool wants_to_quit();

    HeldSignals signals_;
    termios before_{};
    bool has_keys_ = false; // standard input is a terminal
};

// The beginning of a UTF-8 text, of at most so many characters.
[[nodiscard]] std::string cut(const std::string &text, std::size_t columns);

} // namespace xdpf::cli
