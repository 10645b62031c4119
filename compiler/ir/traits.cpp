#include "compiler/ir/traits.hpp"

#include <cassert>

namespace xdpf::ir {

bool gives_status(Op op)
{
    switch (shape_of(op)) {
    case Shape::adjust:
    case Shape::rx_meta:
    case Shape::update:
    case Shape::erase:
    case Shape::copy_packet: return true;
    default: return op == Op::push_value;
    }
}

bool has_result(Op op)
{
    switch (shape_of(op)) {
    case Shape::store_packet:
    case Shape::store_slot:
    case Shape::store_map:
    case Shape::tail_call:
    case Shape::submit: return false;
    default: return !gives_status(op);
    }
}

ValueKind result_kind(Op op)
{
    switch (op) {
    case Op::packet_start:
    case Op::offset:
    case Op::rebase: return ValueKind::packet;
    case Op::packet_end: return ValueKind::packet_end;
    case Op::meta_start: return ValueKind::meta;
    case Op::map_value:
    case Op::element:
    case Op::lookup: return ValueKind::map_value;
    case Op::reserve: return ValueKind::record;
    default: return ValueKind::number;
    }
}

std::uint64_t natural_max(const Program &program, const Inst &inst)
{
    switch (inst.op) {
    case Op::constant:
    case Op::rebase: return inst.imm;
    case Op::packet_start: return 0;
    case Op::context:
    case Op::random:
    case Op::cpu:
    case Op::whole_length: return UINT32_MAX;
    case Op::load:
    case Op::load_slot:
    case Op::load_map: return max_of_width(inst.width);
    case Op::offset: {
        if (!inst.a.valid())
            return UINT64_MAX;
        const std::uint64_t base = program.values[inst.a].max;
        return base > UINT64_MAX - inst.imm ? UINT64_MAX : base + inst.imm;
    }
    default: return UINT64_MAX;
    }
}

bool is_pure(Op op)
{
    switch (shape_of(op)) {
    case Shape::constant:
    case Shape::nullary:
    case Shape::context:
    case Shape::load:
    case Shape::unary:
    case Shape::binary:
    case Shape::offset:
    case Shape::element:
    case Shape::map_value: return true;
    case Shape::query:
    case Shape::store_packet:
    case Shape::adjust:
    case Shape::load_slot:
    case Shape::store_slot:
    case Shape::rx_meta:
    case Shape::load_map:
    case Shape::store_map:
    case Shape::lookup:
    case Shape::update:
    case Shape::erase:
    case Shape::push:
    case Shape::redirect:
    case Shape::tail_call:
    case Shape::reserve:
    case Shape::copy_packet:
    case Shape::submit: return false;
    }
    return false;
}

bool is_droppable(Op op)
{
    return is_pure(op) || op == Op::load_map || op == Op::load_slot || op == Op::now || op == Op::cpu ||
           op == Op::whole_length || op == Op::peek;
}

bool moves_packet(Op op) { return shape_of(op) == Shape::adjust || op == Op::tail_call; }

bool writes_packet(Op op) { return op == Op::store_packet || moves_packet(op); }

bool is_load(Op op) { return op == Op::load || op == Op::load_slot || op == Op::load_map; }

bool is_commutative(Op op)
{
    return op == Op::add || op == Op::mul || op == Op::bit_and || op == Op::bit_or || op == Op::bit_xor;
}

std::uint64_t swap_bytes(std::uint64_t number, unsigned width)
{
    std::uint64_t swapped = 0;
    for (unsigned i = 0; i < width; ++i)
        swapped |= (number >> (8 * i) & 0xff) << (8 * (width - 1 - i));
    return swapped;
}

std::uint64_t evaluate(Op op, std::uint64_t a, std::uint64_t b)
{
    switch (op) {
    case Op::add: return a + b;
    case Op::sub:
    case Op::distance: return a - b;
    case Op::mul: return a * b;
    case Op::div: return b == 0 ? 0 : a / b;
    case Op::mod: return b == 0 ? a : a % b;
    case Op::bit_and: return a & b;
    case Op::bit_or: return a | b;
    case Op::bit_xor: return a ^ b;
    case Op::shl: return a << (b & 63);
    case Op::shr: return a >> (b & 63);
    case Op::neg: return 0 - a;
    case Op::complement: return ~a;
    default: assert(!"no arithmetic"); return 0;
    }
}

bool evaluate(Cond cond, std::uint64_t a, std::uint64_t b)
{
    switch (cond) {
    case Cond::eq: return a == b;
    case Cond::ne: return a != b;
    case Cond::lt: return a < b;
    case Cond::le: return a <= b;
    case Cond::gt: return a > b;
    case Cond::ge: return a >= b;
    case Cond::set: return (a & b) != 0;
    case Cond::clear: return (a & b) == 0;
    }
    return false;
}

Cond inverse(Cond cond)
{
    constexpr std::array inverses{Cond::ne, Cond::eq, Cond::ge, Cond::gt, Cond::le, Cond::lt, Cond::clear, Cond::set};
    return inverses[static_cast<std::size_t>(cond)];
}

Cond mirrored(Cond cond)
{
    constexpr std::array mirrors{Cond::eq, Cond::ne, Cond::gt, Cond::ge, Cond::lt, Cond::le, Cond::set, Cond::clear};
    return mirrors[static_cast<std::size_t>(cond)];
}

} // namespace xdpf::ir
