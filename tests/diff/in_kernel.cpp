#include "tests/diff/in_kernel.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace xdpf::diff {
namespace {

constexpr std::size_t time_bytes = 8; // that each record begins with
constexpr std::size_t type_at = 8;
constexpr std::size_t captured_at = 12; // of samples; see RecordType

std::uint32_t number_at(const Bytes &record, std::size_t at)
{
    std::uint32_t out = 0;
    std::memcpy(&out, record.data() + at, sizeof out);
    return out;
}

// Without what lies behind the bytes that were captured: it holds anything.
Bytes without_rest(Bytes record, std::span<const RecordType> types)
{
    const RecordType &type = types[number_at(record, type_at)];
    if (type.sample)
        record.resize(type.layout.size + number_at(record, captured_at));
    return record;
}

void fill_slots(runtime::KernelProgram &program, MapId map, std::vector<std::string> &problems)
{
    const MapSpec &spec = program.loaded().maps()[map.value];
    if (spec.kind == MapKind::xskmap) {
        (void)program.fill_slots(map);
        return;
    }
    for (std::uint32_t slot = 0; slot < slots_to_fill(spec); ++slot)
        if (const auto done = program.fill_slot(map, slot); !done)
            problems.push_back(to_string(done.error()));
}

std::size_t entries_of(int fd, std::size_t key_size)
{
    Bytes key(key_size);
    std::size_t out = 0;
    for (int result = bpf_map_get_next_key(fd, nullptr, key.data()); result == 0;
         result = bpf_map_get_next_key(fd, key.data(), key.data()))
        ++out;
    return out;
}

std::vector<Bytes> popped(int fd, std::size_t value_size)
{
    std::vector<Bytes> out;
    for (Bytes value(value_size); bpf_map_lookup_and_delete_elem(fd, nullptr, value.data()) == 0;)
        out.push_back(value);
    return out;
}

bool same_record(const Bytes &a, const Bytes &b)
{
    return a.size() == b.size() && std::equal(a.begin() + time_bytes, a.end(), b.begin() + time_bytes);
}

std::string ring_difference(const MapSpec &spec, const std::vector<Bytes> &found, const std::vector<Bytes> &expected)
{
    if (found.size() != expected.size())
        return fmt::format("{} records in {}, not {}", found.size(), spec.name, expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        if (!same_record(found[i], expected[i]))
            return fmt::format("record {} in {} is\n    {}, not\n    {}", i, spec.name, hex(found[i]),
                               hex(expected[i]));
    return {};
}

std::string queue_difference(const MapSpec &spec, int fd, const ir::MapStore &expected, MapId map)
{
    const auto found = popped(fd, spec.value.size);
    const auto wanted = expected.entries(map);
    if (found.size() != wanted.size())
        return fmt::format("{} values in {}, not {}", found.size(), spec.name, wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i] != wanted[i].second)
            return fmt::format("value {} of {} is {}, not {}", i, spec.name, hex(found[i]), hex(wanted[i].second));
    return {};
}

std::string entry_difference(const runtime::KernelProgram &program, const MapSpec &spec, const ir::MapStore &expected,
                             MapId map)
{
    const auto wanted = expected.entries(map);
    if (!has(spec.kind, map_trait::array))
        if (const auto found = entries_of(program.loaded().map_fd(map), spec.key.size); found != wanted.size())
            return fmt::format("{} entries in {}, not {}", found, spec.name, wanted.size());
    for (const auto &[key, value] : wanted) {
        const auto found = program.lookup(map, key);
        if (!found || !*found || **found != value)
            return fmt::format("map {}[{}] is {}, not {}", spec.name, hex(key),
                               found && *found ? hex(**found) : "absent", hex(value));
    }
    return {};
}

} // namespace

void fill_maps(runtime::KernelProgram &program, const Subject &subject, std::vector<std::string> &problems)
{
    const auto &specs = program.loaded().maps();
    for (std::size_t i = 0; i < specs.size(); ++i) {
        if (program.loaded().map_fd(MapId(i)) < 0)
            continue;
        if (has(specs[i].kind, map_trait::redirect))
            fill_slots(program, MapId(i), problems);
        for (const Filling &filling : subject.fillings)
            if (specs[i].name == filling.map)
                if (const auto done = program.set(MapId(i), filling.key, filling.value); !done)
                    problems.push_back(to_string(done.error()));
    }
}

std::vector<std::string> differences(runtime::KernelProgram &program, const ir::MapStore &expected,
                                     const std::vector<std::pair<std::size_t, Bytes>> &records,
                                     std::span<const RecordType> types)
{
    std::vector<std::string> out;
    const auto &specs = program.loaded().maps();
    const auto kept = program.take_records();
    if (!kept)
        return {to_string(kept.error())};
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const MapSpec &spec = specs[i];
        const int fd = program.loaded().map_fd(MapId(i));
        if (fd < 0 || spec.internal || spec.kind == MapKind::bloom_filter ||
            has(spec.kind, map_trait::redirect | map_trait::programs))
            continue;
        std::string one;
        if (has(spec.kind, map_trait::ring)) {
            std::vector<Bytes> found;
            std::vector<Bytes> wanted;
            for (const runtime::KernelRecord &record : *kept)
                if (record.map.value == i)
                    found.push_back(without_rest(record.bytes, types));
            for (const auto &[map, bytes] : records)
                if (map == i)
                    wanted.push_back(without_rest(bytes, types));
            one = ring_difference(spec, found, wanted);
        } else if (has(spec.kind, map_trait::keyless)) {
            one = queue_difference(spec, fd, expected, MapId(i));
        } else {
            one = entry_difference(program, spec, expected, MapId(i));
        }
        if (!one.empty())
            out.push_back(std::move(one));
    }
    return out;
}

} // namespace xdpf::diff
