// What guards and null checks have shown about pointers by the time a block begins, on every path to it.
//
// A guard speaks about one value and those a constant away from it: another pointer to the same byte has its own
// guards, since that is how the kernel's verifier sees it. Nothing inside a block changes what is known; only its end
// does. (A map_value is never null: that is known from the beginning of its block.)
#pragma once

#include "compiler/ir/distances.hpp"
#include "compiler/ir/graph.hpp"

#include <optional>
#include <utility>

namespace xdpf::ir {

struct Fact {
    ValueId pointer;
    std::uint64_t present = 0;          // packet: so many bytes are there; map value: 1 when it is not null
    std::uint64_t missing = UINT64_MAX; // packet: this many bytes are not there
    bool operator==(const Fact &) const = default;
};

class Facts {
public:
    // The distances must outlive it.
    explicit Facts(const Distances &distances) : distances_(&distances) {}

    // What guards have shown of that very pointer.
    [[nodiscard]] Fact about(ValueId pointer) const;
    // How many bytes are there from it on, as far as is known.
    [[nodiscard]] std::uint64_t present(ValueId pointer) const
    {
        return distances_->present(pointer, [&](ValueId guarded) { return about(guarded).present; });
    }
    void learn_present(ValueId pointer, std::uint64_t present);
    void learn_missing(ValueId pointer, std::uint64_t missing);
    // Keeps what both sides know.
    void meet(const Facts &other);

private:
    Fact &entry(ValueId pointer);

    const Distances *distances_;
    std::vector<Fact> facts_; // in order of pointer
};

// How many bytes are always there behind the parameters of loops, after the first round too.
using LoopFacts = IdVector<ValueId, std::uint64_t>;
[[nodiscard]] LoopFacts find_loop_facts(const Program &program, const Distances &distances);

// Adds what the block's instructions alone show.
void learn_inside(const Block &block, Facts &known);

// What holds at the beginning of edge.target when it is reached through edges[which] of a block in which `known` holds.
[[nodiscard]] Facts facts_along(const Program &program, const Terminator &end, std::size_t which, const Facts &known,
                                const LoopFacts &loops);

// The sweep of walk_facts(), with what is known of loops; of the first `count` blocks.
template <class F>
void walk_facts(const Program &program, const Distances &distances, const LoopFacts &loops, std::size_t count, F visit)
{
    IdVector<BlockId, std::optional<Facts>> incoming;
    incoming.resize(program.blocks.size());
    if (!program.blocks.empty())
        incoming[BlockId(0)].emplace(distances);
    for (std::size_t i = 0; i < count; ++i) {
        if (!incoming[BlockId(i)])
            continue;
        Facts known = std::move(*incoming[BlockId(i)]);
        incoming[BlockId(i)].reset();
        learn_inside(program.blocks[BlockId(i)], known);
        visit(BlockId(i), std::as_const(known));
        const Terminator &end = program.blocks[BlockId(i)].end;
        std::size_t which = 0;
        for_each_edge(end, [&](const Edge &edge) {
            Facts there = facts_along(program, end, which++, known, loops);
            if (std::optional<Facts> &present = incoming[edge.target])
                present->meet(there);
            else
                present = std::move(there);
        });
    }
}

template <class F> void walk_facts(const Program &program, const Distances &distances, const LoopFacts &loops, F visit)
{
    walk_facts(program, distances, loops, program.blocks.size(), visit);
}

// Calls visit(BlockId, const Facts &) for each reachable block in order. The visit may change the block's terminator,
// if that makes nothing less known: what follows goes by the new one.
template <class F> void walk_facts(const Program &program, F visit)
{
    const Distances distances(program);
    walk_facts(program, distances, find_loop_facts(program, distances), visit);
}

} // namespace xdpf::ir
