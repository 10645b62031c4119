// A program in the kernel, filled like the interpreters' maps, and what is left in its maps.
#pragma once

#include "runtime/kernel_program.hpp"
#include "tests/diff/engines.hpp"
#include "tests/diff/interpreted.hpp"

#include <span>
#include <string>
#include <vector>

namespace xdpf::diff {

void fill_maps(runtime::KernelProgram &program, const Subject &subject, std::vector<std::string> &problems);

// What is different; empty: nothing. Values are compared with those of `expected`, whose maps were run over the same
// packets. `records` are those that were submitted, in order, without regard to the time that they begin with.
[[nodiscard]] std::vector<std::string> differences(runtime::KernelProgram &program, const ir::MapStore &expected,
                                                   const std::vector<std::pair<std::size_t, Bytes>> &records,
                                                   std::span<const RecordType> types);

} // namespace xdpf::diff
