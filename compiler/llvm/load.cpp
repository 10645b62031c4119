#include "compiler/llvm/module.hpp"

#include <array>
#include <dlfcn.h>
#include <filesystem>

namespace xdpf::llvm_backend {
namespace {

// Beside the program, where a build has it; where an installed program's libraries are; where they were to be
// installed.
std::array<std::filesystem::path, 3> folders()
{
    std::error_code error;
    const auto here = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
    return {here, here / ".." / XDPF_LIBRARIES / "xdpf", std::filesystem::path(XDPF_INSTALLED_LIBRARIES) / "xdpf"};
}

Functions load()
{
    for (const auto &folder : folders()) {
        void *const module = dlopen((folder / module_name).c_str(), RTLD_NOW | RTLD_LOCAL);
        if (module == nullptr)
            continue;
        if (auto *const entry = reinterpret_cast<Functions (*)()>(dlsym(module, entry_name)); entry != nullptr)
            return entry();
    }
    return {};
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
