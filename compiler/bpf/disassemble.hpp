// Instructions as text, in the notation of the kernel's tools, with labels in place of distances:
//
//   program udp_only
//         r2 = *(u32 *)(r1 +16)
//         r1 = map[xsks]
//         if r3 > r4 goto L0
//         call bpf_redirect_map#51
//   L0:   exit
#pragma once

#include "compiler/bpf/insn.hpp"

#include <span>
#include <string>

namespace xdpf::bpf {

// One instruction, jumps with their distance. `next`: the second half of a 64-bit immediate.
[[nodiscard]] std::string to_text(Insn insn, Insn next = {});

// The whole program, with a comment for each source line that begins.
[[nodiscard]] std::string disassemble(const ProgramImage &program, std::span<const MapSpec> maps);

} // namespace xdpf::bpf
