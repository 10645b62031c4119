#include "runtime/cli/arguments.hpp"

#include <algorithm>
#include <charconv>

namespace xdpf::cli {
namespace {

constexpr std::uint32_t most_queues = 65535; // more no driver has

std::optional<std::uint32_t> whole_number(std::string_view text)
{
    std::uint32_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

} // namespace

std::optional<std::vector<std::uint32_t>> parse_queues(std::string_view text)
{
    std::vector<std::uint32_t> queues;
    if (text == "all")
        return queues;
    while (true) {
        const std::size_t comma = text.find(',');
        const std::string_view part = text.substr(0, comma);
        const std::size_t dash = part.find('-');
        const auto first = whole_number(part.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : whole_number(part.substr(dash + 1));
        if (!first || !last || *last < *first || *last > most_queues)
            return std::nullopt;
        for (std::uint32_t queue = *first; queue <= *last; ++queue)
            queues.push_back(queue);
        if (comma == std::string_view::npos)
            return queues;
        text.remove_prefix(comma + 1);
    }
}

std::optional<std::pair<std::string, std::string>> parse_assignment(std::string_view text)
{
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos)
        return std::nullopt;
    return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text)
{
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string_view unit = text.substr(digits);
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + digits, value);
    if (digits == 0 || failed != std::errc() || end != text.data() + digits || value > 1e9)
        return std::nullopt;
    const double scale = unit == "ms"                  ? 1
                         : unit.empty() || unit == "s" ? 1e3
                         : unit == "m"                 ? 6e4
                         : unit == "h"                 ? 36e5
                                                       : 0;
    if (scale == 0)
        return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(value * scale));
}

} // namespace xdpf::cli
