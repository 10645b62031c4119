#include "compiler/ir/comparisons.hpp"

#include "compiler/ir/traits.hpp"

#include <algorithm>
#include <bit>

namespace xdpf::ir {
namespace {

Range range_of(Cond holds, std::uint64_t imm)
{
    switch (holds) {
    case Cond::eq: return {imm, imm};
    case Cond::ne: return {imm == 0 ? 1U : 0U, UINT64_MAX};
    case Cond::lt: return {0, imm == 0 ? UINT64_MAX : imm - 1};
    case Cond::le: return {0, imm};
    case Cond::gt: return {imm == UINT64_MAX ? 0 : imm + 1, UINT64_MAX};
    case Cond::ge: return {imm, UINT64_MAX};
    case Cond::set: return {1, UINT64_MAX};
    case Cond::clear: break;
    }
    return {};
}

} // namespace

Comparisons::Comparisons(const Program &program)
    : program_(program), dominators_(program), incoming_(count_incoming(program))
{
    definitions_.resize(program.values.size());
    for (const Block &block : program.blocks)
        for (const Inst &inst : block.insts)
            if (inst.op == Op::constant || shape_of(inst.op) == Shape::binary)
                definitions_[inst.result] = {inst.op, inst.a, inst.b, inst.imm};
}

Range Comparisons::along(const Terminator &end, std::size_t which, ValueId number)
{
    if (end.kind != Terminator::Kind::branch || end.a != number || end.b.valid())
        return {};
    return range_of(which == 0 ? end.cond : inverse(end.cond), end.imm);
}

std::uint64_t Comparisons::bound(ValueId number, BlockId in, const IdVector<ValueId, std::uint64_t> &bounds) const
{
    std::uint64_t most = bounds[number];
    (void)shown(number, in, [&](const Range &range) {
        most = std::min(most, range.most);
        return false;
    });
    const Definition &made = definitions_[number];
    if (made.op != Op::shl && made.op != Op::add && made.op != Op::mul)
        return most;
    const Definition &by = definitions_[made.b];
    if (by.op != Op::constant)
        return most;
    const std::uint64_t of = bound(made.a, in, bounds);
    std::uint64_t out = UINT64_MAX;
    bool beyond = false;
    if (made.op == Op::add)
        beyond = __builtin_add_overflow(of, by.imm, &out);
    else if (made.op == Op::mul)
        beyond = __builtin_mul_overflow(of, by.imm, &out);
    else
        beyond = by.imm > 63 || __builtin_mul_overflow(of, std::uint64_t{1} << by.imm, &out);
    return beyond ? most : std::min(most, out);
}

} // namespace xdpf::ir
