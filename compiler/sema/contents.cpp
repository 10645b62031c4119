// What a map holds from the beginning, as the source says it; contents_file.cpp: in a file beside it.
#include "compiler/sema/contents.hpp"
#include "compiler/map_text.hpp"
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/encode.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <cstring>

namespace xdpf::sema {
namespace {

constexpr std::uint8_t mapped_length = 96;
constexpr std::uint32_t longest_queue = 16384; // of a cpumap's entry (kernel/bpf/cpumap.c)

} // namespace

LiteralValue stored_as(const LayoutField &field, LiteralValue read)
{
    if (field.format == FieldFormat::ipv6 && read.type == ValueType::ipv4) {
        read.type = ValueType::ipv6;
        read.first |= mapped_ipv4;
        read.prefix_length += mapped_length;
    }
    return read;
}

std::optional<LiteralValue> number_prefix(const LayoutField &field, std::uint64_t number, std::uint64_t length,
                                          Span span, Diagnostics &diagnostics)
{
    const std::uint64_t bits = field.size * 8;
    const auto written = fmt::format("{:#x}/{}", number, length);
    if (length > bits) {
        diagnostics.report(Kind::bad_prefix, span, written, fmt::format("its length must be 0 to {}", bits));
        return std::nullopt;
    }
    const auto behind = static_cast<std::uint64_t>(largest(static_cast<std::uint32_t>(bits - length)));
    if (number <= largest(static_cast<std::uint32_t>(bits)) && (number & behind) != 0) {
        diagnostics
            .report(Kind::bad_prefix, span, written,
                    fmt::format("of its {} bits, some behind the first {} are set", bits, length))
            .suggest(fmt::format("write {:#x}/{}", number & ~behind, length));
        return std::nullopt;
    }
    return LiteralValue{.first = number, .prefix = true, .prefix_length = static_cast<std::uint8_t>(length)};
}

bool is_new_key(const MapSpec &spec, KeyPlaces &places, Span span, Diagnostics &diagnostics)
{
    std::string key;
    for (const std::byte byte : spec.contents.back().key)
        key.push_back(static_cast<char>(byte));
    if (key.empty()) // of a queue
        return true;
    const auto [place, fresh] = places.emplace(std::move(key), span);
    if (!fresh)
        diagnostics.report(Kind::bad_contents, span, spec.name, "this key is there already")
            .note(place->second, "here");
    return fresh;
}

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
    const MapSpec &spec = unit_.maps[map];
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
    const auto &first = scope[parts[0]];
    const auto *literal = std::get_if<ast::Literal>(&first.node);
    const auto *divided = std::get_if<ast::Binary>(&first.node);
    const bool number =
        divided != nullptr && divided->op == ast::BinaryOp::divide && fields[0].format == FieldFormat::number;
    if (prefix && (literal != nullptr || number)) {
        std::optional<LiteralValue> read;
        if (literal != nullptr) {
            read = read_literal(*literal, first.span, diagnostics_);
        } else {
            const auto of = constant(divided->left, scope);
            const auto length = constant(divided->right, scope);
            if (of && length)
                read = number_prefix(fields[0], *of, *length, first.span, diagnostics_);
        }
        if (read)
            read = stored_as(fields[0], *read);
        if (!read ||
            !check_field(add(Expr{read->type, 64, Constant{read->first}, first.span}), fields[0], what, spec.span))
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
    const MapSpec &spec = unit_.maps[map];
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
    const MapSpec spec = unit_.maps[id];
    const bool device = spec.kind == MapKind::devmap || spec.kind == MapKind::devmap_hash;
    if (has(spec.kind, map_trait::ring) ||
        (has(spec.kind, map_trait::redirect) && !device && spec.kind != MapKind::cpumap)) {
        diagnostics_.report(Kind::bad_contents, decl.name.span, decl.name.text,
                            fmt::format("a map of kind {} is filled while it is used", name_of(spec.kind)));
        return;
    }
    if ((spec.flags & BPF_F_RDONLY) != 0) {
        diagnostics_.report(Kind::bad_contents, decl.name.span, decl.name.text,
                            "BPF_F_RDONLY lets programs write there, and not the loader");
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
    if (set->elements.size() > spec.max_entries) {
        diagnostics_.report(Kind::bad_contents, file.exprs[set->elements[spec.max_entries].value].span, spec.name,
                            fmt::format("{} entries, and room for {}", set->elements.size(), spec.max_entries));
        return;
    }
    constexpr auto without_key = map_trait::array | map_trait::keyless | map_trait::redirect;
    KeyPlaces places;
    std::uint32_t position = 0;
    std::size_t mistakes = 0;
    for (const auto &element : set->elements) {
        const Span span = file.exprs[element.value].span;
        bool good = element.target || element.name || spec.is_set || has(spec.kind, without_key);
        if (!good)
            diagnostics_.report(Kind::bad_contents, span, spec.name,
                                fmt::format("an entry has a key and a value: {} -> …", sources_.text(span)));
        good = good && add_content(id, element, position++, {.file = &file}) &&
               is_new_key(unit_.maps[id], places, span, diagnostics_);
        if (!good && ++mistakes == most_mistakes)
            return;
    }
}

// Whether there is such an index in an array or a map to redirect into, and a queue that the kernel makes.
bool Analyzer::is_entry_of(const MapSpec &spec, const MapContent &content, Span span)
{
    const auto bad = [&](const std::string &why) {
        diagnostics_.report(Kind::bad_contents, span, spec.name, why);
        return false;
    };
    if (spec.kind == MapKind::cpumap) {
        const auto packets = number_of(spec.value.fields[0], content.value);
        if (packets == 0 || packets > longest_queue)
            return bad(fmt::format("1 to {} packets can wait for a processor", longest_queue));
    }
    std::uint32_t index = 0;
    if (has(spec.kind, map_trait::array) ||
        (has(spec.kind, map_trait::redirect) && spec.kind != MapKind::devmap_hash)) {
        std::memcpy(&index, content.key.data(), sizeof index);
        if (index >= spec.max_entries)
            return bad(fmt::format("its indices go from 0 to {}", spec.max_entries - 1));
    }
    return true;
}

bool Analyzer::add_content(MapId map, const ast::Argument &element, std::uint32_t position, const Scope &scope)
{
    const MapSpec &spec = unit_.maps[map];
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
        if (!is_entry_of(spec, content, span))
            return false;
    }
    unit_.maps[map].contents.push_back(std::move(content));
    return true;
}

} // namespace xdpf::sema
