// What the contents of maps in the source and in a file beside it have in common.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/sema/literals.hpp"
#include "compiler/sema/typed.hpp"

#include <map>
#include <optional>
#include <string>

namespace xdpf::sema {

// So many mistakes in the contents of one map are reported.
constexpr std::size_t most_mistakes = 20;

// Where the keys stand that there are already, by their bytes.
using KeyPlaces = std::map<std::string, Span>;

// An IPv4 address where IPv6 addresses stand, as in a key of the type of ip.src, is the one that it is mapped to.
[[nodiscard]] LiteralValue stored_as(const LayoutField &field, LiteralValue read);

// 0x8000/1 where prefixes of numbers stand: its first `length` bits. Nothing after an error, reported at `span`.
[[nodiscard]] std::optional<LiteralValue> number_prefix(const LayoutField &field, std::uint64_t number,
                                                        std::uint64_t length, Span span, Diagnostics &diagnostics);

// Whether the key of the newest entry of the map, written at `span`, is there for the first time; reported if not.
bool is_new_key(const MapSpec &spec, KeyPlaces &places, Span span, Diagnostics &diagnostics);

} // namespace xdpf::sema
