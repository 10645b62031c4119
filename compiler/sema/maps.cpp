#include "compiler/sema/analyzer.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <array>

namespace xdpf::sema {
namespace {

constexpr std::uint64_t most_bytes = std::uint64_t(1) << 31; // of an array's values
constexpr std::uint32_t auto_xskmap_entries = 64;

std::optional<MapKind> kind_named(std::string_view name)
{
    for (std::size_t i = 0; i <= static_cast<std::size_t>(MapKind::lpm_trie); ++i)
        if (name_of(static_cast<MapKind>(i)) == name)
            return static_cast<MapKind>(i);
    return std::nullopt;
}

std::vector<std::string> kind_names()
{
    std::vector<std::string> out;
    for (std::size_t i = 0; i <= static_cast<std::size_t>(MapKind::lpm_trie); ++i)
        out.emplace_back(name_of(static_cast<MapKind>(i)));
    return out;
}

Layout plain_number(std::uint32_t size) { return {"", size, {{"", FieldFormat::number, 0, size, false}}}; }

FieldFormat format_of(ValueType type)
{
    switch (type) {
    case ValueType::number: return FieldFormat::number;
    case ValueType::mac: return FieldFormat::mac;
    case ValueType::ipv4: return FieldFormat::ipv4;
    case ValueType::ipv6: return FieldFormat::ipv6;
    case ValueType::bytes: return FieldFormat::bytes;
    }
    return FieldFormat::bytes;
}

std::uint32_t number_bytes(std::uint32_t bits)
{
    for (const std::uint32_t bytes : {1U, 2U, 4U})
        if (bits <= bytes * 8)
            return bytes;
    return 8;
}

// What the kind is used like, for messages.
std::string example(MapKind kind, const std::string &name)
{
    if (has(kind, map_trait::redirect))
        return fmt::format("defmap {} : {}[64]", name, name_of(kind));
    if (has(kind, map_trait::array))
        return fmt::format("defmap {} : {}<counter>[256]", name, name_of(kind));
    if (has(kind, map_trait::prefix))
        return fmt::format("defmap {} : {}<ipv4.src>[10_000]", name, name_of(kind));
    return fmt::format("defmap {} : {}<ipv4.src -> counter>[65_536]", name, name_of(kind));
}

} // namespace

void Analyzer::build_map(MapId id, const ast::File &file, const ast::Map &decl)
{
    const auto bad = [&](Span span, const std::string &why) -> Diagnostic & {
        return diagnostics_.report(Kind::bad_map, span, decl.name.text, why);
    };
    const auto kind = kind_named(decl.kind.text);
    if (!kind) {
        diagnostics_.report(Kind::unknown_map_kind, decl.kind.span, decl.kind.text)
            .suggest(did_you_mean(decl.kind.text, kind_names()));
        return;
    }
    MapSpec spec{.name = decl.name.text, .kind = *kind, .span = decl.name.span};
    for (const auto &attribute : decl.attributes)
        diagnostics_.report(Kind::unknown_attribute, attribute.name.span, attribute.name.text);
    if (!decl.entries) {
        bad(decl.name.span, "it needs a size").suggest(example(*kind, decl.name.text));
        return;
    }
    const auto entries = constant(*decl.entries, {&file});
    if (!entries || !key_and_value(spec, file, decl))
        return;
    const std::uint64_t stride = std::max<std::uint64_t>(8, spec.value.size);
    const bool array = has(*kind, map_trait::array);
    if (*entries == 0 || *entries > UINT32_MAX || (array && *entries > most_bytes / stride)) {
        const auto most = array ? most_bytes / stride : UINT32_MAX;
        bad(file.exprs[*decl.entries].span, fmt::format("it can have 1 to {} entries", most));
        return;
    }
    spec.max_entries = static_cast<std::uint32_t>(*entries);
    if (has(*kind, map_trait::no_prealloc))
        spec.flags |= BPF_F_NO_PREALLOC;
    unit_.maps[id] = spec;
}

bool Analyzer::key_and_value(MapSpec &spec, const ast::File &file, const ast::Map &decl)
{
    const auto bad = [&](Span span, const std::string &why) {
        diagnostics_.report(Kind::bad_map, span, decl.name.text, why).suggest(example(spec.kind, decl.name.text));
        return false;
    };
    const bool array = has(spec.kind, map_trait::array);
    spec.key = spec.value = plain_number(4);
    if (has(spec.kind, map_trait::redirect))
        return decl.types.empty() ||
               bad(decl.types[0].span, "its keys are queues and its values sockets; it takes no types");
    if (decl.types.empty())
        return bad(decl.name.span, array ? "it needs the type of its values" : "it needs the type of its keys");
    const ast::Type *key = array && !decl.arrow ? nullptr : &decl.types.front();
    const ast::Type *value = array || decl.arrow ? &decl.types.back() : nullptr;
    if (key != nullptr) {
        const auto made = layout(*key, file, decl.name.text + "_key");
        if (!made)
            return false;
        spec.key = *made;
    }
    if (value != nullptr) {
        const auto made = layout(*value, file, decl.name.text + "_value");
        if (!made)
            return false;
        spec.value = *made;
    }
    if (array && (spec.key.size != 4 || spec.key.fields[0].format != FieldFormat::number))
        return bad(key->span, "the keys of an array are u32: indices");
    if (has(spec.kind, map_trait::prefix)) {
        LayoutField field = spec.key.fields[0];
        field.offset = 4;
        field.big_endian = field.format == FieldFormat::number;
        if (field.name.empty())
            field.name = "data";
        spec.key = {decl.name.text + "_key", 4 + field.size, {{"prefixlen", FieldFormat::number, 0, 4, false}, field}};
    }
    return true;
}

std::optional<Layout> Analyzer::layout(const ast::Type &type, const ast::File &file, const std::string &struct_name)
{
    if (type.name.text == "counter" && !type.field && !type.size)
        return Layout{"counter",
                      16,
                      {{"packets", FieldFormat::number, 0, 8, false}, {"bytes", FieldFormat::number, 8, 8, false}}};
    Field field;
    std::string name;
    if (type.field) {
        const Symbol *symbol = find(type.name.text);
        const auto *header = symbol != nullptr ? std::get_if<HeaderId>(&symbol->what) : nullptr;
        if (header == nullptr) {
            diagnostics_.report(Kind::unknown_header, type.name.span, type.name.text)
                .suggest(did_you_mean(type.name.text, header_names()));
            return std::nullopt;
        }
        const auto found = field_value({*header}, type.field->text, type.field->span, type.span);
        if (!found)
            return std::nullopt;
        field.type = unit_.exprs[*found].type;
        field.bits = unit_.exprs[*found].bits;
        name = type.field->text;
        std::ranges::replace(name, '.', '_');
    } else {
        field.name = type.name.text;
        if (!field_type(file, type, field))
            return std::nullopt;
    }
    const auto size = field.type == ValueType::number ? number_bytes(field.bits) : field.bits / 8;
    const LayoutField only{name, format_of(field.type), 0, size, false};
    return Layout{name.empty() ? "" : struct_name, size, {only}};
}

std::optional<MapId> Analyzer::map_named(const ast::Name &name)
{
    const Symbol *symbol = find(name.text);
    const auto *map = symbol != nullptr ? std::get_if<MapId>(&symbol->what) : nullptr;
    if (map != nullptr)
        return *map;
    if (damaged(name.text))
        return std::nullopt;
    std::vector<std::string> candidates;
    for (const auto &spec : unit_.maps)
        candidates.push_back(spec.name);
    const auto near = nearest(name.text, candidates);
    diagnostics_.report(Kind::unknown_map, name.span, name.text)
        .suggest(near.empty() ? fmt::format("declare it: defmap {} : …", name.text)
                              : fmt::format("did you mean '{}'?", near));
    return std::nullopt;
}

// The XSKMAP that `xsk` alone brings along.
MapId Analyzer::default_xskmap(Span span)
{
    if (const Symbol *symbol = find("xsks"); symbol != nullptr && std::holds_alternative<MapId>(symbol->what))
        return std::get<MapId>(symbol->what);
    const MapId id =
        unit_.maps.add({"xsks", MapKind::xskmap, plain_number(4), plain_number(4), auto_xskmap_entries, 0, span});
    symbols_.insert_or_assign("xsks", Symbol{id, span});
    return id;
}

bool Analyzer::check_key(ExprId key, MapId map)
{
    const MapSpec &spec = unit_.maps[map];
    if (spec.key.fields.empty())
        return false; // its declaration was in error
    const LayoutField &field = spec.key.fields.back();
    const Expr &expr = unit_.exprs[key];
    const bool same = format_of(expr.type) == field.format;
    const bool fits = field.format == FieldFormat::bytes ? expr.bits == field.size * 8 : true;
    // What is computed wraps where it is stored; what is read as it is has to fit.
    const bool computed = std::holds_alternative<Binary>(expr.node) || std::holds_alternative<Unary>(expr.node);
    const bool read = !computed && !constant_of(key);
    if (same && field.format == FieldFormat::number && read && expr.bits > field.size * 8) {
        diagnostics_
            .report(Kind::key_mismatch, expr.span, spec.name, fmt::format("numbers of {} bits", field.size * 8),
                    describe(key))
            .note(spec.span, "declared here")
            .suggest(fmt::format("declare wider keys, or say which bits count: {} & {:#x}", sources_.text(expr.span),
                                 static_cast<std::uint64_t>(largest(field.size * 8))));
        return false;
    }
    if (same && fits) {
        const auto constant = constant_of(key);
        if (constant && field.format == FieldFormat::number && *constant > largest(field.size * 8)) {
            diagnostics_.report(Kind::constant_too_large, expr.span, to_string(expr.type, *constant),
                                fmt::format("a key of '{}'", spec.name), counted(field.size * 8, "bit"));
            return false;
        }
        return true;
    }
    static constexpr std::array<std::string_view, 5> plural{"numbers", "MAC addresses", "IPv4 addresses",
                                                            "IPv6 addresses", "raw bytes"};
    const auto keys = field.format == FieldFormat::bytes ? fmt::format("{} raw bytes", field.size)
                                                         : std::string(plural[static_cast<std::size_t>(field.format)]);
    diagnostics_.report(Kind::key_mismatch, expr.span, spec.name, keys, describe(key)).note(spec.span, "declared here");
    return false;
}

} // namespace xdpf::sema
