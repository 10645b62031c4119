#include "runtime/cli/map_changes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

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

} // namespace

Result<MapSnapshot> snapshot_of(const Map &map)
{
    const Result<std::vector<Entry>> entries = map.entries();
    if (!entries)
        return std::unexpected(entries.error());
    MapSnapshot out;
    for (const Entry &entry : *entries)
        if (says_something(map.spec(), entry.value))
            out.emplace(entry.key, entry.value);
    return out;
}

std::vector<MapChange> changes(const MapSnapshot &before, const MapSnapshot &now)
{
    std::vector<MapChange> out;
    for (const auto &[key, value] : now) {
        const auto old = before.find(key);
        if (old == before.end())
            out.push_back({MapChange::What::added, {key, value}});
        else if (old->second != value)
            out.push_back({MapChange::What::changed, {key, value}, old->second});
    }
    for (const auto &[key, value] : before)
        if (!now.contains(key))
            out.push_back({MapChange::What::gone, {key, value}});
    return out;
}

std::string change_text(const Map &map, const MapChange &change)
{
    using What = MapChange::What;
    const char *sign = change.what == What::added ? "+" : change.what == What::gone ? "-" : " ";
    const auto more = change.what == What::changed ? growth(map.spec(), change.before, change.entry.value) : "";
    return fmt::format("{} {}{}{}\n", sign, map.text(change.entry), more.empty() ? "" : "   ", more);
}

} // namespace xdpf::cli
