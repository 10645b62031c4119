// Programs of the language at random: right ones in syntax and types, of all sizes.
#pragma once

#include "tests/diff/engines.hpp"

namespace xdpf::diff {

// The same seed gives the same program.
[[nodiscard]] Subject random_program(std::uint64_t seed);

} // namespace xdpf::diff
