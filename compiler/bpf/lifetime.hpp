// When registers hold something that is still wanted. Private to this folder.
#pragma once

#include "compiler/bpf/machine.hpp"

namespace xdpf::bpf {

// Instruction i (ends of blocks count as one) reads at 2i and writes at 2i + 1.
struct Segment {
    std::uint32_t begin = 0;
    std::uint32_t end = 0; // exclusive
};

// In order, apart from each other.
using Lifetime = std::vector<Segment>;

[[nodiscard]] bool overlap(const Lifetime &a, const Lifetime &b);
// Of lifetimes that do not overlap; the second one is empty then. Quick where one of them is short.
void merge(Lifetime &into, Lifetime &from);

// By register, the machine's own included. One pass from the end will do: every edge goes forward.
[[nodiscard]] std::vector<Lifetime> lifetimes_of(const MachineProgram &program);

} // namespace xdpf::bpf
