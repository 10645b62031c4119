// Keys and values of maps as people write and read them: 10.0.0.1, 10.0.0.0/8, (10.0.0.1, 53),
// {packets = 3, bytes = 180}. Numbers are written as in the language (1_000, 0xff, 5ms); bytes are "\x01\x02", 0x0102
// or, with as many characters as there are bytes, a text.
#pragma once

#include "compiler/maps.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf {

// `whole` is the key or the value that the field is a part of. Of number fields only.
[[nodiscard]] std::uint64_t number_of(const LayoutField &field, std::span<const std::byte> whole);
void put_number(const LayoutField &field, std::uint64_t number, std::span<std::byte> whole);

[[nodiscard]] std::string field_text(const LayoutField &field, std::span<const std::byte> whole);
[[nodiscard]] std::string layout_text(const Layout &layout, std::span<const std::byte> whole);
[[nodiscard]] std::string key_text(const MapSpec &map, std::span<const std::byte> key);

// What is wrong with a text, as the rest of a sentence: "'10.0.0' is no IPv4 address".
template <class T> using TextResult = std::expected<T, std::string>;

// Puts what the text says into the field's bytes.
[[nodiscard]] TextResult<void> read_field(const LayoutField &field, std::string_view text, std::span<std::byte> whole);
// Values in the order of the fields, or named; what is not named is 0. Of keys all must be there.
[[nodiscard]] TextResult<std::vector<std::byte>> read_value(const MapSpec &map, std::string_view text);
[[nodiscard]] TextResult<std::vector<std::byte>> read_key(const MapSpec &map, std::string_view text);

} // namespace xdpf
