// The protocol graph: fields with their places in bits, how headers are reached, and how far into a packet they can
// lie.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/range.hpp"

#include <algorithm>
#include <set>

namespace xdpf::sema {
namespace {

constexpr std::uint32_t largest_header =
    4096; // bytes; so that positions stay within what the kernel's verifier follows
constexpr std::uint32_t farthest_position = 0xffff - 2 * largest_header;
constexpr unsigned longest_chain = 8; // longer ones, told apart by rules, are more than the kernel's verifier follows

// Which headers a condition speaks of, and whether through a chain.
struct References {
    std::set<HeaderRef> headers;
    bool chain = false;
};

void collect(const Unit &unit, ExprId id, References &out)
{
    const auto &node = unit.exprs[id].node;
    if (const auto *field = std::get_if<FieldValue>(&node)) {
        out.headers.insert(field->header);
    } else if (const auto *end = std::get_if<ChainEnd>(&node)) {
        out.headers.insert({end->base});
        out.chain = true;
    } else if (const auto *binary = std::get_if<Binary>(&node)) {
        collect(unit, binary->left, out);
        collect(unit, binary->right, out);
    } else if (const auto *unary = std::get_if<Unary>(&node)) {
        collect(unit, unary->operand, out);
    } else if (const auto *slice = std::get_if<Slice>(&node); slice && slice->behind) {
        out.headers.insert(*slice->behind);
    }
}

void collect(const Unit &unit, PredId id, References &out)
{
    const auto &node = unit.preds[id].node;
    if (const auto *both = std::get_if<And>(&node)) {
        collect(unit, both->left, out);
        collect(unit, both->right, out);
    } else if (const auto *either = std::get_if<Or>(&node)) {
        collect(unit, either->left, out);
        collect(unit, either->right, out);
    } else if (const auto *negated = std::get_if<Not>(&node)) {
        collect(unit, negated->operand, out);
    } else if (const auto *compare = std::get_if<Compare>(&node)) {
        collect(unit, compare->left, out);
        collect(unit, compare->right, out);
    } else if (const auto *set = std::get_if<InSet>(&node)) {
        collect(unit, set->value, out);
    } else if (const auto *present = std::get_if<Present>(&node)) {
        out.headers.insert(present->header);
    }
}

} // namespace

void Analyzer::build_headers()
{
    for (std::size_t i = 0; i < header_sources_.size(); ++i)
        build_fields(HeaderId(i), *header_sources_[HeaderId(i)].file, *header_sources_[HeaderId(i)].decl);
    // Links first: an index or a path in the conditions of others asks how long their chain is.
    for (const bool links : {true, false})
        for (std::size_t i = 0; i < header_sources_.size(); ++i)
            if (const auto &[file, decl] = header_sources_[HeaderId(i)]; decl->then.has_value() == links)
                build_relations(HeaderId(i), *file, *decl);
    if (!diagnostics_.has_errors())
        place_headers();
}

void Analyzer::build_fields(HeaderId id, const ast::File &file, const ast::Header &decl)
{
    std::uint32_t bit = 0;
    const auto errors = diagnostics_.errors();
    for (const auto &field : decl.fields)
        if (!field.end_of)
            add_field(id, file, field, "", bit);
    for (const auto &field : decl.fields)
        if (field.end_of)
            add_chain(id, file, field);
    if (bit % 8 != 0 && diagnostics_.errors() == errors)
        diagnostics_.report(Kind::bad_header, decl.name.span, decl.name.text,
                            fmt::format("its fields have {} bits, which is no whole number of bytes", bit));
    unit_.headers[id].fixed_size = bit / 8;
}

void Analyzer::add_field(HeaderId id, const ast::File &file, const ast::Field &decl, const std::string &prefix,
                         std::uint32_t &bit)
{
    Header &header = unit_.headers[id];
    Field field{.name = prefix + decl.name.text, .bit_offset = bit, .span = decl.name.span};
    if (const auto same = find_field(id, field.name)) {
        diagnostics_.report(Kind::redefined, decl.name.span, field.name).note(header.fields[*same].span, "first here");
        return;
    }
    if (!field_type(file, *decl.type, field))
        return;
    const bool whole_bytes = field.type != ValueType::number || field.little_endian;
    if (whole_bytes && bit % 8 != 0) {
        diagnostics_.report(Kind::bad_field, decl.name.span, field.name, "it must begin at a byte's first bit");
        return;
    }
    if (field.type == ValueType::number && bit % 8 + field.bits > 64) {
        diagnostics_.report(Kind::bad_field, decl.name.span, field.name, "it spreads over more than 8 bytes");
        return;
    }
    if (decl.default_value)
        defaults_[{id.value, header.fields.size()}] = *decl.default_value;
    header.fields.push_back(field);
    if (!decl.parts.empty()) {
        std::uint32_t part_bit = bit;
        const auto errors = diagnostics_.errors();
        for (const auto &part : decl.parts)
            if (part.type)
                add_field(id, file, part, field.name + ".", part_bit);
        if (part_bit - bit != field.bits && diagnostics_.errors() == errors)
            diagnostics_.report(Kind::bad_field, decl.name.span, field.name,
                                fmt::format("its parts have {} bits, and it has {}", part_bit - bit, field.bits));
    }
    bit += field.bits;
}

bool Analyzer::field_type(const ast::File &file, const ast::Type &type, Field &field)
{
    std::string_view name = type.name.text;
    if (name == "bytes" && type.size) {
        const auto size = constant(*type.size, {&file});
        if (!size)
            return false;
        if (*size == 0 || *size > 256) {
            diagnostics_.report(Kind::bad_field, type.span, field.name, "bytes[n] has 1 to 256 bytes");
            return false;
        }
        field.type = ValueType::bytes;
        field.bits = static_cast<std::uint32_t>(*size) * 8;
        return true;
    }
    static const std::map<std::string_view, ValueType> addresses{
        {"mac_address", ValueType::mac}, {"ipv4_address", ValueType::ipv4}, {"ipv6_address", ValueType::ipv6}};
    if (const auto address = addresses.find(name); address != addresses.end() && !type.size && !type.field) {
        field.type = address->second;
        field.bits = bits_of(field.type);
        return true;
    }
    if (name.ends_with("le")) {
        field.little_endian = true;
        name.remove_suffix(2);
    }
    unsigned bits = 0;
    if (name.size() > 1 && name.size() < 4 && name[0] == 'u' &&
        std::ranges::all_of(name.substr(1), [](char c) { return c >= '0' && c <= '9'; }))
        bits = static_cast<unsigned>(std::stoul(std::string(name.substr(1))));
    const bool possible = field.little_endian ? bits == 16 || bits == 32 || bits == 64 : bits >= 1 && bits <= 64;
    if (!possible || type.size || type.field) {
        diagnostics_.report(Kind::unknown_type, type.span, sources_.text(type.span))
            .suggest("u1 to u64, u16le, u32le, u64le, mac_address, ipv4_address, ipv6_address, bytes[n]");
        return false;
    }
    field.bits = bits;
    return true;
}

void Analyzer::add_chain(HeaderId id, const ast::File &file, const ast::Field &decl)
{
    Header &header = unit_.headers[id];
    const auto selector = find_field(id, decl.end_of->text);
    if (const auto same = find_field(id, decl.name.text)) {
        diagnostics_.report(Kind::redefined, decl.name.span, decl.name.text)
            .note(header.fields[*same].span, "first here");
        return;
    }
    if (header.chain || !selector) {
        diagnostics_.report(Kind::bad_field, decl.name.span, decl.name.text,
                            header.chain ? "a header has one 'end of' at most"
                                         : fmt::format("there is no field '{}'", decl.end_of->text));
        return;
    }
    const auto limit = constant(*decl.at_most, {&file});
    if (!limit)
        return;
    if (*limit == 0 || *limit > longest_chain) {
        diagnostics_.report(Kind::bad_field, decl.name.span, decl.name.text,
                            fmt::format("'at most' takes 1 to {}", longest_chain));
        return;
    }
    header.chain = Chain{decl.name.text, *selector, static_cast<unsigned>(*limit)};
}

void Analyzer::build_relations(HeaderId id, const ast::File &file, const ast::Header &decl)
{
    const Scope inside{&file, id};
    const auto own = [&](const std::optional<ast::ExprId> &what) -> std::optional<PredId> {
        return what ? predicate(*what, inside) : std::nullopt;
    };
    const auto where = own(decl.where);
    const auto payload_when = own(decl.payload_when);
    std::optional<ExprId> size;
    if (decl.size)
        size = number_value(*decl.size, inside);
    unit_.headers[id].where = where;
    unit_.headers[id].payload_when = payload_when;
    unit_.headers[id].size = size;
    if (decl.then) {
        unit_.headers[id].then = find_field(id, decl.then->text);
        if (!unit_.headers[id].then)
            diagnostics_.report(Kind::unknown_field, decl.then->span, decl.name.text, decl.then->text)
                .suggest(did_you_mean(decl.then->text, field_names(id)));
    }
    const auto errors = diagnostics_.errors();
    if (decl.on)
        if (const auto condition = predicate(*decl.on, {&file}))
            add_way(id, *condition, file.exprs[*decl.on].span);
    Header &header = unit_.headers[id];
    const bool link = header.ways.size() == 1 && header.ways[0].through_chain &&
                      std::holds_alternative<InSet>(unit_.preds[header.ways[0].condition].node);
    if (header.is_link() && !link && diagnostics_.errors() == errors)
        diagnostics_.report(Kind::bad_header, decl.name.span, header.name,
                            "'then' is for links of a chain: 'on' compares the end of one with constants");
    if (!link)
        header.then.reset();
    build_size(id);
}

// `a or b` are two ways; each speaks of one header in front.
void Analyzer::add_way(HeaderId id, PredId condition, Span span)
{
    if (const auto *either = std::get_if<Or>(&unit_.preds[condition].node)) {
        const auto [left, right] = *either;
        add_way(id, left, unit_.preds[left].span);
        add_way(id, right, unit_.preds[right].span);
        return;
    }
    References found;
    collect(unit_, condition, found);
    if (found.headers.size() != 1) {
        diagnostics_
            .report(Kind::bad_header, span, unit_.headers[id].name,
                    fmt::format("each way to it speaks of exactly one header in front, and this of {}",
                                found.headers.size()))
            .suggest("write several ways with 'or': on a.x == 1 or b.y == 1");
        return;
    }
    const HeaderRef front = *found.headers.begin();
    unit_.headers[id].ways.push_back({front.header, found.chain, condition, front.index});
}

void Analyzer::build_size(HeaderId id)
{
    Header &header = unit_.headers[id];
    header.max_size = header.fixed_size;
    if (header.fixed_size > largest_header)
        diagnostics_.report(Kind::bad_header, header.span, header.name,
                            fmt::format("it has more than {} bytes", largest_header));
    if (!header.size)
        return;
    const auto range = range_of(unit_, id, *header.size);
    header.clamp_size = range.high > largest_header;
    header.check_size = range.low < header.fixed_size;
    header.max_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(range.high, largest_header));
    header.max_size = std::max(header.max_size, header.fixed_size);
}

void Analyzer::place_headers()
{
    std::vector<int> state(unit_.headers.size());
    for (std::size_t i = 0; i < unit_.headers.size(); ++i)
        place(HeaderId(i), state);
}

std::uint32_t Analyzer::place(HeaderId id, std::vector<int> &state)
{
    enum { untouched, open, done };
    Header &header = unit_.headers[id];
    if (state[id.value] == done)
        return header.max_position;
    if (state[id.value] == open) {
        diagnostics_.report(Kind::header_cycle, header.span, header.name);
        return 0;
    }
    state[id.value] = open;
    std::uint32_t position = 0;
    for (const auto &way : header.ways) {
        const Header &parent = unit_.headers[way.parent];
        std::uint32_t links = 0;
        if (way.through_chain)
            for (const auto &link : unit_.headers)
                if (link.is_link() && link.ways.size() == 1 && link.ways[0].parent == way.parent)
                    links = std::max(links, link.max_size * parent.chain->limit);
        position = std::max(position, place(way.parent, state) + parent.max_size + links);
    }
    header.max_position = position;
    state[id.value] = done;
    const bool in_front = std::ranges::any_of(
        header.ways, [&](const Way &way) { return unit_.headers[way.parent].max_position > farthest_position; });
    if (position > farthest_position && !in_front) // once, for the first of them
        diagnostics_.report(
            Kind::bad_header, header.span, header.name,
            fmt::format("it can lie {} bytes into a packet; {} are followed", position, farthest_position));
    return position;
}

} // namespace xdpf::sema
