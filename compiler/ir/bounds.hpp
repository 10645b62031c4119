// How large numbers can get, as far as the kernel's verifier can tell too. Results of byte swaps, divisions and
// subtractions are unbounded here although we know better: the verifier does not, or not in every kernel.
#pragma once

#include "compiler/ir/ir.hpp"

namespace xdpf::ir {

// The bound of each value; UINT64_MAX where there is none, and for what is no number.
[[nodiscard]] IdVector<ValueId, std::uint64_t> upper_bounds(const Program &program);

} // namespace xdpf::ir
