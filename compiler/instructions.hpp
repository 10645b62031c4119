// Programs written instruction by instruction, with the words that people use for it, in place of a source:
//
//   xdpf::InstructionProgram program("to_xsk");
//   const MapId xsks = program.create_xsk_map("xsks", 64);
//   program.redirect_to_xsk_by_queue(r1, xsks, r6, XDP_PASS) << exit();
//   const std::expected<Image, std::string> image = program.assemble();
//
// The instructions themselves (mov, ldx, jump_if, call, …) and labels are those of compiler/bpf/insn.hpp and
// assembler.hpp. What the kernel's verifier makes of a program shows when it is loaded: runtime/load.hpp.
#pragma once

#include "compiler/bpf/assembler.hpp"
#include "compiler/image.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>

namespace xdpf {

// The offset in bytes of a field of struct xdp_md (<linux/bpf.h>), which a program has in r1 when it begins; -1: there
// is no such field.
[[nodiscard]] int xdp_md_offset(std::string_view field);

// A key of a map: a number, or a register that holds it.
using InstructionKey = std::variant<std::uint32_t, bpf::Reg>;

class InstructionProgram {
public:
    // The name is at most 15 letters, digits and underscores. "GPL", since most helpers are for such programs.
    explicit InstructionProgram(std::string name, std::string license = "GPL");

    // Keys are queues (u32), values sockets.
    MapId create_xsk_map(std::string name, std::uint32_t entries);
    // Of any kind; the layouts say how its entries are read and printed.
    MapId create_map(MapSpec spec);

    bpf::Label label() { return code_.label(); }
    InstructionProgram &bind(bpf::Label label);
    InstructionProgram &operator<<(Insn insn);
    InstructionProgram &operator<<(const bpf::Wide &wide);
    InstructionProgram &ld_map(bpf::Reg dst, MapId map);
    InstructionProgram &jump(bpf::Label target);
    InstructionProgram &jump_if(bpf::Test test, bpf::Reg a, bpf::Reg b, bpf::Label target);
    InstructionProgram &jump_if(bpf::Test test, bpf::Reg a, bpf::Imm32 imm, bpf::Label target);

    // dst = ctx->field. Fields that there are not abort the program's assembly.
    InstructionProgram &load_ctx_field(bpf::Reg dst, std::string_view field, bpf::Reg ctx = bpf::r1);

    // r0 = bpf_redirect_map(map, key, flags): XDP_REDIRECT, or the lower bits of `flags` where the map has no such
    // entry. Of the registers r1 to r5 nothing is left. A key in a register must not be in r1.
    InstructionProgram &redirect_map(MapId map, InstructionKey key, std::uint32_t flags);
    // The same, with the verdict for a missing entry by its name, and flags such as BPF_F_BROADCAST beside it.
    InstructionProgram &redirect_map_with_action(MapId map, InstructionKey key, xdp_action otherwise,
                                                 std::uint32_t flags = 0);
    // Into the socket of a slot.
    InstructionProgram &redirect_to_xsk(MapId map, InstructionKey key, std::uint32_t flags = XDP_PASS);
    // Into the socket of the queue that the packet arrived on; `scratch` is overwritten. `ctx` is struct xdp_md.
    InstructionProgram &redirect_to_xsk_by_queue(bpf::Reg ctx, MapId map, bpf::Reg scratch,
                                                 std::uint32_t flags = XDP_PASS);

    // Labels become distances, the object file is written. The error says what is wrong, with the instruction's number.
    [[nodiscard]] std::expected<Image, std::string> assemble() const;

private:
    Image image_;
    bpf::Assembler code_;
    std::string wrong_; // what assemble() refuses
};

} // namespace xdpf
