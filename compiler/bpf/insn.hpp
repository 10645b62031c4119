// BPF instructions as values, by constructors that read like assembly:
//
//   ldx(u32, r2, r1 + 16)      r2 = *(u32 *)(r1 +16)
//   add(r3, 14)                r3 += 14
//   stx(u64, r10 - 8, r3)      *(u64 *)(r10 -8) = r3
//   call(BPF_FUNC_redirect_map)
//
// Offsets have 16 bits and immediates 32, both signed (the kernel's
// Documentation/bpf/standardization/instruction-set.rst); a number that does not fit is a compile error in a constant
// expression and stops the process otherwise. It is never cut off. Jumps to labels are in assembler.hpp.
#pragma once

#include "compiler/image.hpp"

#include <linux/bpf.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace xdpf::bpf {

// r0: result; r1-r5: arguments, lost in calls; r6-r9: kept by calls; r10: end of the stack frame, read-only.
enum class Reg : std::uint8_t { r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10 };
using enum Reg;

enum class Size : std::uint8_t { u8 = BPF_B, u16 = BPF_H, u32 = BPF_W, u64 = BPF_DW };
using enum Size;

[[nodiscard]] constexpr unsigned bytes_of(Size size) { return size == u8 ? 1 : size == u16 ? 2 : size == u32 ? 4 : 8; }
[[nodiscard]] constexpr Size size_of(unsigned bytes)
{
    return bytes == 1 ? u8 : bytes == 2 ? u16 : bytes == 4 ? u32 : u64;
}

enum class Alu : std::uint8_t {
    add = BPF_ADD,
    sub = BPF_SUB,
    mul = BPF_MUL,
    div = BPF_DIV,
    or_ = BPF_OR,
    and_ = BPF_AND,
    lsh = BPF_LSH,
    rsh = BPF_RSH,
    neg = BPF_NEG,
    mod = BPF_MOD,
    xor_ = BPF_XOR,
    mov = BPF_MOV,
    arsh = BPF_ARSH,
};

// What a conditional jump asks; comparisons are unsigned unless they begin with s. `set`: a & b != 0.
enum class Test : std::uint8_t {
    eq = BPF_JEQ,
    ne = BPF_JNE,
    lt = BPF_JLT,
    le = BPF_JLE,
    gt = BPF_JGT,
    ge = BPF_JGE,
    set = BPF_JSET,
    slt = BPF_JSLT,
    sle = BPF_JSLE,
    sgt = BPF_JSGT,
    sge = BPF_JSGE,
};

// The test that holds when `test` does not; `set` has none.
[[nodiscard]] constexpr Test inverse(Test test)
{
    switch (test) {
    case Test::eq: return Test::ne;
    case Test::ne: return Test::eq;
    case Test::lt: return Test::ge;
    case Test::ge: return Test::lt;
    case Test::gt: return Test::le;
    case Test::le: return Test::gt;
    case Test::slt: return Test::sge;
    case Test::sge: return Test::slt;
    case Test::sgt: return Test::sle;
    case Test::sle: return Test::sgt;
    case Test::set: break;
    }
    return Test::set;
}

// Prints what did not fit and aborts.
[[noreturn]] void field_overflow(const char *field, std::int64_t value);

namespace detail {

template <std::signed_integral T> constexpr T fit(const char *field, std::integral auto value)
{
    if (!std::in_range<T>(value))
        field_overflow(field, static_cast<std::int64_t>(value));
    return static_cast<T>(value);
}

} // namespace detail

struct Off16 {
    std::int16_t value;
    constexpr Off16(std::integral auto number) : value(detail::fit<std::int16_t>("offset", number)) {}
};

struct Imm32 {
    std::int32_t value;
    constexpr Imm32(std::integral auto number) : value(detail::fit<std::int32_t>("immediate", number)) {}
    // The kernel's constants: XDP_PASS, IPPROTO_UDP.
    constexpr Imm32(auto constant) requires std::is_enum_v<decltype(constant)> &&
        std::convertible_to<decltype(constant), std::int32_t>
        : value(detail::fit<std::int32_t>("immediate", static_cast<std::int64_t>(constant)))
    {
    }
};

// A place in memory: r1 + 16.
struct Address {
    Reg base;
    Off16 off;
};
[[nodiscard]] constexpr Address operator+(Reg base, std::integral auto off) { return {base, off}; }
[[nodiscard]] constexpr Address operator-(Reg base, std::integral auto off)
{
    return {base, -static_cast<std::int64_t>(off)};
}

namespace detail {

constexpr Insn make(unsigned code, Reg dst, Reg src, Off16 off, Imm32 imm)
{
    Insn insn;
    insn.code = static_cast<std::uint8_t>(code);
    insn.dst = static_cast<std::uint8_t>(dst) & 15;
    insn.src = static_cast<std::uint8_t>(src) & 15;
    insn.off = off.value;
    insn.imm = imm.value;
    return insn;
}

} // namespace detail

[[nodiscard]] constexpr Insn alu(Alu op, Reg dst, Reg src)
{
    return detail::make(BPF_ALU64 | unsigned(op) | BPF_X, dst, src, 0, 0);
}
[[nodiscard]] constexpr Insn alu(Alu op, Reg dst, Imm32 imm)
{
    return detail::make(BPF_ALU64 | unsigned(op) | BPF_K, dst, r0, 0, imm);
}
// The lower 32 bits; the upper ones of the result are zero.
[[nodiscard]] constexpr Insn alu32(Alu op, Reg dst, Reg src)
{
    return detail::make(BPF_ALU | unsigned(op) | BPF_X, dst, src, 0, 0);
}
[[nodiscard]] constexpr Insn alu32(Alu op, Reg dst, Imm32 imm)
{
    return detail::make(BPF_ALU | unsigned(op) | BPF_K, dst, r0, 0, imm);
}

[[nodiscard]] constexpr Insn mov(Reg dst, Reg src) { return alu(Alu::mov, dst, src); }
[[nodiscard]] constexpr Insn mov(Reg dst, Imm32 imm) { return alu(Alu::mov, dst, imm); }
[[nodiscard]] constexpr Insn mov32(Reg dst, Reg src) { return alu32(Alu::mov, dst, src); }
[[nodiscard]] constexpr Insn mov32(Reg dst, Imm32 imm) { return alu32(Alu::mov, dst, imm); }
[[nodiscard]] constexpr Insn add(Reg dst, Reg src) { return alu(Alu::add, dst, src); }
[[nodiscard]] constexpr Insn add(Reg dst, Imm32 imm) { return alu(Alu::add, dst, imm); }
[[nodiscard]] constexpr Insn sub(Reg dst, Reg src) { return alu(Alu::sub, dst, src); }
[[nodiscard]] constexpr Insn sub(Reg dst, Imm32 imm) { return alu(Alu::sub, dst, imm); }
[[nodiscard]] constexpr Insn and_(Reg dst, Reg src) { return alu(Alu::and_, dst, src); }
[[nodiscard]] constexpr Insn and_(Reg dst, Imm32 imm) { return alu(Alu::and_, dst, imm); }
[[nodiscard]] constexpr Insn or_(Reg dst, Reg src) { return alu(Alu::or_, dst, src); }
[[nodiscard]] constexpr Insn or_(Reg dst, Imm32 imm) { return alu(Alu::or_, dst, imm); }
[[nodiscard]] constexpr Insn xor_(Reg dst, Reg src) { return alu(Alu::xor_, dst, src); }
[[nodiscard]] constexpr Insn xor_(Reg dst, Imm32 imm) { return alu(Alu::xor_, dst, imm); }
[[nodiscard]] constexpr Insn lsh(Reg dst, Imm32 imm) { return alu(Alu::lsh, dst, imm); }
[[nodiscard]] constexpr Insn rsh(Reg dst, Imm32 imm) { return alu(Alu::rsh, dst, imm); }
[[nodiscard]] constexpr Insn neg(Reg dst) { return alu(Alu::neg, dst, 0); }

// The register's lower 16, 32 or 64 bits turned from big-endian into the machine's order or back, the rest zero.
[[nodiscard]] constexpr Insn be16(Reg dst) { return detail::make(BPF_ALU | BPF_END | BPF_TO_BE, dst, r0, 0, 16); }
[[nodiscard]] constexpr Insn be32(Reg dst) { return detail::make(BPF_ALU | BPF_END | BPF_TO_BE, dst, r0, 0, 32); }
[[nodiscard]] constexpr Insn be64(Reg dst) { return detail::make(BPF_ALU | BPF_END | BPF_TO_BE, dst, r0, 0, 64); }

[[nodiscard]] constexpr Insn ldx(Size size, Reg dst, Address from)
{
    return detail::make(BPF_LDX | BPF_MEM | unsigned(size), dst, from.base, from.off, 0);
}
[[nodiscard]] constexpr Insn stx(Size size, Address to, Reg src)
{
    return detail::make(BPF_STX | BPF_MEM | unsigned(size), to.base, src, to.off, 0);
}
[[nodiscard]] constexpr Insn st(Size size, Address to, Imm32 imm)
{
    return detail::make(BPF_ST | BPF_MEM | unsigned(size), to.base, r0, to.off, imm);
}
// *to += src as one operation; u32 and u64 only.
[[nodiscard]] constexpr Insn atomic_add(Size size, Address to, Reg src)
{
    if (size != u32 && size != u64)
        field_overflow("size of an atomic operation", bytes_of(size));
    return detail::make(BPF_STX | BPF_ATOMIC | unsigned(size), to.base, src, to.off, BPF_ADD);
}

// A 64-bit immediate takes the place of two instructions.
using Wide = std::array<Insn, 2>;
[[nodiscard]] constexpr Wide ld_imm64(Reg dst, std::uint64_t imm)
{
    return {detail::make(BPF_LD | BPF_IMM | BPF_DW, dst, r0, 0, static_cast<std::int32_t>(imm)),
            detail::make(0, r0, r0, 0, static_cast<std::int32_t>(imm >> 32))};
}
// The address of the map with this file descriptor.
[[nodiscard]] constexpr Wide ld_map_fd(Reg dst, int fd)
{
    return {detail::make(BPF_LD | BPF_IMM | BPF_DW, dst, Reg{BPF_PSEUDO_MAP_FD}, 0, fd), Insn{}};
}
// The address of a byte of that map's only value.
[[nodiscard]] constexpr Wide ld_map_value_fd(Reg dst, int fd, std::uint32_t offset)
{
    return {detail::make(BPF_LD | BPF_IMM | BPF_DW, dst, Reg{BPF_PSEUDO_MAP_VALUE}, 0, fd),
            detail::make(0, r0, r0, 0, static_cast<std::int32_t>(offset))};
}

[[nodiscard]] constexpr Insn jmp(Test test, Reg a, Reg b, Off16 distance)
{
    return detail::make(BPF_JMP | unsigned(test) | BPF_X, a, b, distance, 0);
}
[[nodiscard]] constexpr Insn jmp(Test test, Reg a, Imm32 imm, Off16 distance)
{
    return detail::make(BPF_JMP | unsigned(test) | BPF_K, a, r0, distance, imm);
}
// Compares the lower 32 bits.
[[nodiscard]] constexpr Insn jmp32(Test test, Reg a, Reg b, Off16 distance)
{
    return detail::make(BPF_JMP32 | unsigned(test) | BPF_X, a, b, distance, 0);
}
[[nodiscard]] constexpr Insn jmp32(Test test, Reg a, Imm32 imm, Off16 distance)
{
    return detail::make(BPF_JMP32 | unsigned(test) | BPF_K, a, r0, distance, imm);
}
[[nodiscard]] constexpr Insn ja(Off16 distance) { return detail::make(BPF_JMP | BPF_JA, r0, r0, distance, 0); }
// With a distance of 32 bits; since Linux 6.6.
[[nodiscard]] constexpr Insn ja_far(Imm32 distance) { return detail::make(BPF_JMP32 | BPF_JA, r0, r0, 0, distance); }

[[nodiscard]] constexpr Insn call(bpf_func_id helper)
{
    return detail::make(BPF_JMP | BPF_CALL, r0, r0, 0, static_cast<int>(helper));
}
// A function of the kernel by its id in the kernel's BTF.
[[nodiscard]] constexpr Insn call_kfunc(std::int32_t id)
{
    return detail::make(BPF_JMP | BPF_CALL, r0, Reg{BPF_PSEUDO_KFUNC_CALL}, 0, id);
}
[[nodiscard]] constexpr Insn exit() { return detail::make(BPF_JMP | BPF_EXIT, r0, r0, 0, 0); }

// From the eight bytes of a struct bpf_insn as a little-endian number.
[[nodiscard]] constexpr Insn insn_from(std::uint64_t word)
{
    return detail::make(word & 0xff, Reg(word >> 8 & 15), Reg(word >> 12 & 15), static_cast<std::int16_t>(word >> 16),
                        static_cast<std::int32_t>(word >> 32));
}

[[nodiscard]] constexpr bool is_wide(Insn insn) { return insn.code == (BPF_LD | BPF_IMM | BPF_DW); }
[[nodiscard]] constexpr unsigned class_of(Insn insn) { return insn.code & 0x07U; }
[[nodiscard]] constexpr unsigned operation_of(Insn insn) { return insn.code & 0xf0U; }
[[nodiscard]] constexpr bool is_jump_class(Insn insn)
{
    return class_of(insn) == BPF_JMP || class_of(insn) == BPF_JMP32;
}
// A jump with a distance, conditional or not.
[[nodiscard]] constexpr bool is_jump(Insn insn)
{
    return is_jump_class(insn) && operation_of(insn) != BPF_CALL && operation_of(insn) != BPF_EXIT;
}
[[nodiscard]] constexpr bool is_conditional(Insn insn) { return is_jump(insn) && operation_of(insn) != BPF_JA; }
// Instructions that a jump goes beyond the next one.
[[nodiscard]] constexpr std::int64_t distance_of(Insn insn)
{
    return insn.code == (BPF_JMP32 | BPF_JA) ? insn.imm : insn.off;
}

} // namespace xdpf::bpf
