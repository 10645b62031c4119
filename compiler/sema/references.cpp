// What names refer to: headers, their fields, and bytes of the packet.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {

std::optional<std::size_t> Analyzer::find_field(HeaderId header, std::string_view name) const
{
    const auto &fields = unit_.headers[header].fields;
    const auto found = std::ranges::find(fields, name, &Field::name);
    return found == fields.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - fields.begin()));
}

// vlan, vlan[1]: nothing (with a message unless `quiet`) where it names no header.
std::optional<HeaderRef> Analyzer::header_ref(ast::ExprId id, const Scope &scope, bool quiet)
{
    const ast::Expr &expr = scope[id];
    const auto *index = std::get_if<ast::Index>(&expr.node);
    const ast::Expr &base = index != nullptr ? scope[index->base] : expr;
    const auto *name = std::get_if<ast::Identifier>(&base.node);
    const Symbol *symbol = name != nullptr ? find(name->text) : nullptr;
    const auto *header = symbol != nullptr ? std::get_if<HeaderId>(&symbol->what) : nullptr;
    if (header == nullptr) {
        if (name != nullptr && damaged(name->text))
            return std::nullopt;
        if (!quiet && name != nullptr)
            diagnostics_.report(Kind::unknown_header, base.span, name->text)
                .suggest(did_you_mean(name->text, header_names()));
        else if (!quiet)
            diagnostics_.report(Kind::unknown_header, base.span, sources_.text(base.span));
        return std::nullopt;
    }
    HeaderRef ref{*header};
    const Header &what = unit_.headers[*header];
    if (index == nullptr) {
        if (scope.any_index >= 0 && what.is_link() && (!scope.any_header->valid() || *scope.any_header == *header)) {
            *scope.any_header = *header;
            ref.index = static_cast<std::uint8_t>(scope.any_index);
        }
        return ref;
    }
    if (index->indices.size() != 1) {
        diagnostics_.report(Kind::not_a_value, expr.span, "a list")
            .suggest(fmt::format("one index at most: {}[0]", what.name));
        return std::nullopt;
    }
    const auto number = constant(index->indices[0], scope);
    if (!number)
        return std::nullopt;
    if (!what.is_link()) {
        diagnostics_.report(Kind::not_in_chain, expr.span, what.name).suggest(fmt::format("write {} alone", what.name));
        return std::nullopt;
    }
    const unsigned limit = what.ways.empty() ? 0 : unit_.headers[what.ways[0].parent].chain->limit;
    if (*number >= limit) {
        diagnostics_.report(Kind::link_index, expr.span, limit, what.name, limit - 1);
        return std::nullopt;
    }
    ref.index = static_cast<std::uint8_t>(*number);
    return ref;
}

std::optional<ExprId> Analyzer::field_value(HeaderRef ref, const std::string &name, Span name_span, Span span)
{
    const Header &header = unit_.headers[ref.header];
    if (header.chain && header.chain->name == name)
        return add(Expr{ValueType::number, header.fields[header.chain->selector].bits, ChainEnd{ref.header}, span});
    if (const auto field = find_field(ref.header, name))
        return add(Expr{header.fields[*field].type, header.fields[*field].bits, FieldValue{ref, *field}, span});
    if (!damaged(header.name))
        diagnostics_.report(Kind::unknown_field, name_span, header.name, name)
            .suggest(did_you_mean(name, field_names(ref.header)));
    return std::nullopt;
}

// packet.length, udp.dport, vlan[1].id, tcp.flags.syn
std::optional<ExprId> Analyzer::member_value(ast::ExprId id, const Scope &scope)
{
    std::string name;
    Span name_span;
    ast::ExprId base = id;
    while (const auto *member = std::get_if<ast::Member>(&scope[base].node)) {
        name = name.empty() ? member->member.text : fmt::format("{}.{}", member->member.text, name);
        name_span = name_span.valid() ? join(member->member.span, name_span) : member->member.span;
        base = member->base;
    }
    const Span span = scope[id].span;
    if (const auto *identifier = std::get_if<ast::Identifier>(&scope[base].node)) {
        if (identifier->text == "packet") {
            if (name == "length")
                return add(Expr{ValueType::number, 16, Metadata::packet_length, span});
            diagnostics_.report(Kind::unknown_member, name_span, "packet", name)
                .suggest("packet.length, or bytes: packet[12:2]");
            return std::nullopt;
        }
        if (scope.self.valid() && find_field(scope.self, fmt::format("{}.{}", identifier->text, name)))
            return field_value({scope.self}, fmt::format("{}.{}", identifier->text, name), span, span);
        if (const Symbol *symbol = find(identifier->text);
            symbol != nullptr && !std::holds_alternative<HeaderId>(symbol->what)) {
            diagnostics_.report(Kind::unknown_member, name_span, identifier->text, name);
            return std::nullopt;
        }
    }
    const auto ref = header_ref(base, scope);
    if (!ref)
        return std::nullopt;
    if (name == "payload") {
        diagnostics_.report(Kind::not_a_value, span, "a payload")
            .suggest(fmt::format("say which bytes of it: {}[0:4]", sources_.text(span)));
        return std::nullopt;
    }
    return field_value(*ref, name, name_span, span);
}

// packet[12:2], packet[12], udp.payload[0:4]
std::optional<ExprId> Analyzer::slice_value(const ast::Expr &expr, const Scope &scope)
{
    const auto *slice = std::get_if<ast::Slice>(&expr.node);
    const auto *index = std::get_if<ast::Index>(&expr.node);
    const ast::ExprId base_id = slice != nullptr ? slice->base : std::get<ast::Index>(expr.node).base;
    const ast::Expr &base = scope[base_id];
    Slice out;
    if (const auto *member = std::get_if<ast::Member>(&base.node);
        member != nullptr && member->member.text == "payload") {
        out.behind = header_ref(member->base, scope);
        if (!out.behind)
            return std::nullopt;
    } else if (const auto *name = std::get_if<ast::Identifier>(&base.node); name == nullptr || name->text != "packet") {
        const bool header = name != nullptr && header_ref(base_id, scope, true).has_value();
        diagnostics_.report(Kind::not_a_value, expr.span, header ? "a header" : "no packet or payload")
            .suggest("bytes are taken from the packet or a payload: packet[12:2], udp.payload[0:4]");
        return std::nullopt;
    }
    if (index != nullptr && index->indices.size() != 1) {
        diagnostics_.report(Kind::not_a_value, expr.span, "a list")
            .suggest("a slice is written packet[12:2]: two bytes, from byte 12");
        return std::nullopt;
    }
    const auto offset = constant(slice != nullptr ? slice->offset : index->indices[0], scope);
    const auto length = slice != nullptr ? constant(slice->length, scope) : std::optional<std::uint64_t>(1);
    if (!offset || !length)
        return std::nullopt;
    constexpr std::uint64_t longest = 64;
    constexpr std::uint64_t farthest = 4096;
    if (*length == 0 || *length > longest || *offset > farthest) {
        diagnostics_.report(Kind::bad_slice, expr.span, counted(*length, "byte"), *offset,
                            fmt::format("it takes 1 to {} bytes, from byte {} at most", longest, farthest));
        return std::nullopt;
    }
    out.offset = static_cast<std::uint32_t>(*offset);
    out.length = static_cast<std::uint32_t>(*length);
    const auto type = *length <= 8 ? ValueType::number : ValueType::bytes;
    return add(Expr{type, out.length * 8, out, expr.span});
}

} // namespace xdpf::sema
