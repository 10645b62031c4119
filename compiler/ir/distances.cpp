#include "compiler/ir/distances.hpp"

#include "compiler/ir/bounds.hpp"
#include "compiler/ir/graph.hpp"

namespace xdpf::ir {

Distances::Distances(const Program &program) : reaches_(packet_reaches(program))
{
    anchors_.resize(program.values.size());
    bases_.resize(program.values.size());
    IdVector<ValueId, const Inst *> constants;
    constants.resize(program.values.size(), nullptr);
    for (const Block &block : program.blocks)
        for (const Inst &inst : block.insts)
            if (inst.op == Op::constant)
                constants[inst.result] = &inst;
            else if (inst.op == Op::packet_start)
                anchors_[inst.result].start = inst.result;
            else if (inst.op == Op::offset && constants[inst.b] != nullptr)
                bases_[inst.result] = {inst.a, constants[inst.b]->imm};
            else if (inst.op == Op::offset || inst.op == Op::rebase)
                anchors_[inst.result].start = inst.result;
    do {
        changed_ = false;
        follow(program);
    } while (changed_);
    for (Anchor &anchor : anchors_)
        if (anchor.several)
            anchor.start = {};
}

// Whoever has no anchor yet, as in a loop's first sweep, does not count.
void Distances::follow(const Program &program)
{
    for (const Block &block : program.blocks) {
        for (const Inst &inst : block.insts)
            if (inst.op == Op::offset && bases_[inst.result].pointer.valid())
                arrive(inst.result, bases_[inst.result].pointer);
        for_each_way(block.end, [&](const Edge &edge) {
            const auto &params = program.blocks[edge.target].params;
            for (std::size_t i = 0; i < params.size(); ++i)
                if (program.values[params[i]].kind == ValueKind::packet)
                    arrive(params[i], edge.args[i]);
        });
    }
}

void Distances::arrive(ValueId param, ValueId arg)
{
    Anchor &there = anchors_[param];
    const Anchor &from = anchors_[arg];
    if (there.several)
        return;
    const bool differ = from.start.valid() && there.start.valid() && from.start != there.start;
    if (from.several || differ) {
        there.several = changed_ = true;
    } else if (from.start.valid() && !there.start.valid()) {
        there.start = from.start;
        changed_ = true;
    }
}

} // namespace xdpf::ir
