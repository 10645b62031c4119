// `:map` and `:param`: of the program at work, where one is attached, else of the session's own. What is written goes
// to both, so that packets that are typed meet what those of the interface meet.
#include "runtime/cli/map_changes.hpp"
#include "runtime/cli/shell_arguments.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/program_maps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace xdpf::cli {
namespace {

using runtime::Bytes;
using runtime::Entry;
using runtime::Map;
using runtime::Result;
using Words = std::vector<std::string>;

// "map set hits 10.0.0.1 = {packets = 3}" may have the sign, as maps are shown.
void drop_sign(Words &words)
{
    if (words.size() > 4 && (words[3] == "=" || words[3] == "->"))
        words.erase(words.begin() + 3);
}

const runtime::Loaded &at_work(const ShellState &state) { return state.work->session().program(); }

// Those that can be read or written from here; a sentence of others.
Result<Map> kernel_map(const ShellState &state, const std::string &name)
{
    auto map = state.work->session().program().at_work().map(name);
    if (!map)
        return map;
    const MapKind kind = map->spec().kind;
    if (kind != MapKind::xskmap && !has(kind, map_trait::ring) && kind != MapKind::bloom_filter)
        return map;
    runtime::Error error;
    error.stage = fmt::format("cannot look into '{}'", name);
    error.message = kind == MapKind::xskmap ? "it is an XSKMAP" : fmt::format("it is a {}", name_of(kind));
    error.cause = kind == MapKind::xskmap ? "the shell's sockets are in it, one in the slot of each queue"
                                          : "the kernel does not tell what is in it";
    return std::unexpected(std::move(error));
}

CommandResult list_maps(const ShellState &state)
{
    const Image &image = state.work ? at_work(state).image() : state.session.compilation().image();
    std::string out;
    for (const auto &name : state.session.map_names()) {
        const auto found = std::ranges::find(image.maps, name, &MapSpec::name);
        if (found == image.maps.end()) // the program at work is an older one
            continue;
        const auto value = value_type_text(*found);
        out += fmt::format("{:<16} {:<12} {:>8}  {}{}\n", found->name, name_of(found->kind), found->max_entries,
                           key_type_text(*found), value == "-" ? "" : fmt::format(" -> {}", value));
    }
    return out.empty() ? failed("no map has been entered") : CommandResult{.output = out};
}

CommandResult dump_map(const ShellState &state, const std::string &name)
{
    if (!state.work) {
        auto text = state.session.map_text(name);
        return text ? CommandResult{.output = std::move(*text)} : failed(text.error());
    }
    const auto map = kernel_map(state, name);
    if (!map)
        return failed(map.error());
    if (has(map->spec().kind, map_trait::keyless)) {
        const auto next = map->lookup({});
        if (!next)
            return failed(next.error());
        return {.output = *next ? map->text({{}, **next}) + "   (comes next)\n" : "empty\n"};
    }
    const auto entries = map->entries();
    if (!entries)
        return failed(entries.error());
    std::string out;
    for (const Entry &entry : *entries)
        if (runtime::says_something(map->spec(), entry.value))
            out += map->text(entry) + "\n";
    const bool array = has(map->spec().kind, map_trait::array);
    return {.output = !out.empty() ? out : array ? "every entry is 0\n" : "empty\n"};
}

std::string no_entry(const Map &map, const Bytes &key)
{
    return fmt::format("there is no entry {} in '{}'", key_text(map.spec(), key), map.spec().name);
}

CommandResult get_entry(const ShellState &state, const std::string &name, const std::string &text)
{
    if (!state.work) {
        auto entry = state.session.entry(name, text);
        return entry ? CommandResult{.output = std::move(*entry)} : failed(entry.error());
    }
    const auto map = kernel_map(state, name);
    if (!map)
        return failed(map.error());
    if (has(map->spec().kind, map_trait::keyless))
        return dump_map(state, name);
    const auto key = map->key(text);
    if (!key)
        return failed(key.error());
    const auto value = map->lookup(*key);
    if (!value)
        return failed(value.error());
    return *value ? CommandResult{.output = map->text({*key, **value}) + "\n"} : failed(no_entry(*map, *key));
}

// In the kernel; the session has taken key and value already.
CommandResult put_in_kernel(const ShellState &state, const std::string &name, const std::string &key,
                            const std::string &value)
{
    const auto map = kernel_map(state, name);
    if (!map)
        return failed(map.error());
    const MapSpec &spec = map->spec();
    const bool keyless = has(spec.kind, map_trait::keyless);
    auto key_bytes = keyless ? Result<Bytes>(Bytes()) : map->key(key);
    if (!key_bytes)
        return failed(key_bytes.error());
    auto value_bytes = spec.is_set && !keyless ? Result<Bytes>(Bytes(spec.value.size)) : read_map_value(*map, value);
    if (!value_bytes)
        return failed(value_bytes.error());
    const Entry entry{std::move(*key_bytes), std::move(*value_bytes)};
    if (auto put = put_entry(*map, entry); !put)
        return failed(put.error());
    return {.output = map->text(entry) + "\n"};
}

CommandResult set_entry(ShellState &state, const Words &words)
{
    const std::string &name = words[1];
    const auto &maps = (state.work ? at_work(state).image() : state.session.compilation().image()).maps;
    const auto map = std::ranges::find(maps, name, &MapSpec::name);
    const bool keyless = map != maps.end() && has(map->kind, map_trait::keyless);
    const bool targets = map != maps.end() && has_targets(*map);
    const std::string key = keyless ? "" : words[2];
    const std::string value = keyless ? words[2] : words.size() > 3 ? words[3] : "";
    if (words.size() > (keyless ? 3 : 4))
        return failed(fmt::format("too many words: :map set {} {}VALUE", name, keyless ? "" : "KEY "));
    if (state.work && targets) // the session's own knows slots only
        return put_in_kernel(state, name, key, value);
    auto own = state.session.set_entry(name, key, value);
    if (!own)
        return failed(own.error());
    return state.work ? put_in_kernel(state, name, key, value) : CommandResult{.output = std::move(*own)};
}

CommandResult delete_entry(ShellState &state, const std::string &name, const std::string &text)
{
    if (!state.work) {
        auto gone = state.session.erase_entry(name, text);
        return gone ? CommandResult{.output = std::move(*gone)} : failed(gone.error());
    }
    (void)state.session.erase_entry(name, text); // its own may not have it
    const auto map = kernel_map(state, name);
    if (!map)
        return failed(map.error());
    if (has(map->spec().kind, map_trait::keyless)) {
        const auto next = map->pop();
        if (!next)
            return failed(next.error());
        return *next ? CommandResult{.output = map->text({{}, **next}) + "\n"}
                     : failed(fmt::format("'{}' is empty", name));
    }
    const auto key = map->key(text);
    if (!key)
        return failed(key.error());
    const auto deleted = map->erase(*key);
    if (!deleted)
        return failed(deleted.error());
    if (!*deleted)
        return failed(no_entry(*map, *key));
    const bool array = has(map->spec().kind, map_trait::array);
    return {.output = fmt::format("{} {}\n", key_text(map->spec(), *key),
                                  array ? "is 0 now, entries of an array stay" : "deleted")};
}

CommandResult watch_map(ShellState &state, const std::string &name, std::uint64_t times)
{
    if (!state.work)
        return failed("nothing changes a map while nothing is attached: :attach INTERFACE");
    const auto map = kernel_map(state, name);
    if (!map)
        return failed(map.error());
    if (has(map->spec().kind, map_trait::keyless))
        return failed(fmt::format("'{}' is a {}, which has no entries to watch", name, name_of(map->spec().kind)));
    auto before = snapshot_of(*map);
    for (std::uint64_t round = 0; before && round < times; ++round) {
        if (state.signals.stops_within(std::chrono::seconds(1)))
            return {};
        auto now = snapshot_of(*map);
        if (!now)
            return failed(now.error());
        std::string text;
        for (const MapChange &change : changes(*before, *now))
            text += change_text(*map, change);
        state.print(text);
        before = std::move(now);
    }
    return before ? CommandResult{} : failed(before.error());
}

std::string parameter_line(const Image &image, const Parameter &parameter, const std::string &value)
{
    const LayoutField &field = image.maps[image.params.value].value.fields[parameter.field];
    const auto bounds = runtime::bounds_text(parameter);
    return fmt::format("{:<16} {:<8} {:>12}{}{}\n", parameter.name, type_text(field), value,
                       bounds.empty() ? "" : "  in ", bounds);
}

// Of the program at work, or the session's own.
std::expected<std::string, CommandResult> value_of(const ShellState &state, const std::string &name)
{
    if (state.work) {
        const auto value = at_work(state).parameter(name);
        return value ? std::expected<std::string, CommandResult>(*value) : std::unexpected(failed(value.error()));
    }
    const auto value = state.session.parameter(name);
    return value ? std::expected<std::string, CommandResult>(*value) : std::unexpected(failed(value.error()));
}

} // namespace

std::optional<std::uint64_t> times_of(const std::string &word)
{
    std::uint64_t times = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), times);
    return error == std::errc() && end == word.data() + word.size() && times != 0 ? std::optional(times) : std::nullopt;
}

CommandResult use_map(ShellState &state, const std::string &argument)
{
    auto words = words_of(argument);
    drop_sign(words);
    if (words.empty() || (words.size() == 1 && words[0] == "list"))
        return list_maps(state);
    const std::string &verb = words[0];
    const auto is = [&](std::string_view name, std::size_t least, std::size_t most) {
        return verb == name && words.size() >= least && words.size() <= most;
    };
    if (is("get", 2, 3))
        return get_entry(state, words[1], words.size() > 2 ? words[2] : "");
    if (is("set", 3, 5))
        return set_entry(state, words);
    if (is("delete", 2, 3))
        return delete_entry(state, words[1], words.size() > 2 ? words[2] : "");
    if (is("watch", 2, 3)) {
        const auto times = words.size() > 2 ? times_of(words[2]) : std::optional(UINT64_MAX);
        return times ? watch_map(state, words[1], *times)
                     : failed(fmt::format("'{}' is not how often: :map watch {} 5", words[2], words[1]));
    }
    if (is("dump", 2, 2))
        return dump_map(state, words[1]);
    if (words.size() == 1)
        return dump_map(state, verb);
    return failed("that is not how it goes; :help map has examples");
}

CommandResult use_parameter(ShellState &state, const std::string &argument)
{
    const auto words = words_of(argument);
    const Image &image = state.work ? at_work(state).image() : state.session.compilation().image();
    if (words.empty()) {
        std::string out;
        for (const Parameter &parameter : image.parameters) {
            const auto value = value_of(state, parameter.name);
            if (!value)
                return value.error();
            out += parameter_line(image, parameter, *value);
        }
        return out.empty() ? failed("no parameter has been entered") : CommandResult{.output = out};
    }
    if (words.size() > 2)
        return failed(fmt::format("too many words: :param {} VALUE", words[0]));
    if (words.size() == 2) {
        if (auto set = state.session.set_parameter(words[0], words[1]); !set)
            return failed(set.error());
        if (state.work)
            if (auto set = at_work(state).at_work().set_parameter(words[0], words[1]); !set)
                return failed(set.error());
        state.parameters[words[0]] = words[1];
    }
    const auto value = value_of(state, words[0]);
    return value ? CommandResult{.output = *value + "\n"} : value.error();
}

} // namespace xdpf::cli
