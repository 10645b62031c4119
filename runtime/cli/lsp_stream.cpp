#include "runtime/cli/lsp_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <poll.h>
#include <unistd.h>

namespace xdpf::cli {
namespace {

constexpr std::size_t step = 1u << 16;
constexpr std::size_t longest_line = 4096; // of a header

// The number behind "Content-Length:"; what stands in front of it is what was left of something broken.
std::optional<std::size_t> content_length(std::string_view line)
{
    constexpr std::string_view name = "content-length:";
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    const auto found = std::ranges::search(line, name, same);
    if (found.empty())
        return std::nullopt;
    std::string_view digits(found.end(), line.end());
    digits.remove_prefix(std::min(digits.find_first_not_of(" \t"), digits.size()));
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    return error == std::errc() ? std::optional(length) : std::nullopt;
}

} // namespace

bool LspStream::fill()
{
    buffer_.erase(0, at_);
    at_ = 0;
    const auto before = buffer_.size();
    buffer_.resize(before + step);
    ssize_t got = 0;
    do
        got = ::read(input_, buffer_.data() + before, step);
    while (got < 0 && errno == EINTR);
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return got > 0;
}

// Without its line end; of one that is too long only the end.
std::optional<std::string> LspStream::read_line()
{
    std::size_t looked = 0; // bytes from at_ on
    for (;;) {
        const auto end = buffer_.find('\n', at_ + looked);
        if (end != std::string::npos) {
            std::string line = buffer_.substr(at_, end - at_);
            at_ = end + 1;
            if (line.ends_with('\r'))
                line.pop_back();
            return line;
        }
        if (buffer_.size() - at_ > longest_line)
            at_ = buffer_.size() - longest_line / 2;
        looked = buffer_.size() - at_;
        if (!fill())
            return std::nullopt;
    }
}

std::optional<std::string> LspStream::read()
{
    std::optional<std::size_t> length;
    for (;;) {
        const auto line = read_line();
        if (!line)
            return std::nullopt;
        if (line->empty() && length)
            break;
        if (const auto found = content_length(*line))
            length = found;
    }
    const bool keep = *length <= longest_message;
    std::string message;
    while (*length > 0) {
        if (at_ == buffer_.size() && !fill())
            return std::nullopt;
        const auto part = std::min(*length, buffer_.size() - at_);
        if (keep)
            message.append(buffer_, at_, part);
        at_ += part;
        *length -= part;
    }
    return message;
}

bool LspStream::pending() const
{
    pollfd one{.fd = input_, .events = POLLIN, .revents = 0};
    return at_ < buffer_.size() || poll(&one, 1, 0) > 0;
}

bool LspStream::write(std::string_view message)
{
    const auto framed = fmt::format("Content-Length: {}\r\n\r\n{}", message.size(), message);
    std::string_view rest = framed;
    while (!rest.empty()) {
        const auto written = ::write(output_, rest.data(), rest.size());
        if (written < 0 && errno != EINTR)
            return false;
        rest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return true;
}

} // namespace xdpf::cli
