// From parsed files to the typed program.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/sema/modules.hpp"
#include "compiler/sema/typed.hpp"

namespace xdpf::sema {

struct AnalyzeOptions {
    bool rule_counters = false; // each rule counts its packets and their bytes
};

// Names resolved, types checked, tests built. Errors go to `diagnostics`; what is returned then is incomplete and only
// good for looking at.
[[nodiscard]] Unit analyze(const Modules &modules, Sources &sources, Diagnostics &diagnostics,
                           const AnalyzeOptions &options = {});

} // namespace xdpf::sema
