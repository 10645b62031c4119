// Literals from their text: numbers, addresses, prefixes, quantities. Errors say what is wrong with which part.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/sema/typed.hpp"
#include "grammar/ast.hpp"

#include <optional>

namespace xdpf::sema {

struct LiteralValue {
    ValueType type = ValueType::number;
    u128 first = 0; // of a prefix: its lowest address
    u128 last = 0;  // equal to `first` unless it is a prefix
    bool prefix = false;
    std::uint8_t prefix_length = 0;
};

// Bits of an address type: 48, 32, 128; of numbers 64.
[[nodiscard]] unsigned bits_of(ValueType type);

// Nothing after an error, which has been reported at `span`.
[[nodiscard]] std::optional<LiteralValue> read_literal(const ast::Literal &literal, Span span,
                                                       Diagnostics &diagnostics);

// Of a quantity: a rate as events a second, a duration in nanoseconds.
[[nodiscard]] std::optional<std::uint64_t> read_quantity(const ast::Literal &literal, Span span,
                                                         Diagnostics &diagnostics);

// "1 bit", "2 bits"
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view what);

// How the value is written in the language: 10.0.0.1, 2001:db8::1, 02:00:00:00:00:01, 53.
[[nodiscard]] std::string to_string(ValueType type, u128 value);

} // namespace xdpf::sema
