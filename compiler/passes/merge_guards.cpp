//   guard %1 + 14 ? b1 : out            guard %1 + 42 ? b1 : out
//   b1: … guard %1 + 34 ? b2 : out  →   b1: … jump b2
//   b2: … guard %1 + 42 ? b3 : out      b2: … jump b3
// Other tests that lead out to the same may stand in between.
#include "compiler/ir/facts.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>

namespace xdpf::passes {
namespace {

using namespace ir;

bool is_guard(const Block &block) { return block.end.kind == Terminator::Kind::guard; }

// Guards that the way to them has answered.
void decide_known(Program &program)
{
    walk_facts(program, [&](BlockId id, const Facts &facts) {
        Terminator &end = program.blocks[id].end;
        if (end.kind != Terminator::Kind::guard)
            return;
        // Where no guard has been passed nothing is known: even the pointer itself may lie behind the packet's end.
        const std::uint64_t present = facts.present(end.a);
        if (end.imm <= present && present > 0)
            decide(end, 0);
        else if (end.imm >= facts.about(end.a).missing)
            decide(end, 1);
    });
}

// The edge that a block takes where the way out is `out`; none: it has another.
const Edge *way_on(const Block &block, const Edge &out)
{
    if (block.end.kind == Terminator::Kind::jump)
        return &block.end.edges[0];
    if (!has_two_edges(block.end))
        return nullptr;
    if (same(block.end.edges[1], out))
        return &block.end.edges[0];
    return same(block.end.edges[0], out) ? &block.end.edges[1] : nullptr;
}

// The next guard of the same pointer behind the one that ends `first`, where each test in between leads out as that one
// does and nothing happens: then it does not matter which of them fails first.
Block *next_guard(Program &program, const Block &first, const IdVector<BlockId, std::uint32_t> &incoming)
{
    const Edge &out = first.end.edges[1];
    const Edge *on = &first.end.edges[0];
    while (on != nullptr) {
        Block &block = program.blocks[on->target];
        const bool quiet = incoming[on->target] == 1 && block.params.empty() &&
                           std::ranges::all_of(block.insts, [](const Inst &inst) { return is_droppable(inst.op); });
        if (!quiet)
            return nullptr;
        if (is_guard(block) && block.end.a == first.end.a && same(block.end.edges[1], out))
            return &block;
        on = way_on(block, out);
    }
    return nullptr;
}

// From the last block on: a chain of guards collapses into its first.
void widen(Program &program)
{
    const auto incoming = count_incoming(program);
    for (std::size_t i = program.blocks.size(); i-- > 0;) {
        Block &first = program.blocks[BlockId(i)];
        if (!is_guard(first))
            continue;
        Block *const second = next_guard(program, first, incoming);
        if (second == nullptr || first.end.imm > second->end.imm)
            continue;
        first.end.imm = second->end.imm;
        decide(second->end, 0);
    }
}

} // namespace

void merge_guards(Program &program)
{
    decide_known(program);
    widen(program);
}

} // namespace xdpf::passes
