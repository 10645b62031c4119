#include "compiler/bpf/assembler.hpp"
#include "compiler/bpf/interpret.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace xdpf;
using namespace xdpf::bpf;

namespace {

void fill(Assembler &code, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i)
        code << add(r3, 1);
}

// Returns 1 if r2 (0, 1, 2, …) passes the test against 1, else 0; the jump goes over `between` instructions.
Assembler far_test(Test test, bool with_register, std::size_t between, int value)
{
    Assembler code;
    const Label yes = code.label();
    const Label end = code.label();
    code << mov(r0, 0) << mov(r2, value) << mov(r3, 0) << mov(r4, 1);
    if (with_register)
        code.jump32_if(test, r2, r4, yes);
    else
        code.jump_if(test, r2, 1, yes);
    code.jump(end);
    fill(code, between);
    code.bind(yes) << mov(r0, 1);
    code.bind(end) << bpf::exit();
    return code;
}

std::uint32_t run(const Assembly &assembly)
{
    ProgramImage image;
    image.insns = assembly.insns;
    ir::MapStore maps({});
    std::vector<std::byte> packet(14);
    const auto outcome = interpret(image, maps, packet);
    REQUIRE_MESSAGE(outcome.has_value(), outcome.error());
    return outcome->verdict;
}

} // namespace

TEST_CASE("labels become distances, forwards and backwards")
{
    Assembler code;
    const Label top = code.label();
    const Label end = code.label();
    code.bind(top) << mov(r0, 0);
    code.jump_if(Test::eq, r0, 0, end);
    code << ld_imm64(r1, UINT64_MAX);
    code.jump(top);
    code.bind(end) << bpf::exit();
    const auto out = code.finish();
    REQUIRE(out.has_value());
    REQUIRE(out->insns.size() == 6);
    CHECK(out->insns[1].off == 3);
    CHECK(out->insns[4].off == -5);
    CHECK(out->labels == std::vector<std::uint32_t>{0, 5});
}

// The kernel writes several instructions where a map lookup is called; near jumps over too many cannot be patched.
TEST_CASE("a jump is far where the kernel makes the code longer")
{
    for (const bool calls : {false, true}) {
        Assembler code;
        const Label end = code.label();
        code.jump_if(Test::eq, r1, 0, end);
        fill(code, 32000);
        for (int i = 0; i < 100; ++i)
            code << (calls ? call(BPF_FUNC_map_lookup_elem) : mov(r0, 0));
        code.bind(end) << mov(r0, 0) << exit();
        const auto out = code.finish();
        REQUIRE(out);
        CHECK(out->insns.size() == 32103U + (calls ? 1 : 0));
    }
}

TEST_CASE("a jump of 32767 is near, one more is far")
{
    for (const std::size_t between : {32767U, 32768U}) {
        Assembler code;
        const Label end = code.label();
        code.jump(end);
        fill(code, between);
        code.bind(end) << bpf::exit();
        const auto out = code.finish();
        REQUIRE(out.has_value());
        CHECK(out->insns[0].code == (between == 32767 ? BPF_JMP | BPF_JA : BPF_JMP32 | BPF_JA));
        CHECK(distance_of(out->insns[0]) == static_cast<std::int64_t>(between));
        CHECK(code.finish(FarJumps::refuse).has_value() == (between == 32767));
    }
}

TEST_CASE("far conditional jumps decide as near ones do")
{
    for (const Test test : {Test::eq, Test::ne, Test::lt, Test::le, Test::gt, Test::ge, Test::set})
        for (const bool with_register : {false, true})
            for (const int value : {0, 1, 2, 3}) {
                CAPTURE(static_cast<int>(test));
                CAPTURE(value);
                const auto near = far_test(test, with_register, 10, value).finish();
                const auto far = far_test(test, with_register, 40000, value).finish();
                REQUIRE(near.has_value());
                REQUIRE(far.has_value());
                CHECK(run(*near) == run(*far));
            }
}

TEST_CASE("growing jumps push others out of reach; maps and marks move along")
{
    Assembler code;
    const Label end = code.label();
    const Label later = code.label();
    code.jump_if(Test::eq, r1, 0, end); // beyond reach only when the next jump has grown
    code.jump_if(Test::eq, r1, 1, later);
    fill(code, 32766);
    code.mark(7).ld_map(r1, MapId(4));
    code.bind(end) << mov(r0, 0);
    fill(code, 10);
    code.bind(later) << bpf::exit();
    const auto out = code.finish();
    REQUIRE(out.has_value());
    CHECK(out->insns.size() == code.size() + 2);
    REQUIRE(out->map_references.size() == 1);
    CHECK(out->map_references[0].insn == 2 + 32766 + 2);
    CHECK(out->marks[0].insn == out->map_references[0].insn);
    CHECK(out->insns[out->map_references[0].insn].src == BPF_PSEUDO_MAP_FD);
    CHECK(out->insns[out->labels[0]].code == mov(r0, 0).code);
    CHECK(1 + 1 + distance_of(out->insns[1]) == out->labels[0]);
}

TEST_CASE("errors are data")
{
    Assembler unbound;
    unbound.jump(unbound.label());
    REQUIRE(!unbound.finish().has_value());
    CHECK(unbound.finish().error().kind == AssembleError::Kind::unbound_label);

    Assembler far;
    const Label end = far.label();
    far.jump(end);
    fill(far, 40000);
    far.bind(end) << bpf::exit();
    REQUIRE(!far.finish(FarJumps::refuse).has_value());
    CHECK(far.finish(FarJumps::refuse).error().kind == AssembleError::Kind::far_jump);
    CHECK(far.finish(FarJumps::refuse).error().distance == 40000);
}
