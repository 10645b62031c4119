#include "runtime/maps.hpp"

#include "compiler/base/diagnostic.hpp"
#include "runtime/program_maps.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <ranges>
#include <utility>

namespace xdpf::runtime {
namespace {

bool all_zero(std::span<const std::byte> bytes)
{
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

const void *key_data(std::span<const std::byte> key) { return key.empty() ? nullptr : key.data(); }

std::unexpected<Error> no_such_text(const MapSpec &spec, const char *what, std::string why)
{
    Error error;
    error.stage = fmt::format("cannot use map '{}'", spec.name);
    error.message = fmt::format("as a {}, {}", what, why);
    return std::unexpected(std::move(error));
}

} // namespace

std::size_t Map::processors() { return static_cast<std::size_t>(libbpf_num_possible_cpus()); }

Error Map::error(const char *call, int code) const
{
    Error error = system_error(fmt::format("cannot use map '{}'", spec_.name), call, code);
    if (code == E2BIG && has(spec_.kind, map_trait::array | map_trait::redirect))
        error.cause = fmt::format("its indices go from 0 to {}", spec_.max_entries - 1);
    else if (code == E2BIG)
        error.cause = fmt::format("it has room for {} entries, and is full", spec_.max_entries);
    else if (code == EEXIST)
        error.cause = "there is an entry of that key";
    else if (code == ENOENT)
        error.cause = "there is no entry of that key";
    else if (code == EOPNOTSUPP)
        error.cause = fmt::format("the kernel does not offer that for maps of kind {}", name_of(spec_.kind));
    return error;
}

std::size_t Map::stride() const { return (std::size_t{spec_.value.size} + 7) / 8 * 8; }

Result<bool> Map::has_prefix(std::span<const std::byte> key) const
{
    Bytes found(key.size());
    int result = bpf_map_get_next_key(fd_, nullptr, found.data());
    while (result == 0 && !std::ranges::equal(found, key))
        result = bpf_map_get_next_key(fd_, found.data(), found.data());
    if (result < 0 && result != -ENOENT)
        return std::unexpected(error("bpf(BPF_MAP_GET_NEXT_KEY)", -result));
    return result == 0;
}

Result<std::vector<Bytes>> Map::lookup_each(std::span<const std::byte> key) const
{
    assert(key.size() == spec_.key.size);
    if (has(spec_.kind, map_trait::prefix)) { // a lookup would find the longest prefix
        const Result<bool> there = has_prefix(key);
        if (!there)
            return std::unexpected(there.error());
        if (!*there)
            return std::vector<Bytes>();
    }
    return read(key);
}

// Empty: the kernel has no entry.
Result<std::vector<Bytes>> Map::read(std::span<const std::byte> key) const
{
    const std::size_t values = has(spec_.kind, map_trait::per_cpu) ? processors() : 1;
    Bytes all(stride() * values);
    const int result = bpf_map_lookup_elem(fd_, key_data(key), all.data());
    std::vector<Bytes> out;
    if (result == -ENOENT)
        return out;
    if (result < 0)
        return std::unexpected(error("bpf(BPF_MAP_LOOKUP_ELEM)", -result));
    for (std::size_t i = 0; i < values; ++i) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * stride());
        out.emplace_back(begin, begin + spec_.value.size);
    }
    return out;
}

Bytes Map::sum(const std::vector<Bytes> &values) const
{
    Bytes out = values.front();
    for (const Bytes &value : values | std::views::drop(1))
        for (const LayoutField &field : spec_.value.fields) {
            const auto into = std::span(out).subspan(field.offset, field.size);
            if (field.format == FieldFormat::number)
                put_number(field, number_of(field, out) + number_of(field, value), out);
            else if (all_zero(into))
                std::ranges::copy(std::span(value).subspan(field.offset, field.size), into.begin());
        }
    return out;
}

Result<std::optional<Bytes>> Map::lookup(std::span<const std::byte> key) const
{
    const Result<std::vector<Bytes>> values = lookup_each(key);
    if (!values)
        return std::unexpected(values.error());
    return values->empty() ? std::nullopt : std::optional(sum(*values));
}

Result<void> Map::write(std::span<const std::byte> key, const Bytes &values, std::uint64_t flags) const
{
    const int result = bpf_map_update_elem(fd_, key_data(key), values.data(), flags);
    if (result < 0)
        return std::unexpected(error("bpf(BPF_MAP_UPDATE_ELEM)", -result));
    return {};
}

Result<void> Map::update(std::span<const std::byte> key, std::span<const std::byte> value, std::uint64_t flags) const
{
    assert(key.size() == spec_.key.size && value.size() == spec_.value.size);
    Bytes bytes(value.begin(), value.end());
    bytes.resize(stride());
    if (has(spec_.kind, map_trait::per_cpu)) {
        const Bytes one = bytes;
        for (std::size_t cpu = 1; cpu < processors(); ++cpu)
            bytes.insert(bytes.end(), one.begin(), one.end());
    }
    return write(key, bytes, flags);
}

Result<void> Map::update_sum(std::span<const std::byte> key, std::span<const std::byte> value) const
{
    assert(key.size() == spec_.key.size && value.size() == spec_.value.size);
    Bytes bytes(value.begin(), value.end());
    bytes.resize(stride() * (has(spec_.kind, map_trait::per_cpu) ? processors() : 1));
    return write(key, bytes, 0);
}

Result<bool> Map::erase(std::span<const std::byte> key) const
{
    assert(key.size() == spec_.key.size);
    if (has(spec_.kind, map_trait::array)) {
        const Result<void> cleared = update(key, Bytes(spec_.value.size));
        return cleared ? Result<bool>(true) : std::unexpected(cleared.error());
    }
    const int result = bpf_map_delete_elem(fd_, key_data(key));
    if (result < 0 && result != -ENOENT)
        return std::unexpected(error("bpf(BPF_MAP_DELETE_ELEM)", -result));
    return result == 0;
}

Result<std::optional<Bytes>> Map::pop() const
{
    Bytes value(stride());
    const int result = bpf_map_lookup_and_delete_elem(fd_, nullptr, value.data());
    if (result == -ENOENT)
        return std::nullopt;
    if (result < 0)
        return std::unexpected(error("bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM)", -result));
    value.resize(spec_.value.size);
    return value;
}

std::string Map::text(const Entry &entry) const
{
    if (spec_.is_set)
        return key_text(spec_, entry.key);
    const std::string value = layout_text(spec_.value, entry.value);
    return entry.key.empty() ? value : fmt::format("{} -> {}", key_text(spec_, entry.key), value);
}

Result<Bytes> Map::key(std::string_view text) const
{
    auto bytes = read_key(spec_, text);
    return bytes ? Result<Bytes>(std::move(*bytes)) : no_such_text(spec_, "key", std::move(bytes.error()));
}

Result<Bytes> Map::value(std::string_view text) const
{
    auto bytes = read_value(spec_, text);
    return bytes ? Result<Bytes>(std::move(*bytes)) : no_such_text(spec_, "value", std::move(bytes.error()));
}

Map map_of(const Loaded &loaded, MapId map) { return {loaded.maps()[map.value], loaded.map_fd(map)}; }

Result<Map> map_of(const Loaded &loaded, std::string_view name) { return loaded.at_work().map(name); }

bool is_of_source(const Image &image, MapId map)
{
    const MapSpec &spec = image.maps[map.value];
    const bool counts = map == image.verdict_counters ||
                        std::ranges::find(image.programs, map, &ProgramImage::rule_counters) != image.programs.end();
    return !spec.data && !spec.internal && !counts && !has(spec.kind, map_trait::programs);
}

Result<Map> ProgramMaps::map(std::string_view name) const
{
    const auto found = std::ranges::find(image_.maps, name, &MapSpec::name);
    if (found != image_.maps.end())
        return this->map(MapId(static_cast<std::size_t>(found - image_.maps.begin())));
    std::vector<std::string> names;
    for (const MapSpec &spec : image_.maps)
        if (!spec.internal)
            names.push_back(spec.name);
    Error error;
    error.stage = fmt::format("cannot use map '{}'", name);
    error.message = "the program has no map of that name";
    error.cause = names.empty() ? "it has no maps" : fmt::format("it has: {}", fmt::join(names, ", "));
    if (!nearest(name, names).empty())
        error.remedy = did_you_mean(name, names);
    return std::unexpected(std::move(error));
}

} // namespace xdpf::runtime
