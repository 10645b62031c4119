#include "compiler/bpf/interpret.hpp"

#include "compiler/bpf/assembler.hpp"

#include <doctest/doctest.h>

using namespace xdpf;
using namespace xdpf::bpf;

namespace {

std::vector<MapSpec> array_map()
{
    MapSpec spec;
    spec.name = "hits";
    spec.kind = MapKind::array;
    spec.key.size = 4;
    spec.value.size = 8;
    spec.max_entries = 2;
    return {spec};
}

std::expected<Outcome, std::string> run(const Assembler &code)
{
    const auto assembly = code.finish();
    REQUIRE(assembly.has_value());
    ProgramImage image;
    image.insns = assembly->insns;
    image.map_references = assembly->map_references;
    ir::MapStore maps(array_map());
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
