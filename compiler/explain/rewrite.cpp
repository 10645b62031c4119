// Steps that change the packet's bytes. Checksums are left as they are: a condition that reads one afterwards is
// uncertain.
#include "compiler/explain/evaluation.hpp"

namespace xdpf::explain {

// From here on the packet's bytes are this evaluation's own.
void Evaluation::own_bytes()
{
    if (!has_changed_)
        rewritten_.assign(packet_.begin(), packet_.end());
    packet_ = rewritten_;
    has_changed_ = true;
}

void Evaluation::write(const sema::SetField &step, const Value &value)
{
    const sema::Field &field = unit_.headers[step.header.header].fields[step.field];
    const auto header = extent_of(step.header);
    const auto place = header ? place_of(field, step.header.header, header->begin) : std::nullopt;
    if (place)
        write(field, *place, value);
}

void Evaluation::write(const sema::Field &field, const Extent &place, const Value &value)
{
    own_bytes();
    const auto bytes = std::span(rewritten_).subspan(place.begin, place.end - place.begin);
    if (field.type == sema::ValueType::bytes) {
        for (std::size_t i = 0; i < bytes.size() && i < value.bytes.size(); ++i)
            bytes[i] = static_cast<std::byte>(value.bytes[i]);
    } else {
        const std::size_t spare = field.little_endian ? 0 : bytes.size() * 8 - field.bit_offset % 8 - field.bits;
        const u128 mask = field.bits >= 128 ? ~u128(0) : (u128(1) << field.bits) - 1;
        u128 kept = mask << spare;
        u128 wanted = (value.number & mask) << spare;
        for (std::size_t i = 0; i < bytes.size(); ++i, kept >>= 8, wanted >>= 8) {
            std::byte &byte = bytes[field.little_endian ? i : bytes.size() - 1 - i];
            byte = (byte & ~static_cast<std::byte>(kept)) | static_cast<std::byte>(wanted);
        }
    }
    ++run_; // headers may lie elsewhere from here on
}

bool Evaluation::perform(const sema::SetField &step)
{
    if (const auto found = value(step.value))
        write(step, *found);
    return false;
}

bool Evaluation::perform(const sema::Swap &step)
{
    const auto left = value(step.left.value);
    const auto right = value(step.right.value);
    if (!left || !right)
        return false;
    const std::string left_bytes(left->bytes); // the packet changes under the views
    const std::string right_bytes(right->bytes);
    write(step.left, {.number = left->number, .bytes = left_bytes});
    write(step.right, {.number = right->number, .bytes = right_bytes});
    return false;
}

} // namespace xdpf::explain
