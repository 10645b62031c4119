#include "compiler/map_text.hpp"

#include "compiler/base/number.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

namespace xdpf {
namespace {

std::unexpected<std::string> wrong(std::string why) { return std::unexpected(std::move(why)); }

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(blank) + 1 - first);
}

TextResult<void> read_number(const LayoutField &field, std::string_view text, std::span<std::byte> whole)
{
    const auto quantity = split_quantity(text);
    const bool duration = quantity && !quantity->rate;
    const auto number = duration ? value_of(*quantity) : read_whole_number(text);
    const std::string_view digits = duration ? quantity->number : text;
    if (!number && (digits.empty() || digits.find_first_not_of("0123456789_") != std::string_view::npos))
        return wrong(fmt::format("'{}' is no number", text));
    const unsigned bits = field.size * 8;
    if (!number || (bits < 64 && *number >> bits != 0))
        return wrong(fmt::format("{} does not fit into {} bits", text, bits));
    put_number(field, *number, whole);
    return {};
}

TextResult<void> read_mac(std::string_view text, std::span<std::byte> out)
{
    std::string_view rest = text;
    for (std::size_t i = 0; i < out.size(); ++i) {
        unsigned octet = 0;
        const auto [end, failed] =
            std::from_chars(rest.data(), rest.data() + std::min<std::size_t>(2, rest.size()), octet, 16);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        const bool last = i + 1 == out.size();
        if (failed != std::errc() || (last ? !rest.empty() : !rest.starts_with(':')))
            return wrong(fmt::format("'{}' is no MAC address such as 02:00:00:00:00:01", text));
        out[i] = static_cast<std::byte>(octet);
        rest.remove_prefix(last ? 0 : 1);
    }
    return {};
}

TextResult<void> read_ipv4(std::string_view text, std::span<std::byte> out)
{
    if (inet_pton(AF_INET, std::string(text).c_str(), out.data()) == 1)
        return {};
    return wrong(fmt::format("'{}' is no IPv4 address", text));
}

// An IPv4 address stands for the IPv6 address that it is mapped to (RFC 4291, 2.5.5.2).
TextResult<void> read_ipv6(std::string_view text, std::span<std::byte> out)
{
    const bool bare = text.find(':') == std::string_view::npos;
    const std::string written = bare ? fmt::format("::ffff:{}", text) : std::string(text);
    if (inet_pton(AF_INET6, written.c_str(), out.data()) == 1)
        return {};
    return wrong(fmt::format("'{}' is no IPv6 address", text));
}

// "\x01\x02", the digits alone: 0102 or 0x0102, or characters, as many as there are bytes.
TextResult<void> read_bytes(std::string_view text, std::span<std::byte> out)
{
    std::string digits(text);
    std::erase(digits, '"');
    if (digits.size() == out.size()) {
        std::ranges::transform(digits, out.begin(), [](char c) { return static_cast<std::byte>(c); });
        return {};
    }
    if (digits.starts_with("0x"))
        digits.erase(0, 2);
    for (auto at = digits.find("\\x"); at != std::string::npos; at = digits.find("\\x"))
        digits.erase(at, 2);
    if (digits.size() != out.size() * 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        return wrong(fmt::format("'{}' is not {} bytes such as \"\\x01\\x02\"", text, out.size()));
    for (std::size_t i = 0; i < out.size(); ++i) {
        unsigned octet = 0;
        std::from_chars(digits.data() + 2 * i, digits.data() + 2 * i + 2, octet, 16);
        out[i] = static_cast<std::byte>(octet);
    }
    return {};
}

// What stands between commas; braces or parentheses around all of it may be left out.
struct Parts {
    std::vector<std::string_view> texts;
    bool braces = false;
};

TextResult<Parts> split(std::string_view text)
{
    Parts parts;
    text = trimmed(text);
    const bool open = text.starts_with('{') || text.starts_with('(');
    if (open) {
        parts.braces = text.front() == '{';
        if (!text.ends_with(parts.braces ? '}' : ')'))
            return wrong(fmt::format("'{}' does not end with '{}'", text, parts.braces ? '}' : ')'));
        text = trimmed(text.substr(1, text.size() - 2));
    }
    if (open && text.empty())
        return parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto comma = std::min(text.find(',', begin), text.size());
        parts.texts.push_back(trimmed(text.substr(begin, comma - begin)));
        begin = comma + 1;
    }
    return parts;
}

std::string names_of(std::span<const LayoutField> fields)
{
    std::vector<std::string_view> names;
    std::ranges::transform(fields, std::back_inserter(names), [](const LayoutField &field) -> std::string_view {
        return field.name.empty() ? "a number" : std::string_view(field.name);
    });
    return fmt::format("{}", fmt::join(names, ", "));
}

// packets = 3
TextResult<std::size_t> read_named(std::span<const LayoutField> fields, std::string_view text, std::span<std::byte> out)
{
    const auto equals = text.find('=');
    if (equals == std::string_view::npos)
        return wrong(fmt::format("'{}' does not say which of its fields it is: {}", text, names_of(fields)));
    const auto name = trimmed(text.substr(0, equals));
    const auto field = std::ranges::find(fields, name, &LayoutField::name);
    if (field == fields.end())
        return wrong(fmt::format("there is no field '{}'; there are: {}", name, names_of(fields)));
    if (const auto read = read_field(*field, trimmed(text.substr(equals + 1)), out); !read)
        return wrong(fmt::format("{}: {}", name, read.error()));
    return static_cast<std::size_t>(field - fields.begin());
}

TextResult<std::vector<std::byte>> read_fields(std::span<const LayoutField> fields, std::uint32_t size,
                                               std::string_view text, bool all)
{
    const auto parts = split(text);
    if (!parts)
        return wrong(parts.error());
    std::vector<std::byte> out(size);
    std::vector<bool> there(fields.size());
    const bool named = parts->braces || (!parts->texts.empty() && parts->texts[0].find('=') != std::string_view::npos);
    if (!named && parts->texts.size() != fields.size())
        return wrong(
            fmt::format("'{}' has {} of {} values: {}", text, parts->texts.size(), fields.size(), names_of(fields)));
    for (std::size_t i = 0; i < parts->texts.size(); ++i) {
        if (!named) {
            if (auto read = read_field(fields[i], parts->texts[i], out); !read)
                return wrong(std::move(read.error()));
            continue;
        }
        const auto field = read_named(fields, parts->texts[i], out);
        if (!field)
            return wrong(field.error());
        if (there[*field])
            return wrong(fmt::format("'{}' is there twice", fields[*field].name));
        there[*field] = true;
    }
    const auto missing = std::ranges::find(there, false);
    if (all && named && missing != there.end())
        return wrong(fmt::format("'{}' is missing", fields[static_cast<std::size_t>(missing - there.begin())].name));
    return out;
}

// 10.0.0.0/8; without a length all of it counts.
constexpr unsigned mapped_length = 96; // of ::ffff:0:0/96

TextResult<std::vector<std::byte>> read_prefix(const MapSpec &map, std::string_view text)
{
    const LayoutField &length_field = map.key.fields[0];
    const LayoutField &field = map.key.fields[1];
    const auto slash = text.find('/');
    const bool mapped = field.format == FieldFormat::ipv6 && text.find(':') == std::string_view::npos;
    std::uint64_t length = field.size * 8;
    if (slash != std::string_view::npos) {
        const auto given = read_whole_number(trimmed(text.substr(slash + 1)));
        const std::uint64_t longest = length - (mapped ? mapped_length : 0);
        if (!given || *given > longest)
            return wrong(fmt::format("the length of '{}' is no number from 0 to {}", text, longest));
        length = *given + (mapped ? mapped_length : 0);
    }
    std::vector<std::byte> key(map.key.size);
    if (auto read = read_field(field, trimmed(text.substr(0, slash)), key); !read)
        return wrong(std::move(read.error()));
    put_number(length_field, length, key);
    for (std::uint64_t bit = length; bit < field.size * 8; ++bit) // the kernel looks only at the prefix
        key[field.offset + bit / 8] &= ~static_cast<std::byte>(0x80U >> bit % 8);
    return key;
}

bool is_prefix_map(const MapSpec &map) { return has(map.kind, map_trait::prefix) && map.key.fields.size() == 2; }

} // namespace

std::uint64_t number_of(const LayoutField &field, std::span<const std::byte> whole)
{
    std::uint64_t number = 0;
    for (std::uint32_t i = 0; i < field.size; ++i) {
        const std::byte byte = whole[field.offset + (field.big_endian ? i : field.size - 1 - i)];
        number = number << 8 | std::to_integer<std::uint64_t>(byte);
    }
    return number;
}

void put_number(const LayoutField &field, std::uint64_t number, std::span<std::byte> whole)
{
    for (std::uint32_t i = 0; i < field.size; ++i, number >>= 8)
        whole[field.offset + (field.big_endian ? field.size - 1 - i : i)] = static_cast<std::byte>(number);
}

constexpr std::array<std::byte, 12> as_mapped{
    {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, std::byte{0xff}, std::byte{0xff}}};

std::string field_text(const LayoutField &field, std::span<const std::byte> whole)
{
    const auto bytes = whole.subspan(field.offset, field.size);
    std::vector<unsigned> octets;
    std::ranges::transform(bytes, std::back_inserter(octets), [](std::byte b) { return std::to_integer<unsigned>(b); });
    switch (field.format) {
    case FieldFormat::number: return fmt::format("{}", number_of(field, whole));
    case FieldFormat::mac: return fmt::format("{:02x}", fmt::join(octets, ":"));
    case FieldFormat::ipv4: return fmt::format("{}", fmt::join(octets, "."));
    case FieldFormat::ipv6: {
        if (field.either_ip && std::ranges::equal(bytes.first(12), as_mapped))
            return fmt::format("{}", fmt::join(std::span(octets).subspan(12), "."));
        std::array<char, INET6_ADDRSTRLEN> text{};
        return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
    }
    case FieldFormat::bytes: return fmt::format("\"\\x{:02x}\"", fmt::join(octets, "\\x"));
    }
    return {};
}

std::string layout_text(const Layout &layout, std::span<const std::byte> whole)
{
    if (layout.fields.size() == 1)
        return field_text(layout.fields[0], whole);
    std::vector<std::string> fields;
    for (const auto &field : layout.fields)
        fields.push_back(fmt::format("{} = {}", field.name, field_text(field, whole)));
    return fmt::format("{{{}}}", fmt::join(fields, ", "));
}

std::string key_text(const MapSpec &map, std::span<const std::byte> key)
{
    if (!is_prefix_map(map))
        return layout_text(map.key, key);
    const LayoutField &field = map.key.fields[1];
    std::string address = field_text(field, key);
    auto length = number_of(map.key.fields[0], key);
    if (field.format == FieldFormat::ipv6 && address.find(':') == std::string::npos) {
        if (length >= mapped_length)
            length -= mapped_length;
        else
            address.insert(0, "::ffff:");
    }
    return fmt::format("{}/{}", address, length);
}

TextResult<void> read_field(const LayoutField &field, std::string_view text, std::span<std::byte> whole)
{
    text = trimmed(text);
    const auto out = whole.subspan(field.offset, field.size);
    switch (field.format) {
    case FieldFormat::number: return read_number(field, text, whole);
    case FieldFormat::mac: return read_mac(text, out);
    case FieldFormat::ipv4: return read_ipv4(text, out);
    case FieldFormat::ipv6: return read_ipv6(text, out);
    case FieldFormat::bytes: return read_bytes(text, out);
    }
    return {};
}

TextResult<std::vector<std::byte>> read_value(const MapSpec &map, std::string_view text)
{
    return read_fields(map.value.fields, map.value.size, text, false);
}

TextResult<std::vector<std::byte>> read_key(const MapSpec &map, std::string_view text)
{
    if (has(map.kind, map_trait::keyless))
        return wrong(fmt::format("a map of kind {} has no keys", name_of(map.kind)));
    return is_prefix_map(map) ? read_prefix(map, trimmed(text)) : read_fields(map.key.fields, map.key.size, text, true);
}

} // namespace xdpf
