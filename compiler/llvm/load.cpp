#include "compiler/base/module.hpp"
#include "compiler/llvm/module.hpp"

namespace xdpf::llvm_backend {
namespace {

Functions load()
{
    auto *const entry = reinterpret_cast<Functions (*)()>(load_from_module(module_name, entry_name));
    return entry != nullptr ? entry() : Functions();
}

const Functions &functions()
{
    static const Functions loaded = load();
    return loaded;
}

} // namespace

bool available() { return functions().generate_program != nullptr; }

std::expected<ProgramImage, Failure> generate(const ir::Program &program, std::span<const MapSpec> maps,
                                              const Sources *sources)
{
    if (!available())
        return std::unexpected(Failure{"this xdpf was built without LLVM", {}});
    return functions().generate_program(program, maps, sources);
}

std::string to_llvm(const ir::Module &module, const Sources &sources)
{
    return available() ? functions().text_of_module(module, sources) : std::string();
}

} // namespace xdpf::llvm_backend
