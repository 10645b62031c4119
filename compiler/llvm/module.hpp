// Between load.cpp, which is part of the compiler's library, and the module libxdpf-llvm.so, which is all the rest of
// this folder: LLVM is a large library, and only who asks for it waits until it is loaded.
#pragma once

#include "compiler/llvm/backend.hpp"

namespace xdpf::llvm_backend {

struct Functions {
    decltype(&llvm_backend::generate) generate_program = nullptr;
    decltype(&llvm_backend::to_llvm) text_of_module = nullptr;
};

// Of the module: `extern "C" Functions xdpf_llvm_functions()`.
inline constexpr const char *module_name = "libxdpf-llvm.so";
inline constexpr const char *entry_name = "xdpf_llvm_functions";

} // namespace xdpf::llvm_backend
