// Counts what a program decides, for whoever watches it run.
#pragma once

#include "compiler/ir/ir.hpp"

namespace xdpf::passes {

// The map for it: of each processor a number for each verdict of <linux/bpf.h>. Its name is none of `others`'.
[[nodiscard]] MapSpec verdict_counters(const std::vector<MapSpec> &others);

// Every `return` leads through one block at the end that counts the verdict in `counters`. Instructions that the
// program's author wrote end by themselves and are not counted. Comes before the optimising passes.
void count_verdicts(ir::Program &program, MapId counters);

} // namespace xdpf::passes
