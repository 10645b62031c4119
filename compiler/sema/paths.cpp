// ethernet/vlan/ipv4/udp: headers right behind each other, as conditions on which headers are there, how they were
// reached, and how many links of a chain lie between.
#include "compiler/sema/analyzer.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace xdpf::sema {
namespace {

// The leaves of a/b/c, left to right; false where it is something else.
void leaves(const ast::File &file, ast::ExprId id, std::vector<ast::ExprId> &out)
{
    const auto *binary = std::get_if<ast::Binary>(&file.exprs[id].node);
    if (binary == nullptr || binary->op != ast::BinaryOp::divide) {
        out.push_back(id);
        return;
    }
    leaves(file, binary->left, out);
    leaves(file, binary->right, out);
}

} // namespace

bool Analyzer::is_path(ast::ExprId id, const Scope &scope)
{
    std::vector<ast::ExprId> parts;
    leaves(*scope.file, id, parts);
    return parts.size() > 1 &&
           std::ranges::any_of(parts, [&](auto part) { return header_ref(part, scope, true).has_value(); });
}

std::optional<PredId> Analyzer::path(ast::ExprId id, const Scope &scope)
{
    std::vector<ast::ExprId> parts;
    leaves(*scope.file, id, parts);
    std::vector<HeaderRef> headers;
    std::vector<Span> spans;
    for (const auto part : parts) {
        const auto ref = header_ref(part, scope);
        if (!ref)
            return std::nullopt;
        if (headers.empty())
            headers.push_back(*ref);
        else
            extend(headers, ref->header);
        spans.resize(headers.size(), scope[part].span);
    }
    const Span span = scope[id].span;
    const Header &first = unit_.headers[headers[0].header];
    if (!first.is_link())
        return path_from(headers, spans, 0, span);
    if (first.ways.empty())
        return std::nullopt;
    // A path that begins with a link may begin at each place of the chain.
    const unsigned limit = unit_.headers[first.ways[0].parent].chain->limit;
    const auto links = static_cast<unsigned>(
        std::ranges::count_if(headers, [&](HeaderRef ref) { return unit_.headers[ref.header].is_link(); }));
    std::optional<PredId> any;
    for (unsigned start = 0; start == 0 || start + links <= limit; ++start) {
        const auto one = path_from(headers, spans, static_cast<int>(start), span);
        if (!one)
            return std::nullopt;
        any = any ? add(Pred{Or{*any, *one}, span}) : *one;
    }
    return any;
}

bool Analyzer::right_behind(HeaderId front, HeaderId behind) const
{
    const Header &before = unit_.headers[front];
    return std::ranges::any_of(unit_.headers[behind].ways, [&](const Way &way) {
        return way.parent == front || (way.through_chain && before.is_link() && before.ways[0].parent == way.parent);
    });
}

// Puts the next header of a path behind those before: in the same packet, or in what the last one carries. Headers
// without fields (the bottom of an MPLS stack, IP in IP) need not be named. Where it cannot stand there it is put all
// the same, for the message.
bool Analyzer::extend(std::vector<HeaderRef> &path, HeaderId next)
{
    const HeaderId front = path.back().header;
    const HeaderId space = space_of(front);
    const auto here = [&](HeaderId header) {
        return space.valid() && !space_of(header).valid() ? inside(space, header) : header;
    };
    const auto put = [&](HeaderId header) {
        path.push_back({header});
        return true;
    };
    const HeaderId same = here(next);
    if (same.valid() && right_behind(front, same))
        return put(same);
    const auto carried = [&](HeaderId tunnel) {
        const HeaderId inner = roots_.contains(origin_of(tunnel)) ? inside(tunnel, next) : HeaderId();
        return inner.valid() && right_behind(tunnel, inner) ? inner : HeaderId();
    };
    if (const HeaderId inner = carried(front); inner.valid())
        return put(inner);
    for (std::size_t i = 0; i < header_sources_.size(); ++i) {
        const HeaderId between = unit_.headers[HeaderId(i)].fields.empty() ? here(HeaderId(i)) : HeaderId();
        if (!between.valid() || !right_behind(front, between))
            continue;
        if (same.valid() && right_behind(between, same))
            return put(between) && put(same);
        if (const HeaderId inner = carried(between); inner.valid())
            return put(between) && put(inner);
    }
    return put(same.valid() ? same : next);
}

// "udp stands behind ipv4 or ipv6"
std::string Analyzer::stands_behind(HeaderId id) const
{
    std::vector<std::string> in_front;
    for (const auto &way : unit_.headers[id].ways)
        if (const auto &name = unit_.headers[way.parent].name; std::ranges::find(in_front, name) == in_front.end())
            in_front.push_back(name);
    if (in_front.empty())
        return fmt::format("a packet begins with {}", unit_.headers[id].name);
    return fmt::format("{} stands behind {}", unit_.headers[id].name, fmt::join(in_front, " or "));
}

// That a header stands right behind `base` and so many links of its chain, by any of the ways that lead from there, as
// one more part of `all`. False if none does.
bool Analyzer::add_reached(std::vector<PredId> &all, HeaderId base, unsigned links, bool behind_link, HeaderId id,
                           Span span)
{
    const auto &ways = unit_.headers[id].ways;
    std::vector<std::vector<PredId>> found;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        if (ways[i].parent != base || (behind_link && !ways[i].through_chain))
            continue;
        auto &parts = found.emplace_back();
        if (ways[i].through_chain)
            parts.push_back(add(Pred{LinkCount{base, links}, span}));
        if (ways.size() > 1)
            parts.push_back(add(Pred{ReachedBy{id, i}, span}));
    }
    if (found.size() == 1)
        std::ranges::move(found[0], std::back_inserter(all));
    if (found.size() <= 1)
        return !found.empty();
    std::optional<PredId> any;
    for (auto &parts : found) {
        const auto one = conjunction(std::move(parts), span);
        any = any ? add(Pred{Or{*any, *one}, span}) : one;
    }
    all.push_back(*any);
    return true;
}

std::optional<PredId> Analyzer::path_from(const std::vector<HeaderRef> &path, const std::vector<Span> &spans,
                                          int start_link, Span span)
{
    std::vector<PredId> all;
    const auto want = [&](auto node) { all.push_back(add(Pred{node, span})); };
    HeaderId base;      // the last header that is no link
    unsigned links = 0; // how many links of its chain lie behind it so far
    for (std::size_t i = 0; i < path.size(); ++i) {
        const HeaderId id = path[i].header;
        const Header &header = unit_.headers[id];
        const auto impossible = [&] {
            const auto before = unit_.headers[path[i - 1].header].name;
            diagnostics_.report(Kind::path_impossible, spans[i], header.name, before).suggest(stands_behind(id));
            return std::nullopt;
        };
        if (header.is_link()) {
            const HeaderId parent = header.ways[0].parent;
            if (i == 0) {
                base = parent;
                links = static_cast<unsigned>(start_link);
            } else if (base != parent) {
                return impossible();
            }
            if (const unsigned limit = unit_.headers[parent].chain->limit; links >= limit) {
                diagnostics_.report(Kind::link_index, spans[i], limit, header.name, limit - 1);
                return std::nullopt;
            }
            want(LinkIs{base, links++, id});
            continue;
        }
        if (i > 0) {
            const bool behind_link = unit_.headers[path[i - 1].header].is_link();
            if (!add_reached(all, base, links, behind_link, id, span))
                return impossible();
        }
        want(Present{{id}});
        base = id;
        links = 0;
    }
    return conjunction(std::move(all), span);
}

} // namespace xdpf::sema
