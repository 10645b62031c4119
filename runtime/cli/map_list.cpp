// `xdpf map list`.
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/map_access.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

// Nothing where entries cannot be counted.
Result<std::optional<std::uint64_t>> used_entries(const Running &program, const Map &map)
{
    const MapSpec &spec = map.spec();
    if (has(spec.kind, map_trait::keyless | map_trait::ring))
        return std::nullopt;
    if (spec.kind == MapKind::xskmap)
        return sockets_in(program.entry(), spec.name).size();
    return map.used([] { return false; });
}

std::string by_whom(const Registered &entry)
{
    return entry.pid != 0 ? fmt::format("process {}", entry.pid) : std::string("pinned");
}

struct ListedMap {
    MapSpec spec;
    std::uint32_t id;
    std::optional<std::uint64_t> used;
};

Result<std::vector<ListedMap>> listed_maps(const Running &program)
{
    std::vector<ListedMap> out;
    const Registered &entry = program.entry();
    for (std::size_t i = 0; i < entry.image.maps.size(); ++i) {
        if (!is_of_source(entry.image, MapId(i)) || entry.maps[i] == 0)
            continue;
        const Map map = program.maps().map(MapId(i));
        const Result<std::optional<std::uint64_t>> used = used_entries(program, map);
        if (!used)
            return std::unexpected(used.error());
        out.push_back({map.spec(), entry.maps[i], *used});
    }
    return out;
}

struct ListedParameter {
    const Parameter *parameter;
    const LayoutField *field;
    std::string value;
};

Result<std::vector<ListedParameter>> listed_parameters(const Running &program)
{
    std::vector<ListedParameter> out;
    const Image &image = program.entry().image;
    for (const Parameter &parameter : image.parameters) {
        Result<std::string> value = program.maps().parameter(parameter.name);
        if (!value)
            return std::unexpected(std::move(value.error()));
        out.push_back({&parameter, &image.maps[image.params.value].value.fields[parameter.field], std::move(*value)});
    }
    return out;
}

// "ipv4 -> u64", or the one that there is.
std::string types_text(const MapSpec &spec)
{
    const std::string key = key_type_text(spec);
    const std::string value = value_type_text(spec);
    return value == "-" ? key : key == "-" ? value : fmt::format("{} -> {}", key, value);
}

std::string list_text(const Registered &entry, const std::vector<ListedMap> &maps,
                      const std::vector<ListedParameter> &parameters)
{
    std::string out = fmt::format("'{}' on {}, {}, from {}\n", entry.program(), entry.interface, by_whom(entry),
                                  printable(entry.origin.source));
    if (!maps.empty())
        out += fmt::format("{:<16} {:<17} {:>15}  {}\n", "map", "kind", "entries", "key -> value");
    for (const ListedMap &map : maps)
        out += fmt::format("{:<16} {:<17} {:>15}  {}\n", map.spec.name, name_of(map.spec.kind),
                           fmt::format("{}/{}", map.used ? std::to_string(*map.used) : "-", map.spec.max_entries),
                           types_text(map.spec));
    if (!parameters.empty())
        out += fmt::format("{:<16} {:<17} {:>15}  {}\n", "parameter", "type", "value", "may be");
    for (const ListedParameter &one : parameters)
        out += fmt::format("{:<16} {:<17} {:>15}  {}\n", one.parameter->name, type_text(*one.field), one.value,
                           one.parameter->bounds.empty() ? "anything" : bounds_text(*one.parameter));
    return maps.empty() && parameters.empty() ? out + "it has no maps and no parameters\n" : out;
}

Json list_json(const Registered &entry, const std::vector<ListedMap> &maps,
               const std::vector<ListedParameter> &parameters)
{
    Json map_list = Json::array();
    for (const ListedMap &map : maps)
        map_list.push_back({{"name", map.spec.name},
                            {"kind", name_of(map.spec.kind)},
                            {"id", map.id},
                            {"used", map.used ? Json(*map.used) : Json(nullptr)},
                            {"entries", map.spec.max_entries},
                            {"key", key_type_text(map.spec)},
                            {"value", value_type_text(map.spec)}});
    Json parameter_list = Json::array();
    for (const ListedParameter &one : parameters)
        parameter_list.push_back({{"name", one.parameter->name},
                                  {"type", type_text(*one.field)},
                                  {"value", one.value},
                                  {"bounds", one.parameter->bounds}});
    return {{"program", entry.program()},    {"interface", entry.interface}, {"pid", entry.pid},
            {"source", entry.origin.source}, {"maps", std::move(map_list)},  {"parameters", std::move(parameter_list)}};
}

} // namespace

int list_maps(const MapOptions &options)
{
    const Result<Running> program = open_program(options);
    if (!program)
        return report_failure(program.error(), options.json);
    const Result<std::vector<ListedMap>> maps = listed_maps(*program);
    if (!maps)
        return report_failure(maps.error(), options.json);
    const Result<std::vector<ListedParameter>> parameters = listed_parameters(*program);
    if (!parameters)
        return report_failure(parameters.error(), options.json);
    fmt::print("{}", options.json ? on_one_line(list_json(program->entry(), *maps, *parameters))
                                  : list_text(program->entry(), *maps, *parameters));
    return exit_ok;
}

} // namespace xdpf::cli
