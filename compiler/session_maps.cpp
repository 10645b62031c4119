// Maps and parameters of a session, read and written as text.
#include "compiler/map_text.hpp"
#include "compiler/session_state.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace xdpf {
namespace {

using Bytes = std::vector<std::byte>;

bool is_keyless(const MapSpec &map) { return has(map.kind, map_trait::keyless); }

// What cannot be read or written entry by entry, and why; empty: it can.
std::string no_entries(const MapSpec &map)
{
    if (has(map.kind, map_trait::redirect))
        return fmt::format("'{}' is a {}: which slots are filled is said by: with {} = {{0, 1}}", map.name,
                           name_of(map.kind), map.name);
    if (has(map.kind, map_trait::ring))
        return fmt::format("'{}' is a {}, which only programs write to", map.name, name_of(map.kind));
    return {};
}

std::expected<Bytes, std::string> key_of(const MapSpec &map, std::string_view text)
{
    if (is_keyless(map))
        return text.empty()
                   ? std::expected<Bytes, std::string>(Bytes())
                   : std::unexpected(fmt::format("'{}' is a {}, which has no keys", map.name, name_of(map.kind)));
    if (text.empty())
        return std::unexpected(fmt::format("which entry of '{}'?", map.name));
    return read_key(map, text);
}

std::string no_such_entry(const MapSpec &map, std::span<const std::byte> key)
{
    return fmt::format("there is no entry {} in '{}'", key_text(map, key), map.name);
}

std::expected<std::size_t, std::string> parameter_named(const Image &image, std::string_view wanted)
{
    const auto found = std::ranges::find(image.parameters, wanted, &Parameter::name);
    if (found != image.parameters.end())
        return static_cast<std::size_t>(found - image.parameters.begin());
    std::vector<std::string> names;
    std::ranges::transform(image.parameters, std::back_inserter(names), &Parameter::name);
    const auto help = did_you_mean(wanted, names);
    return std::unexpected(fmt::format("there is no parameter '{}'{}{}", wanted, help.empty() ? "" : "; ", help));
}

} // namespace

std::expected<MapId, std::string> map_named(const Image &image, std::string_view name)
{
    std::vector<std::string> names;
    for (std::size_t i = 0; i < image.maps.size(); ++i) {
        if (image.maps[i].internal || MapId(i) == image.params)
            continue;
        if (image.maps[i].name == name)
            return MapId(i);
        names.push_back(image.maps[i].name);
    }
    const auto help = did_you_mean(name, names);
    return std::unexpected(fmt::format("there is no map '{}'{}{}", name, help.empty() ? "" : "; ", help));
}

namespace {

std::expected<MapId, std::string> map_with_entries(const Image &image, std::string_view name)
{
    const auto id = map_named(image, name);
    if (!id)
        return id;
    if (auto why = no_entries(image.maps[id->value]); !why.empty())
        return std::unexpected(std::move(why));
    return id;
}

struct EntryPlace {
    MapId id;
    const MapSpec &spec;
    Bytes key;
};

std::expected<EntryPlace, std::string> place_of(const Image &image, std::string_view map, std::string_view key)
{
    const auto id = map_with_entries(image, map);
    if (!id)
        return std::unexpected(id.error());
    const MapSpec &spec = image.maps[id->value];
    auto bytes = key_of(spec, key);
    if (!bytes)
        return std::unexpected(std::move(bytes.error()));
    return EntryPlace{*id, spec, std::move(*bytes)};
}

} // namespace

Session::Text Session::map_text(std::string_view name) const
{
    const Image &image = state_->compilation->image();
    const auto map = map_named(image, name);
    if (!map)
        return std::unexpected(map.error());
    return entries_text(image.maps[map->value], *state_->interpreter, *map);
}

Session::Text Session::entry(std::string_view map, std::string_view key) const
{
    const Image &image = state_->compilation->image();
    const auto id = map_with_entries(image, map);
    if (!id)
        return std::unexpected(id.error());
    const MapSpec &spec = image.maps[id->value];
    if (is_keyless(spec))
        return map_text(map);
    const auto bytes = key_of(spec, key);
    if (!bytes)
        return std::unexpected(bytes.error());
    for (const auto &[found, value] : state_->interpreter->entries(*id))
        if (found == *bytes)
            return entry_text(spec, found, value);
    return std::unexpected(no_such_entry(spec, *bytes));
}

Session::Text Session::set_entry(std::string_view map, std::string_view key, std::string_view value)
{
    const auto place = place_of(state_->compilation->image(), map, key);
    if (!place)
        return std::unexpected(place.error());
    const auto &[id, spec, bytes] = *place;
    const bool only_key = spec.is_set && !is_keyless(spec);
    if (only_key != value.empty())
        return std::unexpected(only_key ? fmt::format("'{}' has keys only", spec.name)
                                        : fmt::format("which value for '{}'?", spec.name));
    const auto held = only_key ? TextResult<Bytes>(Bytes(spec.value.size)) : read_value(spec, value);
    if (!held)
        return std::unexpected(held.error());
    if (!state_->interpreter->update(id, bytes, *held))
        return std::unexpected(fmt::format("'{}' takes no such entry: it is full, or the key is beyond its {} entries",
                                           spec.name, spec.max_entries));
    return entry_text(spec, bytes, *held);
}

Session::Text Session::erase_entry(std::string_view map, std::string_view key)
{
    const auto place = place_of(state_->compilation->image(), map, key);
    if (!place)
        return std::unexpected(place.error());
    const auto &[id, spec, bytes] = *place;
    if (has(spec.kind, map_trait::array)) {
        if (!state_->interpreter->update(id, bytes, Bytes(spec.value.size)))
            return std::unexpected(no_such_entry(spec, bytes));
        return fmt::format("{} is 0 now, entries of an array stay\n", key_text(spec, bytes));
    }
    if (!state_->interpreter->erase(id, bytes))
        return std::unexpected(no_such_entry(spec, bytes));
    return fmt::format("{} deleted\n", key_text(spec, bytes));
}

Session::Text Session::parameter(std::string_view name) const
{
    const Image &image = state_->compilation->image();
    const auto index = parameter_named(image, name);
    if (!index)
        return std::unexpected(index.error());
    const MapSpec &spec = image.maps[image.params.value];
    const auto held = state_->interpreter->lookup(image.params, Bytes(spec.key.size));
    return field_text(spec.value.fields[image.parameters[*index].field], held.value_or(Bytes(spec.value.size)));
}

Session::Text Session::set_parameter(std::string_view name, std::string_view value)
{
    const Image &image = state_->compilation->image();
    const auto index = parameter_named(image, name);
    if (!index)
        return std::unexpected(index.error());
    const MapSpec &spec = image.maps[image.params.value];
    const LayoutField &field = spec.value.fields[image.parameters[*index].field];
    Bytes all(spec.value.size);
    if (auto read = read_field(field, value, all); !read)
        return std::unexpected(read.error());
    const auto bytes = std::span<const std::byte>(all).subspan(field.offset, field.size);
    if (auto set = state_->interpreter->set_parameter(name, bytes); !set)
        return std::unexpected(set.error());
    return parameter(name);
}

} // namespace xdpf
