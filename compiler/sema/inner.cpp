// What tunnels carry. `vxlan.inner.ipv4` is a header of its own: a copy of ipv4 whose ways come from the copies of the
// headers in front, and in the end from the tunnel's header. Copies are made when they are first spoken of, of what a
// tunnel can carry, and inside copies of tunnels, too.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

constexpr unsigned deepest = 2; // tunnels inside each other

} // namespace

HeaderId Analyzer::origin_of(HeaderId id) const
{
    const auto copy = copies_.find(id);
    return copy == copies_.end() ? id : copy->second.origin;
}

// The tunnel that the header lies in; none: the outermost packet.
HeaderId Analyzer::space_of(HeaderId id) const
{
    const auto copy = copies_.find(id);
    return copy == copies_.end() ? HeaderId() : copy->second.tunnel;
}

// Whether the declared header `origin` can be found in what the tunnel carries.
bool Analyzer::carries(HeaderId tunnel, HeaderId origin)
{
    unsigned depth = 1;
    for (HeaderId outer = space_of(tunnel); outer.valid(); outer = space_of(outer))
        ++depth;
    return depth <= deepest && below(origin_of(tunnel), origin);
}

bool Analyzer::below(HeaderId tunnel, HeaderId origin)
{
    const auto [known, is_new] = carried_.try_emplace({tunnel, origin}, false);
    if (!is_new)
        return known->second;
    const auto roots = roots_.find(tunnel);
    bool found = roots != roots_.end() &&
                 std::ranges::any_of(roots->second, [&](const Root &root) { return root.header == origin; });
    const Header &header = unit_.headers[origin];
    found = found || (header.list && below(tunnel, header.list->container));
    for (std::size_t i = 0; !found && i < unit_.headers[origin].ways.size(); ++i)
        found = below(tunnel, unit_.headers[origin].ways[i].parent);
    return carried_[{tunnel, origin}] = found;
}

// The copy of a declared header in what the tunnel carries; invalid where it is never there.
HeaderId Analyzer::inside(HeaderId tunnel, HeaderId origin)
{
    if (const auto known = copy_of_.find({tunnel, origin}); known != copy_of_.end())
        return known->second;
    if (!carries(tunnel, origin))
        return copy_of_[{tunnel, origin}] = HeaderId();
    const HeaderId id = unit_.headers.add({});
    copy_of_[{tunnel, origin}] = id;
    copies_[id] = {origin, tunnel};
    Header made = unit_.headers[origin];
    made.name = fmt::format("{}.inner.{}", unit_.headers[tunnel].name, made.name);
    made.ways.clear();
    for (const Root &root : roots_[origin_of(tunnel)])
        if (root.header == origin) {
            const auto condition =
                root.when ? copied(*root.when, {tunnel, true}) : add(Pred{Present{{tunnel}}, made.span});
            made.ways.push_back({.parent = tunnel, .condition = condition, .carried = true});
        }
    const auto ways = unit_.headers[origin].ways;
    for (Way way : ways) {
        const HeaderId parent = inside(tunnel, way.parent);
        if (!parent.valid())
            continue;
        way.parent = parent;
        way.condition = copied(way.condition, {tunnel});
        made.ways.push_back(way);
    }
    copy_parts(made, tunnel);
    unit_.headers[id] = std::move(made);
    for (std::size_t i = 0; i < header_sources_.size(); ++i) {
        const Header &link = unit_.headers[HeaderId(i)];
        if (link.is_link() && link.ways[0].parent == origin)
            inside(tunnel, HeaderId(i));
    }
    if (placing_)
        place(id);
    return id;
}

void Analyzer::copy_parts(Header &made, HeaderId tunnel)
{
    const auto renew = [&](auto &what) {
        if (what)
            what = copied(*what, {tunnel});
    };
    renew(made.where);
    renew(made.size);
    renew(made.payload_when);
    for (Field &field : made.fields) {
        renew(field.at);
        renew(field.when);
    }
    if (made.list) {
        made.list->container = inside(tunnel, made.list->container);
        renew(made.list->end_when);
        renew(made.list->pad_when);
    }
    if (!made.checksum)
        return;
    std::vector<std::pair<HeaderRef, std::size_t>> fields;
    for (const auto &[ref, field] : made.checksum->fields)
        if (const HeaderId header = inside(tunnel, ref.header); header.valid())
            fields.emplace_back(HeaderRef{header, ref.index}, field);
    made.checksum->fields = std::move(fields);
}

HeaderId Analyzer::renamed(HeaderId id, Renaming to)
{
    if (to.itself)
        return id == origin_of(to.tunnel) ? to.tunnel : id;
    const HeaderId copy = inside(to.tunnel, id);
    return copy.valid() ? copy : id;
}

ExprId Analyzer::copied(ExprId id, Renaming to)
{
    Expr expr = unit_.exprs[id];
    if (auto *field = std::get_if<FieldValue>(&expr.node)) {
        field->header.header = renamed(field->header.header, to);
    } else if (auto *end = std::get_if<ChainEnd>(&expr.node)) {
        end->base = renamed(end->base, to);
    } else if (auto *slice = std::get_if<Slice>(&expr.node)) {
        if (slice->behind)
            slice->behind->header = renamed(slice->behind->header, to);
    } else if (auto *binary = std::get_if<Binary>(&expr.node)) {
        binary->left = copied(binary->left, to);
        binary->right = copied(binary->right, to);
    } else if (auto *unary = std::get_if<Unary>(&expr.node)) {
        unary->operand = copied(unary->operand, to);
    } else if (auto *either = std::get_if<Either>(&expr.node)) {
        for (auto &alternative : either->alternatives)
            alternative = copied(alternative, to);
    } else {
        return id;
    }
    return add(std::move(expr));
}

PredId Analyzer::copied(PredId id, Renaming to)
{
    Pred pred = unit_.preds[id];
    if (auto *negated = std::get_if<Not>(&pred.node)) {
        negated->operand = copied(negated->operand, to);
    } else if (auto *both = std::get_if<And>(&pred.node)) {
        both->left = copied(both->left, to);
        both->right = copied(both->right, to);
    } else if (auto *either = std::get_if<Or>(&pred.node)) {
        either->left = copied(either->left, to);
        either->right = copied(either->right, to);
    } else if (auto *present = std::get_if<Present>(&pred.node)) {
        present->header.header = renamed(present->header.header, to);
    } else if (auto *compare = std::get_if<Compare>(&pred.node)) {
        compare->left = copied(compare->left, to);
        compare->right = copied(compare->right, to);
    } else if (auto *set = std::get_if<InSet>(&pred.node)) {
        set->value = copied(set->value, to);
    } else {
        return id;
    }
    return add(std::move(pred));
}

} // namespace xdpf::sema
