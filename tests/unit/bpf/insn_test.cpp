#include "compiler/bpf/disassemble.hpp"
#include "compiler/bpf/insn.hpp"

#include <doctest/doctest.h>

#include <cstring>

using namespace xdpf;
using namespace xdpf::bpf;

namespace {

bpf_insn kernel_insn(unsigned code, unsigned dst, unsigned src, int off, int imm)
{
    bpf_insn insn{};
    insn.code = static_cast<__u8>(code);
    insn.dst_reg = dst & 15;
    insn.src_reg = src & 15;
    insn.off = static_cast<__s16>(off);
    insn.imm = imm;
    return insn;
}

bool same(Insn insn, const bpf_insn &expected) { return std::memcmp(&insn, &expected, sizeof expected) == 0; }

} // namespace

TEST_CASE("constructors give the kernel's encoding")
{
    CHECK(same(mov(r3, r4), kernel_insn(BPF_ALU64 | BPF_MOV | BPF_X, 3, 4, 0, 0)));
    CHECK(same(mov(r3, -7), kernel_insn(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, -7)));
    CHECK(same(mov32(r3, 7), kernel_insn(BPF_ALU | BPF_MOV | BPF_K, 3, 0, 0, 7)));
    CHECK(same(and_(r1, 15), kernel_insn(BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, 15)));
    CHECK(same(be32(r9), kernel_insn(BPF_ALU | BPF_END | BPF_TO_BE, 9, 0, 0, 32)));
    CHECK(same(ldx(u16, r2, r1 + 12), kernel_insn(BPF_LDX | BPF_MEM | BPF_H, 2, 1, 12, 0)));
    CHECK(same(stx(u64, r10 - 8, r6), kernel_insn(BPF_STX | BPF_MEM | BPF_DW, 10, 6, -8, 0)));
    CHECK(same(st(u8, r10 - 3, 9), kernel_insn(BPF_ST | BPF_MEM | BPF_B, 10, 0, -3, 9)));
    CHECK(same(atomic_add(u64, r0 + 8, r1), kernel_insn(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 8, BPF_ADD)));
    CHECK(same(jmp(Test::gt, r3, r2, 5), kernel_insn(BPF_JMP | BPF_JGT | BPF_X, 3, 2, 5, 0)));
    CHECK(same(jmp32(Test::eq, r3, -1, -5), kernel_insn(BPF_JMP32 | BPF_JEQ | BPF_K, 3, 0, -5, -1)));
    CHECK(same(ja_far(100000), kernel_insn(BPF_JMP32 | BPF_JA, 0, 0, 0, 100000)));
    CHECK(same(call(BPF_FUNC_redirect_map), kernel_insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map)));
    CHECK(same(bpf::exit(), kernel_insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)));
    const Wide wide = ld_imm64(r5, 0x123456789abcdef0);
    CHECK(same(wide[0], kernel_insn(BPF_LD | BPF_IMM | BPF_DW, 5, 0, 0, static_cast<int>(0x9abcdef0))));
    CHECK(same(wide[1], kernel_insn(0, 0, 0, 0, 0x12345678)));
    CHECK(same(ld_map_fd(r1, 3)[0], kernel_insn(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, 3)));
}

TEST_CASE("constructors work at compile time and take the ends of their fields")
{
    static_assert(ldx(u32, r2, r1 + 32767).off == 32767);
    static_assert(ldx(u32, r2, r1 - 32768).off == -32768);
    static_assert(mov(r0, INT32_MIN).imm == INT32_MIN);
    static_assert(inverse(inverse(Test::sle)) == Test::sle);
}

TEST_CASE("text of single instructions")
{
    CHECK(to_text(ldx(u32, r2, r1 + 16)) == "r2 = *(u32 *)(r1 +16)");
    CHECK(to_text(stx(u64, r10 - 8, r3)) == "*(u64 *)(r10 -8) = r3");
    CHECK(to_text(st(u16, r10 - 2, 7)) == "*(u16 *)(r10 -2) = 7");
    CHECK(to_text(atomic_add(u32, r0 + 4, r2)) == "lock *(u32 *)(r0 +4) += r2");
    CHECK(to_text(add(r3, -5)) == "r3 += -5");
    CHECK(to_text(alu32(Alu::rsh, r3, r4)) == "w3 >>= w4");
    CHECK(to_text(neg(r1)) == "r1 = -r1");
    CHECK(to_text(be16(r1)) == "r1 = be16 r1");
    CHECK(to_text(jmp(Test::set, r3, 8, 4)) == "if r3 & 8 goto +4");
    CHECK(to_text(jmp32(Test::le, r3, r1, -4)) == "if w3 <= w1 goto -4");
    CHECK(to_text(ja(2)) == "goto +2");
    CHECK(to_text(call(BPF_FUNC_redirect_map)) == "call bpf_redirect_map#51");
    CHECK(to_text(ld_imm64(r1, 1ULL << 40)[0], ld_imm64(r1, 1ULL << 40)[1]) == "r1 = 0x10000000000 ll");
    const auto changed = [](Insn insn, unsigned code, int off, int imm) {
        insn.code = static_cast<std::uint8_t>(code);
        insn.off = static_cast<std::int16_t>(off);
        insn.imm = imm;
        return insn;
    };
    CHECK(to_text(changed(alu(Alu::div, r1, r2), BPF_ALU64 | BPF_DIV | BPF_X, 1, 0)) == "r1 s/= r2");
    CHECK(to_text(changed(mov32(r1, r2), BPF_ALU | BPF_MOV | BPF_X, 8, 0)) == "w1 = (s8)w2");
    CHECK(to_text(changed(be32(r1), BPF_ALU64 | BPF_END, 0, 32)) == "r1 = bswap32 r1");
    CHECK(to_text(changed(ldx(u16, r2, r1 + 4), BPF_LDX | BPF_H | 0x80U, 4, 0)) == "r2 = *(s16 *)(r1 +4)");
    const Insn atomic = atomic_add(u64, r10 - 8, r1);
    CHECK(to_text(changed(atomic, atomic.code, -8, BPF_XOR)) == "lock *(u64 *)(r10 -8) ^= r1");
    CHECK(to_text(changed(atomic, atomic.code, -8, BPF_OR | BPF_FETCH)) == "r1 = fetch *(u64 *)(r10 -8) |= r1");
    CHECK(to_text(changed(atomic, atomic.code, -8, BPF_XCHG)) == "r1 = xchg(*(u64 *)(r10 -8), r1)");
    CHECK(to_text(call_kfunc(7)) == "call kernel-function#7");
    CHECK(to_text(ld_map_value_fd(r1, 3, 8)[0], ld_map_value_fd(r1, 3, 8)[1]) == "r1 = map[fd:3][0]+8");
    CHECK(same(insn_from(0xfffffff8fff8a17bULL), kernel_insn(0x7b, 1, 10, -8, -8)));
    Insn strange;
    strange.code = 0xff;
    CHECK(to_text(strange) == ".insn 0xff r0 r0 0 0");
}
