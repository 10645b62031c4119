#include "runtime/cli/map_command.hpp"

#include "runtime/cli/as_json.hpp"
#include "runtime/cli/map_access.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

bool is_keyless(const MapSpec &spec) { return has(spec.kind, map_trait::keyless); }

Error only_its_process(const MapSpec &spec, const char *verb)
{
    Error error;
    error.stage = fmt::format("cannot {} an entry of '{}'", verb, spec.name);
    if (has(spec.kind, map_trait::ring)) {
        error.message = "it is a ring buffer, which only programs write to";
        return error;
    }
    error.message = "it is an XSKMAP";
    error.cause = "its entries are AF_XDP sockets, which only the process that has them open can put there or take out";
    error.remedy = "xdpf run FILE -i INTERFACE --queues LIST   (puts a socket into the slot of each queue)";
    return error;
}

Error no_entry(const Map &map, const std::string &key)
{
    Error error;
    error.stage = fmt::format("no entry {} in '{}'", key, map.spec().name);
    error.message = has(map.spec().kind, map_trait::prefix) ? "there is none of exactly this prefix" : "";
    if (has(map.spec().kind, map_trait::array | map_trait::redirect))
        error.cause = fmt::format("its indices go from 0 to {}", map.spec().max_entries - 1);
    error.remedy = fmt::format("xdpf map dump {}", map.spec().name);
    return error;
}

int show_parameter(const Running &program, const MapOptions &options)
{
    const Result<std::string> value = program.maps().parameter(options.name);
    if (!value)
        return report_failure(value.error(), options.json);
    fmt::print("{}", options.json ? on_one_line({{"parameter", options.name}, {"value", *value}}) : *value + "\n");
    return exit_ok;
}

int change_parameter(const Running &program, const MapOptions &options)
{
    if (options.value)
        return wrong_usage(fmt::format("'{}' is a parameter, which has no key: xdpf map set {} {}", options.name,
                                       options.name, *options.value),
                           options.json);
    if (Result<void> set = program.maps().set_parameter(options.name, *options.key); !set)
        return report_failure(set.error(), options.json);
    return show_parameter(program, options);
}

int show_entry(const Map &map, const Entry &entry, bool json)
{
    if (json) {
        Json out{{"map", map.spec().name}};
        if (!entry.key.empty())
            out["key"] = key_json(map.spec(), entry.key);
        if (!map.spec().is_set)
            out["value"] = value_json(map.spec(), entry.value);
        fmt::print("{}", on_one_line(out));
    } else {
        fmt::print("{}\n", map.text(entry));
    }
    return exit_ok;
}

// Of a queue or stack what comes next, which pop() would take.
int show_next(const Map &map, const Result<std::optional<Bytes>> &next, bool json)
{
    if (!next)
        return report_failure(next.error(), json);
    if (*next)
        return show_entry(map, {{}, **next}, json);
    Error error;
    error.stage = fmt::format("'{}' is empty", map.spec().name);
    return report_failure(error, json);
}

int get_socket(const Running &program, const Map &map, const MapOptions &options)
{
    const Result<Bytes> key = map.key(*options.key);
    if (!key)
        return report_failure(key.error(), options.json);
    for (const RegisteredSocket &socket : sockets_in(program.entry(), options.name))
        if (socket.queue == number_of(map.spec().key.fields[0], *key)) {
            fmt::print("{}", options.json ? on_one_line(socket_json(program.entry(), socket))
                                          : socket_text(program.entry(), socket) + "\n");
            return exit_ok;
        }
    return report_failure(no_entry(map, *options.key), options.json);
}

int get_from(const Running &program, const Map &map, const MapOptions &options)
{
    const MapSpec &spec = map.spec();
    if (is_keyless(spec) && spec.kind != MapKind::bloom_filter) {
        if (options.key)
            return wrong_usage(fmt::format("'{}' is a {}, which has no keys: xdpf map get {}", spec.name,
                                           name_of(spec.kind), spec.name),
                               options.json);
        return show_next(map, map.lookup({}), options.json);
    }
    if (const Result<Map> readable = find_readable_map(program, options.name); !readable)
        return report_failure(readable.error(), options.json);
    if (!options.key)
        return wrong_usage(
            fmt::format("which entry? xdpf map get {} KEY, where a key is {}; xdpf map dump {} shows all", spec.name,
                        key_type_text(spec), spec.name),
            options.json);
    if (spec.kind == MapKind::xskmap)
        return get_socket(program, map, options);
    const Result<Bytes> key = map.key(*options.key);
    if (!key)
        return report_failure(key.error(), options.json);
    const Result<std::optional<Bytes>> value = map.lookup(*key);
    if (!value)
        return report_failure(value.error(), options.json);
    if (!*value)
        return report_failure(no_entry(map, key_text(spec, *key)), options.json);
    return show_entry(map, {*key, **value}, options.json);
}

// The key and the value of `xdpf map set`, which some maps do not have.
Result<Entry> entry_to_set(const Map &map, const MapOptions &options)
{
    const MapSpec &spec = map.spec();
    Entry entry{Bytes(), Bytes(spec.value.size)};
    if (!is_keyless(spec)) {
        Result<Bytes> key = map.key(*options.key);
        if (!key)
            return std::unexpected(std::move(key.error()));
        entry.key = std::move(*key);
    }
    if (!spec.is_set || is_keyless(spec)) {
        Result<Bytes> value = read_map_value(map, is_keyless(spec) ? *options.key : *options.value);
        if (!value)
            return std::unexpected(std::move(value.error()));
        entry.value = std::move(*value);
    }
    return entry;
}

int set_in(const Map &map, const MapOptions &options)
{
    const MapSpec &spec = map.spec();
    if (spec.kind == MapKind::xskmap || has(spec.kind, map_trait::ring))
        return report_failure(only_its_process(spec, "set"), options.json);
    const bool needs_value = !spec.is_set && !is_keyless(spec);
    if (needs_value && !options.value)
        return wrong_usage(fmt::format("which value? xdpf map set {} {} VALUE, where a value is {}", spec.name,
                                       *options.key, value_type_text(spec)),
                           options.json);
    if (!needs_value && options.value)
        return wrong_usage(fmt::format("'{}' has {}: xdpf map set {} {}", spec.name,
                                       is_keyless(spec) ? "no keys" : "keys only", spec.name, *options.key),
                           options.json);
    const Result<Entry> entry = entry_to_set(map, options);
    if (!entry)
        return report_failure(entry.error(), options.json);
    if (Result<void> set = put_entry(map, *entry); !set)
        return report_failure(set.error(), options.json);
    if (!has_targets(spec))
        return show_entry(map, *entry, options.json);
    const Result<std::optional<Bytes>> now = map.lookup(entry->key); // with the program at the entry
    return now && *now ? show_entry(map, {entry->key, **now}, options.json) : exit_ok;
}

int delete_in(const Map &map, const MapOptions &options)
{
    const MapSpec &spec = map.spec();
    if (spec.kind == MapKind::xskmap || has(spec.kind, map_trait::ring))
        return report_failure(only_its_process(spec, "delete"), options.json);
    if (is_keyless(spec) && !options.key)
        return show_next(map, map.pop(), options.json);
    if (!options.key)
        return wrong_usage(
            fmt::format("which entry? xdpf map delete {} KEY, where a key is {}", spec.name, key_type_text(spec)),
            options.json);
    const Result<Bytes> key = map.key(*options.key);
    if (!key)
        return report_failure(key.error(), options.json);
    const Result<bool> deleted = map.erase(*key);
    if (!deleted)
        return report_failure(deleted.error(), options.json);
    if (!*deleted)
        return report_failure(no_entry(map, key_text(spec, *key)), options.json);
    const bool array = has(spec.kind, map_trait::array);
    if (options.json)
        fmt::print("{}", on_one_line({{"map", spec.name}, {"key", key_json(spec, *key)}, {"deleted", true}}));
    else
        fmt::print("{} {}\n", key_text(spec, *key), array ? "is 0 now, entries of an array stay" : "deleted");
    return exit_ok;
}

} // namespace

int get_entry(const MapOptions &options)
{
    const Result<Running> program = open_program(options);
    if (!program)
        return report_failure(program.error(), options.json);
    if (is_parameter(*program, options.name))
        return options.key
                   ? wrong_usage(fmt::format("'{}' is a parameter, which has no keys", options.name), options.json)
                   : show_parameter(*program, options);
    const Result<Map> map = find_map(*program, options.name);
    return map ? get_from(*program, *map, options) : report_failure(map.error(), options.json);
}

int set_entry(const MapOptions &options)
{
    const Result<Running> program = open_program(options);
    if (!program)
        return report_failure(program.error(), options.json);
    if (is_parameter(*program, options.name))
        return change_parameter(*program, options);
    const Result<Map> map = find_map(*program, options.name);
    return map ? set_in(*map, options) : report_failure(map.error(), options.json);
}

int delete_entry(const MapOptions &options)
{
    const Result<Running> program = open_program(options);
    if (!program)
        return report_failure(program.error(), options.json);
    if (is_parameter(*program, options.name))
        return wrong_usage(
            fmt::format("'{}' is a parameter, which stays: xdpf map set {} VALUE", options.name, options.name),
            options.json);
    const Result<Map> map = find_map(*program, options.name);
    return map ? delete_in(*map, options) : report_failure(map.error(), options.json);
}

} // namespace xdpf::cli
