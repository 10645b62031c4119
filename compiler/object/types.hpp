// The types of a program's parts in BTF, as clang would emit them for the same program written in C.
#pragma once

#include "compiler/image.hpp"
#include "compiler/object/btf.hpp"

namespace xdpf {

// A map variable in C: struct { int (*type)[BPF_MAP_TYPE_HASH]; int (*max_entries)[64]; struct k *key; … } name;
// libbpf makes the map from the type alone, so its bytes in section .maps are only room. Maps without keys or values
// (queues, ring buffers) have no such member.
struct MapVariable {
    BtfId var;
    std::uint32_t size = 0; // bytes in section .maps
};

[[nodiscard]] MapVariable add_map(BtfBuilder &btf, const MapSpec &map);

// The same of a table of programs whose slots follow the variable: … int (*values[])(struct xdp_md *ctx); } name = …;
[[nodiscard]] MapVariable add_program_table(BtfBuilder &btf, const MapSpec &map);

// A number is __u8 … __u64; an address, bytes or a big-endian number an array of __u8; a Layout with named fields a
// struct, called `fallback_name` if it has no name.
[[nodiscard]] BtfId add_layout(BtfBuilder &btf, const Layout &layout, const std::string &fallback_name);

// A variable for a field of the data: __u16 name, or an array of __u8.
[[nodiscard]] BtfId add_data_variable(BtfBuilder &btf, std::string_view name, const LayoutField &field);

// The prototype that the kernel's own types have; libbpf compares them by kind, down through pointers.
[[nodiscard]] BtfId add_kfunc(BtfBuilder &btf, Kfunc kfunc);

// int name(struct xdp_md *ctx)
[[nodiscard]] BtfId add_program(BtfBuilder &btf, std::string_view name);

// const char _license[size], alone in its section.
void add_license(BtfBuilder &btf, std::string_view section, std::string_view variable, std::uint32_t size);

} // namespace xdpf
