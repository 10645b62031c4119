// Selection: the instructions of a program of the IR, over virtual registers. Private to this folder; select() in
// machine.hpp is its face. Control flow is in select.cpp, arithmetic and memory in select_values.cpp, calls into the
// kernel in select_calls.cpp.
#pragma once

#include "compiler/bpf/layout.hpp"
#include "compiler/bpf/machine.hpp"
#include "compiler/bpf/pointer_uses.hpp"
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/comparisons.hpp"
#include "compiler/ir/graph.hpp"
#include "compiler/ir/traits.hpp"

#include <cassert>
#include <cstddef>
#include <unordered_map>

namespace xdpf::bpf {

[[nodiscard]] inline bool fits_imm(std::uint64_t number)
{
    return std::in_range<std::int32_t>(static_cast<std::int64_t>(number));
}

// Where a value is found. Packet pointers that differ by a constant share a register: they are one pointer to the
// verifier, and what is known of one is known of all.
struct Home {
    VReg reg = no_reg;     // none: a constant
    std::uint64_t imm = 0; // the constant, or what is to be added to the register
    bool known = false;
};

class Selector {
public:
    explicit Selector(const ir::Program &program);

    MachineProgram run();

private:
    void find_makers();

    // ---- Writing -------------------------------------------------------------------------------------------------

    VReg fresh() { return out_.registers++; }

    MachineInst &emit(unsigned code, VReg dst, VReg src = no_reg, std::uint64_t imm = 0);
    MachineInst &alu(Alu op, VReg dst, VReg src) { return emit(BPF_ALU64 | unsigned(op) | BPF_X, dst, src); }
    MachineInst &alu(Alu op, VReg dst, std::uint64_t imm, bool narrow = false)
    {
        return emit((narrow ? BPF_ALU : BPF_ALU64) | unsigned(op) | BPF_K, dst, no_reg, imm);
    }
    void move(VReg dst, VReg src) { alu(Alu::mov, dst, src); }
    void set(VReg dst, std::uint64_t number);
    VReg constant(std::uint64_t number);
    void load(VReg dst, VReg base, std::size_t off, unsigned width);
    VReg context()
    {
        ctx_used_ = true;
        return ctx_;
    }
    void load_ctx(VReg dst, std::size_t off) { load(dst, context(), off, 4); }
    void swap(VReg reg, unsigned width) { emit(BPF_ALU | BPF_END | BPF_TO_BE, reg, no_reg, 8 * width); }

    // ---- Reading values ------------------------------------------------------------------------------------------

    const ValueFacts &facts(ir::ValueId value) const { return facts_.values[value]; }
    const Home &home(ir::ValueId value) const
    {
        assert(homes_[value].known);
        return homes_[value];
    }
    std::optional<std::uint64_t> constant_of(ir::ValueId value) const
    {
        const Home &at = home(value);
        return at.reg == no_reg ? std::optional(at.imm) : std::nullopt;
    }
    // `dst` = `value` - `less`.
    void copy(VReg dst, ir::ValueId value, std::uint64_t less = 0);
    void settle(ir::ValueId value, const Home &at);
    VReg reg(ir::ValueId value);
    // The pointer `value` + `off`, as a register and what is to be added to it in the access itself.
    std::pair<VReg, std::int16_t> access(ir::ValueId value, std::uint64_t off);
    // The register holds no more than 32 bits.
    bool small(ir::ValueId value) const;

    // ---- Instructions --------------------------------------------------------------------------------------------

    void instruction(const ir::Inst &inst);
    void body(const ir::Inst &inst, VReg dst);

    void binary(const ir::Inst &inst, VReg dst);
    void with_constant(ir::Op op, VReg dst, std::uint64_t number, bool dst_small);
    Home offset(const ir::Inst &inst);
    Home rebase(const ir::Inst &inst);
    void element(const ir::Inst &inst, VReg dst);
    void context_field(const ir::Inst &inst, VReg dst);
    void load_value(const ir::Inst &inst, VReg dst);
    // Writes `value` to base + off, or to a slot of the stack.
    void store(const ir::Inst &inst, ir::ValueId value, VReg base, std::int16_t off, FrameId frame);
    void store_at(const ir::Inst &inst);
    void atomic_add(const ir::Inst &inst);

    // ---- Calls ---------------------------------------------------------------------------------------------------

    void address(VReg dst, ir::SlotId slot, std::uint64_t off = 0);
    void map_address(VReg dst, MapId map) { emit(BPF_LD | BPF_IMM | BPF_DW, dst).map = map; }
    void call(bpf_func_id helper, std::uint8_t args);
    // The call's result to `dst`, if there is one.
    void take(VReg dst)
    {
        if (dst != no_reg)
            move(dst, 0);
    }
    void helper(const ir::Inst &inst, VReg dst);
    void adjust(const ir::Inst &inst);
    void rx_meta(const ir::Inst &inst);
    void tail_call(const ir::Inst &inst);
    void copy_packet(const ir::Inst &inst);

    // ---- Control flow --------------------------------------------------------------------------------------------

    void block(ir::BlockId id);
    void edge_block(const ir::Terminator &end, unsigned edge);
    void jump(std::uint32_t target);
    void pass(const ir::Edge &edge);
    void pass_again(const ir::Edge &edge);
    void guard(const ir::Terminator &end, MachineEnd &made);
    bool may_move(const ir::Terminator &end);
    void move_on(VReg reg, std::uint64_t by);
    void branch(const ir::Terminator &end, MachineEnd &made);
    void compare_with(MachineEnd &made, std::uint64_t number, bool narrow_enough);
    void leave(const ir::Terminator &end);
    void finish(ir::BlockId id, const ir::Terminator &end);

    const ir::Program &in_;
    MachineProgram out_;
    Facts facts_;
    ir::Comparisons comparisons_;
    IdVector<ir::ValueId, std::uint64_t> bounds_;
    IdVector<ir::ValueId, std::uint64_t> nearest_;
    IdVector<ir::ValueId, std::uint64_t> reaches_;
    Layout layout_;
    VReg ctx_;
    bool ctx_used_ = false;
    IdVector<ir::ValueId, Home> homes_;
    std::unordered_map<VReg, std::vector<ir::ValueId>> pointers_in_; // by register: those that are somewhere in it
    PointerUses uses_;
    IdVector<ir::ValueId, ir::BlockId> makers_;
    ir::Dominators dominators_;
    ir::IdSet<ir::BlockId> in_loops_;
    ir::BlockId at_; // what is being selected
    MachineBlock *block_ = nullptr;
    Span span_;
};

} // namespace xdpf::bpf
