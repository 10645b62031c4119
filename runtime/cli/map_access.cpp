#include "runtime/cli/map_access.hpp"

#include "compiler/base/diagnostic.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <net/if.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

std::string layout_type_text(std::span<const LayoutField> fields)
{
    if (fields.size() == 1)
        return type_text(fields[0]);
    std::vector<std::string> parts;
    for (const LayoutField &field : fields)
        parts.push_back(fmt::format("{}: {}", field.name, type_text(field)));
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

Error no_such_map(const Running &program, const std::string &name)
{
    std::vector<std::string> names;
    const Image &image = program.entry().image;
    for (std::size_t i = 0; i < image.maps.size(); ++i)
        if (is_of_source(image, MapId(i)))
            names.push_back(image.maps[i].name);
    std::ranges::transform(image.parameters, std::back_inserter(names), &Parameter::name);
    Error error;
    error.stage = fmt::format("cannot use '{}'", name);
    error.message = fmt::format("'{}' on {} has no map and no parameter of that name", program.entry().program(),
                                program.entry().interface);
    error.cause = names.empty() ? "it has none at all" : fmt::format("it has: {}", fmt::join(names, ", "));
    error.remedy = nearest(name, names).empty() ? "xdpf map list" : did_you_mean(name, names);
    return error;
}

Error not_readable(const MapSpec &spec)
{
    Error error;
    error.stage = fmt::format("cannot read map '{}'", spec.name);
    error.message = fmt::format("it is a {}", name_of(spec.kind));
    if (has(spec.kind, map_trait::ring)) {
        error.cause = "its records go to the one process that waits for them";
        error.remedy = "xdpf run --records text   (prints them)";
    } else if (spec.kind == MapKind::bloom_filter) {
        error.cause = "of a Bloom filter the kernel tells nothing to other programs";
    } else {
        error.cause = "what is in it comes out one by one, and is gone then";
        error.remedy =
            fmt::format("xdpf map get {}   (what comes next), xdpf map delete {}   (takes it)", spec.name, spec.name);
    }
    return error;
}

} // namespace

Result<Running> open_program(const MapOptions &options)
{
    Result<Registered> found = registered_on(options.program);
    return found ? Running::open(std::move(*found)) : std::unexpected(std::move(found.error()));
}

bool is_parameter(const Running &program, const std::string &name)
{
    const auto &parameters = program.entry().image.parameters;
    return std::ranges::find(parameters, name, &Parameter::name) != parameters.end();
}

Result<Map> find_map(const Running &program, const std::string &name)
{
    const Image &image = program.entry().image;
    const auto found = std::ranges::find(image.maps, name, &MapSpec::name);
    const MapId map(static_cast<std::size_t>(found - image.maps.begin()));
    if (found == image.maps.end() || !is_of_source(image, map) || program.map_fd(map) < 0)
        return std::unexpected(no_such_map(program, name));
    return program.maps().map(map);
}

Result<Map> find_readable_map(const Running &program, const std::string &name)
{
    Result<Map> map = find_map(program, name);
    if (map && has(map->spec().kind, map_trait::keyless | map_trait::ring))
        return std::unexpected(not_readable(map->spec()));
    return map;
}

bool has_targets(const MapSpec &spec)
{
    return spec.kind == MapKind::devmap || spec.kind == MapKind::devmap_hash || spec.kind == MapKind::cpumap;
}

Result<Bytes> read_map_value(const Map &map, const std::string &text)
{
    const MapSpec &spec = map.spec();
    if (!has_targets(spec))
        return map.value(text);
    const LayoutField &target = spec.value.fields[0];
    Bytes value(spec.value.size);
    const unsigned index = spec.kind != MapKind::cpumap ? if_nametoindex(text.c_str()) : 0;
    put_number(target, index, value);
    if (index != 0)
        return value;
    if (auto read = read_field(target, text, value))
        return value;
    Error error;
    error.stage = fmt::format("cannot use map '{}'", spec.name);
    error.message = spec.kind == MapKind::cpumap
                        ? fmt::format("'{}' is not how many packets can wait for a processor", text)
                        : fmt::format("'{}' is no interface of this network namespace", text);
    error.remedy = spec.kind == MapKind::cpumap ? "" : "ip link show";
    return std::unexpected(std::move(error));
}

Result<void> put_entry(const Map &map, const Entry &entry)
{
    if (!has_targets(map.spec()))
        return map.update_sum(entry.key, entry.value);
    return update_target(map, entry.key,
                         static_cast<std::uint32_t>(number_of(map.spec().value.fields[0], entry.value)));
}

std::string type_text(const LayoutField &field)
{
    switch (field.format) {
    case FieldFormat::number: return fmt::format("u{}", field.size * 8);
    case FieldFormat::mac: return "mac";
    case FieldFormat::ipv4: return "ipv4";
    case FieldFormat::ipv6: return field.either_ip ? "ip" : "ipv6";
    case FieldFormat::bytes: return fmt::format("bytes[{}]", field.size);
    }
    return {};
}

std::string key_type_text(const MapSpec &spec)
{
    if (has(spec.kind, map_trait::keyless | map_trait::ring))
        return "-";
    if (has(spec.kind, map_trait::prefix))
        return layout_type_text(std::span(spec.key.fields).subspan(1)) + " prefix";
    return layout_type_text(spec.key.fields);
}

std::string value_type_text(const MapSpec &spec)
{
    if (spec.kind == MapKind::xskmap)
        return "socket";
    if (has_targets(spec))
        return spec.kind == MapKind::cpumap ? "packets that can wait" : "interface";
    if (spec.is_set || has(spec.kind, map_trait::ring))
        return "-";
    return layout_type_text(spec.value.fields);
}

std::string socket_text(const Registered &entry, const RegisteredSocket &socket)
{
    return fmt::format("{} -> socket of queue {} (descriptor {} of process {}, {})", socket.queue, socket.queue,
                       socket.fd, entry.pid, socket.zero_copy ? "zero-copy" : "copy");
}

Json socket_json(const Registered &entry, const RegisteredSocket &socket)
{
    return {
        {"key", socket.queue},
        {"value", {{"queue", socket.queue}, {"pid", entry.pid}, {"fd", socket.fd}, {"zero_copy", socket.zero_copy}}}};
}

std::vector<RegisteredSocket> sockets_in(const Registered &entry, const std::string &map)
{
    std::vector<RegisteredSocket> out;
    std::ranges::copy_if(entry.sockets, std::back_inserter(out), [&](const RegisteredSocket &socket) {
        return std::ranges::find(socket.maps, map) != socket.maps.end();
    });
    return out;
}

int wrong_usage(const std::string &sentence, bool json)
{
    Error error;
    error.stage = sentence;
    (void)report_failure(error, json);
    return exit_usage;
}

} // namespace xdpf::cli
