// The maps of a loaded program from outside: entries as bytes by the layout of MapSpec, and as text
// (compiler/map_text.hpp): 10.0.0.1 -> {packets = 3, bytes = 180}.
#pragma once

#include "compiler/map_text.hpp"
#include "runtime/error.hpp"
#include "runtime/load.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xdpf::runtime {

using Bytes = std::vector<std::byte>;

// Keys and values without the kernel's padding. Of maps with a value for each processor, a value is the sum: number by
// number, and what is no number as the first processor has it that has anything.
struct Entry {
    Bytes key;
    Bytes value;
};

// Borrows the map's descriptor.
class Map {
public:
    Map(MapSpec spec, int fd) : spec_(std::move(spec)), fd_(fd) {}

    [[nodiscard]] const MapSpec &spec() const { return spec_; }

    // Nothing where there is no such key. Of prefix maps the entry of exactly this prefix; of queues and stacks, which
    // take an empty key, what would come next.
    [[nodiscard]] Result<std::optional<Bytes>> lookup(std::span<const std::byte> key) const;
    // By processor; one value where the map has one for all.
    [[nodiscard]] Result<std::vector<Bytes>> lookup_each(std::span<const std::byte> key) const;
    // A value for each processor is written to all of them: that is what a program reads there. `flags` as of
    // bpf(BPF_MAP_UPDATE_ELEM): 0, BPF_NOEXIST or BPF_EXIST. Queues, stacks and Bloom filters: adds a value.
    [[nodiscard]] Result<void> update(std::span<const std::byte> key, std::span<const std::byte> value,
                                      std::uint64_t flags = 0) const;
    // So that lookup() gives this value: as update(), but of a value for each processor the first one's, and the others
    // 0.
    [[nodiscard]] Result<void> update_sum(std::span<const std::byte> key, std::span<const std::byte> value) const;
    // Whether there was one. Entries of arrays stay: they become 0.
    [[nodiscard]] Result<bool> erase(std::span<const std::byte> key) const;
    // Takes what comes next from a queue or a stack.
    [[nodiscard]] Result<std::optional<Bytes>> pop() const;
    // In order of the keys' bytes, of arrays in order of index. While the map changes, an entry may be missed.
    [[nodiscard]] Result<std::vector<Entry>> entries(std::size_t most = std::numeric_limits<std::size_t>::max()) const;

    // Without collecting them, in the kernel's order. The bytes are good for the call; false ends it.
    using Visitor = std::function<bool(std::span<const std::byte> key, std::span<const std::byte> value)>;
    [[nodiscard]] Result<void> for_each(const Visitor &visitor) const;
    // Into the order of entries(), without what a walk over a changing map found twice.
    void sort(std::vector<Entry> &entries) const;

    // How many entries say something, by reading them all. Nothing: `ended` said that it takes too long.
    [[nodiscard]] Result<std::optional<std::uint64_t>> used(const std::function<bool()> &ended) const;

    [[nodiscard]] std::string text(const Entry &entry) const;
    // A text that is no key or value of this map is an Error, too.
    [[nodiscard]] Result<Bytes> key(std::string_view text) const;
    [[nodiscard]] Result<Bytes> value(std::string_view text) const;

private:
    [[nodiscard]] Error error(const char *call, int code) const;
    [[nodiscard]] static std::size_t processors();
    [[nodiscard]] std::size_t stride() const; // of one processor's value
    [[nodiscard]] std::size_t kernel_value_size() const;
    [[nodiscard]] Result<void> write(std::span<const std::byte> key, const Bytes &values, std::uint64_t flags) const;
    [[nodiscard]] bool visit(const Visitor &visitor, std::span<const std::byte> key,
                             std::span<const std::byte> value) const;
    [[nodiscard]] Result<bool> visit_batches(const Visitor &visitor) const;
    [[nodiscard]] Result<void> visit_keys(const Visitor &visitor) const;
    [[nodiscard]] Result<std::vector<Bytes>> read(std::span<const std::byte> key) const;
    [[nodiscard]] Bytes sum(const std::vector<Bytes> &values) const;
    [[nodiscard]] Result<bool> has_prefix(std::span<const std::byte> key) const;

    MapSpec spec_;
    int fd_;
};

// Whether an entry is to be shown: every index of an array exists, those with 0 say nothing.
[[nodiscard]] bool says_something(const MapSpec &spec, std::span<const std::byte> value);

// Of devmaps and cpumaps at work: leads an entry to an interface (its index) or gives a processor's queue its size. The
// program that stands at this entry, or at the map's others, stands there then.
[[nodiscard]] Result<void> update_target(const Map &map, std::span<const std::byte> key, std::uint32_t target);

[[nodiscard]] Map map_of(const Loaded &loaded, MapId map);
// The error names the maps that there are.
[[nodiscard]] Result<Map> map_of(const Loaded &loaded, std::string_view name);

} // namespace xdpf::runtime
