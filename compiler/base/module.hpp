// Parts of xdpf that stand beside the program and are loaded when they are asked for: they need large libraries, and
// only who uses them waits until those are loaded.
#pragma once

namespace xdpf {

// A function of a module, "libxdpf-llvm.so"; nullptr: this build or installation is without it.
[[nodiscard]] void *load_from_module(const char *module, const char *function);

} // namespace xdpf
