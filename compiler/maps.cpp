#include "compiler/maps.hpp"

#include <linux/bpf.h>

#include <array>

namespace xdpf {
namespace {

struct MapKindInfo {
    std::string_view name;
    std::uint32_t bpf_type;
    unsigned traits;
};

constexpr std::array map_kinds{
#define XDPF_MAP_KIND(name, bpf_type, traits) MapKindInfo{#name, bpf_type, traits},
#include "compiler/map_kinds.def"
#undef XDPF_MAP_KIND
};

using enum MapKind;

struct MapFlagInfo {
    MapFlag flag;
    std::uint32_t kinds; // a bit for each
};

constexpr std::uint32_t kind_bit(MapKind kind) { return 1U << static_cast<unsigned>(kind); }

template <class... Kinds> constexpr std::uint32_t kind_bits(Kinds... kinds) { return (kind_bit(kinds) | ...); }

constexpr std::array map_flags{
#define XDPF_MAP_FLAG(name, ...) MapFlagInfo{{#name, name}, kind_bits(__VA_ARGS__)},
#include "compiler/map_flags.def"
#undef XDPF_MAP_FLAG
};

} // namespace

std::vector<MapFlag> flags_of(MapKind kind)
{
    std::vector<MapFlag> out;
    for (const auto &[flag, kinds] : map_flags)
        if ((kinds & kind_bit(kind)) != 0)
            out.push_back(flag);
    return out;
}

std::string_view name_of(MapKind kind) { return map_kinds[static_cast<std::size_t>(kind)].name; }
unsigned traits_of(MapKind kind) { return map_kinds[static_cast<std::size_t>(kind)].traits; }
std::uint32_t bpf_type_of(MapKind kind) { return map_kinds[static_cast<std::size_t>(kind)].bpf_type; }

std::string data_section_of(const MapSpec &spec) { return spec.internal ? ".data." + spec.name : ".data"; }

} // namespace xdpf
