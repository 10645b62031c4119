#include "runtime/cli/terminal.hpp"

#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace xdpf::cli {
namespace {

// xterm's sequences, which every terminal emulator knows: the other screen, cursor and line wrap off; and back.
constexpr std::string_view take_screen = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view give_back = "\x1b[?7h\x1b[?25h\x1b[?1049l";

void write_terminal(std::string_view text)
{
    while (!text.empty()) {
        const ssize_t some = write(STDOUT_FILENO, text.data(), text.size());
        if (some < 0 && errno != EINTR)
            return; // the terminal is gone, which the next wait sees
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(some, 0)));
    }
}

winsize window()
{
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return {24, 80, 0, 0};
    return size;
}

std::string styled_line(const Line &line, std::size_t columns)
{
    std::string text = cut(line.text, columns);
    if (line.style == LineStyle::plain || !colour_on(STDOUT_FILENO))
        return text;
    return fmt::format("\x1b[{}m{}\x1b[0m", line.style == LineStyle::bold ? "1" : "31", text);
}

} // namespace

std::string cut(const std::string &text, std::size_t columns)
{
    std::size_t end = 0;
    for (std::size_t shown = 0; end < text.size(); ++end) {
        const bool begins = (static_cast<unsigned char>(text[end]) & 0xc0U) != 0x80U;
        if (begins && shown++ == columns)
            break;
    }
    return text.substr(0, end);
}

bool Screen::possible()
{
    const char *kind = std::getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && kind != nullptr && std::string_view(kind) != "dumb" && *kind != '\0';
}

Screen::Screen() : signals_({SIGWINCH, SIGTSTP, SIGCONT, SIGQUIT})
{
    has_keys_ = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before_) == 0;
    enter();
}

Screen::~Screen() { leave(); }

void Screen::enter()
{
    if (has_keys_) {
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    write_terminal(take_screen);
}

void Screen::leave() const
{
    write_terminal(give_back);
    if (has_keys_)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

void Screen::draw(std::vector<Line> lines) const
{
    const winsize size = window();
    if (const std::size_t all = lines.size(); all > size.ws_row) {
        lines.resize(size.ws_row - 1U);
        lines.push_back({fmt::format("… {} more lines: a higher window, or -i INTERFACE", all - lines.size())});
    }
    std::string out = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i)
        out += fmt::format("{}{}\x1b[K", i == 0 ? "" : "\r\n", styled_line(lines[i], size.ws_col));
    write_terminal(out + "\x1b[J");
}

// To be stopped as anybody expects, the signal's own meaning is let through.
Screen::Event Screen::on_signal(int number)
{
    if (number == SIGTSTP) {
        leave();
        (void)raise(SIGSTOP);
        enter();
        return Event::resized;
    }
    return number == SIGWINCH || number == SIGCONT ? Event::resized : Event::quit;
}

bool Screen::wants_to_quit()
{
    std::array<char, 64> keys{};
    const ssize_t count = read(STDIN_FILENO, keys.data(), keys.size());
    if (count <= 0) {
        has_keys_ = errno == EINTR && count < 0;
        return !has_keys_;
    }
    return std::ranges::find_if(keys.begin(), keys.begin() + count,
                                [](char key) { return key == 'q' || key == 'Q'; }) != keys.begin() + count;
}

Screen::Event Screen::wait_until(std::chrono::steady_clock::time_point time)
{
    using std::chrono::milliseconds;
    while (true) {
        const auto left = std::chrono::ceil<milliseconds>(time - std::chrono::steady_clock::now()).count();
        std::array<pollfd, 2> news{{{signals_.fd(), POLLIN, 0}, {has_keys_ ? STDIN_FILENO : -1, POLLIN, 0}}};
        const int count = poll(news.data(), news.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX)));
        if (count == 0)
            return Event::none;
        if (const auto number = signals_.next())
            return on_signal(*number);
        if (news[1].revents != 0 && wants_to_quit())
            return Event::quit;
    }
}

} // namespace xdpf::cli
