// Reading the text of `asm` blocks.
#include "compiler/bpf/codegen.hpp"
#include "compiler/bpf/disassemble.hpp"
#include "tests/unit/bpf/asm_reading.hpp"
#include "tests/unit/bpf/random_programs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>

using namespace xdpf;
using namespace xdpf::bpf;
using testing::read_only;

namespace {

bool same(const Insn &a, const Insn &b) { return std::memcmp(&a, &b, sizeof a) == 0; }

bool same(const std::vector<Insn> &a, const std::vector<Insn> &b)
{
    return std::ranges::equal(a, b, [](const Insn &x, const Insn &y) { return same(x, y); });
}

// The text of one instruction gives this one.
void reads(std::string_view text, Insn wanted)
{
    CAPTURE(std::string(text));
    const auto read = read_only(text);
    REQUIRE_MESSAGE(read.block.has_value(), read.lines());
    REQUIRE(read.block->insns.size() == 1);
    CHECK_MESSAGE(same(read.block->insns[0], wanted), to_text(read.block->insns[0]));
}

Insn changed(Insn insn, int off, unsigned code)
{
    insn.off = static_cast<std::int16_t>(off);
    insn.code = static_cast<std::uint8_t>(code);
    return insn;
}

} // namespace

TEST_CASE("memory")
{
    reads("r2 = *(u32 *)(r1 + 4)", ldx(u32, r2, r1 + 4));
    reads("r2 = *(u8*)(r1+0)", ldx(u8, r2, r1 + 0));
    reads("r2 = *(u64 *)(r10 -8)", ldx(u64, r2, r10 - 8));
    reads("r2 = *(u16 *)(r1)", ldx(u16, r2, r1 + 0));
    reads("r2 = *(u16 *)(r1 + -2)", ldx(u16, r2, r1 - 2));
    reads("r2 = *(u32 *)(r1 + xdp_md.rx_queue_index)", ldx(u32, r2, r1 + offsetof(xdp_md, rx_queue_index)));
    reads("r2 = *(s16 *)(r1 + 4)", changed(ldx(u16, r2, r1 + 4), 4, BPF_LDX | 0x80U | BPF_H));
    reads("*(u16 *)(r10 - 2) = r3", stx(u16, r10 - 2, r3));
    reads("*(u32 *)(r10 - 4) = 7", st(u32, r10 - 4, 7));
    reads("*(u32 *)(r10 - 4) = 0xffffffff", st(u32, r10 - 4, -1));
    reads("*(u64 *)(r10 - 32768) = -1", st(u64, r10 - 32768, -1));
    reads("lock *(u64 *)(r1 + 0) += r2", atomic_add(u64, r1 + 0, r2));
    Insn masked = atomic_add(u32, r1 + 4, r2);
    masked.imm = BPF_AND;
    reads("lock *(u32 *)(r1 + 4) &= r2", masked);
}

TEST_CASE("arithmetic")
{
    constexpr std::array<std::pair<std::string_view, Alu>, 12> signs{{{"=", Alu::mov},
                                                                      {"+=", Alu::add},
                                                                      {"-=", Alu::sub},
                                                                      {"*=", Alu::mul},
                                                                      {"/=", Alu::div},
                                                                      {"%=", Alu::mod},
                                                                      {"&=", Alu::and_},
                                                                      {"|=", Alu::or_},
                                                                      {"^=", Alu::xor_},
                                                                      {"<<=", Alu::lsh},
                                                                      {">>=", Alu::rsh},
                                                                      {"s>>=", Alu::arsh}}};
    for (const auto &[sign, op] : signs) {
        reads(fmt::format("r0 {} r9", sign), alu(op, r0, r9));
        reads(fmt::format("r0 {} 5", sign), alu(op, r0, 5));
        reads(fmt::format("w0 {}w9", sign), alu32(op, r0, r9));
        reads(fmt::format("w0 {}0x1_f", sign), alu32(op, r0, 31));
    }
    reads("r1 s/= r2", changed(alu(Alu::div, r1, r2), 1, BPF_ALU64 | BPF_DIV | BPF_X));
    reads("w1 s%= 3", changed(alu32(Alu::mod, r1, 3), 1, BPF_ALU | BPF_MOD | BPF_K));
    reads("w1 &= 0xff", alu32(Alu::and_, r1, 255));
    reads("w1 = 0xffffffff", mov32(r1, -1));
    reads("r1 = -2147483648", mov(r1, INT32_MIN));
    reads("r1 = -r1", neg(r1));
    reads("w1 = -w1", alu32(Alu::neg, r1, 0));
    reads("r1 = be16 r1", be16(r1));
    reads("r1 = be64 r1", be64(r1));
    reads("r1 = le32 r1", changed(be32(r1), 0, BPF_ALU | BPF_END | BPF_TO_LE));
    reads("r1 = bswap16 r1", changed(be16(r1), 0, BPF_ALU64 | BPF_END));
    reads("r1 = (s8)r2", changed(mov(r1, r2), 8, BPF_ALU64 | BPF_MOV | BPF_X));
    reads("w1 = (s16)w2", changed(mov32(r1, r2), 16, BPF_ALU | BPF_MOV | BPF_X));
}

TEST_CASE("names instead of numbers")
{
    reads("r0 = XDP_REDIRECT", mov(r0, 4));
    reads("r4 = BPF_NOEXIST", mov(r4, 1));
    reads("r3 = BPF_F_BROADCAST", mov(r3, 8));
    reads("call bpf_redirect_map", call(BPF_FUNC_redirect_map));
    reads("call bpf_redirect_map#51", call(BPF_FUNC_redirect_map));
    const std::vector<AsmConstant> constants{{"limit", 9}, {"XDP_PASS", 77}};
    CHECK(same(read_only("r1 = limit; r2 = XDP_PASS", constants).block->insns, {mov(r1, 9), mov(r2, 77)}));
    const auto wide = read_only("r1 = 0x123456789abcdef ll\nr2 = limit ll\nr3 = -1 ll", constants);
    const auto first = ld_imm64(r1, 0x123456789abcdef);
    const auto second = ld_imm64(r2, 9);
    const auto third = ld_imm64(r3, UINT64_MAX);
    CHECK(same(wide.block->insns, {first[0], first[1], second[0], second[1], third[0], third[1]}));
}

TEST_CASE("maps are referred to; the loader puts their descriptors in")
{
    const auto read = read_only("r0 = 1\nr1 = map lru\nr2 = map[ring]; r3 = 1");
    REQUIRE(read.block.has_value());
    const auto map = ld_map_fd(r1, 0);
    CHECK(same(read.block->insns[1], map[0]));
    REQUIRE(read.block->map_references.size() == 2);
    CHECK(read.block->map_references[0].insn == 1);
    CHECK(read.block->map_references[0].map == MapId(4));
    CHECK(read.block->map_references[1].insn == 3);
    CHECK(read.block->map_references[1].map == MapId(9));
}

TEST_CASE("jumps go to labels")
{
    const auto read = read_only("if r1 > 5 goto out; if w1 s< w2 goto out\n"
                                "if r1 & 4 goto far\n goto out\n far: r0 = 1 # here\n out: exit");
    REQUIRE_MESSAGE(read.block.has_value(), read.lines());
    CHECK(same(read.block->insns, {jmp(Test::gt, r1, 5, 4), jmp32(Test::slt, r1, r2, 3), jmp(Test::set, r1, 4, 1),
                                   ja(1), mov(r0, 1), bpf::exit()}));
    constexpr std::array<std::pair<std::string_view, Test>, 11> tests{{{"==", Test::eq},
                                                                       {"!=", Test::ne},
                                                                       {">", Test::gt},
                                                                       {">=", Test::ge},
                                                                       {"<", Test::lt},
                                                                       {"<=", Test::le},
                                                                       {"s>", Test::sgt},
                                                                       {"s>=", Test::sge},
                                                                       {"s<", Test::slt},
                                                                       {"s<=", Test::sle},
                                                                       {"&", Test::set}}};
    for (const auto &[sign, test] : tests) {
        const auto one = read_only(fmt::format("if r3 {0} r4 goto x\nif w3 {0} -1 goto x\nx:exit", sign));
        REQUIRE_MESSAGE(one.block.has_value(), one.lines());
        CHECK(same(one.block->insns, {jmp(test, r3, r4, 1), jmp32(test, r3, -1, 0), bpf::exit()}));
    }
}

TEST_CASE("every instruction knows its place, also where a jump becomes several")
{
    std::string text = "if r1 & 4 goto out\n";
    for (int i = 0; i < 40000; ++i)
        text += "r2 = 5\n";
    const auto read = read_only(text + "out: exit");
    REQUIRE(read.block.has_value());
    const AsmBlock &block = *read.block;
    CHECK(block.insns.size() == 40004);
    REQUIRE(block.spans.size() == block.insns.size());
    for (const std::size_t i : {0, 1, 2})
        CHECK(read.at(block.spans[i]) == "if r1 & 4 goto out");
    CHECK(read.at(block.spans[3]) == "r2 = 5");
    CHECK(read.at(block.spans.back()) == "exit");
    CHECK(read_only("r1 = 5 ll # five\nexit").at(read_only("r1 = 5 ll").block->spans[1]) == "r1 = 5 ll");
}

TEST_CASE("what the disassembler prints reads back")
{
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        const ir::Module module = testing::random_module(seed);
        const auto image = generate(module.programs[0], nullptr);
        REQUIRE(image.has_value());
        std::string text = disassemble(*image, module.maps);
        text.erase(0, text.find('\n')); // its name
        Diagnostics diagnostics;
        const auto block = read_asm(text, Span{FileId(0), 0, 0}, {module.maps, {}}, diagnostics);
        REQUIRE_MESSAGE(block.has_value(), diagnostics.all().front().message);
        CHECK(same(block->insns, image->insns));
        REQUIRE(block->map_references.size() == image->map_references.size());
        for (std::size_t i = 0; i < block->map_references.size(); ++i)
            CHECK(block->map_references[i].map == image->map_references[i].map);
    }
}

TEST_CASE("mistakes of writing")
{
    struct Case {
        std::string_view text;
        std::string_view said;
    };
    constexpr std::array cases{
        Case{"", "asm_syntax '' expected instructions between the braces"},
        Case{"exitt", "asm_syntax 'exitt' expected an instruction, found 'exitt' | did you mean 'exit'?"},
        Case{"= 5", "asm_syntax '=' expected an instruction, found '=' | e.g. `r1 = 5`, `r2 = *(u32 *)(r1 + 4)`, `if "
                    "r2 > r3 goto out`, `call bpf_redirect_map`, `exit`"},
        Case{"r0 + 5", "asm_syntax '+' expected = or an operator like += &= >>=, found '+'"},
        Case{"r0 = ", "asm_syntax '' expected a register, a number or a constant, found the end of the instruction"},
        Case{"r0 = 5 6", "asm_syntax '6' expected the end of the instruction, found '6' | an instruction ends with its "
                         "line or with ';'"},
        Case{"r0 = w1", "asm_syntax 'w1' expected a register of the same width, and 'w1' has 32 bits | write r1"},
        Case{"r0 = 0x80000000", "asm_syntax '0x80000000' expected a number of 32 signed bits here | `r1 = NUMBER ll` "
                                "takes 64 bits; use that register"},
        Case{"w0 = 0x100000000", "asm_syntax '0x100000000' expected a number of 32 bits here | `r1 = NUMBER ll` takes "
                                 "64 bits; use that register"},
        Case{"r0 = 99999999999999999999 ll",
             "number_too_large '99999999999999999999' 99999999999999999999 does not fit into 64 bits"},
        Case{"r0 = 0x", "asm_syntax '0x' expected a number, and '0x' is none"},
        Case{"r0 = 5$", "asm_syntax '$' expected an instruction, and '$' is no part of one"},
        Case{"r0 = XDP_PAS", "asm_name 'XDP_PAS' there is no constant 'XDP_PAS' | did you mean 'XDP_PASS'?"},
        Case{"r11 = 5", "asm_syntax 'r11' expected an instruction, found 'r11' | e.g. `r1 = 5`, `r2 = *(u32 *)(r1 + "
                        "4)`, `if r2 > r3 goto out`, `call bpf_redirect_map`, `exit`"},
        Case{"r0 = *(u33 *)(r1 + 0)", "asm_syntax 'u33' expected u8, u16, u32 or u64, found 'u33'"},
        Case{"r0 = *(u32 *)(r1 + 40000)", "asm_syntax '40000' expected a distance of -32768 to 32767"},
        Case{"r0 = *(u32 *)(w1 + 4)", "asm_syntax 'w1' expected an address, which has 64 bits: r and not w"},
        Case{"r0 = *(u32 *)(r1 * 4)", "asm_syntax '*' expected '+', '-' or ')', found '*'"},
        Case{"w0 = *(u32 *)(r1 + 4)", "asm_syntax 'w0' expected r and not w: a load fills the whole register"},
        Case{"r0 = *(u32 *)(r1 + xdp_md.rx_queue)",
             "asm_name 'rx_queue' there is no field of xdp_md 'rx_queue' | one of: data, data_end, data_meta, "
             "ingress_ifindex, rx_queue_index, egress_ifindex"},
        Case{"r0 = *(u32 *)(r1 + xdp_md.data_ent)",
             "asm_name 'data_ent' there is no field of xdp_md 'data_ent' | did you mean 'data_end'?"},
        Case{"*(s8 *)(r10 - 8) = 1;", "asm_syntax '=' expected u8, u16, u32 or u64 in a store, found '='"},
        Case{"*(u8 *)(r10 - 8) = w1",
             "asm_syntax 'w1' expected r and not w as what is stored, found 'w1' | the type says how many of its bits "
             "are stored"},
        Case{"lock *(u16 *)(r0 + 0) += r1", "asm_syntax '*(u16 *)(r0 + 0)' expected u32 or u64 behind 'lock'"},
        Case{"lock *(u32 *)(r0 + 0) = r1", "asm_syntax '=' expected +=, |=, &= or ^=, found '='"},
        Case{"r1 = -r2", "asm_syntax 'r2' expected 'r1', the register that is assigned, found 'r2' | this instruction "
                         "works in place; copy first"},
        Case{"r1 = be16 r2", "asm_syntax 'r2' expected 'r1', the register that is assigned, found 'r2' | this "
                             "instruction works in place; copy first"},
        Case{"r1 = (u8)r2", "asm_syntax 'u8' expected s8, s16 or s32"},
        Case{"r1 = map xskss", "unknown_map 'xskss' there is no map 'xskss' | did you mean 'xsks'?"},
        Case{"call bpf_redirct_map",
             "asm_name 'bpf_redirct_map' there is no helper 'bpf_redirct_map' | did you mean 'bpf_redirect_map'?"},
        Case{"call 51", "asm_syntax '51' expected the name of a helper, found '51' | e.g. `call bpf_redirect_map`"},
        Case{"call bpf_redirect_map#50", "asm_syntax '50' expected 51, the number of bpf_redirect_map"},
        Case{"if r1 = 5 goto out; out: exit",
             "asm_syntax '=' expected a comparison: == != > >= < <= s> s>= s< s<= &, found '='"},
        Case{"if r1 > 5 exit", "asm_syntax 'exit' expected 'goto', found 'exit'"},
        Case{"goto +4", "asm_syntax '+' expected a label, found '+' | jumps name the label they go to: `goto out`, and "
                        "`out:` before an instruction"},
        Case{"goto aut; out: exit", "asm_name 'aut' there is no label 'aut' | did you mean 'out'?"},
        Case{"a: r0 = 1; if r0 > 1 goto a", "asm_flow 'a' a jump back to 'a': jumps go forward only"},
        Case{"a: r0 = 1; a: exit", "redefined 'a' 'a' is defined twice"},
    };
    for (const Case &one : cases) {
        const auto read = read_only(one.text);
        CHECK_FALSE(read.block.has_value());
        CHECK(read.lines() == std::string(one.said) + "\n");
    }
}

TEST_CASE("every mistake is reported, one an instruction")
{
    const auto read = read_only("r0 = = 5 ) (\nr1 = 7\ncall nothing\ngoto nowhere");
    CHECK_FALSE(read.block.has_value());
    CHECK(read.said.size() == 3);
    CHECK(read_only("\n r0 = 1 # \xc3\xa4 comment; exit\n exit").block->insns.size() == 2);
}

TEST_CASE("no text brings the reader down")
{
    constexpr std::array<std::string_view, 24> scraps{
        "r1", "w2", " ", "*", "(", ")",     "u32",  "=",   "+=",  "if", "goto", "l:", "l", "call", "bpf_redirect#",
        ";",  "\n", "#", "-", "5", "0xfff", "lock", "map", "\xff"};
    std::mt19937_64 random(5);
    for (int i = 0; i < 3000; ++i) {
        std::string text;
        for (std::uint64_t n = random() % 20; n > 0; --n)
            text += std::string(scraps[random() % scraps.size()]) + (random() % 2 == 0 ? " " : "");
        const auto read = testing::read_and_check(text);
        for (const Diagnostic &one : read.said) {
            CHECK(one.span.begin <= one.span.end);
            CHECK(one.span.end <= testing::asm_begin + text.size());
        }
        CHECK(read.block.has_value() == read.said.empty());
    }
}
