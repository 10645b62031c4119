// Programs of the language at random: right ones in syntax and types, of all sizes.
#pragma once

#include "tests/diff/engines.hpp"

namespace xdpf::diff {

// The same seed gives the same program.
[[nodiscard]] Subject random_program(std::uint64_t seed);

// Tunnels, labels and options, some of them cut short or with a byte changed; beside mixed_packets().
[[nodiscard]] std::vector<Packet> layered_packets(std::uint64_t seed, std::size_t count);

} // namespace xdpf::diff
