// In place of all other files here, in builds without LLVM.
#include "compiler/llvm/backend.hpp"

namespace xdpf::llvm_backend {

bool available() { return false; }

std::expected<ProgramImage, Failure> generate(const ir::Program & /*program*/, std::span<const MapSpec> /*maps*/,
                                              const Sources * /*sources*/)
{
    return std::unexpected(Failure{"this xdpf was built without LLVM", {}});
}

std::string to_llvm(const ir::Module & /*module*/, const Sources & /*sources*/) { return {}; }

} // namespace xdpf::llvm_backend
