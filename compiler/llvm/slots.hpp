// The stack: which slots of a program share a place, because they are not in use at the same time. LLVM has no loops
// and branches to look at here that would tell it more. Private to this folder.
#pragma once

#include "compiler/ir/ir.hpp"

#include <vector>

namespace xdpf::llvm_backend {

struct SlotPlaces {
    IdVector<ir::SlotId, std::size_t> place; // of each slot that is used: index into sizes
    std::vector<std::uint32_t> sizes;        // bytes
};

[[nodiscard]] SlotPlaces place_slots(const ir::Program &program);

} // namespace xdpf::llvm_backend
