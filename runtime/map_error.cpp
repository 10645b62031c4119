// Why the kernel did not make a map.
#include "runtime/fd.hpp"
#include "runtime/loader.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace xdpf::runtime {
namespace {

// libbpf tells only in words which map it could not make: map 'a': failed to create: Invalid argument(-22)
std::string_view refused_map(std::string_view said)
{
    constexpr std::string_view before = "map '";
    const auto end = said.find("': failed to create");
    const auto begin = end == std::string_view::npos ? end : said.rfind(before, end);
    return begin == std::string_view::npos ? std::string_view()
                                           : said.substr(begin + before.size(), end - begin - before.size());
}

std::uint32_t needed_flags(MapKind kind) { return has(kind, map_trait::no_prealloc) ? BPF_F_NO_PREALLOC : 0; }

// Whether the kernel takes such a map, alone and without a name. It is gone at once.
bool is_taken(const MapSpec &spec, std::uint32_t entries, std::uint32_t flags)
{
    DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
    const Fd map(bpf_map_create(static_cast<bpf_map_type>(bpf_type_of(spec.kind)), nullptr, spec.key.size,
                                spec.value.size, entries, &options));
    return static_cast<bool>(map);
}

// The least that the kind takes: of a ring the kernel wants whole pages.
std::uint32_t few_entries(const MapSpec &spec)
{
    return std::min(spec.max_entries, has(spec.kind, map_trait::ring) ? std::uint32_t{1} << 16 : 1U);
}

std::string declaration(const MapSpec &spec)
{
    const std::string flags = spec.flags != 0 ? fmt::format(" (flags = {:#x})", spec.flags) : "";
    return fmt::format("defmap {} : {}[{}]{}", spec.name, name_of(spec.kind), spec.max_entries, flags);
}

std::string possible_processors()
{
    std::string range;
    std::ifstream("/sys/devices/system/cpu/possible") >> range;
    return range;
}

constexpr const char *memory_remedy =
    "ulimit -l; free -m; cat /sys/fs/cgroup/memory.max   (maps need kernel memory), or fewer entries in the source";

void explain_entries(Error &error, const MapSpec &spec)
{
    const std::string refused = fmt::format("the kernel refuses '{}'", declaration(spec));
    if (spec.kind == MapKind::cpumap) {
        error.cause = fmt::format("{}: entries of a cpumap are processors, and possible here are {}", refused,
                                  possible_processors());
        error.remedy = fmt::format("defmap {} : cpumap[{}]   (in the source)", spec.name, libbpf_num_possible_cpus());
        return;
    }
    const double values = has(spec.kind, map_trait::per_cpu) ? libbpf_num_possible_cpus() : 1;
    const double key = has(spec.kind, map_trait::array) ? 0 : spec.key.size; // an index is not kept
    const double bytes = has(spec.kind, map_trait::ring) ? 1 : key + spec.value.size * values;
    error.cause = fmt::format("{}: it takes one with fewer entries; this one wants {:.0f} MB of kernel memory or more",
                              refused, bytes * spec.max_entries / 1e6);
    error.remedy = error.code == EPERM || error.code == ENOMEM ? memory_remedy : "fewer entries in the source";
}

// What is wrong is tried out: the map with few entries, the map without the flags that the source gives.
void explain(Error &error, const MapSpec &spec)
{
    const std::uint32_t few = few_entries(spec);
    const std::uint32_t plain = needed_flags(spec.kind);
    if (is_taken(spec, spec.max_entries, spec.flags)) {
        error.cause =
            fmt::format("the kernel takes '{}' alone, and not beside the program's other maps", declaration(spec));
        error.remedy = memory_remedy;
        return;
    }
    if (is_taken(spec, few, spec.flags)) {
        explain_entries(error, spec);
        return;
    }
    error.cause = fmt::format("the kernel refuses '{}'", declaration(spec));
    if (spec.flags != plain && is_taken(spec, few, plain)) {
        error.cause += fmt::format(": it takes one without these flags; BPF_F_… of <linux/bpf.h> are not all for {}",
                                   name_of(spec.kind));
        error.remedy = fmt::format("other flags for '{}' in the source, or none", spec.name);
    } else {
        error.cause += ", however few its entries";
        error.remedy = "bpftool feature probe kernel   (which kinds of map this kernel offers)";
    }
}

} // namespace

bool explain_refused_map(Error &error, const Image &image, std::string_view said)
{
    const std::string_view name = refused_map(said);
    const auto map = std::ranges::find(image.maps, name, &MapSpec::name);
    if (name.empty() || map == image.maps.end())
        return false;
    error.call = "bpf(BPF_MAP_CREATE)";
    error.stage = fmt::format("cannot make map '{}'", name);
    error.span = map->span;
    if (error.cause.empty()) // missing capabilities
        explain(error, *map);
    return true;
}

} // namespace xdpf::runtime
