// All entries of a map, one after the other.
#include "runtime/maps.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace xdpf::runtime {
namespace {

constexpr std::size_t batch_bytes = std::size_t{1} << 20;
constexpr int not_supported = 524; // ENOTSUPP, which the kernel should keep to itself

// Of the others the kernel either has no batches, or loses its way while entries go.
bool has_batches(MapKind kind) { return !has(kind, map_trait::prefix | map_trait::redirect | map_trait::programs); }

// Kernels before 5.6 do not know batches, those before 5.13 not of all these kinds.
bool means_no_batches(int result) { return result == -EINVAL || result == -EOPNOTSUPP || result == -not_supported; }

} // namespace

bool says_something(const MapSpec &spec, std::span<const std::byte> value)
{
    return !has(spec.kind, map_trait::array) ||
           std::ranges::any_of(value, [](std::byte b) { return b != std::byte{0}; });
}

// For each processor in units of 8 bytes.
std::size_t Map::kernel_value_size() const
{
    return has(spec_.kind, map_trait::per_cpu) ? stride() * processors() : spec_.value.size;
}

bool Map::visit(const Visitor &visitor, std::span<const std::byte> key, std::span<const std::byte> value) const
{
    if (!has(spec_.kind, map_trait::per_cpu))
        return visitor(key, value.first(spec_.value.size));
    std::vector<Bytes> values;
    for (std::size_t at = 0; at < value.size(); at += stride()) {
        const auto one = value.subspan(at, spec_.value.size);
        values.emplace_back(one.begin(), one.end());
    }
    return visitor(key, sum(values));
}

// False: the kernel has no batches of this kind.
Result<bool> Map::visit_batches(const Visitor &visitor) const
{
    const std::size_t key_size = spec_.key.size;
    const std::size_t value_size = kernel_value_size();
    std::size_t room = std::max<std::size_t>(batch_bytes / (key_size + value_size), 16);
    Bytes keys;
    Bytes values;
    Bytes place(std::max<std::size_t>(key_size, sizeof(std::uint32_t)));
    for (bool first = true;;) {
        keys.resize(room * key_size);
        values.resize(room * value_size);
        auto count = static_cast<std::uint32_t>(room);
        const int result = bpf_map_lookup_batch(fd_, first ? nullptr : place.data(), place.data(), keys.data(),
                                                values.data(), &count, nullptr);
        if (first && means_no_batches(result))
            return false;
        if (result == -ENOSPC && room < std::size_t{spec_.max_entries} * 2) { // of hashes: one bucket has more
            room *= 2;
            continue;
        }
        if (result < 0 && result != -ENOENT)
            return std::unexpected(error("bpf(BPF_MAP_LOOKUP_BATCH)", -result));
        for (std::size_t i = 0; i < count; ++i)
            if (!visit(visitor, std::span(keys).subspan(i * key_size, key_size),
                       std::span(values).subspan(i * value_size, value_size)))
                return true;
        if (result == -ENOENT)
            return true;
        first = false;
    }
}

Result<void> Map::visit_keys(const Visitor &visitor) const
{
    Bytes key(spec_.key.size);
    Bytes value(std::max(kernel_value_size(), stride()));
    int result = bpf_map_get_next_key(fd_, nullptr, key.data());
    // Where the last key goes meanwhile, the walk begins anew: it ends with what the map can hold.
    for (std::uint64_t walked = 0; result == 0 && walked < spec_.max_entries; ++walked) {
        const int found = bpf_map_lookup_elem(fd_, key.data(), value.data());
        if (found < 0 && found != -ENOENT)
            return std::unexpected(error("bpf(BPF_MAP_LOOKUP_ELEM)", -found));
        if (found == 0 && !visit(visitor, key, std::span(value).first(kernel_value_size())))
            return {};
        Bytes next(key.size());
        result = bpf_map_get_next_key(fd_, key.data(), next.data());
        key = std::move(next);
    }
    if (result < 0 && result != -ENOENT)
        return std::unexpected(error("bpf(BPF_MAP_GET_NEXT_KEY)", -result));
    return {};
}

Result<void> Map::for_each(const Visitor &visitor) const
{
    if (has(spec_.kind, map_trait::keyless | map_trait::ring))
        return std::unexpected(error("bpf(BPF_MAP_GET_NEXT_KEY)", EOPNOTSUPP));
    if (has_batches(spec_.kind))
        if (Result<bool> done = visit_batches(visitor); !done || *done)
            return done ? Result<void>() : std::unexpected(std::move(done.error()));
    return visit_keys(visitor);
}

Result<std::optional<std::uint64_t>> Map::used(const std::function<bool()> &ended) const
{
    std::uint64_t seen = 0;
    std::uint64_t used = 0;
    bool cut = false;
    const Result<void> done = for_each([&](std::span<const std::byte>, std::span<const std::byte> value) {
        used += says_something(spec_, value) ? 1 : 0;
        cut = ++seen % 256 == 0 && ended();
        return !cut;
    });
    if (!done)
        return std::unexpected(done.error());
    return cut ? std::nullopt : std::optional(used);
}

Result<std::vector<Entry>> Map::entries(std::size_t most) const
{
    std::vector<Entry> out;
    const Visitor collect = [&](std::span<const std::byte> key, std::span<const std::byte> value) {
        if (out.size() < most)
            out.push_back({Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end())});
        return out.size() < most;
    };
    if (Result<void> done = for_each(collect); !done)
        return std::unexpected(std::move(done.error()));
    sort(out);
    return out;
}

void Map::sort(std::vector<Entry> &entries) const
{
    if (!has(spec_.kind, map_trait::array))
        std::ranges::sort(entries, {}, &Entry::key);
    const auto same = std::ranges::unique(entries, {}, &Entry::key);
    entries.erase(same.begin(), same.end());
}

} // namespace xdpf::runtime
