// Random programs of the IR, right by construction: guards before loads, bounded distances, maps, calls, many live
// values, edges that set parameters.
#pragma once

#include "compiler/ir/ir.hpp"

namespace xdpf::testing {

// The same for the same seed. Its maps: 0 an xskmap, 1 an array of 4, 2 a hash of 64; values of 16 bytes.
[[nodiscard]] ir::Module random_module(std::uint64_t seed);

} // namespace xdpf::testing
