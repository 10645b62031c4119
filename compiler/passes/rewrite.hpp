// Helpers of passes: changing operands.
#pragma once

#include "compiler/ir/graph.hpp"
#include "compiler/ir/ir.hpp"

namespace xdpf::passes {

// Which value stands for which. Replacing a by b and b by c makes a stand for c too.
class Replacements {
public:
    explicit Replacements(const ir::Program &program) { to_.resize(program.values.size()); }

    // `from` must not be what stands for `to`.
    void replace(ir::ValueId from, ir::ValueId to)
    {
        to_.resize(std::max<std::size_t>(to_.size(), from.value + 1));
        to_[from] = to;
        any_ = true;
    }

    [[nodiscard]] ir::ValueId find(ir::ValueId value)
    {
        ir::ValueId last = value;
        while (last.value < to_.size() && to_[last].valid())
            last = to_[last];
        while (value != last) { // shortens the way for the next time
            const ir::ValueId next = to_[value];
            to_[value] = last;
            value = next;
        }
        return last;
    }

    void apply(ir::Inst &inst)
    {
        apply(inst.a);
        apply(inst.b);
    }

    void apply(ir::Terminator &end)
    {
        apply(end.a);
        apply(end.b);
        ir::for_each_way(end, [&](ir::Edge &edge) {
            for (ir::ValueId &arg : edge.args)
                apply(arg);
        });
    }

    void apply(ir::Program &program)
    {
        if (!any_)
            return;
        for (ir::Block &block : program.blocks) {
            for (ir::Inst &inst : block.insts)
                apply(inst);
            apply(block.end);
        }
    }

private:
    void apply(ir::ValueId &value)
    {
        if (value.valid())
            value = find(value);
    }

    IdVector<ir::ValueId, ir::ValueId> to_;
    bool any_ = false;
};

[[nodiscard]] inline bool same(const ir::Edge &a, const ir::Edge &b)
{
    return a.target == b.target && a.args == b.args;
}

// A guard or branch becomes a jump along one of its edges.
inline void decide(ir::Terminator &end, std::size_t which)
{
    ir::Edge taken = std::move(end.edges[which]);
    const Span span = end.span;
    end = {};
    end.kind = ir::Terminator::Kind::jump;
    end.edges[0] = std::move(taken);
    end.span = span;
}

// How often each value is used.
[[nodiscard]] inline IdVector<ir::ValueId, std::uint32_t> count_uses(const ir::Program &program)
{
    IdVector<ir::ValueId, std::uint32_t> counts;
    counts.resize(program.values.size(), 0);
    const auto count = [&](ir::ValueId value) { ++counts[value]; };
    for (const ir::Block &block : program.blocks) {
        for (const ir::Inst &inst : block.insts)
            ir::for_each_use(inst, count);
        ir::for_each_use(block.end, count);
    }
    return counts;
}

// The instruction `%result = number`.
[[nodiscard]] inline ir::Inst make_constant(ir::ValueId result, std::uint64_t number, Span span)
{
    ir::Inst inst;
    inst.op = ir::Op::constant;
    inst.imm = number;
    inst.result = result;
    inst.span = span;
    return inst;
}

} // namespace xdpf::passes
