// How large numbers can get, as far as the kernel's verifier can tell too. Results of byte swaps, divisions and
// subtractions are unbounded here although we know better: the verifier does not, or not in every kernel.
#pragma once

#include "compiler/ir/ir.hpp"

namespace xdpf::ir {

// The bound of each value; UINT64_MAX where there is none, and for what is no number.
[[nodiscard]] IdVector<ValueId, std::uint64_t> upper_bounds(const Program &program);

// How far into the packet each pointer can be, which the kernel does not know behind a rebase: the mask is a power of
// two, and the pointer does not move. 0 for what is no packet pointer.
[[nodiscard]] IdVector<ValueId, std::uint64_t> packet_reaches(const Program &program);

// How far into the packet each pointer is at least. 0 for what is no packet pointer.
[[nodiscard]] IdVector<ValueId, std::uint64_t> nearest_places(const Program &program);

// Sets the bound of every packet pointer to what follows from how it is made: of a parameter the largest of its
// arguments, of everything else natural_max(). For whoever makes a graph before all edges into a block are known.
void settle_packet_bounds(Program &program);

} // namespace xdpf::ir
