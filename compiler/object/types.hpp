// The types of a program's parts in BTF, as clang would emit them for the same program written in C.
#pragma once

#include "compiler/maps.hpp"
#include "compiler/object/btf.hpp"

namespace xdpf {

// A map variable in C: struct { int (*type)[BPF_MAP_TYPE_HASH]; int (*max_entries)[64]; struct k *key; … } name;
// libbpf makes the map from the type alone, so its bytes in section .maps are only room.
struct MapVariable {
    BtfId var;
    std::uint32_t size = 0; // bytes in section .maps
};

[[nodiscard]] MapVariable add_map(BtfBuilder &btf, const MapSpec &map);

// A number is __u8 … __u64; an address, bytes or a big-endian number an array of __u8; a Layout with named fields a
// struct, called `fallback_name` if it has no name.
[[nodiscard]] BtfId add_layout(BtfBuilder &btf, const Layout &layout, const std::string &fallback_name);

// int name(struct xdp_md *ctx)
[[nodiscard]] BtfId add_program(BtfBuilder &btf, std::string_view name);

// const char _license[size], alone in its section.
void add_license(BtfBuilder &btf, std::string_view section, std::string_view variable, std::uint32_t size);

} // namespace xdpf
