#include "compiler/ir/traits.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>

#include <ranges>

namespace xdpf::passes {
namespace {

using namespace ir;

// Slots that are only stored into, with those stores.
void remove_slots(Program &program)
{
    IdSet<SlotId> read(program.slots.size());
    for (const Block &block : program.blocks)
        for (const Inst &inst : block.insts) {
            if (inst.key.valid() && inst.op != Op::store_slot)
                read.insert(inst.key);
            if (inst.value.valid())
                read.insert(inst.value);
        }
    IdVector<SlotId, SlotId> moved;
    moved.resize(program.slots.size());
    IdVector<SlotId, Slot> kept;
    for (std::size_t i = 0; i < program.slots.size(); ++i)
        if (read.contains(SlotId(i)))
            moved[SlotId(i)] = kept.add(program.slots[SlotId(i)]);
    for (Block &block : program.blocks) {
        std::erase_if(block.insts,
                      [&](const Inst &inst) { return inst.op == Op::store_slot && !read.contains(inst.key); });
        for (Inst &inst : block.insts) {
            if (inst.key.valid())
                inst.key = moved[inst.key];
            if (inst.value.valid())
                inst.value = moved[inst.value];
        }
    }
    program.slots = std::move(kept);
}

// Uses come after definitions, so one sweep backwards sees every use of a value before what makes it. An argument of an
// edge is a use only where the parameter has one, and that is in a later block.
IdSet<ValueId> find_live(const Program &program)
{
    IdSet<ValueId> live(program.values.size());
    const auto use = [&](ValueId value) { live.insert(value); };
    for (const Block &block : program.blocks) // an argument of `again` stands behind the uses of its parameter
        if (block.is_loop())
            std::ranges::for_each(block.params, use);
    for (std::size_t i = program.blocks.size(); i-- > 0;) {
        const Block &block = program.blocks[BlockId(i)];
        for (const ValueId operand : {block.end.a, block.end.b})
            if (operand.valid())
                use(operand);
        for_each_way(block.end, [&](const Edge &edge) {
            const auto &params = program.blocks[edge.target].params;
            for (std::size_t p = 0; p < params.size(); ++p)
                if (live.contains(params[p]))
                    use(edge.args[p]);
        });
        for (const Inst &inst : block.insts | std::views::reverse)
            if (!is_droppable(inst.op) || live.contains(inst.result))
                for_each_use(inst, use);
    }
    return live;
}

} // namespace

void remove_dead_code(Program &program)
{
    remove_slots(program);
    const IdSet<ValueId> live = find_live(program);
    for (Block &block : program.blocks) {
        std::erase_if(block.insts,
                      [&](const Inst &inst) { return is_droppable(inst.op) && !live.contains(inst.result); });
        for (Inst &inst : block.insts)
            if (gives_status(inst.op) && inst.result.valid() && !live.contains(inst.result))
                inst.result = {};
        for_each_edge(block.end, [&](Edge &edge) {
            std::size_t at = 0;
            const auto &params = program.blocks[edge.target].params;
            std::erase_if(edge.args, [&](ValueId) { return !live.contains(params[at++]); });
        });
        // Nobody looks at a block's parameters after the blocks before it, whose edges were pruned above.
        std::erase_if(block.params, [&](ValueId param) { return !live.contains(param); });
    }
}

} // namespace xdpf::passes
