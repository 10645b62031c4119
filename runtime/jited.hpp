// What the kernel's JIT compiler made of a program: machine code, and the lines of the source that it stands for.
#pragma once

#include "runtime/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xdpf::runtime {

struct JitedLine {
    std::size_t offset = 0; // into JitedFunction::code, where its instructions begin
    std::string text;       // the line of the source
};

struct JitedFunction {
    std::uint64_t address = 0; // in the kernel; 0: it does not tell (kernel.kptr_restrict)
    std::vector<std::byte> code;
    std::vector<JitedLine> lines; // in order of offset; empty where the kernel does not tell
};

// The program itself first, then the functions that it calls. Errors: the JIT compiler is off, or the kernel shows its
// code only to root (CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON).
[[nodiscard]] Result<std::vector<JitedFunction>> jited(int program_fd);

} // namespace xdpf::runtime
