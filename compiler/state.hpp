// What a compilation keeps; private to the compiler's own files.
#pragma once

#include "compiler/compile.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/lower/lower.hpp"
#include "compiler/sema/modules.hpp"
#include "compiler/sema/typed.hpp"
#include "compiler/split.hpp"

#include <optional>

namespace xdpf {

struct Compilation::State {
    Sources sources;
    Diagnostics diagnostics;
    sema::Modules modules;
    sema::Unit unit;
    SplitPrograms split; // those of the unit in parts, where one of them is beyond what the kernel takes
    std::vector<std::string> whys_split; // by program of the unit: why it is
    // What `module` is made of.
    [[nodiscard]] const std::vector<sema::Program> &lowered() const
    {
        return split.programs.empty() ? unit.programs : split.programs;
    }
    ir::Module module;
    // The module in which each instruction that returns stands for the rule that decides, whatever form the rules have
    // in `module`; that one where this would be too large.
    [[nodiscard]] const ir::Module &reference() const;
    mutable std::optional<ir::Module> by_rule;
    std::vector<RunForm> forms; // of the runs of rules in `module`
    Image image;
};

} // namespace xdpf
