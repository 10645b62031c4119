// Between selection and assembly: BPF instructions over as many registers as wanted, in basic blocks. Private to this
// folder.
//
// Registers 0-10 are the machine's, higher ones are virtual until allocation. Blocks stand in the order in which they
// are emitted; every edge goes forward but for the jumps that end a loop's body.
#pragma once

#include "compiler/bpf/insn.hpp"
#include "compiler/ir/ir.hpp"

#include <optional>
#include <span>

namespace xdpf::bpf {

using VReg = std::uint32_t;
constexpr VReg no_reg = UINT32_MAX;
constexpr VReg first_virtual = 11;
constexpr VReg frame_pointer = 10;

using FrameId = Id<struct FrameTag>; // a piece of the stack: a slot of the IR or a spilled register

struct MachineInst {
    std::uint8_t code = 0; // as in Insn
    std::int16_t off = 0;
    VReg dst = no_reg;
    VReg src = no_reg;
    std::uint64_t imm = 0;                     // 64 bits only with ld_imm64
    FrameId frame;                             // its place is added to `off`, or to `imm` of an addition
    MapId map;                                 // of ld_map
    std::optional<std::uint32_t> value_offset; // of ld_map: that byte of the map's only value
    std::optional<Kfunc> kfunc;                // of a call to no helper
    std::uint8_t args = 0;                     // of a call: r1 … are read
    Span span;
};

struct MachineEnd {
    enum class Kind : std::uint8_t { jump, branch, exit, asm_ };
    Kind kind = Kind::exit;
    Test test = Test::eq;
    bool narrow = false; // compares 32 bits
    VReg a = no_reg;
    VReg b = no_reg; // none: imm
    std::int32_t imm = 0;
    std::uint32_t yes = 0; // blocks; of a jump: yes
    std::uint32_t no = 0;
    std::uint32_t asm_block = 0; // of asm_: goes on with that block of instructions, the context in r1
    Span span;
};

struct MachineBlock {
    std::vector<MachineInst> insts;
    MachineEnd end;
};

struct MachineProgram {
    std::vector<MachineBlock> blocks;
    VReg registers = first_virtual;          // next unused
    IdVector<FrameId, std::uint32_t> frames; // sizes in bytes
    std::span<const ir::AsmBlock> asms;      // of the IR's program, which outlives this one
};

[[nodiscard]] inline bool is_virtual(VReg reg) { return reg >= first_virtual && reg != no_reg; }

[[nodiscard]] inline bool is_call(const MachineInst &inst) { return inst.code == (BPF_JMP | BPF_CALL); }
[[nodiscard]] inline bool is_move(const MachineInst &inst) { return inst.code == (BPF_ALU64 | BPF_MOV | BPF_X); }

// What an instruction does with its registers; those of calls come on top.
struct Access {
    bool reads_dst = false;
    bool reads_src = false;
    bool writes_dst = false;
};
[[nodiscard]] Access access_of(const MachineInst &inst);

// Nothing of the program comes behind.
[[nodiscard]] inline bool leaves(const MachineEnd &end)
{
    return end.kind == MachineEnd::Kind::exit || end.kind == MachineEnd::Kind::asm_;
}

template <class F> void for_each_target(const MachineEnd &end, F visit)
{
    if (!leaves(end))
        visit(end.yes);
    if (end.kind == MachineEnd::Kind::branch)
        visit(end.no);
}

// select….cpp: instructions for a program of the IR.
[[nodiscard]] MachineProgram select(const ir::Program &program);

// preset.cpp: has the verdict of the last block in r0 from the beginning, where nothing else needs that register on the
// way; the block in front of it then shares its exit.
void preset_verdict(MachineProgram &program);

// allocate.cpp: gives every virtual register one of r0-r9, through the stack where they do not suffice.
void allocate_registers(MachineProgram &program);

// frame.cpp: gives every piece of the stack its place below r10, one place to several that are not in use at the same
// time. Returns the bytes needed; more than MAX_BPF_STACK will not load.
[[nodiscard]] std::uint32_t place_frames(MachineProgram &program);

// tidy.cpp: leaves out moves of a register to itself and blocks that only jump on; shares the blocks that return one
// verdict.
void tidy(MachineProgram &program);

} // namespace xdpf::bpf
