// Programs that go on with each other by tail call have to be alike for the kernel to take them into one table
// (bpf_prog_map_compatible of kernel/bpf/core.c).
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/sema/typed.hpp"

#include <vector>

namespace xdpf {

// The programs that this one may go on with, by index, each once, in the order of their first `goto`.
[[nodiscard]] std::vector<std::size_t> goes_on_with(const ir::Program &program);

// Whether it reads what the device knows of a packet (rx_hash, rx_timestamp, rx_vlan): it is bound to its interface
// then.
[[nodiscard]] bool reads_metadata(const ir::Program &program);

// How many programs can follow each other, those that come back to one of them counted up to there.
[[nodiscard]] std::size_t longest_row(const ir::Module &module);

// Reports each `goto` between programs that the kernel would not let go on with each other.
void check_gotos(const std::vector<sema::Program> &programs, const ir::Module &module, Diagnostics &diagnostics);

} // namespace xdpf
