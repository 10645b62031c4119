// The protocol graph: the fields of headers, with their places in bits.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

constexpr unsigned longest_chain = 8; // longer ones, told apart by rules, are more than the kernel's verifier follows

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
    limit_rows();
    if (!diagnostics_.has_errors())
        place_headers();
    for (std::size_t i = 0; i < header_sources_.size(); ++i)
        build_checksum(HeaderId(i), *header_sources_[HeaderId(i)].file);
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
    if (decl.at) {
        field.bit_offset = 0;
        add_floating(id, field, decl);
        return;
    }
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

// Its place and its condition are known when all fields of the header are.
void Analyzer::add_floating(HeaderId id, const Field &field, const ast::Field &decl)
{
    if (!decl.parts.empty() || field.name.find('.') != std::string::npos) {
        diagnostics_.report(Kind::bad_field, decl.name.span, field.name, "a field with a computed place has no parts");
        return;
    }
    if (decl.default_value)
        defaults_[{id.value, unit_.headers[id].fields.size()}] = *decl.default_value;
    unit_.headers[id].fields.push_back(field);
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
    // A number in place of a field: what stands behind the header is named by nothing in it.
    const auto &named = decl.end_of->text;
    const bool fixed = !named.empty() && std::ranges::all_of(named, [](char c) { return c >= '0' && c <= '9'; });
    const auto selector = fixed ? std::optional<std::size_t>(0) : find_field(id, named);
    if (const auto same = find_field(id, decl.name.text)) {
        diagnostics_.report(Kind::redefined, decl.name.span, decl.name.text)
            .note(header.fields[*same].span, "first here");
        return;
    }
    if (header.chain || !selector) {
        diagnostics_.report(Kind::bad_field, decl.name.span, decl.name.text,
                            header.chain ? "a header has one 'end of' at most"
                                         : fmt::format("there is no field '{}'", named));
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
    std::optional<std::uint64_t> constant;
    if (fixed)
        constant = named.size() <= 18 ? std::stoull(named) : UINT64_MAX;
    header.chain = Chain{decl.name.text, *selector, constant, static_cast<unsigned>(*limit)};
}

} // namespace xdpf::sema
