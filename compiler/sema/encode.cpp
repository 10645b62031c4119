#include "compiler/sema/encode.hpp"

namespace xdpf::sema {

void encode(const LayoutField &field, u128 value, std::vector<std::byte> &out)
{
    const bool big = field.format != FieldFormat::number || field.big_endian;
    for (std::uint32_t i = 0; i < field.size; ++i, value >>= 8)
        out[field.offset + (big ? field.size - 1 - i : i)] = static_cast<std::byte>(value);
}

} // namespace xdpf::sema
