// Private to this folder.
#pragma once

#include "compiler/bpf/assembler.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/llvm/read_object.hpp"

namespace xdpf::llvm_backend {

// Puts maps, functions of the kernel and assembled blocks where LLVM's code names them, and lays it out anew. Marks
// have the line's number - 1 as their tag. The error says what it names that is none of these.
[[nodiscard]] std::expected<bpf::Assembly, std::string> link(const ObjectCode &code, const ir::Program &program,
                                                             std::span<const MapSpec> maps);

} // namespace xdpf::llvm_backend
