// How small and how large an expression can come out.
#pragma once

#include "compiler/sema/typed.hpp"

namespace xdpf::sema {

struct Range {
    std::uint64_t low = 0;
    std::uint64_t high = UINT64_MAX;
};

// Of a number. Fields of `self` are narrowed by its `where` condition; wrap-around gives the full range.
[[nodiscard]] Range range_of(const Unit &unit, HeaderId self, ExprId id);

} // namespace xdpf::sema
