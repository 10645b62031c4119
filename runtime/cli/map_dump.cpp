// `xdpf map dump` and `xdpf map watch`.
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/map_access.hpp"
#include "runtime/cli/map_changes.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

// One round: the entries that are new, that have another value, that are gone.
void show_changes(const Map &map, const std::vector<MapChange> &changed, std::uint64_t round, bool json)
{
    Json list = Json::array();
    for (const MapChange &change : changed) {
        if (!json) {
            fmt::print("{}", change_text(map, change));
            continue;
        }
        Json one = as_json(map.spec(), change.entry);
        one["what"] = change.what == MapChange::What::added  ? "new"
                      : change.what == MapChange::What::gone ? "gone"
                                                             : "changed";
        if (change.what == MapChange::What::changed)
            one["before"] = value_json(map.spec(), change.before);
        list.push_back(std::move(one));
    }
    if (json)
        fmt::print("{}", on_one_line({{"map", map.spec().name}, {"round", round}, {"changes", std::move(list)}}));
    std::fflush(stdout);
}

Error program_ended(const Registered &entry)
{
    Error error;
    error.stage =
        fmt::format("'{}' on {} has ended, or another program took its place", entry.program(), entry.interface);
    error.remedy = "xdpf status";
    return error;
}

int watch(const Running &program, const Map &map, const MapWatchOptions &options)
{
    const HeldSignals signals;
    Result<MapSnapshot> before = snapshot_of(map);
    for (std::uint64_t round = 1; before && (!options.count || round <= *options.count); ++round) {
        if (signals.came_within(options.interval.value_or(std::chrono::seconds(1))))
            return exit_ok;
        Result<MapSnapshot> now = snapshot_of(map);
        if (!now)
            return report_failure(now.error(), options.map.json);
        show_changes(map, changes(*before, *now), round, options.map.json);
        before = std::move(now);
        if (!is_at_work(program.entry()))
            return report_failure(program_ended(program.entry()), options.map.json);
    }
    return before ? exit_ok : report_failure(before.error(), options.map.json);
}

} // namespace

int dump_map(const MapOptions &options)
{
    const Result<Running> program = open_program(options);
    if (!program)
        return report_failure(program.error(), options.json);
    const Result<Map> map = find_readable_map(*program, options.name);
    if (!map)
        return report_failure(map.error(), options.json);
    Json list = Json::array();
    if (map->spec().kind == MapKind::xskmap) {
        for (const RegisteredSocket &socket : sockets_in(program->entry(), options.name))
            if (options.json)
                list.push_back(socket_json(program->entry(), socket));
            else
                fmt::print("{}\n", socket_text(program->entry(), socket));
    } else {
        const Result<std::vector<Entry>> entries = map->entries();
        if (!entries)
            return report_failure(entries.error(), options.json);
        for (const Entry &entry : *entries)
            if (!says_something(map->spec(), entry.value))
                continue;
            else if (options.json)
                list.push_back(as_json(map->spec(), entry));
            else
                fmt::print("{}\n", map->text(entry));
    }
    if (options.json)
        fmt::print("{}", on_one_line({{"map", options.name}, {"entries", std::move(list)}}));
    return exit_ok;
}

int watch_map(const MapWatchOptions &options)
{
    const Result<Running> program = open_program(options.map);
    if (!program)
        return report_failure(program.error(), options.map.json);
    const Result<Map> map = find_readable_map(*program, options.map.name);
    if (!map)
        return report_failure(map.error(), options.map.json);
    if (map->spec().kind == MapKind::xskmap)
        return wrong_usage(
            fmt::format("'{}' is an XSKMAP, which the kernel does not let anybody read: xdpf map dump {}",
                        map->spec().name, map->spec().name),
            options.map.json);
    return watch(*program, *map, options);
}

} // namespace xdpf::cli
