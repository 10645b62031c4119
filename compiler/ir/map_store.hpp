// The maps of a program without a kernel: lookups and updates as the kernel's do them (kernel/bpf/{arraymap,hashtab,
// lpm_trie,devmap,cpumap,bloom_filter,queue_stack_maps,ringbuf}.c, net/xdp/xskmap.c). Per-CPU maps have the one value
// that a single CPU sees, Bloom filters are exact.
#pragma once

#include "compiler/maps.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
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
        full,     // E2BIG, of tries ENOSPC: no room, nothing changed
        bad_key,  // an index past the end (E2BIG), a prefix longer than its address (EINVAL)
        exists,   // EEXIST: there is such an entry, and the update was to make a new one
        missing,  // ENOENT: there is no such entry
        forbidden // EINVAL: the map does not know such a thing
    };

    // Arrays begin with zeros, maps to redirect into and maps of programs with every slot filled, everything else
    // empty.
    explicit MapStore(std::span<const MapSpec> maps);

    // Null where there is no such entry. In LRU maps the entry becomes the most recently used. `key` may be longer than
    // the map's keys.
    [[nodiscard]] Value lookup(MapId map, std::span<const std::byte> key);
    // `flags`: BPF_ANY, BPF_NOEXIST or BPF_EXIST.
    Outcome update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value,
                   std::uint64_t flags = 0);
    // Entries of arrays cannot be deleted.
    Outcome remove(MapId map, std::span<const std::byte> key);
    // Whether there was one.
    bool erase(MapId map, std::span<const std::byte> key) { return remove(map, key) == Outcome::done; }
    // What a program gets: 0, or a negative errno.
    [[nodiscard]] int status_of(MapId map, Outcome outcome) const;

    // Queues, stacks and Bloom filters. `value` may be longer than the map's values.
    Outcome push(MapId map, std::span<const std::byte> value);
    // Takes the next value out of a queue or a stack.
    std::optional<Bytes> pop(MapId map);
    // Whether a Bloom filter has the value.
    [[nodiscard]] bool has_value(MapId map, std::span<const std::byte> value) const;

    // Ring buffers: room for a record, with zeros, or null where nobody has made room for it.
    Value reserve(MapId map, std::uint64_t size);
    // The records that have room, in order; also those that are still being written.
    [[nodiscard]] std::vector<Bytes> records(MapId map) const;
    // As a reader of the ring does: makes room again.
    void clear_records(MapId map);

    // Maps to redirect into and maps of programs: what a slot holds does not matter here, only whether it does.
    [[nodiscard]] bool is_filled(MapId map, std::uint32_t slot) const;
    void fill(MapId map, std::uint32_t slot);
    void clear_slots(MapId map);

    // All entries in order of their keys' bytes; of arrays all entries in order of index, of queues and stacks in the
    // order in which they come out.
    [[nodiscard]] std::vector<std::pair<Bytes, Bytes>> entries(MapId map) const;

    // Nothing is in the map any more; arrays hold zeros.
    void clear(MapId map);

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
        bool every_slot = true;                        // maps of sockets, devices, programs
        std::set<std::uint32_t> filled;
        std::deque<Bytes> pushed;                          // queues and stacks, the oldest first
        std::set<Bytes> members;                           // Bloom filters
        std::vector<Value> records;                        // ring buffers
        std::uint64_t ring_used = 0;                       // bytes, with headers
        std::map<std::uint64_t, Entries::iterator> by_use; // LRU maps
    };

    Outcome update_array(Map &map, std::span<const std::byte> key, std::span<const std::byte> value,
                         std::uint64_t flags);
    void touch(Map &map, Entries::iterator entry);
    void forget(Map &map, Entries::iterator entry);
    Value longest_prefix(Map &map, std::span<const std::byte> key);

    IdVector<MapId, Map> maps_;
    std::uint64_t clock_ = 0;
};

} // namespace xdpf::ir
