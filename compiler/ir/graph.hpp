// The shape of a program's control flow: who comes before whom. All of it needs edges that only go forward in block
// order, as verify() demands, so one sweep in that order is enough; the edge of `again` adds nothing to who comes
// before whom.
#pragma once

#include "compiler/ir/id_set.hpp"
#include "compiler/ir/ir.hpp"

namespace xdpf::ir {

// Calls visit(const Edge &) or visit(Edge &) for each edge that leaves forward.
template <class End, class F> void for_each_edge(End &end, F visit)
{
    if (end.kind == Terminator::Kind::jump || has_two_edges(end))
        visit(end.edges[0]);
    if (has_two_edges(end))
        visit(end.edges[1]);
}

// The same for all edges, that of `again` included.
template <class End, class F> void for_each_way(End &end, F visit)
{
    for_each_edge(end, visit);
    if (end.kind == Terminator::Kind::again)
        visit(end.edges[0]);
}

// The blocks that a path from the entry comes to.
[[nodiscard]] IdSet<BlockId> reachable_blocks(const Program &program);

// The reachable blocks in an order in which every edge goes forward; the first edge's target stands as near as it can.
[[nodiscard]] std::vector<BlockId> forward_order(const Program &program);
// Puts them so, and leaves the others out.
void put_in_order(Program &program);

// For each block the number of edges into it from reachable blocks, `again` included.
[[nodiscard]] IdVector<BlockId, std::uint32_t> count_incoming(const Program &program);

// The blocks from which a way leads back to the head of a loop that they are in.
[[nodiscard]] IdSet<BlockId> blocks_in_loops(const Program &program);

// Which blocks stand on every path to which others.
class Dominators {
public:
    explicit Dominators(const Program &program);

    // A block dominates itself. Unreachable blocks dominate nothing and are dominated by nothing.
    [[nodiscard]] bool dominates(BlockId above, BlockId below) const
    {
        return first_[above] <= first_[below] && last_[below] <= last_[above] && first_[above] != 0;
    }
    // None for the entry and for unreachable blocks.
    [[nodiscard]] BlockId parent(BlockId block) const { return parents_[block]; }

private:
    void number_tree();

    IdVector<BlockId, BlockId> parents_;
    IdVector<BlockId, std::uint32_t> first_; // when a walk of the dominator tree enters the block; 0: never
    IdVector<BlockId, std::uint32_t> last_;  // when it leaves it
};

} // namespace xdpf::ir
