//   guard %1 + 14 ? b1 : out            guard %1 + 42 ? b1 : out
//   b1: … guard %1 + 34 ? b2 : out  →   b1: … jump b2
//   b2: … guard %1 + 42 ? b3 : out      b2: … jump b3
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
        const Fact fact = facts.about(end.a);
        // Where no guard has been passed nothing is known: even the pointer itself may lie behind the packet's end.
        if (end.imm <= fact.present && fact.present > 0)
            decide(end, 0);
        else if (end.imm >= fact.missing)
            decide(end, 1);
    });
}

// Whether the second guard may be asked in place of the first: where it fails, nothing has happened that the first
// would not have seen fail, too.
bool can_widen(const Block &first, const Block &second)
{
    return first.end.a == second.end.a && first.end.imm <= second.end.imm &&
           first.end.edges[1].target == second.end.edges[1].target &&
           first.end.edges[1].args == second.end.edges[1].args && second.params.empty() &&
           std::ranges::all_of(second.insts, [](const Inst &inst) { return is_droppable(inst.op); });
}

// From the last block on: a chain of guards collapses into its first.
void widen(Program &program)
{
    const auto incoming = count_incoming(program);
    for (std::size_t i = program.blocks.size(); i-- > 0;) {
        Block &first = program.blocks[BlockId(i)];
        if (!is_guard(first))
            continue;
        const BlockId next = first.end.edges[0].target;
        Block &second = program.blocks[next];
        if (incoming[next] != 1 || !is_guard(second) || !can_widen(first, second))
            continue;
        first.end.imm = second.end.imm;
        decide(second.end, 0);
    }
}

} // namespace

void merge_guards(Program &program)
{
    decide_known(program);
    widen(program);
}

} // namespace xdpf::passes
