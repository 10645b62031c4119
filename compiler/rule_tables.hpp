// Rules in a map: what the compiler writes there and the runtime replaces. classify/tables.hpp says what a set is.
//
// The value of the map begins with a head; one set or two of them stand behind it, of which one is in force.
#pragma once

#include "compiler/image.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace xdpf::rule_tables {

inline constexpr std::string_view map_name = "xdpf_rules"; // how the names of such maps begin
inline constexpr std::uint32_t head_size = 64;             // bytes in front of the sets

// Bytes of the head.
inline constexpr std::size_t active_at = 0;     // u32: where the set in force begins
inline constexpr std::size_t generation_at = 4; // u32, from 1; together with `active` one u64
inline constexpr std::size_t signature_at = 8;  // u64: of the instructions that read the sets
inline constexpr std::size_t room_at = 16;      // u32: bytes of a set
inline constexpr std::size_t sets_at = 20;      // u32: 1, or 2 where another set can take the place of the first

[[nodiscard]] inline bool is_one(const MapSpec &spec)
{
    return spec.internal && spec.data && spec.name.starts_with(map_name);
}

// The map of a program's rules; null where it has none.
[[nodiscard]] inline const MapSpec *find(const Image &image, const ProgramImage &program)
{
    for (const MapReference &reference : program.map_references)
        if (const MapSpec &spec = image.maps[reference.map.value]; is_one(spec))
            return &spec;
    return nullptr;
}

} // namespace xdpf::rule_tables
