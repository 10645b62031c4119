// What about a packet's headers can change when a field does.
#pragma once

#include "compiler/sema/typed.hpp"

#include <vector>

namespace xdpf::sema {

struct Dependents {
    std::vector<bool> headers; // by HeaderId: whether it is there, how long it is, where it lies
    std::vector<bool> chains;  // by the chain's base: its links, and where it ends
    [[nodiscard]] bool any() const;
};

// Fields that lie on the same bytes count as the same: an item of a list and the headers that stand on it, and headers
// that can stand in the same place.
[[nodiscard]] Dependents dependents_of(const Unit &unit, HeaderId header, const Field &field);

// Whether the condition compares the field, or bytes that may be its own.
[[nodiscard]] bool reads_field(const Unit &unit, PredId condition, HeaderId header, const Field &field);

} // namespace xdpf::sema
