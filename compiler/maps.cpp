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

} // namespace

std::string_view name_of(MapKind kind) { return map_kinds[static_cast<std::size_t>(kind)].name; }
unsigned traits_of(MapKind kind) { return map_kinds[static_cast<std::size_t>(kind)].traits; }
std::uint32_t bpf_type_of(MapKind kind) { return map_kinds[static_cast<std::size_t>(kind)].bpf_type; }

} // namespace xdpf
