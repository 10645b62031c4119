// The maps of a program without a kernel: lookups and updates as the kernel's do them (kernel/bpf/{arraymap,hashtab,
// lpm_trie}.c, net/xdp/xskmap.c). Per-CPU maps have the one value that a single CPU sees.
#pragma once

#include "compiler/maps.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace xdpf::ir {

class MapStore {
public:
    using Bytes = std::vector<std::byte>;
    // Shared, since a program may hold a value while its entry goes.
    using Value = std::shared_ptr<Bytes>;
    enum class Outcome : std::uint8_t {
        done,
        full,   // E2BIG, of tries ENOSPC: no room, nothing changed
        bad_key // an index past the end (E2BIG), a prefix longer than its address (EINVAL)
    };

    // Arrays begin with zeros, redirect maps with every slot filled, everything else empty.
    explicit MapStore(std::span<const MapSpec> maps);

    // Null where there is no such entry. In LRU maps the entry becomes the most recently used. `key` may be longer than
    // the map's keys.
    [[nodiscard]] Value lookup(MapId map, std::span<const std::byte> key);
    Outcome update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value);
    // Whether there was one. Entries of arrays cannot be deleted.
    bool erase(MapId map, std::span<const std::byte> key);

    // Redirect maps: what a slot holds does not matter here, only whether it does.
    [[nodiscard]] bool is_filled(MapId map, std::uint32_t slot) const;
    void fill(MapId map, std::uint32_t slot);
    void clear_slots(MapId map);

    // All entries in order of their keys' bytes; of arrays all entries in order of index.
    [[nodiscard]] std::vector<std::pair<Bytes, Bytes>> entries(MapId map) const;

    // Takes over what a map of the same kind and layout in another store holds; that one is left unusable.
    void take(MapId map, MapStore &other, MapId from);

    [[nodiscard]] const MapSpec &spec(MapId map) const { return maps_[map].spec; }

private:
    struct Entry {
        Value value;
        std::uint64_t used = 0; // when, by the store's clock; of LRU maps
    };
    struct KeyOrder {
        using is_transparent = void;
        bool operator()(std::span<const std::byte> a, std::span<const std::byte> b) const;
    };
    using Entries = std::map<Bytes, Entry, KeyOrder>;

    struct Map {
        MapSpec spec;
        std::vector<Value> elements;                   // arrays
        Entries entries;                               // hashes; tries with keys cut to their prefix
        std::map<std::uint32_t, std::size_t> prefixes; // tries: how many entries of each length
        bool every_slot = true;                        // redirect maps
        std::set<std::uint32_t> filled;
        std::map<std::uint64_t, Entries::iterator> by_use; // LRU maps
    };

    void touch(Map &map, Entries::iterator entry);
    void forget(Map &map, Entries::iterator entry);
    Value longest_prefix(Map &map, std::span<const std::byte> key);

    IdVector<MapId, Map> maps_;
    std::uint64_t clock_ = 0;
};

} // namespace xdpf::ir
