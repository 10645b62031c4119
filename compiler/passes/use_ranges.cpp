// Masks that change nothing, by what the branches on the way have shown: behind `if %1 >= 2`, %1 - 1 is as small as %1.
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/comparisons.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

namespace xdpf::passes {

using namespace ir;

void use_ranges(Program &program)
{
    const auto reachable = reachable_blocks(program);
    const Comparisons comparisons(program);
    const auto bounds = upper_bounds(program);
    Replacements replacements(program);
    IdVector<ValueId, const Inst *> made;
    made.resize(program.values.size(), nullptr);
    const auto constant = [&](ValueId value) -> const Inst * {
        const Inst *inst = made[value];
        return inst != nullptr && inst->op == Op::constant ? inst : nullptr;
    };
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        for (const Inst &inst : program.blocks[BlockId(i)].insts) {
            if (!inst.result.valid())
                continue;
            made[inst.result] = &inst;
            const Inst *mask = inst.op == Op::bit_and ? constant(inst.b) : nullptr;
            const Inst *less = mask != nullptr ? made[inst.a] : nullptr;
            const Inst *by = less != nullptr && less->op == Op::sub ? constant(less->b) : nullptr;
            if (by == nullptr || !reachable.contains(BlockId(i)) || (mask->imm & (mask->imm + 1)) != 0)
                continue;
            const bool no_borrow = comparisons.shown(
                less->a, BlockId(i), [&](const Range &range) { return range.least >= by->imm && by->imm != 0; });
            if (no_borrow && comparisons.bound(less->a, BlockId(i), bounds) <= mask->imm)
                replacements.replace(inst.result, inst.a);
        }
    replacements.apply(program);
}

} // namespace xdpf::passes
