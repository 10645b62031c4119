// LLVM's passes and its BPF target: a module in, the bytes of a relocatable object out. Private to this folder.
#pragma once

#include <llvm/IR/Module.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace xdpf::llvm_backend {

// The instruction set: v3, or v4 (Linux 6.6), whose jumps reach further than 32,767 instructions.
enum class Cpu : std::uint8_t { v3, v4 };

struct EmitError {
    bool too_far = false; // a jump, with v3
    std::string why;
};

// Says for what machine the module is.
void set_target(llvm::Module &module);

using Job = std::pair<std::unique_ptr<llvm::LLVMContext>, std::unique_ptr<llvm::Module>>;
[[nodiscard]] std::expected<std::vector<std::byte>, EmitError> emit(Job job, Cpu cpu);

} // namespace xdpf::llvm_backend
