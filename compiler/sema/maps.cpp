#include "compiler/sema/analyzer.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <bit>

namespace xdpf::sema {
namespace {

constexpr std::uint64_t most_bytes = std::uint64_t(1) << 31; // of an array's values
constexpr std::uint32_t longest_key = 256;                   // bytes; both are built on the stack of 512
constexpr std::uint32_t longest_value = 128;
constexpr std::uint32_t most_processors = 8192; // of a kernel, whose own number may be less (CONFIG_NR_CPUS)
constexpr std::uint64_t page = 4096;            // the least that a ring buffer has
constexpr std::uint32_t auto_xskmap_entries = 64;

constexpr std::array all_kinds{
#define XDPF_MAP_KIND(name, bpf_type, traits) MapKind::name,
#include "compiler/map_kinds.def"
#undef XDPF_MAP_KIND
};

std::optional<MapKind> kind_named(std::string_view name)
{
    const auto found = std::ranges::find(all_kinds, name, [](MapKind kind) { return name_of(kind); });
    return found == all_kinds.end() ? std::nullopt : std::optional(*found);
}

std::vector<std::string> kind_names()
{
    std::vector<std::string> out;
    for (const MapKind kind : all_kinds)
        if (!has(kind, map_trait::programs)) // `goto` brings its own
            out.emplace_back(name_of(kind));
    return out;
}

Layout plain_number(std::uint32_t size) { return {"", size, {{"", FieldFormat::number, 0, size, false}}}; }

std::uint32_t round_up(std::uint32_t size, std::uint32_t align) { return (size + align - 1) / align * align; }

// Natural alignment, as C lays out a struct; addresses and bytes stand where they come.
void lay_out(Layout &layout, LayoutField field, std::uint32_t &align)
{
    const auto own = field.format == FieldFormat::number ? field.size : 1;
    align = std::max(align, own);
    field.offset = round_up(layout.size, own);
    layout.size = field.offset + field.size;
    layout.fields.push_back(std::move(field));
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
    if (has(kind, map_trait::prefix) || has(kind, map_trait::keyless))
        return fmt::format("defmap {} : {}<ipv4.src>[10_000]", name, name_of(kind));
    if (has(kind, map_trait::ring))
        return fmt::format("defmap {} : {}[1_048_576]", name, name_of(kind));
    return fmt::format("defmap {} : {}<ipv4.src -> counter>[65_536]", name, name_of(kind));
}

} // namespace

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

void Analyzer::build_map(MapId id, const ast::File &file, const ast::Map &decl)
{
    const auto bad = [&](Span span, const std::string &why) -> Diagnostic & {
        return diagnostics_.report(Kind::bad_map, span, decl.name.text, why);
    };
    const auto kind = kind_named(decl.kind.text);
    if (!kind) {
        diagnostics_.report(Kind::unknown_map_kind, decl.kind.span, decl.kind.text)
            .suggest_near(decl.kind.text, kind_names());
        return;
    }
    MapSpec spec{.name = decl.name.text, .kind = *kind, .span = decl.name.span};
    if (has(*kind, map_trait::programs)) {
        bad(decl.kind.span, "'goto' brings a map of programs of its own").suggest("goto other_program");
        return;
    }
    if (!set_map_attributes(spec, file, decl))
        return;
    if (!decl.entries) {
        bad(decl.name.span, "it needs a size").suggest(example(*kind, decl.name.text));
        return;
    }
    const auto entries = constant(*decl.entries, {&file});
    if (!entries || !key_and_value(spec, file, decl))
        return;
    const Span size_span = file.exprs[*decl.entries].span;
    const std::uint64_t stride = std::max<std::uint64_t>(8, spec.value.size);
    if (has(*kind, map_trait::ring)) {
        if (*entries < page || *entries > most_bytes || !std::has_single_bit(*entries)) {
            bad(size_span, fmt::format("its size in bytes is a power of two from {} to {}", page, most_bytes))
                .suggest(example(*kind, decl.name.text));
            return;
        }
    } else if (*kind == MapKind::cpumap && (*entries == 0 || *entries > most_processors)) {
        bad(size_span, fmt::format("it can have 1 to {} entries, one for each processor", most_processors));
        return;
    } else if (*entries == 0 || *entries > UINT32_MAX || *entries > most_bytes / stride) {
        // The kernel takes more of some kinds, and then has not the memory for them.
        bad(size_span,
            fmt::format("it can have 1 to {} entries", std::min<std::uint64_t>(UINT32_MAX, most_bytes / stride)));
        return;
    }
    spec.max_entries = static_cast<std::uint32_t>(*entries);
    if (has(*kind, map_trait::no_prealloc))
        spec.flags |= BPF_F_NO_PREALLOC;
    unit_.maps[id] = spec;
}

// Whether the kernel makes a map of the kind with the flags.
bool Analyzer::takes_flags(MapKind kind, std::uint64_t flags, Span span)
{
    std::vector<std::string> possible;
    std::uint64_t others = flags;
    for (const auto &[name, bit] : flags_of(kind)) {
        possible.push_back(fmt::format("{} ({:#x})", name, bit));
        others &= ~std::uint64_t{bit};
    }
    if (others != 0) {
        diagnostics_
            .report(Kind::bad_attribute, span, "flags",
                    fmt::format("the kernel makes no map of kind {} with {:#x}", name_of(kind), others))
            .suggest(fmt::format("it takes {}", fmt::join(possible, ", ")));
        return false;
    }
    const auto both = [&](std::uint32_t one, std::uint32_t other, std::string_view names) {
        if ((flags & one) == 0 || (flags & other) == 0)
            return false;
        diagnostics_.report(Kind::bad_attribute, span, "flags", fmt::format("{} exclude each other", names));
        return true;
    };
    return !both(BPF_F_RDONLY, BPF_F_WRONLY, "BPF_F_RDONLY and BPF_F_WRONLY") &&
           !both(BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG, "BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG");
}

// Whether the map's flags let programs do that with its entries; the verifier holds them to it.
bool Analyzer::allowed(MapId map, EntryUse use, Span span)
{
    const MapSpec &spec = unit_.maps[map];
    const bool write_only = use != EntryUse::write && (spec.flags & BPF_F_WRONLY_PROG) != 0;
    const bool read_only = use != EntryUse::read && (spec.flags & BPF_F_RDONLY_PROG) != 0;
    if (!write_only && !read_only)
        return true;
    diagnostics_
        .report(Kind::map_misused, span, spec.name,
                write_only ? "write-only for programs (BPF_F_WRONLY_PROG)"
                           : "read-only for programs (BPF_F_RDONLY_PROG)",
                write_only ? "a map that they can read" : "a map that they can write")
        .note(spec.span, "declared here");
    return false;
}

bool Analyzer::set_map_attributes(MapSpec &spec, const ast::File &file, const ast::Map &decl)
{
    bool good = true;
    for (const auto &attribute : decl.attributes) {
        if (attribute.name.text == "pinned" && !attribute.value) {
            spec.pinned = true;
        } else if (attribute.name.text == "flags" && attribute.value) {
            const auto flags = constant(*attribute.value, {&file});
            good = flags && takes_flags(spec.kind, *flags, file.exprs[*attribute.value].span) && good;
            spec.flags = static_cast<std::uint32_t>(flags.value_or(0));
        } else if (attribute.name.text == "pinned" || attribute.name.text == "flags") {
            diagnostics_
                .report(Kind::bad_attribute, attribute.name.span, attribute.name.text,
                        attribute.value ? "it takes no value" : "it takes a number")
                .suggest("(pinned, flags = 1)");
            good = false;
        } else {
            diagnostics_.report(Kind::unknown_attribute, attribute.name.span, attribute.name.text)
                .suggest_near(attribute.name.text, {"pinned", "flags"});
            good = false;
        }
    }
    return good;
}

bool Analyzer::key_and_value(MapSpec &spec, const ast::File &file, const ast::Map &decl)
{
    const auto bad = [&](Span span, const std::string &why) {
        diagnostics_.report(Kind::bad_map, span, decl.name.text, why).suggest(example(spec.kind, decl.name.text));
        return false;
    };
    const bool array = has(spec.kind, map_trait::array);
    spec.key = spec.value = plain_number(4);
    if (has(spec.kind, map_trait::ring)) {
        spec.key = spec.value = {};
        return decl.types.empty() || bad(decl.types[0].span, "what is emitted has a type of its own; it takes none");
    }
    if (has(spec.kind, map_trait::redirect)) {
        if (spec.kind != MapKind::xskmap) // struct bpf_devmap_val, struct bpf_cpumap_val: index or size, program
            spec.value = {decl.name.text + "_value",
                          8,
                          {{spec.kind == MapKind::cpumap ? "qsize" : "ifindex", FieldFormat::number, 0, 4, false},
                           {"program", FieldFormat::number, 4, 4, false}}};
        return decl.types.empty() || bad(decl.types[0].span, "its entries are the kernel's; it takes no types");
    }
    if (has(spec.kind, map_trait::keyless)) {
        spec.key = {};
        if (decl.types.size() != 1)
            return bad(decl.name.span, "it needs the type of its values, and has no keys");
        const auto made = layout(decl.types[0], file, decl.name.text + "_value");
        if (made)
            spec.value = *made;
        return made.has_value();
    }
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
    spec.is_set = value == nullptr;
    if (spec.key.size > longest_key)
        return bad(key->span, fmt::format("its keys have {} bytes; the kernel's stack has room for {}", spec.key.size,
                                          longest_key));
    if (spec.value.size > longest_value)
        return bad(value->span, fmt::format("its values have {} bytes; the kernel's stack has room for {}",
                                            spec.value.size, longest_value));
    if (array && (spec.key.size != 4 || spec.key.fields[0].format != FieldFormat::number))
        return bad(key->span, "the keys of an array are u32: indices");
    if (has(spec.kind, map_trait::prefix) && spec.key.fields.size() != 1)
        return bad(key->span, "the key of a trie is one value: a prefix of it is looked up");
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
    if (!type.parts.empty())
        return struct_layout(type, file, struct_name);
    if (type.name.text == "counter" && !type.field && !type.size)
        return Layout{"counter",
                      16,
                      {{"packets", FieldFormat::number, 0, 8, false}, {"bytes", FieldFormat::number, 8, 8, false}}};
    Field field;
    std::string name;
    bool either_ip = false;
    if (type.field) {
        const auto found = field_named(type);
        if (!found)
            return std::nullopt;
        const auto *either = std::get_if<Either>(&unit_.exprs[*found].node);
        either_ip = either != nullptr && std::ranges::any_of(either->alternatives, [&](ExprId one) {
                        return unit_.exprs[one].type == ValueType::ipv4;
                    });
        field.type = unit_.exprs[*found].type;
        field.bits = unit_.exprs[*found].bits;
        name = type.field->text;
        std::ranges::replace(name, '.', '_');
    } else {
        field.name = type.name.text;
        if (!field_type(file, type, field))
            return std::nullopt;
        const auto bits = number_bytes(field.bits) * 8;
        if (field.type == ValueType::number && field.bits != bits && !struct_name.empty()) {
            diagnostics_.report(Kind::unknown_type, type.span, type.name.text)
                .suggest(fmt::format("keys and values of maps have whole bytes: u{}", bits));
            return std::nullopt;
        }
    }
    const auto size = field.type == ValueType::number ? number_bytes(field.bits) : field.bits / 8;
    return Layout{name.empty() ? "" : struct_name, size, {{name, format_of(field.type), 0, size, false, either_ip}}};
}

// (ipv4.src, udp.dport), {packets: u64, seen: u64}
std::optional<Layout> Analyzer::struct_layout(const ast::Type &type, const ast::File &file,
                                              const std::string &struct_name)
{
    Layout out{.name = struct_name};
    std::uint32_t align = 1;
    for (std::size_t i = 0; i < type.parts.size(); ++i) {
        const auto part = layout(type.parts[i], file, struct_name);
        if (!part)
            return std::nullopt;
        if (part->fields.size() != 1) {
            diagnostics_.report(Kind::unknown_type, type.parts[i].span, sources_.text(type.parts[i].span))
                .suggest("numbers, addresses and fields of headers stand in a struct");
            return std::nullopt;
        }
        LayoutField field = part->fields[0];
        if (i < type.part_names.size())
            field.name = type.part_names[i].text;
        const auto taken = [&](const std::string &name) {
            return name.empty() || std::ranges::find(out.fields, name, &LayoutField::name) != out.fields.end();
        };
        if (taken(field.name) && i < type.part_names.size()) {
            diagnostics_.report(Kind::redefined, type.part_names[i].span, field.name);
            return std::nullopt;
        }
        if (taken(field.name)) // of a tuple: (ipv4.src, arp.sha, u16)
            field.name = fmt::format("{}_{}", field.name.empty() ? "part" : field.name, i);
        lay_out(out, std::move(field), align);
    }
    out.size = round_up(out.size, align);
    return out;
}

// The layout of values that are put together by the compiler: the key of a rate limit, a record.
Layout Analyzer::layout_of(const std::vector<ExprId> &values, const std::string &struct_name) const
{
    Layout out{.name = struct_name};
    std::uint32_t align = 1;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const Expr &expr = unit_.exprs[values[i]];
        const auto size = expr.type == ValueType::number ? number_bytes(expr.bits) : expr.bits / 8;
        lay_out(out, {fmt::format("part_{}", i), format_of(expr.type), 0, size, false}, align);
    }
    out.size = round_up(out.size, align);
    return out;
}

void Analyzer::append(Layout &layout, const std::string &name, ExprId value, std::uint32_t &align) const
{
    const Expr &expr = unit_.exprs[value];
    const auto size = expr.type == ValueType::number ? number_bytes(expr.bits) : expr.bits / 8;
    lay_out(layout, {name, format_of(expr.type), 0, size, false}, align);
}

ValueType Analyzer::type_of(const LayoutField &field)
{
    switch (field.format) {
    case FieldFormat::number: return ValueType::number;
    case FieldFormat::mac: return ValueType::mac;
    case FieldFormat::ipv4: return ValueType::ipv4;
    case FieldFormat::ipv6: return ValueType::ipv6;
    case FieldFormat::bytes: return ValueType::bytes;
    }
    return ValueType::bytes;
}

std::optional<MapId> Analyzer::map_named(const ast::Name &name)
{
    const Symbol *symbol = find(name.text);
    const auto *map = symbol != nullptr ? std::get_if<MapId>(&symbol->what) : nullptr;
    if (map != nullptr && !broken(*map))
        return *map;
    if (map != nullptr || damaged(name.text))
        return std::nullopt;
    std::vector<std::string> candidates;
    for (const auto &spec : unit_.maps)
        candidates.push_back(spec.name);
    auto &report = diagnostics_.report(Kind::unknown_map, name.span, name.text);
    if (nearest(name.text, candidates).empty())
        report.suggest(fmt::format("declare it: defmap {} : …", name.text));
    else
        report.suggest_near(name.text, candidates);
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

} // namespace xdpf::sema
