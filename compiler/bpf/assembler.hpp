// Puts instructions in a row and turns labels into distances.
//
//   Assembler code;
//   const Label pass = code.label();
//   code << ldx(u32, r2, r1 + 0) << ldx(u32, r3, r1 + 4) << mov(r4, r2) << add(r4, 14);
//   code.jump_if(Test::gt, r4, r3, pass);
//   …
//   code.bind(pass) << mov(r0, XDP_PASS) << exit();
//   const auto assembled = code.finish();
//
// A jump has 16 bits for its distance. What lies farther is reached by a 32-bit jump (since Linux 6.6), conditional
// ones by the inverse condition over such a jump; or, where the kernel is older, it is an error.
#pragma once

#include "compiler/bpf/insn.hpp"

#include <expected>
#include <vector>

namespace xdpf::bpf {

struct Label {
    std::uint32_t index = UINT32_MAX;
    bool operator==(const Label &) const = default;
};

enum class FarJumps : std::uint8_t { relax, refuse };

struct AssembleError {
    enum class Kind : std::uint8_t {
        unbound_label, // a jump to a label that stands nowhere
        far_jump,      // beyond 16 bits, and FarJumps::refuse
    };
    Kind kind{};
    std::uint32_t insn = 0;    // of the jump
    std::int64_t distance = 0; // of a far one
};

struct Assembly {
    // Where mark() was called.
    struct Mark {
        std::uint32_t insn = 0;
        std::uint32_t tag = 0;
    };
    std::vector<Insn> insns;
    std::vector<MapReference> map_references;
    std::vector<KfuncReference> kfunc_references;
    std::vector<Mark> marks;           // in order of insn
    std::vector<std::uint32_t> labels; // instruction of each label; UINT32_MAX: not bound
};

class Assembler {
public:
    [[nodiscard]] Label label();
    Assembler &bind(Label label);

    Assembler &operator<<(Insn insn);
    Assembler &operator<<(const Wide &wide);
    Assembler &ld_map(Reg dst, MapId map);
    Assembler &ld_map_value(Reg dst, MapId map, std::uint32_t offset);
    Assembler &call(Kfunc kfunc);

    Assembler &jump(Label target);
    Assembler &jump_if(Test test, Reg a, Reg b, Label target) { return jump(jmp(test, a, b, 0), target); }
    Assembler &jump_if(Test test, Reg a, Imm32 imm, Label target) { return jump(jmp(test, a, imm, 0), target); }
    Assembler &jump32_if(Test test, Reg a, Reg b, Label target) { return jump(jmp32(test, a, b, 0), target); }
    Assembler &jump32_if(Test test, Reg a, Imm32 imm, Label target) { return jump(jmp32(test, a, imm, 0), target); }

    // Notes the place of the next instruction under a number of the caller's.
    Assembler &mark(std::uint32_t tag);

    [[nodiscard]] std::size_t size() const { return insns_.size(); }
    [[nodiscard]] std::expected<Assembly, AssembleError> finish(FarJumps far_jumps = FarJumps::relax) const;

private:
    struct Jump {
        std::uint32_t insn = 0;
        Label target;
        bool far = false;
    };
    Assembler &jump(Insn insn, Label target);
    [[nodiscard]] std::vector<std::uint32_t> places(const std::vector<Jump> &jumps) const;
    void write(Assembly &out, const std::vector<Jump> &jumps, const std::vector<std::uint32_t> &place) const;

    std::vector<Insn> insns_; // every jump as if it were near
    std::vector<Jump> jumps_; // in order of insn
    std::vector<std::uint32_t> labels_;
    std::vector<MapReference> maps_;
    std::vector<KfuncReference> kfuncs_;
    std::vector<Assembly::Mark> marks_;
};

} // namespace xdpf::bpf
