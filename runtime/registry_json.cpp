// A registered program as JSON, and back.
#include "runtime/registry.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace xdpf::runtime {
namespace {

using Json = nlohmann::ordered_json;

// Of the file's form: with another one, what it says is not understood.
constexpr int form_version = 1;

constexpr std::array<std::pair<FieldFormat, std::string_view>, 5> formats{{{FieldFormat::number, "number"},
                                                                           {FieldFormat::mac, "mac"},
                                                                           {FieldFormat::ipv4, "ipv4"},
                                                                           {FieldFormat::ipv6, "ipv6"},
                                                                           {FieldFormat::bytes, "bytes"}}};
using Place = ProgramImage::Place;
constexpr std::array<std::pair<Place, std::string_view>, 3> places{
    {{Place::interface, "interface"}, {Place::devmap, "devmap"}, {Place::cpumap, "cpumap"}}};
constexpr std::array map_kinds{
#define XDPF_MAP_KIND(name, bpf_type, traits) MapKind::name,
#include "compiler/map_kinds.def"
#undef XDPF_MAP_KIND
};

template <class T, std::size_t N>
std::string_view word_of(const std::array<std::pair<T, std::string_view>, N> &words, T value)
{
    return std::ranges::find(words, value, &std::pair<T, std::string_view>::first)->second;
}

template <class T, std::size_t N>
T of_word(const std::array<std::pair<T, std::string_view>, N> &words, const std::string &word)
{
    const auto found = std::ranges::find(words, word, &std::pair<T, std::string_view>::second);
    if (found == words.end())
        throw std::invalid_argument(fmt::format("it has the word '{}' in a place where it means nothing", word));
    return found->first;
}

MapKind kind_of(const std::string &name)
{
    const auto found = std::ranges::find(map_kinds, name, [](MapKind kind) { return name_of(kind); });
    if (found == map_kinds.end())
        throw std::invalid_argument(fmt::format("it has a map of the kind '{}', which there is not", name));
    return *found;
}

Json json_of(MapId map) { return map.valid() ? Json(map.value) : Json(nullptr); }
MapId map_id(const Json &json) { return json.is_null() ? MapId() : MapId(json.get<std::size_t>()); }

Json json_of(const Layout &layout)
{
    Json fields = Json::array();
    for (const LayoutField &field : layout.fields)
        fields.push_back({{"name", field.name},
                          {"format", word_of(formats, field.format)},
                          {"offset", field.offset},
                          {"size", field.size},
                          {"big_endian", field.big_endian},
                          {"either_ip", field.either_ip}});
    return {{"name", layout.name}, {"size", layout.size}, {"fields", std::move(fields)}};
}

Layout layout_of(const Json &json)
{
    Layout layout{json.at("name"), json.at("size"), {}};
    for (const Json &field : json.at("fields")) {
        layout.fields.push_back({field.at("name"), of_word(formats, field.at("format")), field.at("offset"),
                                 field.at("size"), field.at("big_endian"), field.at("either_ip")});
        const LayoutField &last = layout.fields.back();
        if (std::uint64_t{last.offset} + last.size > layout.size)
            throw std::invalid_argument(fmt::format("field '{}' ends behind its {} bytes", last.name, layout.size));
    }
    return layout;
}

Json json_of(const MapSpec &map, std::uint32_t id)
{
    return {{"id", id},
            {"name", map.name},
            {"kind", name_of(map.kind)},
            {"key", json_of(map.key)},
            {"value", json_of(map.value)},
            {"max_entries", map.max_entries},
            {"flags", map.flags},
            {"data", map.data},
            {"internal", map.internal},
            {"is_set", map.is_set},
            {"pinned", map.pinned}};
}

MapSpec map_of(const Json &json)
{
    MapSpec map{.name = json.at("name"), .kind = kind_of(json.at("kind"))};
    map.key = layout_of(json.at("key"));
    map.value = layout_of(json.at("value"));
    map.max_entries = json.at("max_entries");
    map.flags = json.at("flags");
    map.data = json.at("data");
    map.internal = json.at("internal");
    map.is_set = json.at("is_set");
    map.pinned = json.at("pinned");
    return map;
}

Json json_of(const ProgramImage &program, const std::vector<RulePlace> &rules)
{
    Json list = Json::array();
    for (const RulePlace &rule : rules)
        list.push_back({{"file", rule.file}, {"line", rule.line}, {"text", rule.text}});
    return {{"name", program.name},
            {"place", word_of(places, program.place)},
            {"rule_counters", json_of(program.rule_counters)},
            {"rules", std::move(list)}};
}

Json json_of(const Parameter &parameter)
{
    return {{"name", parameter.name}, {"field", parameter.field}, {"bounds", parameter.bounds}};
}

Json json_of(const RegisteredSocket &socket)
{
    return {{"queue", socket.queue},         {"fd", socket.fd},         {"maps", socket.maps},
            {"zero_copy", socket.zero_copy}, {"frames", socket.frames}, {"frame_size", socket.frame_size}};
}

void read_programs(const Json &json, Registered &into)
{
    for (const Json &one : json) {
        ProgramImage program{.name = one.at("name"), .place = of_word(places, one.at("place"))};
        program.rule_counters = map_id(one.at("rule_counters"));
        std::vector<RulePlace> rules;
        for (const Json &rule : one.at("rules"))
            rules.push_back({rule.at("file"), rule.at("line"), rule.at("text")});
        program.rules.resize(rules.size());
        into.image.programs.push_back(std::move(program));
        into.origin.rules.push_back(std::move(rules));
    }
}

void read_image(const Json &json, Registered &into)
{
    into.image.name = json.at("name");
    for (const Json &map : json.at("maps")) {
        into.image.maps.push_back(map_of(map));
        into.maps.push_back(map.at("id"));
    }
    read_programs(json.at("programs"), into);
    for (const Json &one : json.at("parameters"))
        into.image.parameters.push_back({one.at("name"), one.at("field"), one.at("bounds"), {}});
    into.image.params = map_id(json.at("params"));
    into.image.program_table = map_id(json.at("program_table"));
    into.image.verdict_counters = map_id(json.at("verdict_counters"));
}

// What others index with is within its bounds.
void check_indices(const Registered &entry)
{
    const auto exists = [&](MapId map) { return !map.valid() || map.value < entry.image.maps.size(); };
    const auto is_program = [&](std::size_t program) { return program < entry.image.programs.size(); };
    bool good = !entry.loaded.empty() && std::ranges::all_of(entry.loaded, is_program) && exists(entry.image.params) &&
                exists(entry.image.program_table) && exists(entry.image.verdict_counters);
    for (const ProgramImage &program : entry.image.programs)
        good = good && exists(program.rule_counters);
    const std::size_t fields =
        good && entry.image.params.valid() ? entry.image.maps[entry.image.params.value].value.fields.size() : 0;
    for (const Parameter &parameter : entry.image.parameters)
        good = good && parameter.field < fields;
    if (!good)
        throw std::invalid_argument("it names a map, program or parameter that it does not describe");
}

Registered entry_of(const Json &json)
{
    if (const int found = json.at("version"); found != form_version)
        throw std::invalid_argument(
            fmt::format("its form has the version {}, and this xdpf reads version {}", found, form_version));
    Registered entry;
    entry.pid = json.at("pid");
    entry.process_start = json.at("process_start");
    entry.network = json.at("network");
    entry.interface = json.at("interface");
    entry.interface_index = json.at("interface_index");
    entry.started = std::chrono::system_clock::time_point(std::chrono::nanoseconds(json.at("started")));
    entry.mode = json.at("mode");
    entry.program_id = json.at("program_id");
    entry.link_id = json.at("link_id");
    entry.pins = json.at("pins");
    read_image(json.at("image"), entry);
    entry.loaded = json.at("loaded").get<std::vector<std::size_t>>();
    entry.origin.source = json.at("source");
    for (const Json &socket : json.at("sockets"))
        entry.sockets.push_back({socket.at("queue"), socket.at("fd"), socket.at("zero_copy"), socket.at("frames"),
                                 socket.at("frame_size"), socket.at("maps")});
    check_indices(entry);
    return entry;
}

} // namespace

std::string to_json(const Registered &entry)
{
    const Image &image = entry.image;
    Json maps = Json::array();
    for (std::size_t i = 0; i < image.maps.size(); ++i)
        maps.push_back(json_of(image.maps[i], entry.maps[i]));
    Json programs = Json::array();
    for (std::size_t i = 0; i < image.programs.size(); ++i)
        programs.push_back(json_of(image.programs[i], entry.origin.rules[i]));
    Json parameters = Json::array();
    for (const Parameter &parameter : image.parameters)
        parameters.push_back(json_of(parameter));
    Json sockets = Json::array();
    for (const RegisteredSocket &socket : entry.sockets)
        sockets.push_back(json_of(socket));
    const auto started = std::chrono::nanoseconds(entry.started.time_since_epoch());
    const Json out{{"version", form_version},
                   {"pid", entry.pid},
                   {"process_start", entry.process_start},
                   {"network", entry.network},
                   {"interface", entry.interface},
                   {"interface_index", entry.interface_index},
                   {"source", entry.origin.source},
                   {"started", started.count()},
                   {"mode", entry.mode},
                   {"program_id", entry.program_id},
                   {"link_id", entry.link_id},
                   {"pins", entry.pins},
                   {"loaded", entry.loaded},
                   {"image",
                    {{"name", image.name},
                     {"programs", std::move(programs)},
                     {"maps", std::move(maps)},
                     {"parameters", std::move(parameters)},
                     {"params", json_of(image.params)},
                     {"program_table", json_of(image.program_table)},
                     {"verdict_counters", json_of(image.verdict_counters)}}},
                   {"sockets", std::move(sockets)}};
    return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Registered> read_registered(std::string_view json, const std::string &file)
{
    try {
        return entry_of(Json::parse(json));
    } catch (const std::exception &reason) {
        Error error;
        error.stage = fmt::format("cannot read '{}'", file);
        error.message = reason.what();
        error.cause = "another version of xdpf wrote it, or somebody changed it";
        error.remedy = fmt::format("rm {}   (its program works on, and other xdpf commands do not see it)", file);
        return std::unexpected(std::move(error));
    }
}

} // namespace xdpf::runtime
