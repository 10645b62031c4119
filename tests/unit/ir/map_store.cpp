#include "compiler/ir/map_store.hpp"

#include <doctest/doctest.h>

#include <linux/bpf.h>

#include <cerrno>
#include <cstring>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

using Bytes = MapStore::Bytes;
using Outcome = MapStore::Outcome;

MapSpec spec(MapKind kind, std::uint32_t key, std::uint32_t value, std::uint32_t entries)
{
    MapSpec map;
    map.name = "m";
    map.kind = kind;
    map.key.size = key;
    map.value.size = value;
    map.max_entries = entries;
    return map;
}

Bytes number(std::uint32_t value)
{
    Bytes bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

Bytes prefix(std::uint32_t length, std::initializer_list<int> address)
{
    Bytes key = number(length);
    for (const int part : address)
        key.push_back(std::byte(part));
    return key;
}

Bytes found(MapStore &maps, const Bytes &key)
{
    const auto value = maps.lookup(MapId(0), key);
    return value ? *value : Bytes{};
}

MapStore store(MapKind kind, std::uint32_t key, std::uint32_t entries)
{
    const MapSpec map = spec(kind, key, 4, entries);
    return MapStore(std::span(&map, 1));
}

} // namespace

TEST_CASE("arrays have every entry, and no other")
{
    for (const MapKind kind : {MapKind::array, MapKind::percpu_array}) {
        MapStore maps = store(kind, 4, 2);
        CHECK(found(maps, number(1)) == number(0));
        CHECK(maps.lookup(MapId(0), number(2)) == nullptr);
        CHECK(maps.update(MapId(0), number(1), number(7)) == Outcome::done);
        CHECK(maps.update(MapId(0), number(2), number(7)) == Outcome::bad_key);
        CHECK(found(maps, number(1)) == number(7));
        CHECK(!maps.erase(MapId(0), number(1)));
        CHECK(maps.entries(MapId(0)).size() == 2);
    }
}

TEST_CASE("a full hash takes nothing new")
{
    MapStore maps = store(MapKind::hash, 4, 2);
    CHECK(maps.lookup(MapId(0), number(1)) == nullptr);
    CHECK(maps.update(MapId(0), number(1), number(10)) == Outcome::done);
    CHECK(maps.update(MapId(0), number(2), number(20)) == Outcome::done);
    CHECK(maps.update(MapId(0), number(3), number(30)) == Outcome::full);
    CHECK(maps.lookup(MapId(0), number(3)) == nullptr);
    CHECK(maps.update(MapId(0), number(2), number(21)) == Outcome::done);
    CHECK(found(maps, number(2)) == number(21));
    CHECK(maps.erase(MapId(0), number(1)));
    CHECK(!maps.erase(MapId(0), number(1)));
    CHECK(maps.update(MapId(0), number(3), number(30)) == Outcome::done);
}

TEST_CASE("a value that is held outlives its entry")
{
    MapStore maps = store(MapKind::hash, 4, 2);
    maps.update(MapId(0), number(1), number(10));
    const auto held = maps.lookup(MapId(0), number(1));
    maps.update(MapId(0), number(1), number(11));
    maps.erase(MapId(0), number(1));
    CHECK(*held == number(10));
}

TEST_CASE("a full LRU map drops the entry that was used longest ago")
{
    MapStore maps = store(MapKind::lru_hash, 4, 2);
    maps.update(MapId(0), number(1), number(10));
    maps.update(MapId(0), number(2), number(20));
    CHECK(found(maps, number(1)) == number(10));
    CHECK(maps.update(MapId(0), number(3), number(30)) == Outcome::done);
    CHECK(maps.lookup(MapId(0), number(2)) == nullptr);
    CHECK(found(maps, number(1)) == number(10));
    CHECK(maps.entries(MapId(0)).size() == 2);
}

TEST_CASE("a trie finds the longest prefix")
{
    MapStore maps = store(MapKind::lpm_trie, 8, 4);
    const auto at = [&](int a, int b, int c, int d) { return found(maps, prefix(32, {a, b, c, d})); };
    CHECK(at(10, 0, 0, 1) == Bytes{});
    maps.update(MapId(0), prefix(8, {10, 0, 0, 0}), number(8));
    maps.update(MapId(0), prefix(20, {10, 1, 0x1f, 0}), number(20)); // bits behind the prefix do not count
    CHECK(at(10, 0, 0, 1) == number(8));
    CHECK(at(10, 1, 0x10, 1) == number(20));
    CHECK(at(10, 1, 0x20, 1) == number(8));
    CHECK(at(11, 0, 0, 1) == Bytes{});
    CHECK(found(maps, prefix(16, {10, 1, 0, 0})) == number(8)); // a shorter key finds shorter prefixes only
    maps.update(MapId(0), prefix(0, {0, 0, 0, 0}), number(1));
    CHECK(at(11, 0, 0, 1) == number(1));
    CHECK(maps.update(MapId(0), prefix(33, {1, 1, 1, 1}), number(1)) == Outcome::bad_key);
    CHECK(maps.lookup(MapId(0), prefix(33, {1, 1, 1, 1})) == nullptr);
    CHECK(maps.update(MapId(0), prefix(20, {10, 1, 0x10, 0}), number(21)) == Outcome::done);
    CHECK(maps.entries(MapId(0)).size() == 3);
    CHECK(at(10, 1, 0x10, 1) == number(21));
    CHECK(maps.erase(MapId(0), prefix(20, {10, 1, 0x10, 0})));
    CHECK(at(10, 1, 0x10, 1) == number(8));
    maps.update(MapId(0), prefix(32, {1, 1, 1, 1}), number(2));
    maps.update(MapId(0), prefix(32, {1, 1, 1, 2}), number(2));
    CHECK(maps.update(MapId(0), prefix(32, {1, 1, 1, 3}), number(2)) == Outcome::full);
}

TEST_CASE("slots of a redirect map are filled until said otherwise")
{
    MapStore maps = store(MapKind::xskmap, 4, 4);
    CHECK(maps.is_filled(MapId(0), 3));
    CHECK(!maps.is_filled(MapId(0), 4));
    maps.clear_slots(MapId(0));
    CHECK(!maps.is_filled(MapId(0), 3));
    maps.fill(MapId(0), 3);
    CHECK(maps.is_filled(MapId(0), 3));
}

TEST_CASE("updates may ask for a new entry, or for one that is there")
{
    MapStore maps = store(MapKind::hash, 4, 2);
    CHECK(maps.update(MapId(0), number(1), number(10), BPF_EXIST) == Outcome::missing);
    CHECK(maps.update(MapId(0), number(1), number(10), BPF_NOEXIST) == Outcome::done);
    CHECK(maps.update(MapId(0), number(1), number(11), BPF_NOEXIST) == Outcome::exists);
    CHECK(found(maps, number(1)) == number(10));
    CHECK(maps.update(MapId(0), number(1), number(11), BPF_EXIST) == Outcome::done);
    CHECK(found(maps, number(1)) == number(11));
    CHECK(maps.update(MapId(0), number(1), number(12), 3) == Outcome::forbidden);
    MapStore array = store(MapKind::array, 4, 2);
    CHECK(array.update(MapId(0), number(1), number(10), BPF_NOEXIST) == Outcome::exists);
    CHECK(array.update(MapId(0), number(1), number(10), BPF_EXIST) == Outcome::done);
}

TEST_CASE("errors are the kernel's")
{
    MapStore hash = store(MapKind::hash, 4, 1);
    CHECK(hash.status_of(MapId(0), hash.update(MapId(0), number(1), number(1))) == 0);
    CHECK(hash.status_of(MapId(0), hash.update(MapId(0), number(2), number(1))) == -E2BIG);
    CHECK(hash.status_of(MapId(0), hash.update(MapId(0), number(1), number(1), BPF_NOEXIST)) == -EEXIST);
    CHECK(hash.status_of(MapId(0), hash.remove(MapId(0), number(2))) == -ENOENT);
    CHECK(hash.status_of(MapId(0), hash.remove(MapId(0), number(1))) == 0);
    MapStore array = store(MapKind::array, 4, 1);
    CHECK(array.status_of(MapId(0), array.update(MapId(0), number(1), number(1))) == -E2BIG);
    CHECK(array.status_of(MapId(0), array.remove(MapId(0), number(0))) == -EINVAL);
    MapStore trie = store(MapKind::lpm_trie, 8, 1);
    CHECK(trie.status_of(MapId(0), trie.update(MapId(0), prefix(33, {1, 1, 1, 1}), number(1))) == -EINVAL);
    CHECK(trie.status_of(MapId(0), trie.update(MapId(0), prefix(8, {1, 1, 1, 1}), number(1))) == 0);
    CHECK(trie.status_of(MapId(0), trie.update(MapId(0), prefix(9, {1, 1, 1, 1}), number(1))) == -ENOSPC);
}

TEST_CASE("a queue gives the oldest value first, a stack the newest")
{
    for (const MapKind kind : {MapKind::queue, MapKind::stack}) {
        MapStore maps = store(kind, 0, 2);
        CHECK(!maps.pop(MapId(0)));
        CHECK(maps.push(MapId(0), number(1)) == Outcome::done);
        CHECK(maps.push(MapId(0), number(2)) == Outcome::done);
        CHECK(maps.push(MapId(0), number(3)) == Outcome::full);
        const std::uint32_t first = kind == MapKind::queue ? 1 : 2;
        CHECK(maps.entries(MapId(0))[0].second == number(first));
        CHECK(maps.pop(MapId(0)) == number(first));
        CHECK(maps.pop(MapId(0)) == number(3 - first));
    }
}

TEST_CASE("a Bloom filter has what was put in")
{
    MapStore maps = store(MapKind::bloom_filter, 0, 1);
    CHECK(!maps.has_value(MapId(0), number(1)));
    CHECK(maps.push(MapId(0), number(1)) == Outcome::done);
    CHECK(maps.push(MapId(0), number(2)) == Outcome::done); // max_entries is a guess, not a limit
    CHECK(maps.has_value(MapId(0), number(1)));
    CHECK(!maps.has_value(MapId(0), number(3)));
}

TEST_CASE("a ring buffer has room for so many bytes until somebody reads")
{
    MapStore maps = store(MapKind::ringbuf, 0, 64);
    CHECK(maps.reserve(MapId(0), 56) == nullptr);
    const auto first = maps.reserve(MapId(0), 9); // takes 24
    REQUIRE(first != nullptr);
    CHECK(*first == Bytes(9));
    CHECK(maps.reserve(MapId(0), 25) == nullptr);
    REQUIRE(maps.reserve(MapId(0), 24) != nullptr); // takes 32: 8 are left
    CHECK(maps.reserve(MapId(0), 1) == nullptr);
    (*first)[0] = std::byte(7);
    REQUIRE(maps.records(MapId(0)).size() == 2);
    CHECK(maps.records(MapId(0))[0][0] == std::byte(7));
    maps.clear_records(MapId(0));
    CHECK(maps.records(MapId(0)).empty());
    CHECK(maps.reserve(MapId(0), 48) != nullptr);
}

TEST_CASE("maps of devices, processors and programs have slots; a hash of devices any")
{
    for (const MapKind kind : {MapKind::devmap, MapKind::cpumap, MapKind::prog_array, MapKind::devmap_hash}) {
        MapStore maps = store(kind, 4, 4);
        CHECK(maps.is_filled(MapId(0), 3));
        CHECK(maps.is_filled(MapId(0), 4) == (kind == MapKind::devmap_hash));
        maps.clear_slots(MapId(0));
        CHECK(!maps.is_filled(MapId(0), 3));
        maps.fill(MapId(0), 2);
        CHECK(maps.is_filled(MapId(0), 2));
    }
}
