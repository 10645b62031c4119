// Whether a program is sound, and is one that the kernel's verifier takes. Run after lowering and after every pass in
// debug and test builds; what it finds is a bug of ours, not the user's.
//
// It asks for:
//  - an entry without parameters, a terminator on every block, edges that go forward and pass what the target takes;
//  - one definition for each value, before every use on every path, and operands of the right kind;
//  - packet loads and stores only of bytes that a guard of that very pointer has shown on every path; distances that
//  the
//    kernel can bound, and pointer distance and guard together at most 0xffff (MAX_PACKET_OFF, kernel/bpf/verifier.c);
//  - no pointer to packet, end or metadata behind an operation that moves the packet's ends, on any path;
//  - map values touched only where a comparison with 0 has shown that they are there, and within their size;
//  - records compared with 0 before they are used, submitted once on every way, and not handed on as parameters; copies
//    into them of at least one byte and no more than there is room for, as branches on the way have shown;
//  - slots written in full before a lookup, update or load reads them, with aligned accesses (the kernel checks the
//    stack's alignment on every machine), 512 bytes together (MAX_BPF_STACK);
//  - maps of the kind that an operation is for
// and, of a program that goes to the kernel, no unreachable block (of these nothing but the shape is checked), no
// constant shift of 64 or more, no constant divisor of 0: the kernel refuses them, the passes remove them.
#pragma once

#include "compiler/ir/ir.hpp"

#include <span>
#include <string>
#include <vector>

namespace xdpf::ir {

enum class Stage : bool { on_the_way, for_the_kernel };

// Empty: all is well. One sentence for each finding, with block and instruction.
[[nodiscard]] std::vector<std::string> verify(const Program &program, std::span<const MapSpec> maps,
                                              Stage stage = Stage::on_the_way);
[[nodiscard]] std::vector<std::string> verify(const Program &program, const Module &module,
                                              Stage stage = Stage::on_the_way);
// All programs; each finding begins with the program's name.
[[nodiscard]] std::vector<std::string> verify(const Module &module, Stage stage = Stage::on_the_way);

} // namespace xdpf::ir
