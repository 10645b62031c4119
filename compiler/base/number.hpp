// Numbers as they are written in sources and where people set values: 1_000, 0xff, 0b1010, 5ms, 100/s.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace xdpf {

// Without a unit. Nothing: no number, or more than 64 bits.
[[nodiscard]] std::optional<std::uint64_t> read_whole_number(std::string_view text);

// What stands in front of a unit, and how many nanoseconds that unit has; of a rate (/s) 1.
struct Quantity {
    std::string_view number;
    std::uint64_t unit = 1;
    bool rate = false;
};

// Nothing: it ends with no unit.
[[nodiscard]] std::optional<Quantity> split_quantity(std::string_view text);

// How much that is. Nothing: no number, or more than 64 bits.
[[nodiscard]] std::optional<std::uint64_t> value_of(const Quantity &quantity);

} // namespace xdpf
