#include "compiler/bpf/selector.hpp"

#include <bit>

namespace xdpf::bpf {

using namespace ir;

namespace {

Alu alu_of(Op op)
{
    switch (op) {
    case Op::add: return Alu::add;
    case Op::sub: return Alu::sub;
    case Op::mul: return Alu::mul;
    case Op::div: return Alu::div;
    case Op::mod: return Alu::mod;
    case Op::bit_and: return Alu::and_;
    case Op::bit_or: return Alu::or_;
    case Op::bit_xor: return Alu::xor_;
    case Op::shl: return Alu::lsh;
    case Op::shr: return Alu::rsh;
    default: assert(false); return Alu::mov;
    }
}

} // namespace

// ---- Writing -----------------------------------------------------------------------------------------------------

MachineInst &Selector::emit(unsigned code, VReg dst, VReg src, std::uint64_t imm)
{
    MachineInst inst;
    inst.code = static_cast<std::uint8_t>(code);
    inst.dst = dst;
    inst.src = src;
    inst.imm = imm;
    inst.span = span_;
    return block_->insts.emplace_back(inst);
}

void Selector::set(VReg dst, std::uint64_t number)
{
    if (fits_imm(number))
        alu(Alu::mov, dst, number);
    else if (number <= UINT32_MAX)
        alu(Alu::mov, dst, number, true);
    else
        emit(BPF_LD | BPF_IMM | BPF_DW, dst, no_reg, number);
}

VReg Selector::constant(std::uint64_t number)
{
    const VReg reg = fresh();
    set(reg, number);
    return reg;
}

void Selector::load(VReg dst, VReg base, std::size_t off, unsigned width)
{
    emit(BPF_LDX | BPF_MEM | unsigned(size_of(width)), dst, base).off = Off16(off).value;
}

// ---- Reading values ----------------------------------------------------------------------------------------------

void Selector::copy(VReg dst, ValueId value, std::uint64_t less)
{
    const Home &at = home(value);
    if (at.reg == no_reg)
        return set(dst, at.imm - less);
    move(dst, at.reg);
    if (at.imm != less)
        alu(Alu::add, dst, at.imm - less);
}

VReg Selector::reg(ValueId value)
{
    const Home &at = home(value);
    if (at.reg != no_reg && at.imm == 0)
        return at.reg;
    const VReg copied = fresh();
    copy(copied, value);
    return copied;
}

// The pointer `value` + `off`, as a register and what is to be added to it in the access itself.
std::pair<VReg, std::int16_t> Selector::access(ValueId value, std::uint64_t off)
{
    const Home &at = home(value);
    if (const auto all = static_cast<std::int64_t>(at.imm + off); std::in_range<std::int16_t>(all))
        return {at.reg, static_cast<std::int16_t>(all)};
    const VReg base = fresh();
    copy(base, value);
    alu(Alu::add, base, off);
    return {base, 0};
}

// The register holds no more than 32 bits.
bool Selector::small(ValueId value) const
{
    const unsigned swapped = facts(value).swapped; // in its own order, a small number has its bits above
    return swapped != 0 ? swapped <= 4 : facts(value).max <= UINT32_MAX;
}

// ---- Instructions ------------------------------------------------------------------------------------------------

void Selector::binary(const Inst &inst, VReg dst)
{
    Op op = inst.op;
    ValueId a = inst.a;
    ValueId b = inst.b;
    const bool commutes = op == Op::add || op == Op::mul || op == Op::bit_and || op == Op::bit_or || op == Op::bit_xor;
    if (commutes && constant_of(a))
        std::swap(a, b);
    if (const auto number = constant_of(b)) {
        const unsigned swapped = facts(inst.result).swapped;
        copy(dst, a);
        return with_constant(op, dst, swapped != 0 ? swap_bytes(*number, swapped) : *number, small(a));
    }
    const VReg right = reg(b);
    copy(dst, a);
    alu(alu_of(op), dst, right);
}

void Selector::with_constant(Op op, VReg dst, std::uint64_t number, bool dst_small)
{
    if ((op == Op::shl || op == Op::shr)) {
        if ((number & 63) != 0)
            alu(alu_of(op), dst, number & 63, op == Op::shr && dst_small && (number & 63) < 32);
        return;
    }
    if (number == 0 && (op == Op::div || op == Op::mod)) {
        if (op == Op::div)
            set(dst, 0);
        return;
    }
    if (op == Op::sub && fits_imm(-number))
        return void(alu(Alu::add, dst, -number));
    if (fits_imm(number))
        return void(alu(alu_of(op), dst, number, op == Op::bit_and && number <= INT32_MAX));
    const bool upper_zero = op == Op::bit_and || (dst_small && (op == Op::bit_or || op == Op::bit_xor));
    if (number <= UINT32_MAX && upper_zero)
        return void(alu(alu_of(op), dst, number, true));
    const VReg right = constant(number);
    alu(alu_of(op), dst, right);
}

// Stays an addition to the base's own register: the constant part of the way goes into every access behind it.
Home Selector::offset(const Inst &inst)
{
    const Home base = home(inst.a);
    if (const auto number = constant_of(inst.b))
        return {base.reg, base.imm + *number, true};
    const VReg dst = fresh();
    VReg distance = reg(inst.b);
    if (comparisons_.bound(inst.b, at_, bounds_) > inst.imm) { // for what its author knows and the verifier does not
        const VReg bounded = fresh();
        move(bounded, distance);
        alu(Alu::and_, bounded, std::bit_ceil(inst.imm + 1) - 1);
        distance = bounded;
    }
    move(dst, base.reg);
    alu(Alu::add, dst, distance);
    return {dst, base.imm, true};
}

// What is masked is how far the two registers are apart, where that stays within the mask, or how far the pointers are.
// Never may a register be nearer to the packet's start than the verifier takes it to be.
Home Selector::rebase(const Inst &inst)
{
    const Home from = home(inst.a);
    const Home start = home(inst.b);
    const auto apart = static_cast<std::int64_t>(start.imm - from.imm);
    const bool as_they_are = apart <= 0 && static_cast<std::int64_t>(nearest_[inst.a]) + apart >= 0 &&
                             static_cast<std::int64_t>(reaches_[inst.a]) + apart <= std::int64_t(inst.imm);
    const VReg dst = fresh();
    move(dst, from.reg);
    alu(Alu::sub, dst, start.reg);
    if (!as_they_are && apart != 0)
        alu(Alu::add, dst, 0 - static_cast<std::uint64_t>(apart));
    alu(Alu::and_, dst, inst.imm, true);
    alu(Alu::add, dst, start.reg);
    return {dst, as_they_are ? from.imm : start.imm, true};
}

// The verifier wants to see the bound: a mask, unless it has seen it elsewhere.
void Selector::element(const Inst &inst, VReg dst)
{
    const VReg base = reg(inst.a);
    copy(dst, inst.b);
    if (comparisons_.bound(inst.b, at_, bounds_) > inst.imm)
        alu(Alu::and_, dst, inst.imm, true);
    alu(Alu::add, dst, base);
}

void Selector::context_field(const Inst &inst, VReg dst)
{
    switch (inst.field) {
    case ContextField::rx_queue: return load_ctx(dst, offsetof(xdp_md, rx_queue_index));
    case ContextField::ingress_ifindex: return load_ctx(dst, offsetof(xdp_md, ingress_ifindex));
    case ContextField::egress_ifindex: return load_ctx(dst, offsetof(xdp_md, egress_ifindex));
    }
}

void Selector::load_value(const Inst &inst, VReg dst)
{
    if (inst.op == Op::load_slot) {
        load(dst, frame_pointer, inst.imm, inst.width);
        block_->insts.back().frame = FrameId(inst.key.value);
    } else {
        const auto [base, off] = access(inst.a, inst.imm);
        load(dst, base, 0, inst.width);
        block_->insts.back().off = off;
    }
    if (inst.order == Order::big && inst.width > 1 && facts(inst.result).swapped == 0)
        swap(dst, inst.width);
}

// Writes `value` to base + off, or to a slot of the stack.
void Selector::store(const Inst &inst, ValueId value, VReg base, std::int16_t off, FrameId frame)
{
    const unsigned size = unsigned(size_of(inst.width));
    const bool big = inst.order == Order::big && inst.width > 1;
    const auto finish = [&](MachineInst &made) { made.off = off, made.frame = frame; };
    if (const auto number = constant_of(value)) {
        std::uint64_t bits = big ? swap_bytes(*number, inst.width) : *number & max_of_width(inst.width);
        if (inst.width == 4)
            bits = static_cast<std::uint64_t>(static_cast<std::int32_t>(bits));
        if (fits_imm(bits))
            return finish(emit(BPF_ST | BPF_MEM | size, base, no_reg, bits));
        const VReg source = constant(bits);
        return finish(emit(BPF_STX | BPF_MEM | size, base, source));
    }
    VReg source = reg(value);
    if (big && facts(value).swapped == 0) {
        const VReg swapped = fresh();
        move(swapped, source);
        swap(swapped, inst.width);
        source = swapped;
    }
    finish(emit(BPF_STX | BPF_MEM | size, base, source));
}

// Into the packet, a map's value or a record.
void Selector::store_at(const Inst &inst)
{
    const auto [base, off] = access(inst.a, inst.imm);
    store(inst, inst.b, base, off, {});
}

void Selector::atomic_add(const Inst &inst)
{
    const VReg source = reg(inst.b);
    const auto [base, off] = access(inst.a, inst.imm);
    emit(BPF_STX | BPF_ATOMIC | unsigned(size_of(inst.width)), base, source, BPF_ADD).off = off;
}

} // namespace xdpf::bpf
