// Values as the bytes of keys and values.
#pragma once

#include "compiler/sema/typed.hpp"

#include <cstddef>
#include <vector>

namespace xdpf::sema {

// Writes `value` into out[field.offset, + field.size): numbers in the machine's byte order unless the field says
// otherwise, addresses as they stand in a packet. `out` is large enough.
void encode(const LayoutField &field, u128 value, std::vector<std::byte> &out);

} // namespace xdpf::sema
