#include "compiler/ir/map_store.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace xdpf::ir {
namespace {

using Bytes = MapStore::Bytes;
using View = std::span<const std::byte>;

bool is_lru(MapKind kind) { return kind == MapKind::lru_hash || kind == MapKind::lru_percpu_hash; }

// A u32 in the machine's order at the beginning: an index, or the length of a prefix.
std::uint32_t first_number(View key)
{
    std::uint32_t number = 0;
    std::memcpy(&number, key.data(), sizeof number);
    return number;
}

Bytes index_key(std::uint32_t index)
{
    Bytes key(sizeof index);
    std::memcpy(key.data(), &index, sizeof index);
    return key;
}

constexpr std::size_t prefix_start = sizeof(std::uint32_t);

// The key with that prefix length, and zeros behind the prefix.
Bytes cut(View key, std::uint32_t length)
{
    Bytes result(key.size(), std::byte{0});
    std::memcpy(result.data(), &length, sizeof length);
    std::copy_n(key.begin() + prefix_start, length / 8, result.begin() + prefix_start);
    if (const unsigned rest = length % 8; rest != 0) {
        const std::size_t last = prefix_start + length / 8;
        result[last] = key[last] & std::byte(0xff00 >> rest & 0xff);
    }
    return result;
}

bool fits(View key) { return first_number(key) <= 8 * (key.size() - prefix_start); }

} // namespace

bool MapStore::KeyOrder::operator()(View a, View b) const
{
    const int order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
    return order != 0 ? order < 0 : a.size() < b.size();
}

MapStore::MapStore(std::span<const MapSpec> maps)
{
    for (const MapSpec &spec : maps) {
        Map &map = maps_[maps_.add({})];
        map.spec = spec;
        if (has(spec.kind, map_trait::array))
            for (std::uint32_t i = 0; i < spec.max_entries; ++i)
                map.elements.push_back(std::make_shared<Bytes>(spec.value.size));
    }
}

MapStore::Value MapStore::lookup(MapId id, View key)
{
    Map &map = maps_[id];
    assert(key.size() >= map.spec.key.size && !has(map.spec.kind, map_trait::redirect | map_trait::keyless));
    key = key.first(map.spec.key.size);
    if (has(map.spec.kind, map_trait::array)) {
        const std::uint32_t index = first_number(key);
        return index < map.elements.size() ? map.elements[index] : nullptr;
    }
    if (has(map.spec.kind, map_trait::prefix))
        return longest_prefix(map, key);
    const auto at = map.entries.find(key);
    if (at == map.entries.end())
        return nullptr;
    touch(map, at);
    return at->second.value;
}

MapStore::Value MapStore::longest_prefix(Map &map, View key)
{
    if (!fits(key))
        return nullptr;
    const std::uint32_t longest = first_number(key);
    for (auto length = map.prefixes.upper_bound(longest); length != map.prefixes.begin();) {
        --length;
        const auto at = map.entries.find(cut(key, length->first));
        if (at != map.entries.end())
            return at->second.value;
    }
    return nullptr;
}

MapStore::Outcome MapStore::update_array(Map &map, View key, View value, std::uint64_t flags)
{
    const std::uint32_t index = first_number(key);
    if (index >= map.elements.size())
        return Outcome::bad_key;
    if (flags == BPF_NOEXIST)
        return Outcome::exists;
    std::ranges::copy(value, map.elements[index]->begin());
    return Outcome::done;
}

MapStore::Outcome MapStore::update(MapId id, View key, View value, std::uint64_t flags)
{
    Map &map = maps_[id];
    assert(key.size() >= map.spec.key.size && value.size() >= map.spec.value.size);
    key = key.first(map.spec.key.size);
    value = value.first(map.spec.value.size);
    if (flags > BPF_EXIST)
        return Outcome::forbidden;
    if (has(map.spec.kind, map_trait::array))
        return update_array(map, key, value, flags);
    const bool prefix = has(map.spec.kind, map_trait::prefix);
    if (prefix && !fits(key))
        return Outcome::bad_key;
    Bytes stored = prefix ? cut(key, first_number(key)) : Bytes(key.begin(), key.end());
    auto at = map.entries.find(stored);
    if (flags == (at == map.entries.end() ? BPF_EXIST : BPF_NOEXIST))
        return flags == BPF_EXIST ? Outcome::missing : Outcome::exists;
    if (at == map.entries.end()) {
        if (map.entries.size() >= map.spec.max_entries) {
            if (!is_lru(map.spec.kind) || map.by_use.empty())
                return Outcome::full;
            forget(map, map.by_use.begin()->second);
        }
        at = map.entries.emplace(std::move(stored), Entry{}).first;
        if (prefix)
            ++map.prefixes[first_number(key)];
    }
    // A new value, not new contents: who holds the old one keeps seeing that, as under RCU.
    at->second.value = std::make_shared<Bytes>(value.begin(), value.end());
    touch(map, at);
    return Outcome::done;
}

MapStore::Outcome MapStore::remove(MapId id, View key)
{
    Map &map = maps_[id];
    key = key.first(map.spec.key.size);
    const bool prefix = has(map.spec.kind, map_trait::prefix);
    if (has(map.spec.kind, map_trait::array))
        return Outcome::forbidden;
    if (prefix && !fits(key))
        return Outcome::bad_key;
    const auto at = map.entries.find(prefix ? cut(key, first_number(key)) : Bytes(key.begin(), key.end()));
    if (at == map.entries.end())
        return Outcome::missing;
    if (prefix && --map.prefixes[first_number(key)] == 0)
        map.prefixes.erase(first_number(key));
    forget(map, at);
    return Outcome::done;
}

int MapStore::status_of(MapId id, Outcome outcome) const
{
    const MapKind kind = maps_[id].spec.kind;
    switch (outcome) {
    case Outcome::done: return 0;
    case Outcome::full: return has(kind, map_trait::prefix) ? -ENOSPC : -E2BIG;
    case Outcome::bad_key: return has(kind, map_trait::array) ? -E2BIG : -EINVAL;
    case Outcome::exists: return -EEXIST;
    case Outcome::missing: return -ENOENT;
    case Outcome::forbidden: return -EINVAL;
    }
    return -EINVAL;
}

MapStore::Outcome MapStore::push(MapId id, View value)
{
    Map &map = maps_[id];
    assert(has(map.spec.kind, map_trait::keyless) && value.size() >= map.spec.value.size);
    value = value.first(map.spec.value.size);
    if (map.spec.kind == MapKind::bloom_filter) {
        map.members.emplace(value.begin(), value.end());
        return Outcome::done;
    }
    if (map.pushed.size() >= map.spec.max_entries)
        return Outcome::full;
    map.pushed.emplace_back(value.begin(), value.end());
    return Outcome::done;
}

std::optional<Bytes> MapStore::pop(MapId id)
{
    auto &pushed = maps_[id].pushed;
    if (pushed.empty())
        return std::nullopt;
    const bool newest = maps_[id].spec.kind == MapKind::stack;
    Bytes value = std::move(newest ? pushed.back() : pushed.front());
    if (newest)
        pushed.pop_back();
    else
        pushed.pop_front();
    return value;
}

bool MapStore::has_value(MapId id, View value) const
{
    const Map &map = maps_[id];
    value = value.first(map.spec.value.size);
    return map.members.contains(Bytes(value.begin(), value.end()));
}

// __bpf_ringbuf_reserve: a record takes its header and eight-byte steps, and the ring is never quite full.
MapStore::Value MapStore::reserve(MapId id, std::uint64_t size)
{
    Map &map = maps_[id];
    const std::uint64_t taken = (size + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
    if (taken >= map.spec.max_entries - map.ring_used)
        return nullptr;
    map.ring_used += taken;
    return map.records.emplace_back(std::make_shared<Bytes>(size));
}

std::vector<Bytes> MapStore::records(MapId id) const
{
    std::vector<Bytes> all;
    for (const Value &record : maps_[id].records)
        all.push_back(*record);
    return all;
}

void MapStore::clear_records(MapId id)
{
    maps_[id].records.clear();
    maps_[id].ring_used = 0;
}

void MapStore::touch(Map &map, Entries::iterator entry)
{
    if (!is_lru(map.spec.kind))
        return;
    map.by_use.erase(entry->second.used);
    entry->second.used = ++clock_;
    map.by_use.emplace(clock_, entry);
}

void MapStore::forget(Map &map, Entries::iterator entry)
{
    map.by_use.erase(entry->second.used);
    map.entries.erase(entry);
}

bool MapStore::is_filled(MapId id, std::uint32_t slot) const
{
    const Map &map = maps_[id];
    const bool possible = slot < map.spec.max_entries || map.spec.kind == MapKind::devmap_hash;
    return possible && (map.every_slot || map.filled.contains(slot));
}

void MapStore::fill(MapId id, std::uint32_t slot) { maps_[id].filled.insert(slot); }

void MapStore::clear_slots(MapId id)
{
    maps_[id].every_slot = false;
    maps_[id].filled.clear();
}

std::vector<std::pair<Bytes, Bytes>> MapStore::entries(MapId id) const
{
    const Map &map = maps_[id];
    std::vector<std::pair<Bytes, Bytes>> all;
    for (std::size_t i = 0; i < map.elements.size(); ++i)
        all.emplace_back(index_key(static_cast<std::uint32_t>(i)), *map.elements[i]);
    for (const auto &[key, entry] : map.entries)
        all.emplace_back(key, *entry.value);
    for (const Bytes &value : map.pushed)
        all.emplace_back(Bytes{}, value);
    if (map.spec.kind == MapKind::stack)
        std::ranges::reverse(all);
    for (const Bytes &value : map.members)
        all.emplace_back(Bytes{}, value);
    return all;
}

void MapStore::clear(MapId id)
{
    MapSpec spec = std::move(maps_[id].spec);
    MapStore fresh({&spec, 1});
    maps_[id] = std::move(fresh.maps_[MapId(std::size_t{0})]);
    maps_[id].every_slot = false;
}

void MapStore::take(MapId id, MapStore &other, MapId from)
{
    MapSpec spec = std::move(maps_[id].spec);
    maps_[id] = std::move(other.maps_[from]); // iterators of by_use stay good
    maps_[id].spec = std::move(spec);
    clock_ = std::max(clock_, other.clock_);
}

} // namespace xdpf::ir
