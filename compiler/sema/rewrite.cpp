// Steps that change the packet: fields, with the checksums that cover them, and tags.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

bool overlap(const Field &a, const Field &b)
{
    if (a.floating() || b.floating())
        return a.name == b.name;
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
    // set ip.src = ip.dst: each header's own.
    const auto *from = std::get_if<Either>(&unit_.exprs[*what].node);
    std::vector<ExprId> values(fields.size(), *what);
    if (from != nullptr && from->alternatives.size() == fields.size())
        values = from->alternatives;
    const bool by_header = either != nullptr;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto step = writing(fields[i], values[i], scope[node.field].span);
        if (!step)
            return false;
        out.steps.push_back({*step, span, by_header});
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
    if (!fits_field(what, header, header.fields[step.field], span))
        return std::nullopt;
    find_checksums(step);
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
                    sema::describe(field.type, field.bits), fmt::format("a number of {} bits", expr.bits))
            .suggest(fmt::format("say which bits count: {} & {:#x}", sources_.text(expr.span),
                                 static_cast<std::uint64_t>(largest(field.bits))));
        return false;
    }
    return true;
}

// Whether `inner` can stand somewhere behind `outer`.
bool Analyzer::stands_behind(HeaderId inner, HeaderId outer) const
{
    return std::ranges::any_of(unit_.headers[inner].ways, [&](const Way &way) {
        if (way.through_list)
            return stands_behind(unit_.headers[way.parent].list->container, outer);
        return way.parent == outer || stands_behind(way.parent, outer);
    });
}

// Whether the header is an item of a list within `container`: an option of TCP.
bool Analyzer::lies_in(HeaderId item, HeaderId container) const
{
    return std::ranges::any_of(unit_.headers[item].ways, [&](const Way &way) {
        return way.through_list ? unit_.headers[way.parent].list->container == container
                                : lies_in(way.parent, container);
    });
}

// Every header from `outer` up to, and without, `inner` has an even number of bytes.
bool Analyzer::even_between(HeaderId outer, HeaderId inner) const
{
    const auto even = [&](const Header &header) {
        return header.size ? is_even(unit_, *header.size) : header.fixed_size % 2 == 0;
    };
    if (outer == inner)
        return true;
    return std::ranges::all_of(unit_.headers[inner].ways, [&](const Way &way) {
        if (way.through_list)
            return false;
        if (way.parent != outer && !stands_behind(way.parent, outer))
            return true;
        const bool odd_links = way.through_chain && std::ranges::any_of(unit_.headers, [&](const Header &link) {
                                   return link.is_link() && link.ways[0].parent == way.parent && !even(link);
                               });
        return even(unit_.headers[way.parent]) && !odd_links && even_between(outer, way.parent);
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
    const bool odd_place = written.floating() && !is_even(unit_, *written.at);
    std::vector<HeaderId> covering;
    for (const HeaderId id : candidates) {
        const Checksum &sum = *unit_.headers[id].checksum;
        const bool own = sum.header && (id == here ? step.field != sum.field : lies_in(here, id));
        const bool named = std::ranges::any_of(sum.fields, [&](const auto &one) {
            return one.first.header == here && overlap(unit_.headers[here].fields[one.second], written);
        });
        if (own || named || (sum.payload && stands_behind(here, id)))
            covering.push_back(id);
    }
    std::ranges::stable_sort(covering, [&](HeaderId a, HeaderId b) { return stands_behind(a, b); });
    for (const HeaderId id : covering) {
        SetField::Covering one{.header = {id}};
        // A field that is named is one of a header in front, and is summed up as if it stood at an even place.
        const bool behind = stands_behind(here, id) || lies_in(here, id);
        one.odd = (behind && !even_between(id, here)) || ((behind || id == here) && odd_place);
        for (std::size_t i = 0; i < step.checksums.size(); ++i)
            if (unit_.headers[id].checksum->payload && stands_behind(step.checksums[i].header.header, id)) {
                one.covers.push_back(i);
                one.odd = one.odd || !even_between(id, step.checksums[i].header.header);
            }
        step.checksums.push_back(std::move(one));
    }
}

// Of a field, or of the fields of a union: "ipv4, ipv6".
std::string Analyzer::headers_of(ExprId field) const
{
    const auto &node = unit_.exprs[field].node;
    std::vector<ExprId> fields{field};
    if (const auto *either = std::get_if<Either>(&node))
        fields = either->alternatives;
    std::vector<std::string> names;
    for (const ExprId one : fields)
        if (std::holds_alternative<FieldValue>(unit_.exprs[one].node) ||
            std::holds_alternative<ChainEnd>(unit_.exprs[one].node))
            names.push_back(unit_.headers[header_of(one)].name);
    return names.empty() ? "no header" : fmt::format("{}", fmt::join(names, ", "));
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
    if ((a != nullptr || b != nullptr) && !both) {
        diagnostics_
            .report(Kind::bad_rewrite, span,
                    fmt::format("both sides of 'swap' need fields of the same headers: '{}' is one of {}, '{}' of {}",
                                sources_.text(scope[node.left].span), headers_of(*left),
                                sources_.text(scope[node.right].span), headers_of(*right)))
            .suggest("swap the fields of each header under a match of it");
        return false;
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

// The field that a value without a name could be meant for: the one called as it is, or the widest of its type, of
// those without a default if there are any.
std::string Analyzer::likely_field(HeaderId header, ast::ExprId written, const Scope &scope) const
{
    const Header &what = unit_.headers[header];
    if (const auto *member = std::get_if<ast::Member>(&scope[written].node);
        member && find_field(header, member->member.text))
        return member->member.text;
    const auto *literal = std::get_if<ast::Literal>(&scope[written].node);
    const auto kind = literal != nullptr ? literal->kind : ast::Literal::Kind::integer;
    const auto type = kind == ast::Literal::Kind::ipv4   ? ValueType::ipv4
                      : kind == ast::Literal::Kind::ipv6 ? ValueType::ipv6
                      : kind == ast::Literal::Kind::mac  ? ValueType::mac
                                                         : ValueType::number;
    std::string best = what.fields.empty() ? "field" : what.fields.front().name;
    std::pair<bool, std::uint32_t> most;
    for (std::size_t i = 0; i < what.fields.size(); ++i) {
        const Field &field = what.fields[i];
        const std::pair fit{!defaults_.contains({header.value, i}), field.bits};
        if (field.type != type || what.then == i || fit <= most)
            continue;
        best = field.name;
        most = fit;
    }
    return best;
}

// Whether each argument of a layer has the name of a field, and no other has it, too.
bool Analyzer::check_arguments(const ast::Layer &layer, HeaderId header, const Scope &scope)
{
    bool good = true;
    for (auto argument = layer.arguments.begin(); argument != layer.arguments.end(); ++argument) {
        const Span span = scope[argument->value].span;
        if (!argument->name) {
            diagnostics_.report(Kind::bad_argument, span, layer.name.text, "its arguments have names")
                .suggest(fmt::format("write name = value: {}({} = {})", layer.name.text,
                                     likely_field(header, argument->value, scope), sources_.text(span)));
            good = false;
            continue;
        }
        const auto first = std::find_if(layer.arguments.begin(), argument, [&](const ast::Argument &one) {
            return one.name && one.name->text == argument->name->text;
        });
        if (first == argument)
            continue;
        diagnostics_.report(Kind::redefined, argument->name->span, argument->name->text)
            .note(first->name->span, "first here");
        good = false;
    }
    return good;
}

// vlan(id = 7): the fields that are given, by number
bool Analyzer::written_arguments(const ast::Layer &layer, HeaderId header, const Scope &scope,
                                 std::vector<std::pair<std::size_t, ExprId>> &out)
{
    bool good = check_arguments(layer, header, scope);
    for (const auto &argument : layer.arguments) {
        if (!argument.name)
            continue;
        const auto what = value(argument.value, scope);
        const auto field = find_field(header, argument.name->text);
        if (!field)
            diagnostics_
                .report(Kind::unknown_field, argument.name->span, unit_.headers[header].name, argument.name->text)
                .suggest_near(argument.name->text, field_names(header));
        good = field && what &&
               fits_field(*what, unit_.headers[header], unit_.headers[header].fields[*field], argument.name->span) &&
               good;
        if (good)
            out.emplace_back(*field, *what);
    }
    return good;
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
