#include "compiler/base/number.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace xdpf {

std::optional<std::uint64_t> read_whole_number(std::string_view text)
{
    std::string digits(text);
    std::erase(digits, '_');
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X"))
        base = 16;
    else if (digits.starts_with("0b") || digits.starts_with("0B"))
        base = 2;
    const char *begin = digits.data() + (base == 10 ? 0 : 2);
    const char *end = digits.data() + digits.size();
    std::uint64_t value = 0;
    const auto [stopped, failed] = std::from_chars(begin, end, value, base);
    return failed == std::errc() && stopped == end ? std::optional(value) : std::nullopt;
}

std::optional<Quantity> split_quantity(std::string_view text)
{
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> units{
        {{"/s", 1}, {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}}};
    const auto unit = std::ranges::find_if(units, [&](const auto &one) { return text.ends_with(one.first); });
    if (unit == units.end())
        return std::nullopt;
    return Quantity{text.substr(0, text.size() - unit->first.size()), unit->second, unit == units.begin()};
}

std::optional<std::uint64_t> value_of(const Quantity &quantity)
{
    const auto number = read_whole_number(quantity.number);
    return number && *number <= UINT64_MAX / quantity.unit ? std::optional(*number * quantity.unit) : std::nullopt;
}

} // namespace xdpf
