#include "compiler/bpf/asm_ranges.hpp"

#include <bit>

namespace xdpf::bpf {
namespace {

std::uint64_t all_ones(std::uint64_t bound) { return bound == 0 ? 0 : UINT64_MAX >> std::countl_zero(bound); }

// `most`: the largest number of the width.
Value product(const Value &a, const Value &b, std::uint64_t most)
{
    const std::uint64_t half = most == UINT64_MAX ? UINT32_MAX : UINT16_MAX;
    return a.max <= half && b.max <= half ? number(a.min * b.min, a.max * b.max) : number(0, most);
}

Value bits(Alu op, const Value &a, const Value &b)
{
    const bool known = a.constant() && b.constant();
    const std::uint64_t ones = all_ones(a.max | b.max);
    switch (op) {
    case Alu::and_: return known ? number(a.min & b.min, a.min & b.min) : number(0, std::min(a.max, b.max));
    case Alu::or_: return known ? number(a.min | b.min, a.min | b.min) : number(0, ones);
    default: return known ? number(a.min ^ b.min, a.min ^ b.min) : number(0, ones);
    }
}

Value shifted_left(const Value &a, const Value &b, std::uint64_t most)
{
    const unsigned width = most == UINT64_MAX ? 64 : 32;
    if (!b.constant() || b.min >= width)
        return number();
    if (a.max > std::uint64_t{1} << (width - 1 - b.min))
        return number(0, most);
    return number(a.min << b.min, a.max << b.min);
}

Value in_width(Alu op, const Value &a, const Value &b, std::uint64_t most)
{
    switch (op) {
    case Alu::add: return a.max <= most - b.max ? number(a.min + b.min, a.max + b.max) : number(0, most);
    case Alu::sub: return a.min >= b.max ? number(a.min - b.max, a.max - b.min) : number(0, most);
    case Alu::mul: return product(a, b, most);
    case Alu::and_:
    case Alu::or_:
    case Alu::xor_: return bits(op, a, b);
    case Alu::lsh: return shifted_left(a, b, most);
    case Alu::rsh:
        if (b.constant() && b.min < (most == UINT64_MAX ? 64 : 32))
            return number(a.min >> b.min, a.max >> b.min);
        return number();
    default: return number(); // quotients, signed shifts: older kernels know nothing of them, not even their width
    }
}

} // namespace

Value low_half(const Value &value)
{
    if (value.max <= UINT32_MAX)
        return value;
    const std::uint64_t low = value.min & UINT32_MAX;
    return value.constant() ? number(low, low) : number(0, UINT32_MAX);
}

Value calculate(Alu op, const Value &a, const Value &b, bool wide)
{
    return wide ? in_width(op, a, b, UINT64_MAX) : in_width(op, low_half(a), low_half(b), UINT32_MAX);
}

Value narrowed(const Value &value, Test test, std::uint64_t limit)
{
    Value out = value;
    switch (test) {
    case Test::eq: return limit >= value.min && limit <= value.max ? number(limit, limit) : value;
    case Test::lt:
        if (limit == 0)
            return value;
        out.max = std::min(value.max, limit - 1);
        break;
    case Test::le: out.max = std::min(value.max, limit); break;
    case Test::gt:
        if (limit == UINT64_MAX)
            return value;
        out.min = std::max(value.min, limit + 1);
        break;
    case Test::ge: out.min = std::max(value.min, limit); break;
    default: break;
    }
    return out.min <= out.max ? out : value;
}

Test mirrored(Test test)
{
    switch (test) {
    case Test::lt: return Test::gt;
    case Test::le: return Test::ge;
    case Test::gt: return Test::lt;
    case Test::ge: return Test::le;
    case Test::slt: return Test::sgt;
    case Test::sle: return Test::sge;
    case Test::sgt: return Test::slt;
    case Test::sge: return Test::sle;
    default: return test;
    }
}

} // namespace xdpf::bpf
