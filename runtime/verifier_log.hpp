// Reads the kernel verifier's log: where in the source it stopped, and why.
#pragma once

#include "compiler/image.hpp"
#include "runtime/error.hpp"

#include <string>
#include <string_view>

namespace xdpf::runtime {

struct Rejection {
    SourcePlace place;   // line 0: only the text, or nothing, is known
    std::string message; // the verifier's last one or two sentences
};

// Kernels from 6.10 on print "; TEXT @ file:line" before the instructions of a line, older ones "; TEXT". Where the log
// names no line, the number of the last instruction is looked up in the program's own line table.
[[nodiscard]] Rejection read_rejection(std::string_view log, const ProgramImage &program);

} // namespace xdpf::runtime
