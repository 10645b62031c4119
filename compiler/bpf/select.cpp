#include "compiler/bpf/selector.hpp"

#include <algorithm>
#include <ranges>

namespace xdpf::bpf {

using namespace ir;

namespace {

Test test_of(Cond cond)
{
    switch (cond) {
    case Cond::eq: return Test::eq;
    case Cond::ne: return Test::ne;
    case Cond::lt: return Test::lt;
    case Cond::le: return Test::le;
    case Cond::gt: return Test::gt;
    case Cond::ge: return Test::ge;
    case Cond::set:
    case Cond::clear: break;
    }
    return Test::set;
}

} // namespace

Selector::Selector(const Program &program)
    : in_(program), facts_(gather_facts(program)), comparisons_(program), bounds_(ir::upper_bounds(program)),
      nearest_(ir::nearest_places(program)), reaches_(ir::packet_reaches(program)), layout_(program, facts_),
      ctx_(out_.registers++), uses_(program, layout_), dominators_(program), in_loops_(blocks_in_loops(program))
{
    out_.asms = program.asms;
    homes_.resize(program.values.size());
    find_makers();
    for (const Slot &slot : program.slots)
        out_.frames.add(slot.size);
}

void Selector::find_makers()
{
    makers_.resize(in_.values.size());
    for (std::size_t i = 0; i < in_.blocks.size(); ++i)
        for (const Inst &inst : in_.blocks[BlockId(i)].insts)
            if (inst.result.valid())
                makers_[inst.result] = BlockId(i);
}

void Selector::settle(ValueId value, const Home &at)
{
    homes_[value] = at;
    if (in_.values[value].kind == ValueKind::packet)
        pointers_in_[at.reg].push_back(value);
}

MachineProgram Selector::run()
{
    out_.blocks.resize(layout_.order().size());
    for (std::size_t at = 0; at < out_.blocks.size(); ++at) {
        const Layout::Node &node = layout_.order()[at];
        block_ = &out_.blocks[at];
        if (node.block.valid())
            block(node.block);
        else
            edge_block(in_.blocks[node.from].end, node.edge);
    }
    if (ctx_used_) {
        block_ = &out_.blocks[0];
        span_ = {};
        move(ctx_, 1);
        std::ranges::rotate(block_->insts, block_->insts.end() - 1);
    }
    return std::move(out_);
}

void Selector::instruction(const Inst &inst)
{
    span_ = inst.span;
    if (is_droppable(inst.op) && facts(inst.result).uses == 0)
        return;
    Home result;
    if (inst.op == Op::constant)
        result.imm = inst.imm;
    else if (inst.op == Op::offset)
        result = offset(inst);
    else if (inst.op == Op::rebase)
        result = rebase(inst);
    else if (inst.result.valid())
        result.reg = fresh();
    body(inst, result.reg);
    result.known = true;
    if (inst.result.valid())
        settle(inst.result, result);
}

void Selector::body(const Inst &inst, VReg dst)
{
    switch (inst.op) {
    case Op::constant:
    case Op::offset:
    case Op::rebase: return;
    case Op::packet_start: return load_ctx(dst, offsetof(xdp_md, data));
    case Op::packet_end: return load_ctx(dst, offsetof(xdp_md, data_end));
    case Op::meta_start: return load_ctx(dst, offsetof(xdp_md, data_meta));
    case Op::packet_length: {
        const VReg start = fresh();
        load_ctx(dst, offsetof(xdp_md, data_end));
        load_ctx(start, offsetof(xdp_md, data));
        alu(Alu::sub, dst, start);
        return;
    }
    case Op::context: return context_field(inst, dst);
    case Op::load:
    case Op::load_slot:
    case Op::load_map: return load_value(inst, dst);
    case Op::neg: copy(dst, inst.a); return void(alu(Alu::neg, dst, std::uint64_t{0}));
    case Op::complement: copy(dst, inst.a); return void(alu(Alu::xor_, dst, UINT64_MAX));
    case Op::element: return element(inst, dst);
    case Op::distance: {
        const VReg behind = reg(inst.b);
        copy(dst, inst.a);
        return void(alu(Alu::sub, dst, behind));
    }
    case Op::store_slot: return store(inst, inst.a, frame_pointer, Off16(inst.imm).value, FrameId(inst.key.value));
    case Op::store_packet:
    case Op::store_map: return store_at(inst);
    case Op::atomic_add: return atomic_add(inst);
    case Op::map_value:
        map_address(dst, inst.map);
        block_->insts.back().value_offset = static_cast<std::uint32_t>(inst.imm);
        return;
    default: return shape_of(inst.op) == Shape::binary ? binary(inst, dst) : helper(inst, dst);
    }
}

void Selector::block(BlockId id)
{
    const Block &from = in_.blocks[id];
    at_ = id;
    span_ = {};
    for (const Inst &inst : from.insts)
        instruction(inst);
    span_ = from.end.span;
    finish(id, from.end);
}

void Selector::edge_block(const Terminator &end, unsigned edge)
{
    span_ = end.span;
    pass(end.edges[edge]);
    jump(layout_.place(end.edges[edge].target));
}

void Selector::jump(std::uint32_t target)
{
    block_->end.kind = MachineEnd::Kind::jump;
    block_->end.yes = block_->end.no = target;
}

// Sets the target's parameters. They are not live before it, so one after the other will do.
void Selector::pass(const Edge &edge)
{
    const Block &target = in_.blocks[edge.target];
    for (std::size_t i = 0; i < edge.args.size(); ++i) {
        const ValueId param = target.params[i];
        if (facts(param).uses == 0)
            continue;
        if (facts_.edges_in[edge.target] == 1) {
            settle(param, home(edge.args[i]));
            continue;
        }
        // A pointer stands as far from what is in its register as in the first way here.
        if (!homes_[param].known)
            settle(param, {fresh(), constant_of(edge.args[i]) ? 0 : home(edge.args[i]).imm, true});
        copy(homes_[param].reg, edge.args[i], homes_[param].imm);
    }
}

// The parameters of a loop's head are live while the next ones are made of them.
void Selector::pass_again(const Edge &edge)
{
    const Block &head = in_.blocks[edge.target];
    std::vector<VReg> next;
    for (std::size_t i = 0; i < edge.args.size(); ++i) {
        next.push_back(fresh());
        copy(next.back(), edge.args[i], homes_[head.params[i]].imm);
    }
    for (std::size_t i = 0; i < next.size(); ++i)
        if (facts(head.params[i]).uses != 0)
            move(homes_[head.params[i]].reg, next[i]);
}

void Selector::guard(const Terminator &end, MachineEnd &made)
{
    const Home start = home(end.a);
    const std::uint64_t by = start.imm + end.imm;
    made.test = Test::gt;
    std::swap(made.yes, made.no);
    made.b = reg(end.b);
    if (may_move(end)) {
        if (by != 0)
            move_on(start.reg, by);
        made.a = start.reg;
        return;
    }
    // A copy even where nothing is added: on the failing side the verifier takes all knowledge from what is
    // compared.
    made.a = fresh();
    move(made.a, start.reg);
    if (by != 0)
        alu(Alu::add, made.a, by);
}

// Whether the guard's pointer itself may be moved to behind the bytes asked for: all that will be read through its
// register is behind this guard, and comes here once.
bool Selector::may_move(const Terminator &end)
{
    const ValueId pointer = end.a;
    const BlockId behind = end.edges[0].target;
    if (in_.values[pointer].kind != ValueKind::packet)
        return false;
    const bool again = in_loops_.contains(at_); // then only what is made anew each time
    const bool alone = facts_.edges_in[behind] == 1;
    const auto may_follow = [&](const PointerUses::Use &use) {
        return use.block == at_ || (alone && dominators_.dominates(behind, use.block));
    };
    return std::ranges::all_of(pointers_in_.at(home(pointer).reg), [&](ValueId value) {
        const auto &on_failure = end.edges[1].args;
        return (!again || makers_[value] == at_) && std::ranges::find(on_failure, value) == on_failure.end() &&
               std::ranges::all_of(std::views::reverse(uses_.from(layout_.place(at_), value)), may_follow);
    });
}

void Selector::move_on(VReg reg, std::uint64_t by)
{
    alu(Alu::add, reg, by);
    for (const ValueId value : pointers_in_[reg])
        homes_[value].imm -= by;
}

void Selector::branch(const Terminator &end, MachineEnd &made)
{
    ValueId a = end.a;
    ValueId b = end.b;
    Cond cond = end.cond;
    std::optional<std::uint64_t> number = b.valid() ? constant_of(b) : std::optional(end.imm);
    if (const auto left = constant_of(a)) {
        if (number)
            return jump(evaluate(cond, *left, *number) ? made.yes : made.no);
        std::swap(a, b);
        cond = mirrored(cond);
        number = left;
    }
    made.test = test_of(cond);
    if (cond == Cond::clear)
        std::swap(made.yes, made.no);
    made.a = reg(a);
    if (!number) {
        made.b = reg(b);
        return;
    }
    const unsigned swapped = facts(a).swapped;
    compare_with(made, swapped != 0 ? swap_bytes(*number, swapped) : *number, small(a));
    // Shorter in the machine's code; what the verifier shall learn of a larger number it learns from all of its bits.
    made.narrow =
        made.narrow || (made.b == no_reg && made.imm >= 0 && small(a) && (swapped != 0 || bounds_[a] <= UINT32_MAX));
}

// The kernel extends a 64-bit comparison's immediate by its sign.
void Selector::compare_with(MachineEnd &made, std::uint64_t number, bool narrow_enough)
{
    if (fits_imm(number))
        made.imm = static_cast<std::int32_t>(number);
    else if (number <= UINT32_MAX && (narrow_enough || made.test == Test::set)) {
        made.imm = static_cast<std::int32_t>(number);
        made.narrow = true;
    } else {
        made.b = constant(number);
    }
}

void Selector::leave(const Terminator &end)
{
    if (end.kind == Terminator::Kind::asm_) {
        move(1, context());
        block_->end.kind = MachineEnd::Kind::asm_;
        block_->end.asm_block = static_cast<std::uint32_t>(end.imm);
        return;
    }
    assert(end.kind == Terminator::Kind::return_);
    if (end.a.valid())
        copy(0, end.a);
    else
        set(0, end.imm);
    block_->end.kind = MachineEnd::Kind::exit;
}

void Selector::finish(BlockId id, const Terminator &end)
{
    block_->end.span = end.span;
    if (end.kind == Terminator::Kind::jump) {
        pass(end.edges[0]);
        return jump(layout_.target(id, 0));
    }
    if (end.kind == Terminator::Kind::again) {
        pass_again(end.edges[0]);
        return jump(layout_.place(end.edges[0].target));
    }
    if (!has_two_edges(end))
        return leave(end);
    for (unsigned edge = 0; edge < 2; ++edge)
        if (!layout_.split(id, edge))
            pass(end.edges[edge]);
    MachineEnd &made = block_->end;
    made.kind = MachineEnd::Kind::branch;
    made.yes = layout_.target(id, 0);
    made.no = layout_.target(id, 1);
    if (end.kind == Terminator::Kind::guard)
        guard(end, made);
    else
        branch(end, made);
    if (made.yes == made.no)
        jump(made.yes);
}

MachineProgram select(const Program &program) { return Selector(program).run(); }

} // namespace xdpf::bpf
