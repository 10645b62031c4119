#include "compiler/bpf/layout.hpp"

#include <algorithm>

namespace xdpf::bpf {

using namespace ir;

Layout::Layout(const Program &program, const Facts &facts) : program_(program), facts_(facts)
{
    place_.resize(3 * program.blocks.size(), UINT32_MAX);
    walk();
}

bool Layout::split(BlockId from, unsigned edge) const
{
    const Terminator &end = program_.blocks[from].end;
    const Edge &out = end.edges[edge];
    return has_two_edges(end) && !out.args.empty() && facts_.edges_in[out.target] > 1;
}

std::uint32_t Layout::step(BlockId from, unsigned edge) const
{
    if (split(from, edge))
        return static_cast<std::uint32_t>(program_.blocks.size()) + 2 * from.value + edge;
    return program_.blocks[from].end.edges[edge].target.value;
}

Layout::Node Layout::node(std::uint32_t key) const
{
    const auto blocks = static_cast<std::uint32_t>(program_.blocks.size());
    if (key < blocks)
        return {BlockId(key), {}, 0};
    return {{}, BlockId((key - blocks) / 2), (key - blocks) % 2};
}

// Steps out of a node, the one to follow it last.
std::vector<std::uint32_t> Layout::steps(std::uint32_t key) const
{
    const Node at = node(key);
    if (!at.block.valid())
        return {program_.blocks[at.from].end.edges[at.edge].target.value};
    const Terminator &end = program_.blocks[at.block].end;
    if (!has_two_edges(end))
        return end.kind == Terminator::Kind::jump ? std::vector{step(at.block, 0)} : std::vector<std::uint32_t>{};
    // There is no jump if bits are clear, so the way of set bits is better jumped.
    const bool set = end.kind == Terminator::Kind::branch && end.cond == Cond::set;
    return {step(at.block, set ? 0 : 1), step(at.block, set ? 1 : 0)};
}

// Depth first; the reverse of the order in which nodes are done.
void Layout::walk()
{
    struct Open {
        std::uint32_t key;
        std::vector<std::uint32_t> steps;
        std::size_t next = 0;
    };
    std::vector<bool> seen(place_.size());
    std::vector<Open> open{{0, steps(0)}};
    seen[0] = true;
    while (!open.empty()) {
        Open &top = open.back();
        if (top.next < top.steps.size()) {
            const std::uint32_t key = top.steps[top.next++];
            if (!seen[key]) {
                seen[key] = true;
                open.push_back({key, steps(key)});
            }
        } else {
            order_.push_back(node(top.key));
            place_[top.key] = static_cast<std::uint32_t>(order_.size()) - 1;
            open.pop_back();
        }
    }
    std::ranges::reverse(order_);
    for (std::uint32_t &place : place_)
        if (place != UINT32_MAX)
            place = static_cast<std::uint32_t>(order_.size()) - 1 - place;
}

} // namespace xdpf::bpf
