#include "runtime/cli/run_report.hpp"

#include "runtime/cli/as_json.hpp"
#include "runtime/cli/origin.hpp"
#include "runtime/program_maps.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

const Span &span_of(const Loaded &loaded, const RuleCount &count)
{
    return loaded.image().programs[count.program].rules[count.rule];
}

bool is_shown(const Loaded &loaded, std::size_t map)
{
    const MapKind kind = loaded.maps()[map].kind;
    return is_of_source(loaded.image(), MapId(map)) && kind != MapKind::xskmap &&
           !has(kind, map_trait::keyless | map_trait::ring);
}

bool is_zero(std::span<const std::byte> value)
{
    return std::ranges::all_of(value, [](std::byte b) { return b == std::byte{0}; });
}

struct Shown {
    std::vector<Entry> entries;
    std::uint64_t zero = 0; // entries of an array that are left out
    bool cut = false;
};

Result<Shown> shown_entries(const Map &map, const Ended &ended)
{
    Shown shown;
    const bool array = has(map.spec().kind, map_trait::array);
    std::uint64_t seen = 0;
    Result<void> done = map.for_each([&](std::span<const std::byte> key, std::span<const std::byte> value) {
        if (seen++ % 1024 == 0 && ended())
            shown.cut = true;
        else if (array && is_zero(value))
            ++shown.zero;
        else
            shown.entries.push_back({Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end())});
        return !shown.cut;
    });
    if (!done)
        return std::unexpected(std::move(done.error()));
    if (!shown.cut)
        map.sort(shown.entries);
    return shown;
}

std::string heading(const MapSpec &spec, const Shown &shown)
{
    if (shown.cut)
        return fmt::format("map {}: not all of it was read\n", spec.name);
    if (shown.entries.empty())
        return fmt::format("map {}: {}\n", spec.name, shown.zero != 0 ? "every entry is 0" : "empty");
    if (shown.zero == 0)
        return fmt::format("map {}\n", spec.name);
    return fmt::format("map {}: {} of {} entries, the others are 0\n", spec.name, shown.entries.size(),
                       shown.entries.size() + shown.zero);
}

} // namespace

Result<std::string> rules_text(const Loaded &loaded, const Sources &sources)
{
    const Result<std::vector<RuleCount>> counts = loaded.rule_counts();
    if (!counts)
        return std::unexpected(counts.error());
    std::string out;
    std::size_t program = SIZE_MAX;
    for (const RuleCount &count : *counts) {
        if (program != count.program)
            out += fmt::format("rules of '{}'\n", loaded.image().programs[count.program].name);
        program = count.program;
        const RulePlace place = place_of(sources, span_of(loaded, count));
        out += fmt::format("{:>4} {:>12} packets {:>14} bytes  {}:{}  {}\n", count.rule + 1, count.packets, count.bytes,
                           place.file, place.line, place.text);
    }
    return out;
}

Result<std::string> rules_json(const Loaded &loaded, const Sources &sources)
{
    const Result<std::vector<RuleCount>> counts = loaded.rule_counts();
    if (!counts)
        return std::unexpected(counts.error());
    Json out = Json::array();
    for (const RuleCount &count : *counts) {
        const RulePlace place = place_of(sources, span_of(loaded, count));
        out.push_back({{"program", loaded.image().programs[count.program].name},
                       {"rule", count.rule + 1},
                       {"packets", count.packets},
                       {"bytes", count.bytes},
                       {"file", place.file},
                       {"line", place.line},
                       {"text", place.text}});
    }
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<MapsReport> maps_text(const Loaded &loaded, const Ended &ended)
{
    MapsReport out;
    for (std::size_t i = 0; i < loaded.maps().size() && !out.cut; ++i) {
        if (!is_shown(loaded, i))
            continue;
        const Map map = map_of(loaded, MapId(i));
        const Result<Shown> shown = shown_entries(map, ended);
        if (!shown)
            return std::unexpected(shown.error());
        out.text += heading(map.spec(), *shown);
        out.cut = shown->cut;
        for (std::size_t entry = 0; entry < shown->entries.size() && !out.cut; ++entry) {
            out.text += fmt::format("  {}\n", map.text(shown->entries[entry]));
            out.cut = ended();
        }
    }
    return out;
}

Result<MapsReport> maps_json(const Loaded &loaded, const Ended &ended)
{
    MapsReport out;
    Json maps = Json::object();
    for (std::size_t i = 0; i < loaded.maps().size() && !out.cut; ++i) {
        if (!is_shown(loaded, i))
            continue;
        const Map map = map_of(loaded, MapId(i));
        const Result<Shown> shown = shown_entries(map, ended);
        if (!shown)
            return std::unexpected(shown.error());
        out.cut = shown->cut;
        Json list = Json::array();
        for (std::size_t entry = 0; entry < shown->entries.size() && !out.cut; ++entry) {
            list.push_back(as_json(map.spec(), shown->entries[entry]));
            out.cut = ended();
        }
        if (!out.cut) // half a map would look like a whole one
            maps[map.spec().name] = std::move(list);
    }
    out.text = maps.dump(-1, ' ', false, Json::error_handler_t::replace);
    return out;
}

} // namespace xdpf::cli
