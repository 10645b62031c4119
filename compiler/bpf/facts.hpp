// What selection wants to know of the values of a program. Private to this folder.
#pragma once

#include "compiler/ir/ir.hpp"

#include <optional>

namespace xdpf::bpf {

struct ValueFacts {
    std::uint32_t uses = 0; // by what is itself used; 0: dead
    std::optional<std::uint64_t> constant;
    std::uint64_t max = UINT64_MAX; // no more than this
    std::uint8_t swapped = 0;       // not 0: kept in a big-endian field's own order of this many bytes
};

struct Facts {
    IdVector<ir::ValueId, ValueFacts> values;
    IdVector<ir::BlockId, std::uint32_t> edges_in; // 0: out of reach
};

[[nodiscard]] Facts gather_facts(const ir::Program &program);

} // namespace xdpf::bpf
