// Unions: `ip.src` is the field of whichever header the packet has. Where its fields are IPv4 and IPv6 addresses, a
// comparison with constants of both kinds splits by the kind.
#include "compiler/sema/nested.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

// The leaves of `a or b or c`, left to right.
void leaves(const ast::File &file, ast::ExprId id, std::vector<ast::ExprId> &out)
{
    const auto *binary = std::get_if<ast::Binary>(&file.exprs[id].node);
    if (binary == nullptr || binary->op != ast::BinaryOp::logical_or) {
        out.push_back(id);
        return;
    }
    leaves(file, binary->left, out);
    leaves(file, binary->right, out);
}

std::vector<Interval> everything(std::uint32_t bits) { return {{0, largest(bits)}}; }

} // namespace

const UnionSymbol *Analyzer::find_union(std::string_view name)
{
    const Symbol *symbol = find(name);
    return symbol != nullptr ? std::get_if<UnionSymbol>(&symbol->what) : nullptr;
}

// ip.src, vxlan.inner.ip.src
std::optional<ExprId> Analyzer::union_value(const Reference &ref, const std::string &name, Span name_span, Span span)
{
    const ast::Union &decl = *ref.either->decl;
    const auto member = std::ranges::find(
        decl.members, name, [](const ast::Union::Member &m) -> const auto & { return m.name.text; });
    if (member == decl.members.end()) {
        std::vector<std::string> names;
        for (const auto &one : decl.members)
            names.push_back(one.name.text);
        diagnostics_.report(Kind::unknown_field, name_span, decl.name.text, name).suggest_near(name, names);
        return std::nullopt;
    }
    if (!members_in_use_.insert(&*member).second) {
        diagnostics_.report(Kind::bad_field, name_span, name, "it is made from itself")
            .note(member->name.span, "defined here");
        return std::nullopt;
    }
    const Nested levels(*this, through_a_name);
    auto out = checked_union_value(ref, *member, span);
    members_in_use_.erase(&*member);
    return out;
}

std::optional<ExprId> Analyzer::checked_union_value(const Reference &ref, const ast::Union::Member &member, Span span)
{
    const ast::Union &decl = *ref.either->decl;
    std::vector<ast::ExprId> fields;
    leaves(*ref.either->file, member.fields, fields);
    Expr out{ValueType::number, 0, Either{}, span};
    std::vector<ExprId> alternatives;
    for (const auto field : fields) {
        auto one = value(field, {.file = ref.either->file});
        if (!one)
            return std::nullopt;
        if (!std::holds_alternative<FieldValue>(unit_.exprs[*one].node) &&
            !std::holds_alternative<ChainEnd>(unit_.exprs[*one].node)) {
            diagnostics_.report(Kind::bad_field, ref.either->file->exprs[field].span, member.name.text,
                                "a union is made of fields of headers");
            return std::nullopt;
        }
        if (ref.space.valid()) {
            if (!carries(ref.space, header_of(*one)))
                continue;
            one = copied(*one, {ref.space});
        }
        const Expr &typed = unit_.exprs[*one];
        const auto is_ip = [](ValueType type) { return type == ValueType::ipv4 || type == ValueType::ipv6; };
        if (alternatives.empty()) {
            out.type = typed.type;
        } else if (typed.type != out.type && is_ip(typed.type) && is_ip(out.type)) {
            out.type = ValueType::ipv6;
        } else if (typed.type != out.type || (typed.type == ValueType::bytes && typed.bits != out.bits)) {
            diagnostics_.report(Kind::type_mismatch, ref.either->file->exprs[field].span,
                                sema::describe(out.type, out.bits), describe(*one));
            return std::nullopt;
        }
        out.bits = out.type == ValueType::ipv6 ? 128 : std::max(out.bits, typed.bits);
        alternatives.push_back(*one);
    }
    if (alternatives.empty()) {
        diagnostics_.report(Kind::path_impossible, span, decl.name.text, unit_.headers[ref.space].name);
        return std::nullopt;
    }
    if (alternatives.size() == 1)
        return alternatives.front();
    std::get<Either>(out.node).alternatives = std::move(alternatives);
    return add(std::move(out));
}

HeaderId Analyzer::header_of(ExprId field) const
{
    const auto &node = unit_.exprs[field].node;
    const auto *of = std::get_if<FieldValue>(&node);
    return of != nullptr ? of->header.header : std::get<ChainEnd>(node).base;
}

std::optional<ExprId> Analyzer::union_alone(const Reference &ref, Span span)
{
    diagnostics_.report(Kind::not_a_value, span, "a union")
        .suggest(fmt::format("name one of its fields, e.g. {}.{}", sources_.text(span),
                             ref.either->decl->members.front().name.text));
    return std::nullopt;
}

// `ip` alone: the packet has one of the headers that its fields belong to. Nothing, silently, where it names no union.
std::optional<PredId> Analyzer::union_present(ast::ExprId id, const Scope &scope)
{
    std::vector<NamePart> parts;
    if (!names_of(id, scope, parts))
        return std::nullopt;
    const auto found = resolve(parts, true);
    if (!found || found->either == nullptr || found->used != parts.size())
        return std::nullopt;
    std::vector<HeaderId> headers;
    for (const auto &member : found->either->decl->members) {
        std::vector<ast::ExprId> fields;
        leaves(*found->either->file, member.fields, fields);
        for (const auto field : fields) {
            const auto one = value(field, {.file = found->either->file});
            const bool is_field = one && (std::holds_alternative<FieldValue>(unit_.exprs[*one].node) ||
                                          std::holds_alternative<ChainEnd>(unit_.exprs[*one].node));
            const auto header = is_field ? header_of(*one) : HeaderId();
            if (is_field && std::ranges::find(headers, header) == headers.end())
                headers.push_back(header);
        }
    }
    const Span span = scope[id].span;
    std::optional<PredId> any;
    for (auto header : headers) {
        if (found->space.valid())
            header = inside(found->space, header);
        if (!header.valid())
            continue;
        const auto one = add(Pred{Present{{header}}, span});
        any = any ? add(Pred{Or{*any, one}, span}) : one;
    }
    return any;
}

// Alternatives of both kinds of addresses.
bool Analyzer::is_mixed(ExprId id) const
{
    const auto *either = std::get_if<Either>(&unit_.exprs[id].node);
    return either != nullptr && unit_.exprs[id].type == ValueType::ipv6 &&
           std::ranges::any_of(either->alternatives,
                               [&](ExprId one) { return unit_.exprs[one].type == ValueType::ipv4; });
}

bool Analyzer::is_ip_address(ExprId id) const
{
    const auto type = unit_.exprs[id].type;
    return type == ValueType::ipv4 || type == ValueType::ipv6;
}

// The first alternative that the packet has lies in the intervals given for it.
PredId Analyzer::any_alternative(ExprId either, const std::vector<std::vector<Interval>> &intervals, Span span)
{
    const auto alternatives = std::get<Either>(unit_.exprs[either].node).alternatives;
    PredId all = add(Pred{Truth{false}, span});
    for (std::size_t i = alternatives.size(); i-- > 0;) {
        const auto here = add(Pred{InSet{alternatives[i], intervals[i]}, span});
        const auto bits = unit_.exprs[alternatives[i]].bits;
        const auto there = add(Pred{InSet{alternatives[i], everything(bits)}, span});
        const auto absent = add(Pred{Not{there}, span});
        if (std::holds_alternative<Truth>(unit_.preds[all].node))
            all = here;
        else
            all = add(Pred{Or{here, add(Pred{And{absent, all}, span})}, span});
    }
    return all;
}

// ip.src in {10.0.0.0/8, 2001:db8::/32}
std::optional<PredId> Analyzer::either_in(ExprId either, ast::ExprId id, const Scope &scope, Span span)
{
    std::vector<ast::ExprId> elements{id};
    if (const auto *set = std::get_if<ast::Set>(&scope[id].node)) {
        elements.clear();
        for (const auto &element : set->elements)
            elements.push_back(element.value);
    }
    std::map<ValueType, std::vector<Interval>> by_kind;
    for (const auto element : elements) {
        SetValue one;
        if (!add_element(element, scope, one, true))
            return std::nullopt;
        if (one.type != ValueType::ipv4 && one.type != ValueType::ipv6) {
            diagnostics_.report(Kind::type_mismatch, scope[element].span, "an IP address",
                                sema::describe(one.type, 64));
            return std::nullopt;
        }
        auto &list = by_kind[one.type];
        list.insert(list.end(), one.intervals.begin(), one.intervals.end());
    }
    std::vector<std::vector<Interval>> intervals;
    for (const auto one : std::get<Either>(unit_.exprs[either].node).alternatives)
        intervals.push_back(normalised(by_kind[unit_.exprs[one].type]));
    return any_alternative(either, intervals, span);
}

// ip.src == 10.0.0.1: an address of the other kind is never equal, less or greater; it is unequal.
std::optional<PredId> Analyzer::compare_either(Comparison op, ExprId either, ExprId right, Span span)
{
    const Expr constant = unit_.exprs[right];
    const u128 value = *constant_of(right);
    std::vector<std::vector<Interval>> intervals;
    for (const auto one : std::get<Either>(unit_.exprs[either].node).alternatives) {
        const auto most = largest(unit_.exprs[one].bits);
        if (unit_.exprs[one].type == constant.type)
            intervals.push_back(intervals_of(op, value, most));
        else
            intervals.push_back(op == Comparison::not_equal ? everything(unit_.exprs[one].bits)
                                                            : std::vector<Interval>{});
    }
    return any_alternative(either, intervals, span);
}

} // namespace xdpf::sema
