#include "runtime/cli/shell_lines.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <string_view>
#include <unistd.h>

namespace xdpf::cli {

// False: a signal came.
bool LineReader::wait(const std::function<int()> &news, const std::function<void()> &on_news) const
{
    while (!signals_.stops()) {
        std::array<pollfd, 3> polled{{{fd_, POLLIN, 0}, {signals_.fd(), POLLIN, 0}, {news(), POLLIN, 0}}};
        if (poll(polled.data(), polled.size(), -1) < 0)
            continue;
        if (polled[1].revents != 0)
            signals_.heed();
        if (polled[2].revents != 0)
            on_news();
        if (polled[0].revents != 0)
            return !signals_.stops();
    }
    return false;
}

LineReader::Event LineReader::read(std::string &line, std::size_t most, const std::function<int()> &news,
                                   const std::function<void()> &on_news)
{
    constexpr std::size_t part = 64 * 1024;
    if (signals_.stops())
        return Event::stopped;
    while (true) {
        const auto rest = std::string_view(buffer_).substr(begin_);
        const auto end = rest.find('\n');
        const auto size = end == std::string_view::npos ? rest.size() : end;
        if (size > most)
            return Event::too_long;
        if (end != std::string_view::npos || (at_end_ && !rest.empty())) {
            line = rest.substr(0, end);
            begin_ += size + (end == std::string_view::npos ? 0 : 1);
            return Event::line;
        }
        if (at_end_)
            return Event::end;
        if (!wait(news, on_news))
            return Event::stopped;
        buffer_.erase(0, begin_);
        begin_ = 0;
        std::array<char, part> fresh; // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
        const ssize_t got = ::read(fd_, fresh.data(), fresh.size());
        if (got > 0)
            buffer_.append(fresh.data(), static_cast<std::size_t>(got));
        else if (got == 0 || errno != EINTR)
            at_end_ = true;
    }
}

} // namespace xdpf::cli
