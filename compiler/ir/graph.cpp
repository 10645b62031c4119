#include "compiler/ir/graph.hpp"

#include <algorithm>

#include <utility>

namespace xdpf::ir {

IdSet<BlockId> reachable_blocks(const Program &program)
{
    IdSet<BlockId> reachable(program.blocks.size());
    if (!program.blocks.empty())
        reachable.insert(BlockId(0));
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (reachable.contains(BlockId(i)))
            for_each_edge(program.blocks[BlockId(i)].end, [&](const Edge &edge) { reachable.insert(edge.target); });
    return reachable;
}

std::vector<BlockId> forward_order(const Program &program)
{
    struct Open {
        BlockId block;
        std::size_t edges; // still to be followed, from the last on
    };
    std::vector<BlockId> order; // reversed
    IdSet<BlockId> seen(program.blocks.size());
    std::vector<Open> stack{{BlockId(0), 2}};
    seen.insert(BlockId(0));
    while (!stack.empty()) {
        auto &[id, edges] = stack.back();
        if (edges == 0) {
            order.push_back(id);
            stack.pop_back();
            continue;
        }
        const BlockId next = program.blocks[id].end.edges[--edges].target;
        if (next.valid() && seen.insert(next))
            stack.push_back({next, 2});
    }
    std::ranges::reverse(order);
    return order;
}

void put_in_order(Program &program)
{
    const std::vector<BlockId> order = forward_order(program);
    IdVector<BlockId, BlockId> renamed;
    renamed.resize(program.blocks.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        renamed[order[i]] = BlockId(i);
    IdVector<BlockId, Block> blocks;
    for (const BlockId id : order) {
        Block &block = program.blocks[id];
        for (Edge &edge : block.end.edges)
            if (edge.target.valid())
                edge.target = renamed[edge.target];
        blocks.add(std::move(block));
    }
    program.blocks = std::move(blocks);
}

IdVector<BlockId, std::uint32_t> count_incoming(const Program &program)
{
    const auto reachable = reachable_blocks(program);
    IdVector<BlockId, std::uint32_t> counts;
    counts.resize(program.blocks.size(), 0);
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (reachable.contains(BlockId(i)))
            for_each_way(program.blocks[BlockId(i)].end, [&](const Edge &edge) { ++counts[edge.target]; });
    return counts;
}

IdSet<BlockId> blocks_in_loops(const Program &program)
{
    IdSet<BlockId> in(program.blocks.size());
    for (std::size_t i = program.blocks.size(); i-- > 0;) {
        const Terminator &end = program.blocks[BlockId(i)].end;
        // What leads to a block of a loop, but not to the head of one that only begins behind it.
        bool back = end.kind == Terminator::Kind::again;
        for_each_edge(end, [&](const Edge &edge) {
            back = back || (in.contains(edge.target) && !program.blocks[edge.target].is_loop());
        });
        if (back)
            in.insert(BlockId(i));
    }
    return in;
}

namespace {

// A tree that grows at its leaves, in which two blocks' common ancestor takes logarithmic time: each block knows one
// far ancestor besides its parent, and how far that is follows from the depth alone (Myers, "An applicative
// random-access stack", 1983).
class Ancestors {
public:
    explicit Ancestors(const IdVector<BlockId, BlockId> &parents) : parents_(parents)
    {
        depths_.resize(parents.size(), 0);
        far_.resize(parents.size(), BlockId(0));
    }

    // Its parent stands from here on.
    void add(BlockId block)
    {
        const BlockId parent = parents_[block];
        if (!parent.valid())
            return; // the entry
        const BlockId far = far_[parent];
        depths_[block] = depths_[parent] + 1;
        far_[block] = depths_[parent] - depths_[far] == depths_[far] - depths_[far_[far]] ? far_[far] : parent;
    }

    [[nodiscard]] BlockId common(BlockId a, BlockId b) const
    {
        if (depths_[a] < depths_[b])
            std::swap(a, b);
        while (depths_[a] > depths_[b])
            a = depths_[far_[a]] >= depths_[b] ? far_[a] : parents_[a];
        while (a != b) {
            const bool apart = far_[a] != far_[b];
            a = apart ? far_[a] : parents_[a];
            b = apart ? far_[b] : parents_[b];
        }
        return a;
    }

private:
    const IdVector<BlockId, BlockId> &parents_;
    IdVector<BlockId, std::uint32_t> depths_;
    IdVector<BlockId, BlockId> far_;
};

} // namespace

// All edges into a block come from blocks before it, so its parent stands when its turn comes.
Dominators::Dominators(const Program &program)
{
    const auto reachable = reachable_blocks(program);
    parents_.resize(program.blocks.size());
    first_.resize(program.blocks.size(), 0);
    last_.resize(program.blocks.size(), 0);
    Ancestors ancestors(parents_);
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        if (!reachable.contains(BlockId(i)))
            continue;
        ancestors.add(BlockId(i));
        for_each_edge(program.blocks[BlockId(i)].end, [&](const Edge &edge) {
            BlockId &parent = parents_[edge.target];
            parent = parent.valid() ? ancestors.common(parent, BlockId(i)) : BlockId(i);
        });
    }
    number_tree();
}

void Dominators::number_tree()
{
    if (parents_.empty())
        return;
    IdVector<BlockId, std::vector<BlockId>> children;
    children.resize(parents_.size());
    for (std::size_t i = parents_.size(); i-- > 1;)
        if (parents_[BlockId(i)].valid())
            children[parents_[BlockId(i)]].push_back(BlockId(i));
    std::uint32_t time = 0;
    std::vector<BlockId> path{BlockId(0)}; // no recursion: a chain of rules is as deep as it is long
    first_[BlockId(0)] = ++time;
    while (!path.empty()) {
        auto &open = children[path.back()];
        if (open.empty()) {
            last_[path.back()] = ++time;
            path.pop_back();
        } else {
            path.push_back(open.back());
            open.pop_back();
            first_[path.back()] = ++time;
        }
    }
}

} // namespace xdpf::ir
