// Predicates that a run of many rules can hold: some conjunctions of tests of single fields, of which one has to hold.
#pragma once

#include "compiler/lower/decision.hpp"

namespace xdpf::lowering {

// False where the predicate tests something else than fields at fixed places and the presence of headers, or where
// there would be too many alternatives.
[[nodiscard]] bool has_alternatives(const sema::Unit &unit, const Facts &facts, sema::PredId id);

// Without a target and a head. Those that no packet meets are left out, so it may be none.
[[nodiscard]] std::vector<RunRule> alternatives_of(const sema::Unit &unit, Facts &facts, sema::PredId id);

} // namespace xdpf::lowering
