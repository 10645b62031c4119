// From rules to IR. Rules become a decision graph of single tests; then the graph is walked together with what is known
// about the packet so far, and each pair of a test and a knowledge becomes one block. A header is looked for when the
// first test asks for it; from then on the code after it knows whether it is there and where. What a packet cannot
// have any more costs nothing: behind "this is UDP" no test of a TCP field is left.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/sema/typed.hpp"

namespace xdpf {

// One IR program for each program of the unit. Limits that are passed (a program that would become too large) go to
// `diagnostics`, as do warnings about keys that can be absent.
[[nodiscard]] ir::Module lower(const sema::Unit &unit, Diagnostics &diagnostics);

} // namespace xdpf
