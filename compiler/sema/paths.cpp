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
        headers.push_back(*ref);
        spans.push_back(scope[part].span);
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
        want(Present{{id}});
        if (i > 0) {
            const bool behind_link = unit_.headers[path[i - 1].header].is_link();
            const auto way = std::ranges::find_if(
                header.ways, [&](const Way &w) { return w.parent == base && (w.through_chain || !behind_link); });
            if (way == header.ways.end())
                return impossible();
            if (way->through_chain)
                want(LinkCount{base, links});
            if (header.ways.size() > 1)
                want(ReachedBy{id, static_cast<std::size_t>(way - header.ways.begin())});
        }
        base = id;
        links = 0;
    }
    return conjunction(std::move(all), span);
}

} // namespace xdpf::sema
