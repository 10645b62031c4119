// Checks an `asm` block as the kernel's verifier will: which register holds what at each instruction, that every access
// stays within the packet, the stack or an entry of a map, that helpers get what they want, that every way ends in
// exit. It knows less than the kernel, never more: a block that passes is a block that loads.
//
// The block begins with r1 = the context and r10 = the end of the stack frame, nothing else; it never comes back.
#pragma once

#include "compiler/bpf/asm_text.hpp"

namespace xdpf::bpf {

// False: something was reported, at the instruction that is wrong.
bool check_asm(const AsmBlock &block, std::span<const MapSpec> maps, ProgramImage::Place place,
               Diagnostics &diagnostics);

// read_asm and check_asm.
[[nodiscard]] std::optional<AsmBlock> assemble_asm(std::string_view text, Span where, const AsmNames &names,
                                                   ProgramImage::Place place, Diagnostics &diagnostics);

} // namespace xdpf::bpf
