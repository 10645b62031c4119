#include "compiler/base/module.hpp"

#include <array>
#include <dlfcn.h>
#include <filesystem>

namespace xdpf {
namespace {

// Beside the program, where a build has it; where an installed program's libraries are; where they were to be
// installed.
std::array<std::filesystem::path, 3> folders()
{
    std::error_code error;
    const auto here = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
    return {here, here / ".." / XDPF_LIBRARIES / "xdpf", std::filesystem::path(XDPF_INSTALLED_LIBRARIES) / "xdpf"};
}

} // namespace

void *load_from_module(const char *module, const char *function)
{
    for (const auto &folder : folders())
        if (void *const loaded = dlopen((folder / module).c_str(), RTLD_NOW | RTLD_LOCAL); loaded != nullptr)
            if (void *const found = dlsym(loaded, function); found != nullptr)
                return found;
    return nullptr;
}

} // namespace xdpf
