// A BPF map as the compiler sees it: kind, sizes, and the layout of key and value by field, for BTF and for printing.
#pragma once

#include "compiler/base/id.hpp"
#include "compiler/base/limits.hpp"
#include "compiler/base/source.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf {

constexpr std::size_t most_program_maps = 64; // MAX_USED_MAPS of the kernel's verifier

using MapId = Id<struct MapTag>;

// By program: the size of its map for rules from files. As much as they need, and room for more, where it is not said.
using TableBytes = std::map<std::string, std::uint32_t, std::less<>>;

enum class MapKind : std::uint8_t {
#define XDPF_MAP_KIND(name, bpf_type, traits) name,
#include "compiler/map_kinds.def"
#undef XDPF_MAP_KIND
};

// What the language may do with a kind of map.
namespace map_trait {
enum : unsigned {
    redirect = 1,     // entries are sockets, devices or processors
    array = 2,        // key is an index below max_entries; every entry exists
    per_cpu = 4,      // a value for each CPU
    prefix = 8,       // key is a prefix
    no_prealloc = 16, // the kernel wants BPF_F_NO_PREALLOC
    programs = 32,    // entries are programs, to be gone on with by tail call
    keyless = 64,     // values are pushed, there are no keys (key size 0)
    ring = 128,       // records go to user space; key and value size 0, max_entries in bytes, a power of two
    broadcast = 256   // redirect maps: a packet can go to all entries at once
};
}

[[nodiscard]] std::string_view name_of(MapKind kind);
[[nodiscard]] unsigned traits_of(MapKind kind);
// BPF_MAP_TYPE_… of <linux/bpf.h>.
[[nodiscard]] std::uint32_t bpf_type_of(MapKind kind);
// A flag that maps can be made with: BPF_F_… of <linux/bpf.h>.
struct MapFlag {
    std::string_view name;
    std::uint32_t bit;
};
// The flags that the kernel takes for the kind.
[[nodiscard]] std::vector<MapFlag> flags_of(MapKind kind);
[[nodiscard]] inline bool has(MapKind kind, unsigned trait) { return (traits_of(kind) & trait) != 0; }

// How bytes of a key or value are meant. Numbers are in the machine's byte order except in prefix keys; addresses and
// bytes as they stand in the packet, shown in BTF as u8[n].
enum class FieldFormat : std::uint8_t { number, mac, ipv4, ipv6, bytes };

struct LayoutField {
    std::string name; // "src", "packets"
    FieldFormat format = FieldFormat::number;
    std::uint32_t offset = 0; // bytes
    std::uint32_t size = 0;   // bytes; numbers have 1, 2, 4 or 8
    bool big_endian = false;  // numbers in prefix keys
    bool either_ip = false;   // of IPv6 format: IPv4 addresses stand in it, too, IPv4-mapped (RFC 4291, 2.5.5.2)
};

// A key or a value: fields in order of offset, padding between them is zero. One unnamed field: a plain value.
struct Layout {
    std::string name; // "counter", "blocklist_key"; empty for a plain value
    std::uint32_t size = 0;
    std::vector<LayoutField> fields;
};

struct MapContent {
    std::vector<std::byte> key; // as the layout says; of queues, stacks and bloom filters empty
    std::vector<std::byte> value;
    std::string interface; // of devmaps: its name, in place of the index in `value`
};

struct MapSpec {
    std::string name;
    MapKind kind{};
    Layout key;   // of a prefix map: the first field is "prefixlen", u32
    Layout value; // redirect and program maps: u32
    std::uint32_t max_entries = 0;
    std::uint32_t flags = 0; // BPF_F_…
    Span span;
    // An array of one entry that the program reaches by its address (ir: map_value): the .data section of the object,
    // with a variable for each field of the value.
    bool data = false;
    std::vector<std::byte> initial{};   // of `data`: the bytes of the value
    bool internal = false;              // the compiler's own: nothing that the source names or that users are shown
    bool is_set = false;                // only its keys were declared; the values mean nothing
    bool pinned = false;                // under its name in bpffs, shared by all that load it
    std::vector<MapContent> contents{}; // what the loader puts in
};

// `wanted`, shortened and numbered from 2 as far as the kernel and the maps that there are ask for it.
template <class Maps> [[nodiscard]] std::string free_map_name(const Maps &maps, std::string_view wanted)
{
    for (unsigned number = 1;; ++number) {
        const std::string tail = number == 1 ? "" : "_" + std::to_string(number);
        const std::string name = std::string(wanted.substr(0, longest_kernel_name - tail.size())) + tail;
        if (std::ranges::find(maps, name, &MapSpec::name) == maps.end())
            return name;
    }
}

// The section of an object file that a map of `data` is; libbpf calls the map by its name.
[[nodiscard]] std::string data_section_of(const MapSpec &spec);

} // namespace xdpf
