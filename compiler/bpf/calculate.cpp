#include "compiler/bpf/calculate.hpp"

#include <bit>
#include <cstdint>

namespace xdpf::bpf {
namespace {

// The offset of an instruction tells what became of old ones later: signed divisions, moves that extend.
constexpr int signed_division = 1;

bool is_division(unsigned operation) { return operation == BPF_DIV || operation == BPF_MOD; }

// In 64 bits, of operands extended by their sign; the one quotient that does not fit wraps.
std::uint64_t divide_signed(unsigned operation, std::uint64_t a, std::uint64_t b)
{
    if (b == 0)
        return operation == BPF_DIV ? 0 : a;
    if (b == UINT64_MAX)
        return operation == BPF_DIV ? 0 - a : 0;
    const auto left = static_cast<std::int64_t>(a);
    const auto right = static_cast<std::int64_t>(b);
    return static_cast<std::uint64_t>(operation == BPF_DIV ? left / right : left % right);
}

std::optional<std::uint64_t> swapped(Insn insn, std::uint64_t a)
{
    const auto bits = static_cast<unsigned>(insn.imm);
    if (insn.off != 0 || (bits != 16 && bits != 32 && bits != 64))
        return std::nullopt;
    const bool big = (insn.code & BPF_TO_BE) != 0;
    if (class_of(insn) == BPF_ALU64 && big)
        return std::nullopt;
    const bool native = std::endian::native == std::endian::big ? big : !big;
    if (class_of(insn) == BPF_ALU && native)
        return bits == 64 ? a : a & ((std::uint64_t{1} << bits) - 1);
    return __builtin_bswap64(a) >> (64 - bits);
}

std::optional<std::uint64_t> in_64_bits(unsigned operation, std::uint64_t a, std::uint64_t b, unsigned bits)
{
    const std::uint64_t shift = b & (bits - 1);
    switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_DIV: return b == 0 ? 0 : a / b;
    case BPF_MOD: return b == 0 ? a : a % b;
    case BPF_OR: return a | b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return a << shift;
    case BPF_RSH: return a >> shift;
    case BPF_ARSH: return static_cast<std::uint64_t>(static_cast<std::int64_t>(sign_extended(a, bits)) >> shift);
    case BPF_NEG: return 0 - a;
    case BPF_MOV: return b;
    default: return std::nullopt;
    }
}

} // namespace

std::uint64_t sign_extended(std::uint64_t number, unsigned bits)
{
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(number << (64 - bits)) >> (64 - bits));
}

std::optional<std::uint64_t> calculate(Insn insn, std::uint64_t a, std::uint64_t b)
{
    const unsigned operation = operation_of(insn);
    const unsigned bits = class_of(insn) == BPF_ALU ? 32 : 64;
    if (operation == BPF_END)
        return swapped(insn, a);
    std::optional<std::uint64_t> result;
    if (bits == 32) {
        a = static_cast<std::uint32_t>(a);
        b = static_cast<std::uint32_t>(b);
    }
    if (insn.off == 0) {
        result = in_64_bits(operation, a, b, bits);
    } else if (insn.off == signed_division && is_division(operation)) {
        result = divide_signed(operation, sign_extended(a, bits), sign_extended(b, bits));
    } else if (operation == BPF_MOV && (insn.code & BPF_X) != 0 &&
               (insn.off == 8 || insn.off == 16 || insn.off == 32) && static_cast<unsigned>(insn.off) < bits) {
        result = sign_extended(b, static_cast<unsigned>(insn.off));
    }
    if (result && bits == 32)
        result = static_cast<std::uint32_t>(*result);
    return result;
}

std::optional<bool> holds(Insn insn, std::uint64_t a, std::uint64_t b)
{
    if (class_of(insn) == BPF_JMP32) {
        a = sign_extended(a, 32); // keeps both orders
        b = sign_extended(b, 32);
    }
    const auto left = static_cast<std::int64_t>(a);
    const auto right = static_cast<std::int64_t>(b);
    switch (operation_of(insn)) {
    case BPF_JEQ: return a == b;
    case BPF_JNE: return a != b;
    case BPF_JLT: return a < b;
    case BPF_JLE: return a <= b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    case BPF_JSET: return (a & b) != 0;
    case BPF_JSLT: return left < right;
    case BPF_JSLE: return left <= right;
    case BPF_JSGT: return left > right;
    case BPF_JSGE: return left >= right;
    default: return std::nullopt;
    }
}

std::optional<std::uint64_t> exchange(Insn insn, std::uint64_t old, std::uint64_t operand, std::uint64_t other)
{
    switch (insn.imm & ~BPF_FETCH) {
    case BPF_ADD: return old + operand;
    case BPF_OR: return old | operand;
    case BPF_AND: return old & operand;
    case BPF_XOR: return old ^ operand;
    case BPF_XCHG & ~BPF_FETCH: return (insn.imm & BPF_FETCH) != 0 ? std::optional(operand) : std::nullopt;
    case BPF_CMPXCHG & ~BPF_FETCH:
        return (insn.imm & BPF_FETCH) != 0 ? std::optional(old == other ? operand : old) : std::nullopt;
    default: return std::nullopt;
    }
}

} // namespace xdpf::bpf
