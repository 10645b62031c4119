#include "runtime/cli/run_report.hpp"

#include "runtime/maps.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using Json = nlohmann::ordered_json;

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

const Span &span_of(const Loaded &loaded, const RuleCount &count)
{
    return loaded.image().programs[count.program].rules[count.rule];
}

bool is_shown(const Loaded &loaded, std::size_t map)
{
    const MapSpec &spec = loaded.maps()[map];
    const bool counts_rules = std::ranges::any_of(
        loaded.image().programs, [&](const ProgramImage &program) { return program.rule_counters == MapId(map); });
    return !spec.data && !counts_rules && spec.kind != MapKind::xskmap &&
           !has(spec.kind, map_trait::programs | map_trait::keyless | map_trait::ring);
}

bool is_zero(const Bytes &value)
{
    return std::ranges::all_of(value, [](std::byte b) { return b == std::byte{0}; });
}

Result<std::vector<Entry>> shown_entries(const Map &map)
{
    Result<std::vector<Entry>> entries = map.entries();
    if (entries && has(map.spec().kind, map_trait::array))
        std::erase_if(*entries, [](const Entry &entry) { return is_zero(entry.value); });
    return entries;
}

Json json_of(const LayoutField &field, const Bytes &whole)
{
    return field.format == FieldFormat::number ? Json(number_of(field, whole)) : Json(field_text(field, whole));
}

Json json_of(const Layout &layout, const Bytes &whole)
{
    if (layout.fields.size() == 1)
        return json_of(layout.fields[0], whole);
    Json out = Json::object();
    for (const LayoutField &field : layout.fields)
        out[field.name] = json_of(field, whole);
    return out;
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
        const Span &span = span_of(loaded, count);
        out += fmt::format("{:>4} {:>12} packets {:>14} bytes  {}:{}  {}\n", count.rule + 1, count.packets, count.bytes,
                           sources.name(span.file), sources.location(span.file, span.begin).line,
                           first_line(sources.text(span)));
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
        const Span &span = span_of(loaded, count);
        out.push_back({{"program", loaded.image().programs[count.program].name},
                       {"rule", count.rule + 1},
                       {"packets", count.packets},
                       {"bytes", count.bytes},
                       {"file", std::string(sources.name(span.file))},
                       {"line", sources.location(span.file, span.begin).line},
                       {"text", std::string(first_line(sources.text(span)))}});
    }
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> maps_text(const Loaded &loaded)
{
    std::string out;
    for (std::size_t i = 0; i < loaded.maps().size(); ++i) {
        if (!is_shown(loaded, i))
            continue;
        const Map map = map_of(loaded, MapId(i));
        const Result<std::vector<Entry>> entries = shown_entries(map);
        if (!entries)
            return std::unexpected(entries.error());
        const bool array = has(map.spec().kind, map_trait::array);
        out += fmt::format("map {}{}\n", map.spec().name,
                           !entries->empty() ? ""
                           : array           ? ": every entry is 0"
                                             : ": empty");
        for (const Entry &entry : *entries)
            out += fmt::format("  {}\n", map.text(entry));
    }
    return out;
}

Result<std::string> maps_json(const Loaded &loaded)
{
    Json out = Json::object();
    for (std::size_t i = 0; i < loaded.maps().size(); ++i) {
        if (!is_shown(loaded, i))
            continue;
        const Map map = map_of(loaded, MapId(i));
        const Result<std::vector<Entry>> entries = shown_entries(map);
        if (!entries)
            return std::unexpected(entries.error());
        Json list = Json::array();
        for (const Entry &entry : *entries) {
            const Layout &layout = map.spec().key;
            const bool number = layout.fields.size() == 1 && layout.fields[0].format == FieldFormat::number;
            const Json key =
                number ? Json(number_of(layout.fields[0], entry.key)) : Json(key_text(map.spec(), entry.key));
            list.push_back({{"key", key}, {"value", json_of(map.spec().value, entry.value)}});
        }
        out[map.spec().name] = std::move(list);
    }
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace xdpf::cli
