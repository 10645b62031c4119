// One try to make instructions of all programs of a unit, or of the parts that they are split into.
#pragma once

#include "compiler/compile.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/lower/lower.hpp"
#include "compiler/split.hpp"
#include "compiler/state.hpp"

#include <string>
#include <vector>

namespace xdpf {

struct Attempt {
    ir::Module module;
    bool is_complete = false; // a program that becomes far too large is not in it
    std::vector<RunForm> forms;
    std::vector<ProgramImage> programs;
    MapId verdict_counters;
    Diagnostics diagnostics;
    std::vector<Splitter::Share> shares; // of what the kernel takes, by program
    std::size_t beyond = 0;              // programs that are more than that: errors that splitting can do away with
    std::vector<std::string> whys;       // by program; empty: it is not

    // Whether there is something to split, and nothing else in the way.
    [[nodiscard]] bool is_only_too_large() const { return beyond != 0 && diagnostics.errors() == beyond; }
};

// `split` without programs: the unit's own.
[[nodiscard]] Attempt attempt(const Compilation::State &state, const CompileOptions &options,
                              const SplitPrograms &split = {});

// Counts the verdicts of `module`, which is made of `programs`, in a map that it gets for that.
MapId count_verdicts(const std::vector<sema::Program> &programs, ir::Module &module);

} // namespace xdpf
