// Steps that change the packet: fields, with the checksums that cover them, and tags.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>
#include <functional>

namespace xdpf::sema {
namespace {

// Calls visit(FieldValue) for every field that an expression or a condition reads.
class FieldReader {
public:
    FieldReader(const Unit &unit, std::function<void(const FieldValue &)> visit) : unit_(unit), visit_(std::move(visit))
    {
    }

    void operator()(ExprId id) const
    {
        const auto &node = unit_.exprs[id].node;
        if (const auto *field = std::get_if<FieldValue>(&node))
            visit_(*field);
        if (const auto *two = std::get_if<Binary>(&node)) {
            (*this)(two->left);
            (*this)(two->right);
        }
        if (const auto *one = std::get_if<Unary>(&node))
            (*this)(one->operand);
    }

    void operator()(PredId id) const
    {
        const auto &node = unit_.preds[id].node;
        if (const auto *both = std::get_if<And>(&node)) {
            (*this)(both->left);
            (*this)(both->right);
        }
        if (const auto *either = std::get_if<Or>(&node)) {
            (*this)(either->left);
            (*this)(either->right);
        }
        if (const auto *negated = std::get_if<Not>(&node))
            (*this)(negated->operand);
        if (const auto *set = std::get_if<InSet>(&node))
            (*this)(set->value);
        if (const auto *two = std::get_if<Compare>(&node)) {
            (*this)(two->left);
            (*this)(two->right);
        }
    }

private:
    const Unit &unit_;
    std::function<void(const FieldValue &)> visit_;
};

bool overlap(const Field &a, const Field &b)
{
    return a.bit_offset < b.bit_offset + b.bits && b.bit_offset < a.bit_offset + a.bits;
}

// A number of bytes that is even whatever the packet says.
bool is_even(const Unit &unit, ExprId id)
{
    const auto &node = unit.exprs[id].node;
    if (const auto *constant = std::get_if<Constant>(&node))
        return (constant->value & 1) == 0;
    const auto *two = std::get_if<Binary>(&node);
    if (two == nullptr)
        return false;
    if (two->op == Arithmetic::multiply)
        return is_even(unit, two->left) || is_even(unit, two->right);
    if (two->op == Arithmetic::add || two->op == Arithmetic::subtract)
        return is_even(unit, two->left) && is_even(unit, two->right);
    const auto *by = std::get_if<Constant>(&unit.exprs[two->right].node);
    return two->op == Arithmetic::shift_left && by != nullptr && by->value > 0;
}

} // namespace

bool Analyzer::rewrite(const ast::Action &ast, const Scope &scope, Action &out)
{
    if (const auto *node = std::get_if<ast::SetField>(&ast.node))
        return set_field(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Swap>(&ast.node))
        return swap(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Push>(&ast.node))
        return push(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Pop>(&ast.node))
        return pop(*node, ast.span, out);
    if (const auto *node = std::get_if<ast::Encap>(&ast.node))
        return encap(*node, ast.span, scope, out);
    return decap(std::get<ast::Decap>(ast.node), ast.span, out);
}

// set ipv4.ttl = ipv4.ttl - 1; of a union, the field of whichever header there is
bool Analyzer::set_field(const ast::SetField &node, Span span, const Scope &scope, Action &out)
{
    const auto target = value(node.field, scope);
    const auto what = value(node.value, scope);
    if (!target || !what)
        return false;
    std::vector<ExprId> fields{*target};
    const auto *either = std::get_if<Either>(&unit_.exprs[*target].node);
    if (either != nullptr)
        fields = either->alternatives;
    for (const auto field : fields) {
        const auto step = writing(field, *what, scope[node.field].span);
        if (!step)
            return false;
        out.steps.push_back({*step, span, either != nullptr});
    }
    return true;
}

std::optional<SetField> Analyzer::writing(ExprId target, ExprId what, Span span)
{
    const auto *field = std::get_if<FieldValue>(&unit_.exprs[target].node);
    if (field == nullptr) {
        diagnostics_.report(Kind::bad_rewrite, span, "only fields of headers can be set").suggest("set ipv4.ttl = 64");
        return std::nullopt;
    }
    SetField step{.header = field->header, .field = field->field, .value = what};
    const Header header = unit_.headers[step.header.header]; // copied: more headers may be made
    const Field &written = header.fields[step.field];
    if (written.floating()) {
        diagnostics_.report(Kind::bad_rewrite, span,
                            fmt::format("'{}' has no fixed place in its header and cannot be set", written.name));
        return std::nullopt;
    }
    if (!fits_field(what, header, written, span))
        return std::nullopt;
    find_checksums(step);
    for (const auto &covering : step.checksums)
        if (!even_between(covering.header.header, step.header.header)) {
            diagnostics_.report(
                Kind::bad_rewrite, span,
                fmt::format("'{}' can lie at an odd distance from '{}', whose checksum would not be kept right",
                            header.name, unit_.headers[covering.header.header].name));
            return std::nullopt;
        }
    step.structural = is_structural(step.header.header, written);
    return step;
}

bool Analyzer::fits_field(ExprId what, const Header &header, const Field &field, Span span)
{
    const Expr &expr = unit_.exprs[what];
    const bool bytes = field.type == ValueType::bytes;
    const bool same = expr.type == field.type && (!bytes || expr.bits == field.bits);
    if (!same) {
        diagnostics_
            .report(Kind::value_mismatch, expr.span, fmt::format("'{}.{}'", header.name, field.name),
                    sema::describe(field.type, field.bits), describe(what))
            .note(field.span, "declared here");
        return false;
    }
    const auto constant = constant_of(what);
    if (constant && *constant > largest(field.bits)) {
        diagnostics_.report(Kind::constant_too_large, expr.span, to_string(expr.type, *constant),
                            fmt::format("'{}'", sources_.text(span)), counted(field.bits, "bit"));
        return false;
    }
    const bool read = std::holds_alternative<FieldValue>(expr.node) || std::holds_alternative<Slice>(expr.node);
    if (field.type == ValueType::number && read && expr.bits > field.bits) {
        diagnostics_
            .report(Kind::value_mismatch, expr.span, fmt::format("'{}.{}'", header.name, field.name),
                    sema::describe(field.type, field.bits), describe(what))
            .suggest(fmt::format("say which bits count: {} & {:#x}", sources_.text(expr.span),
                                 static_cast<std::uint64_t>(largest(field.bits))));
        return false;
    }
    return true;
}

// Whether `inner` can stand somewhere behind `outer`.
bool Analyzer::stands_behind(HeaderId inner, HeaderId outer) const
{
    return std::ranges::any_of(unit_.headers[inner].ways,
                               [&](const Way &way) { return way.parent == outer || stands_behind(way.parent, outer); });
}

// Every header from `outer` up to, and without, `inner` has an even number of bytes.
bool Analyzer::even_between(HeaderId outer, HeaderId inner) const
{
    if (outer == inner)
        return true;
    return std::ranges::all_of(unit_.headers[inner].ways, [&](const Way &way) {
        if (way.parent != outer && !stands_behind(way.parent, outer))
            return true;
        const Header &parent = unit_.headers[way.parent];
        const bool even = parent.size ? is_even(unit_, *parent.size) : parent.fixed_size % 2 == 0;
        return even && !way.through_list && even_between(outer, way.parent);
    });
}

void Analyzer::find_checksums(SetField &step)
{
    const HeaderId here = step.header.header;
    const std::size_t declared = header_sources_.size();
    std::vector<HeaderId> candidates;
    for (HeaderId space = space_of(here);; space = space_of(space)) {
        for (std::size_t i = 0; i < declared; ++i)
            if (unit_.headers[HeaderId(i)].checksum) {
                const HeaderId one = space.valid() ? inside(space, HeaderId(i)) : HeaderId(i);
                if (one.valid())
                    candidates.push_back(one);
            }
        if (!space.valid())
            break;
    }
    const Field &written = unit_.headers[here].fields[step.field];
    std::vector<HeaderId> covering;
    for (const HeaderId id : candidates) {
        const Checksum &sum = *unit_.headers[id].checksum;
        const bool own = id == here && sum.header && step.field != sum.field;
        const bool named = std::ranges::any_of(sum.fields, [&](const auto &one) {
            return one.first.header == here && overlap(unit_.headers[here].fields[one.second], written);
        });
        if (own || named || (sum.payload && stands_behind(here, id)))
            covering.push_back(id);
    }
    std::ranges::stable_sort(covering, [&](HeaderId a, HeaderId b) { return stands_behind(a, b); });
    for (const HeaderId id : covering) {
        SetField::Covering one{.header = {id}};
        for (std::size_t i = 0; i < step.checksums.size(); ++i)
            if (unit_.headers[id].checksum->payload && stands_behind(step.checksums[i].header.header, id))
                one.covers.push_back(i);
        step.checksums.push_back(std::move(one));
    }
}

// Whether a header's presence, size or place can depend on the field.
bool Analyzer::is_structural(HeaderId id, const Field &field) const
{
    bool found = false;
    const FieldReader read(unit_, [&](const FieldValue &one) {
        found = found || (one.header.header == id && overlap(unit_.headers[id].fields[one.field], field));
    });
    const auto maybe = [&](const auto &what) {
        if (what)
            read(*what);
    };
    for (const Header &header : unit_.headers) {
        for (const Way &way : header.ways)
            read(way.condition);
        maybe(header.where);
        maybe(header.size);
        maybe(header.payload_when);
        if (header.list) {
            maybe(header.list->end_when);
            maybe(header.list->pad_when);
        }
    }
    const Header &header = unit_.headers[id];
    const bool selector =
        header.chain && !header.chain->constant && overlap(header.fields[header.chain->selector], field);
    return found || selector || (header.then && overlap(header.fields[*header.then], field));
}

bool Analyzer::swap(const ast::Swap &node, Span span, const Scope &scope, Action &out)
{
    const auto left = value(node.left, scope);
    const auto right = value(node.right, scope);
    if (!left || !right)
        return false;
    const auto *a = std::get_if<Either>(&unit_.exprs[*left].node);
    const auto *b = std::get_if<Either>(&unit_.exprs[*right].node);
    std::vector<std::pair<ExprId, ExprId>> pairs{{*left, *right}};
    const bool both = a != nullptr && b != nullptr && a->alternatives.size() == b->alternatives.size();
    if (both) {
        pairs.clear();
        for (std::size_t i = 0; i < a->alternatives.size(); ++i)
            pairs.emplace_back(a->alternatives[i], b->alternatives[i]);
    }
    for (const auto &[one, other] : pairs) {
        const auto first = writing(one, other, scope[node.left].span);
        const auto second = first ? writing(other, one, scope[node.right].span) : std::nullopt;
        if (!first || !second)
            return false;
        if (unit_.exprs[one].type == ValueType::bytes) {
            diagnostics_.report(Kind::bad_rewrite, span, "'swap' takes numbers and addresses");
            return false;
        }
        out.steps.push_back({Swap{*first, *second}, span, both});
    }
    return true;
}

// The constant that a condition compares a selector with; the first of several.
std::optional<std::uint64_t> Analyzer::selector_of(PredId condition) const
{
    const auto *set = std::get_if<InSet>(&unit_.preds[condition].node);
    return set == nullptr || set->intervals.empty()
               ? std::nullopt
               : std::optional(static_cast<std::uint64_t>(set->intervals.front().first));
}

// The chain's base that a link stands behind, where the packet begins with that: vlan, behind ethernet.
std::optional<HeaderId> Analyzer::base_of_link(const ast::Name &name, HeaderId &link)
{
    const auto ref = header_named(name);
    if (!ref)
        return std::nullopt;
    link = *ref;
    const Header &header = unit_.headers[link];
    if (header.is_link() && !header.size && header.ways.size() == 1) {
        const Header &base = unit_.headers[header.ways[0].parent];
        if (base.ways.empty() && !base.size && !base.chain->constant)
            return header.ways[0].parent;
    }
    diagnostics_
        .report(Kind::bad_rewrite, name.span, fmt::format("'{}' is no tag behind the packet's first header", name.text))
        .suggest("push vlan(id = 7), pop vlan; tunnels and labels: encap, decap");
    return std::nullopt;
}

// vlan(id = 7): the fields that are given, by number
bool Analyzer::written_arguments(const ast::Layer &layer, HeaderId header, const Scope &scope,
                                 std::vector<std::pair<std::size_t, ExprId>> &out)
{
    for (const auto &argument : layer.arguments) {
        const auto field = argument.name ? find_field(header, argument.name->text) : std::nullopt;
        if (!field) {
            const Span at = argument.name ? argument.name->span : scope[argument.value].span;
            diagnostics_.report(Kind::unknown_field, at, unit_.headers[header].name, sources_.text(at))
                .suggest(did_you_mean(sources_.text(at), field_names(header)));
            return false;
        }
        const auto what = value(argument.value, scope);
        if (!what ||
            !fits_field(*what, unit_.headers[header], unit_.headers[header].fields[*field], argument.name->span))
            return false;
        out.emplace_back(*field, *what);
    }
    return true;
}

bool Analyzer::push(const ast::Push &node, Span span, const Scope &scope, Action &out)
{
    Push step;
    const auto base = base_of_link(node.layer.name, step.link);
    if (!base || !written_arguments(node.layer, step.link, scope, step.fields))
        return false;
    step.base = *base;
    const Header &link = unit_.headers[step.link];
    std::erase_if(step.fields, [&](const auto &one) {
        if (one.first != *link.then)
            return false;
        diagnostics_.report(
            Kind::bad_rewrite, unit_.exprs[one.second].span,
            fmt::format("'{}' is what stands behind the tag, and stays that", link.fields[*link.then].name));
        return true;
    });
    step.selector = selector_of(link.ways[0].condition).value_or(0);
    out.steps.push_back({std::move(step), span});
    return true;
}

bool Analyzer::pop(const ast::Pop &node, Span span, Action &out)
{
    Pop step;
    const auto base = base_of_link(node.header, step.link);
    if (!base)
        return false;
    step.base = *base;
    out.steps.push_back({step, span});
    return true;
}

} // namespace xdpf::sema
