// What a map holds from the beginning: written in the source, or in a file beside it.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/encode.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace xdpf::sema {
namespace {

constexpr std::uintmax_t most_contents = std::uintmax_t(64) << 20; // bytes
constexpr std::uint8_t mapped_length = 96;

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\"");
    const auto last = text.find_last_not_of(" \t\r\"");
    return first == std::string_view::npos ? std::string_view() : text.substr(first, last + 1 - first);
}

// A word of a contents file as the literal that it would be in the source.
ast::Literal literal_of(std::string_view text)
{
    using LiteralKind = ast::Literal::Kind;
    const auto colons = std::ranges::count(text, ':');
    if (colons == 5 && text.size() == 17 && text.find("::") == std::string_view::npos)
        return {LiteralKind::mac, std::string(text)};
    if (colons > 0)
        return {LiteralKind::ipv6, std::string(text)};
    if (text.find('.') != std::string_view::npos)
        return {LiteralKind::ipv4, std::string(text)};
    return {LiteralKind::integer, std::string(text)};
}

// An IPv4 address where IPv6 addresses stand, as in a key of the type of ip.src, is the one that it is mapped to.
LiteralValue stored_as(const LayoutField &field, LiteralValue read)
{
    if (field.format == FieldFormat::ipv6 && read.type == ValueType::ipv4) {
        read.type = ValueType::ipv6;
        read.first |= mapped_ipv4;
        read.prefix_length += mapped_length;
    }
    return read;
}

bool is_number(std::string_view text)
{
    const bool hex = text.starts_with("0x");
    const auto digits = hex ? text.substr(2) : text;
    return !digits.empty() && std::ranges::all_of(digits, [&](char c) {
        return (c >= '0' && c <= '9') || c == '_' || (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
    });
}

} // namespace

// A constant as bytes of a key or a value.
bool Analyzer::put_constant(const LayoutField &field, ast::ExprId id, const std::string &what, Span declared,
                            const Scope &scope, std::vector<std::byte> &out)
{
    auto result = value(id, scope);
    if (!result)
        return false;
    if (const auto address = constant_of(*result)) {
        const auto as = stored_as(field, {.type = unit_.exprs[*result].type, .first = *address});
        if (as.type != unit_.exprs[*result].type)
            result = add(Expr{as.type, bits_of(as.type), Constant{as.first}, scope[id].span});
    }
    if (!check_field(*result, field, what, declared))
        return false;
    if (const auto *bytes = std::get_if<BytesConstant>(&unit_.exprs[*result].node)) {
        std::ranges::transform(bytes->value, out.begin() + field.offset,
                               [](char c) { return static_cast<std::byte>(c); });
        return true;
    }
    const auto number = constant_of(*result);
    if (!number) {
        diagnostics_.report(Kind::not_constant, scope[id].span);
        return false;
    }
    encode(field, *number, out);
    return true;
}

// A key as written, (10.0.0.1, 53), or for maps of prefixes a prefix, as bytes.
std::optional<std::vector<std::byte>> Analyzer::key_bytes(MapId map, const std::vector<ast::ExprId> &written, Span span,
                                                          const Scope &scope)
{
    const MapSpec spec = unit_.maps[map];
    const bool prefix = has(spec.kind, map_trait::prefix);
    if (spec.key.fields.empty())
        return std::nullopt;
    std::vector<std::byte> key(spec.key.size);
    const auto fields = std::span(spec.key.fields).subspan(prefix ? 1 : 0);
    std::vector<ast::ExprId> parts = written;
    if (const auto *tuple = std::get_if<ast::Tuple>(&scope[written[0]].node); tuple != nullptr && written.size() == 1)
        parts = tuple->elements;
    if (parts.size() != fields.size()) {
        diagnostics_
            .report(Kind::key_count, span, fmt::format("a key of '{}'", spec.name), counted(fields.size(), "value"),
                    std::to_string(parts.size()))
            .note(spec.span, "declared here");
        return std::nullopt;
    }
    const auto what = fmt::format("a key of '{}'", spec.name);
    const auto *literal = std::get_if<ast::Literal>(&scope[parts[0]].node);
    if (prefix && literal != nullptr) {
        auto read = read_literal(*literal, scope[parts[0]].span, diagnostics_);
        if (read)
            read = stored_as(fields[0], *read);
        if (!read || !check_field(add(Expr{read->type, 64, Constant{read->first}, scope[parts[0]].span}), fields[0],
                                  what, spec.span))
            return std::nullopt;
        encode(spec.key.fields[0], read->prefix ? read->prefix_length : fields[0].size * 8, key);
        encode(fields[0], read->first, key);
        return key;
    }
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (!put_constant(fields[i], parts[i], what, spec.span, scope, key))
            return std::nullopt;
    if (prefix)
        encode(spec.key.fields[0], fields[0].size * 8, key);
    return key;
}

// 5, 10.0.0.1, (1, 2), {packets = 1}: what is not named is 0.
std::optional<std::vector<std::byte>> Analyzer::value_bytes(MapId map, ast::ExprId id, const Scope &scope)
{
    const MapSpec spec = unit_.maps[map];
    std::vector<std::byte> out(spec.value.size);
    const auto what = fmt::format("a value of '{}'", spec.name);
    const auto *set = std::get_if<ast::Set>(&scope[id].node);
    const auto *tuple = std::get_if<ast::Tuple>(&scope[id].node);
    if (set != nullptr) {
        for (const auto &element : set->elements) {
            if (!element.name) {
                diagnostics_.report(Kind::bad_contents, scope[element.value].span, spec.name, "which field is this?")
                    .suggest("name it: {packets = 1}");
                return std::nullopt;
            }
            const auto field = value_field(map, &*element.name, element.name->span);
            if (!field || !put_constant(spec.value.fields[*field], element.value, what, spec.span, scope, out))
                return std::nullopt;
        }
        return out;
    }
    const auto parts = tuple != nullptr ? tuple->elements : std::vector{id};
    if (parts.size() != spec.value.fields.size()) {
        if (!spec.value.fields.empty())
            diagnostics_.report(Kind::bad_contents, scope[id].span, spec.name,
                                fmt::format("its values have {}", counted(spec.value.fields.size(), "field")));
        return std::nullopt;
    }
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (!put_constant(spec.value.fields[i], parts[i], what, spec.span, scope, out))
            return std::nullopt;
    return out;
}

void Analyzer::build_contents(MapId id, const ast::File &file, const ast::Map &decl)
{
    if (unit_.maps[id].max_entries == 0 || (!decl.contents && !decl.from))
        return;
    const MapSpec &spec = unit_.maps[id];
    const bool device = spec.kind == MapKind::devmap || spec.kind == MapKind::devmap_hash;
    if (has(spec.kind, map_trait::ring) ||
        (has(spec.kind, map_trait::redirect) && !device && spec.kind != MapKind::cpumap)) {
        diagnostics_.report(Kind::bad_contents, decl.name.span, decl.name.text,
                            fmt::format("a map of kind {} is filled while it is used", name_of(spec.kind)));
        return;
    }
    if (decl.from)
        return read_contents(id, file, decl);
    const auto *set = std::get_if<ast::Set>(&file.exprs[*decl.contents].node);
    if (set == nullptr) {
        diagnostics_.report(Kind::bad_contents, file.exprs[*decl.contents].span, decl.name.text,
                            "they stand in braces");
        return;
    }
    std::uint32_t position = 0;
    for (const auto &element : set->elements)
        if (!add_content(id, element, position++, {.file = &file}))
            return;
}

bool Analyzer::add_content(MapId map, const ast::Argument &element, std::uint32_t position, const Scope &scope)
{
    const MapSpec spec = unit_.maps[map];
    const Span span = scope[element.value].span;
    const auto bad = [&](const std::string &why) {
        diagnostics_.report(Kind::bad_contents, span, spec.name, why);
        return false;
    };
    if (element.name)
        return bad("an entry is a key, or a key -> its value");
    if (spec.contents.size() >= spec.max_entries)
        return bad(fmt::format("it has room for no more than {}", spec.max_entries));
    MapContent content;
    const bool array = has(spec.kind, map_trait::array);
    if (has(spec.kind, map_trait::keyless)) {
        if (element.target)
            return bad("its values have no keys");
        const auto bytes = value_bytes(map, element.value, scope);
        if (!bytes)
            return false;
        content.value = *bytes;
    } else if (array && !element.target) {
        content.key.resize(4);
        encode(spec.key.fields[0], position, content.key);
        const auto bytes = value_bytes(map, element.value, scope);
        if (!bytes)
            return false;
        content.value = *bytes;
    } else {
        auto key = key_bytes(map, {element.value}, span, scope);
        if (!key)
            return false;
        content.key = std::move(*key);
        content.value.resize(spec.value.size);
        if (has(spec.kind, map_trait::redirect)) {
            const auto *name = element.target ? std::get_if<ast::String>(&scope[*element.target].node) : nullptr;
            if (!element.target)
                return bad("an entry says where it leads: 0 -> \"eth1\", of a cpumap 2 -> 192 (packets that wait)");
            if (name != nullptr && spec.kind != MapKind::cpumap) {
                content.interface = name->value;
            } else if (!put_constant(spec.value.fields[0], *element.target, fmt::format("an entry of '{}'", spec.name),
                                     spec.span, scope, content.value)) {
                return false;
            }
        } else if (element.target) {
            const auto bytes = value_bytes(map, *element.target, scope);
            if (!bytes)
                return false;
            content.value = *bytes;
        }
        std::uint32_t index = 0;
        if (array || (has(spec.kind, map_trait::redirect) && spec.kind != MapKind::devmap_hash)) {
            std::memcpy(&index, content.key.data(), sizeof index);
            if (index >= spec.max_entries)
                return bad(fmt::format("its indices go from 0 to {}", spec.max_entries - 1));
        }
    }
    unit_.maps[map].contents.push_back(std::move(content));
    return true;
}

// One entry a line: values of the key, then of the value, with commas between them; # begins a comment.
void Analyzer::read_contents(MapId map, const ast::File &file, const ast::Map &decl)
{
    const auto beside = std::filesystem::path(sources_.name(file.file)).parent_path() / decl.from->value;
    std::error_code error;
    const auto size = std::filesystem::file_size(beside, error);
    std::ifstream in(beside, std::ios::binary);
    if (error || !in || size > most_contents) {
        const auto why = error ? error.message() : in ? "it has more than 64 MiB" : std::strerror(errno);
        diagnostics_.report(Kind::cannot_read, decl.from_span, beside.string(), why);
        return;
    }
    std::string bytes(size, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(size));
    const FileId loaded = sources_.add(beside.string(), std::move(bytes));
    const MapSpec &spec = unit_.maps[map];
    std::vector<LayoutField> fields;
    const bool keyless = has(spec.kind, map_trait::keyless);
    const std::size_t key_from = has(spec.kind, map_trait::prefix) ? 1 : 0;
    if (!keyless)
        fields.assign(spec.key.fields.begin() + static_cast<std::ptrdiff_t>(key_from), spec.key.fields.end());
    const std::size_t keys = fields.size();
    fields.insert(fields.end(), spec.value.fields.begin(), spec.value.fields.end());
    const std::string_view text = sources_.text(loaded);
    const auto errors = diagnostics_.errors();
    constexpr std::size_t enough = 20;
    for (std::size_t begin = 0; begin < text.size() && diagnostics_.errors() < errors + enough;) {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto line = text.substr(begin, std::min(text.substr(begin, end - begin).find('#'), end - begin));
        if (!trimmed(line).empty())
            read_line(map, loaded, static_cast<std::uint32_t>(begin), line, fields, keys);
        begin = end + 1;
    }
}

bool Analyzer::read_line(MapId map, FileId file, std::uint32_t at, std::string_view line,
                         const std::vector<LayoutField> &fields, std::size_t keys)
{
    const MapSpec &spec = unit_.maps[map];
    const Span whole{file, at, at + static_cast<std::uint32_t>(line.size())};
    const auto bad = [&](Span span, const std::string &why) {
        diagnostics_.report(Kind::bad_contents, span, spec.name, why);
        return false;
    };
    MapContent content{.key = std::vector<std::byte>(spec.key.size), .value = std::vector<std::byte>(spec.value.size)};
    std::size_t part = 0;
    for (std::size_t begin = 0; begin <= line.size(); ++part) {
        const auto end = std::min(line.find(',', begin), line.size());
        const auto word = trimmed(line.substr(begin, end - begin));
        const auto offset =
            static_cast<std::uint32_t>(word.empty() ? begin : static_cast<std::size_t>(word.data() - line.data()));
        const Span span{file, at + offset, at + offset + static_cast<std::uint32_t>(word.size())};
        begin = end + 1;
        if (part >= fields.size())
            return bad(span, fmt::format("a line has at most {}", counted(fields.size(), "value")));
        const ast::Literal literal = literal_of(word);
        if (literal.kind == ast::Literal::Kind::integer && !is_number(word))
            return bad(span, fmt::format("'{}' is no number and no address", word));
        auto read = read_literal(literal, span, diagnostics_);
        const bool is_prefix = part == 0 && keys > 0 && has(spec.kind, map_trait::prefix);
        if (!read)
            return false;
        if (read->prefix && !is_prefix)
            return bad(span, "a prefix, where one value is wanted");
        read = stored_as(fields[part], *read);
        const auto expr = add(Expr{read->type, 64, Constant{read->first}, span});
        if (!check_field(expr, fields[part], fmt::format("a {} of '{}'", part < keys ? "key" : "value", spec.name),
                         spec.span))
            return false;
        encode(fields[part], read->first, part < keys ? content.key : content.value);
        if (is_prefix)
            encode(spec.key.fields[0], read->prefix ? read->prefix_length : fields[0].size * 8, content.key);
    }
    if (part < keys)
        return bad(whole, fmt::format("a key has {}", counted(keys, "value")));
    if (part != keys && part != fields.size())
        return bad(whole, fmt::format("a line has a key of {} and a value of {}", keys, fields.size() - keys));
    if (spec.contents.size() >= spec.max_entries)
        return bad(whole, fmt::format("it has room for no more than {}", spec.max_entries));
    unit_.maps[map].contents.push_back(std::move(content));
    return true;
}

} // namespace xdpf::sema
