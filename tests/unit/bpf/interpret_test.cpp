#include "compiler/bpf/interpret.hpp"

#include "compiler/bpf/assembler.hpp"
#include "compiler/bpf/calculate.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>

using namespace xdpf;
using namespace xdpf::bpf;

namespace {

std::vector<MapSpec> test_maps()
{
    MapSpec spec;
    spec.name = "hits";
    spec.kind = MapKind::array;
    spec.key.size = 4;
    spec.value.size = 8;
    spec.max_entries = 2;
    MapSpec ring;
    ring.name = "ring";
    ring.kind = MapKind::ringbuf;
    ring.max_entries = 4096;
    return {spec, ring};
}

std::expected<Outcome, std::string> run(const Assembler &code)
{
    const auto assembly = code.finish();
    REQUIRE(assembly.has_value());
    ProgramImage image;
    image.insns = assembly->insns;
    image.map_references = assembly->map_references;
    ir::MapStore maps(test_maps());
    std::vector<std::byte> packet(20);
    packet[12] = std::byte{8};
    return interpret(image, maps, packet, {.rx_queue = 5});
}

bool fails(const Assembler &code, std::string_view why)
{
    const auto outcome = run(code);
    return !outcome && outcome.error().find(why) != std::string::npos;
}

} // namespace

TEST_CASE("context, packet and stack can be read where they are")
{
    Assembler code;
    code << ldx(u32, r2, r1 + 0) << ldx(u32, r6, r1 + 16) << ldx(u16, r0, r2 + 12) << stx(u64, r10 - 8, r6)
         << ldx(u64, r3, r10 - 8) << add(r0, r3) << bpf::exit();
    const auto outcome = run(code);
    REQUIRE_MESSAGE(outcome.has_value(), outcome.error());
    CHECK(outcome->verdict == 8 + 5);
    CHECK(outcome->executed == 7);
}

TEST_CASE("what the kernel's verifier would refuse is an error")
{
    const auto made = [](auto... insns) {
        Assembler code;
        (code << ... << insns);
        return code;
    };
    CHECK(fails(made(bpf::exit()), "r0 holds nothing"));
    CHECK(fails(made(mov(r0, r7), bpf::exit()), "r7 holds nothing"));
    CHECK(fails(made(ldx(u64, r0, r10 - 8), bpf::exit()), "was not written"));
    CHECK(fails(made(st(u32, r10 - 8, 1), ldx(u64, r0, r10 - 8), bpf::exit()), "was not written"));
    CHECK(fails(made(st(u32, r10 - 516, 1), bpf::exit()), "nobody's"));
    CHECK(fails(made(st(u32, r10 - 2, 1), bpf::exit()), "nobody's"));
    CHECK(fails(made(ldx(u32, r2, r1 + 0), ldx(u32, r0, r2 + 17), bpf::exit()), "nobody's"));
    CHECK(fails(made(ldx(u32, r2, r1 + 0), ldx(u8, r0, r2 - 1), bpf::exit()), "nobody's"));
    CHECK(fails(made(ldx(u32, r0, r1 + 24), bpf::exit()), "no such field"));
    CHECK(fails(made(ldx(u32, r0, r1 + 20), bpf::exit()), "no such field")); // egress_ifindex: for programs of devmaps
    CHECK(fails(made(ldx(u64, r0, r1 + 0), bpf::exit()), "4 bytes"));
    CHECK(fails(made(mov(r0, 0), ldx(u32, r0, r0 + 0), bpf::exit()), "nobody's"));
    CHECK(fails(made(mov(r10, 0)), "r10"));
    CHECK(fails(made(call(BPF_FUNC_redirect_map)), "not a map"));
    CHECK(fails(made(mov(r0, 0)), "past its end"));
}

TEST_CASE("calls take their arguments away, and map values have their size")
{
    const auto with_lookup = [](auto... behind) {
        Assembler code;
        code << st(u32, r10 - 4, 1) << mov(r2, r10) << add(r2, -4);
        code.ld_map(r1, MapId(0)) << call(BPF_FUNC_map_lookup_elem);
        (code << ... << behind);
        return code;
    };
    CHECK(fails(with_lookup(mov(r0, r2), bpf::exit()), "r2 holds nothing"));
    CHECK(fails(with_lookup(ldx(u32, r0, r0 + 5), bpf::exit()), "nobody's"));
    const auto outcome = run(
        with_lookup(st(u64, r0 + 0, 40), mov(r1, 2), atomic_add(u64, r0 + 0, r1), ldx(u64, r0, r0 + 0), bpf::exit()));
    REQUIRE_MESSAGE(outcome.has_value(), outcome.error());
    CHECK(outcome->verdict == 42);
}

TEST_CASE("arithmetic as the kernel's documents have it")
{
    const auto made = [](unsigned code, int off = 0, int imm = 0) {
        Insn insn;
        insn.code = static_cast<std::uint8_t>(code);
        insn.off = static_cast<std::int16_t>(off);
        insn.imm = imm;
        return insn;
    };
    const auto minus = [](std::uint64_t number) { return 0 - number; };
    constexpr unsigned wide = BPF_ALU64 | BPF_X;
    constexpr unsigned narrow = BPF_ALU | BPF_X;
    CHECK(calculate(made(wide | BPF_DIV), minus(8), 2) == (minus(8) >> 1));
    CHECK(calculate(made(wide | BPF_DIV, 1), minus(7), 2) == minus(3)); // towards zero
    CHECK(calculate(made(wide | BPF_MOD, 1), minus(7), 2) == minus(1));
    CHECK(calculate(made(wide | BPF_MOD, 1), minus(7), 0) == minus(7));
    CHECK(calculate(made(wide | BPF_DIV, 1), 1ULL << 63, minus(1)) == 1ULL << 63);
    CHECK(calculate(made(narrow | BPF_DIV, 1), 0xfffffff9, 2) == 0xfffffffd);
    CHECK(calculate(made(narrow | BPF_ADD), 0xffffffff, 1) == 0);
    CHECK(calculate(made(wide | BPF_ARSH), minus(8), 1 + 64) == minus(4));
    CHECK(calculate(made(narrow | BPF_ARSH), 0x80000000, 4) == 0xf8000000);
    CHECK(calculate(made(narrow | BPF_LSH), 1, 33) == 2);
    CHECK(calculate(made(wide | BPF_MOV, 8), 0, 0x180) == minus(0x80));
    CHECK(calculate(made(wide | BPF_MOV, 32), 0, 0x80000000) == minus(0x80000000));
    CHECK(calculate(made(narrow | BPF_MOV, 16), 0, 0x8000) == 0xffff8000);
    CHECK(!calculate(made(narrow | BPF_MOV, 32), 0, 1));
    CHECK(!calculate(made(wide | BPF_ADD, 1), 0, 1));
    CHECK(calculate(made(BPF_ALU | BPF_END | BPF_TO_BE, 0, 16), 0xaa1122, 0) == 0x2211);
    CHECK(calculate(made(BPF_ALU | BPF_END | BPF_TO_LE, 0, 32), 0xaa11223344, 0) == 0x11223344);
    CHECK(calculate(made(BPF_ALU64 | BPF_END, 0, 64), 0x1122, 0) == 0x2211000000000000);
    CHECK(!calculate(made(BPF_ALU | BPF_END | BPF_TO_BE, 0, 8), 1, 0));
    CHECK(holds(made(BPF_JMP | BPF_JSLT), minus(1), 0) == true);
    CHECK(holds(made(BPF_JMP | BPF_JLT), minus(1), 0) == false);
    CHECK(holds(made(BPF_JMP32 | BPF_JSGE), 0x1'80000000, 0) == false);
    CHECK(holds(made(BPF_JMP32 | BPF_JGT), 0x1'80000000, 0x7fffffff) == true);
    CHECK(holds(made(BPF_JMP32 | BPF_JSET), 1ULL << 32, 1ULL << 32) == false);
}

TEST_CASE("atomic operations and loads that extend")
{
    const auto atomic = [](int operation, unsigned size) {
        Insn insn = atomic_add(static_cast<Size>(size), r10 - 8, r1);
        insn.imm = operation;
        return insn;
    };
    const auto after = [&](int operation, auto... behind) {
        Assembler code;
        code << mov(r0, 12) << st(u64, r10 - 8, 12) << mov(r1, 10) << atomic(operation, BPF_DW);
        static_cast<void>((code << ... << behind));
        code << bpf::exit();
        const auto outcome = run(code);
        REQUIRE_MESSAGE(outcome.has_value(), outcome.error());
        return outcome->verdict;
    };
    const Insn memory = ldx(u64, r0, r10 - 8);
    CHECK(after(BPF_ADD, memory) == 22);
    CHECK(after(BPF_OR, memory) == 14);
    CHECK(after(BPF_AND, memory) == 8);
    CHECK(after(BPF_XOR, memory) == 6);
    CHECK(after(BPF_XOR | BPF_FETCH, mov(r0, r1)) == 12);
    CHECK(after(BPF_XCHG, memory) == 10);
    CHECK(after(BPF_CMPXCHG, memory) == 10); // r0 held what was there
    CHECK(after(BPF_CMPXCHG) == 12);
    Assembler wrong;
    wrong << st(u64, r10 - 8, 1) << mov(r1, 1) << atomic(0x20, BPF_DW) << bpf::exit();
    CHECK(fails(wrong, "unknown atomic"));

    Assembler code;
    Insn extending = ldx(u16, r0, r10 - 8);
    extending.code = BPF_LDX | BPF_H | mode_mem_sx;
    code << st(u64, r10 - 8, 0x8001) << extending << bpf::rsh(r0, 32) << bpf::exit();
    const auto outcome = run(code);
    REQUIRE_MESSAGE(outcome.has_value(), outcome.error());
    CHECK(outcome->verdict == UINT32_MAX);
}

TEST_CASE("pointers do not outlive a move of the packet's ends; metadata ends where the packet begins")
{
    const auto adjusted = [](bpf_func_id helper, int by, auto... behind) {
        Assembler code;
        code << mov(r6, r1) << ldx(u32, r7, r1 + 0) << mov(r2, by) << call(helper);
        static_cast<void>((code << ... << behind));
        code << bpf::exit();
        return code;
    };
    CHECK(fails(adjusted(BPF_FUNC_xdp_adjust_head, 1, ldx(u8, r0, r7 + 1)), "nobody's"));
    CHECK(fails(adjusted(BPF_FUNC_xdp_adjust_meta, -8, ldx(u32, r2, r6 + 8), ldx(u64, r0, r2 + 4)), "nobody's"));
    const auto moved =
        run(adjusted(BPF_FUNC_xdp_adjust_head, 4, mov(r4, r0), ldx(u32, r2, r6 + 0), ldx(u8, r0, r2 + 8), add(r0, r4)));
    REQUIRE_MESSAGE(moved.has_value(), moved.error());
    CHECK(moved->verdict == 8);
    const auto beyond = run(adjusted(BPF_FUNC_xdp_adjust_head, 7)); // 14 bytes have to stay
    REQUIRE(beyond.has_value());
    CHECK(static_cast<std::int32_t>(beyond->verdict) == -EINVAL);
}

TEST_CASE("a record is submitted once, and not forgotten")
{
    const auto with_record = [](auto... behind) {
        Assembler code;
        code.ld_map(r1, MapId(1)) << mov(r2, 8) << mov(r3, 0) << call(BPF_FUNC_ringbuf_reserve) << mov(r6, r0)
                                  << st(u64, r0 + 0, 5);
        static_cast<void>((code << ... << behind));
        code << mov(r0, 1) << bpf::exit();
        return code;
    };
    const auto give = [](bpf_func_id helper) { return std::array{mov(r1, r6), mov(r2, 0), call(helper)}; };
    const auto submit = give(BPF_FUNC_ringbuf_submit);
    CHECK(fails(with_record(), "not submitted"));
    CHECK(fails(with_record(submit[0], submit[1], submit[2], submit[0], submit[1], submit[2]), "no record"));
    CHECK(fails(with_record(submit[0], submit[1], submit[2], ldx(u64, r0, r6 + 0)), "nobody's"));
    const auto submitted = run(with_record(submit[0], submit[1], submit[2]));
    REQUIRE_MESSAGE(submitted.has_value(), submitted.error());
    REQUIRE(submitted->records.size() == 1);
    CHECK(submitted->records[0].bytes.size() == 8);
    CHECK(submitted->records[0].bytes[0] == std::byte{5});
    const auto discard = give(BPF_FUNC_ringbuf_discard);
    CHECK(run(with_record(discard[0], discard[1], discard[2]))->records.empty());
}
