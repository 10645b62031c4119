// `xdpf map dump` and `xdpf map watch`.
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/map_access.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <map>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using Snapshot = std::map<Bytes, Bytes, ByBytes>;

Result<Snapshot> snapshot_of(const Map &map)
{
    const Result<std::vector<Entry>> entries = map.entries();
    if (!entries)
        return std::unexpected(entries.error());
    Snapshot out;
    for (const Entry &entry : *entries)
        if (says_something(map.spec(), entry.value))
            out.emplace(entry.key, entry.value);
    return out;
}

// What numbers grew or shrank by: "+3 packets, +180 bytes"; empty for others.
std::string growth(const MapSpec &spec, const Bytes &before, const Bytes &now)
{
    std::vector<std::string> parts;
    for (const LayoutField &field : spec.value.fields) {
        if (field.format != FieldFormat::number || number_of(field, before) == number_of(field, now))
            continue;
        const std::uint64_t old = number_of(field, before);
        const std::uint64_t fresh = number_of(field, now);
        const std::string change = fresh > old ? fmt::format("+{}", fresh - old) : fmt::format("-{}", old - fresh);
        parts.push_back(field.name.empty() ? change : fmt::format("{} {}", change, field.name));
    }
    return fmt::format("{}", fmt::join(parts, ", "));
}

// One round: the entries that are new, that have another value, that are gone.
class Changes {
public:
    Changes(const MapSpec &spec, const Map &map, bool json) : spec_(spec), map_(map), json_(json) {}

    void compare(const Snapshot &before, const Snapshot &now)
    {
        for (const auto &[key, value] : now) {
            const auto old = before.find(key);
            if (old == before.end())
                say("+", {key, value}, nullptr);
            else if (old->second != value)
                say(" ", {key, value}, &old->second);
        }
        for (const auto &[key, value] : before)
            if (!now.contains(key))
                say("-", {key, value}, nullptr);
    }

    void finish(std::uint64_t round)
    {
        if (json_)
            fmt::print("{}", on_one_line({{"map", spec_.name}, {"round", round}, {"changes", std::move(list_)}}));
        std::fflush(stdout);
    }

private:
    void say(const char *sign, const Entry &entry, const Bytes *before)
    {
        if (json_) {
            Json one = as_json(spec_, entry);
            one["what"] = *sign == '+' ? "new" : *sign == '-' ? "gone" : "changed";
            if (before != nullptr)
                one["before"] = value_json(spec_, *before);
            list_.push_back(std::move(one));
            return;
        }
        const std::string more = before != nullptr ? growth(spec_, *before, entry.value) : "";
        fmt::print("{} {}{}{}\n", sign, map_.text(entry), more.empty() ? "" : "   ", more);
    }

    const MapSpec &spec_;
    const Map &map_;
    bool json_;
    Json list_ = Json::array();
};

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
    Result<Snapshot> before = snapshot_of(map);
    for (std::uint64_t round = 1; before && (!options.count || round <= *options.count); ++round) {
        if (signals.came_within(options.interval.value_or(std::chrono::seconds(1))))
            return exit_ok;
        Result<Snapshot> now = snapshot_of(map);
        if (!now)
            return report_failure(now.error(), options.map.json);
        Changes changes(map.spec(), map, options.map.json);
        changes.compare(*before, *now);
        changes.finish(round);
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
