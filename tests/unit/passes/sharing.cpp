// What is there once instead of twice, and what comes first: numbers, parts of programs, tests.
#include "tests/unit/passes/programs.hpp"

#include "compiler/ir/interpret.hpp"
#include "compiler/ir/traits.hpp"

using namespace xdpf::passes;
using namespace xdpf;

namespace {

void share_for_any_rule(ir::Program &program)
{
    program.by_rule = false;
    share_tails(program);
    program.by_rule = true;
}

} // namespace

TEST_CASE("tests side by side look at one number")
{
    becomes(share_values_nearby,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 23 if %3 == 6 ? b3() : b2() "
            "b2(): %4 = load.u8 %1 + 23 if %4 == 17 ? b3() : b4() b3(): return 1 b4(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 23 if %3 == 6 ? b3() : b2() "
            "b2(): if %3 == 17 ? b3() : b4() b3(): return 1 b4(): return 2");
    // Not where another way leads there, nor constants, which cost nothing.
    stays(share_values_nearby, "b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b4() "
                               "b1(): %3 = load.u8 %1 + 23 if %3 == 6 ? b2() : b3() "
                               "b2(): %5 = load.u8 %1 + 24 if %5 == 6 ? b3() : b4() "
                               "b3(): %4 = load.u8 %1 + 23 if %4 == 17 ? b5() : b4() b4(): return 2 b5(): return 1");
    stays(share_values_nearby, "b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b4() "
                               "b1(): %3 = load.u8 %1 + 23 %4 = 15 %5 = and %3, %4 if %5 == 6 ? b2() : b4() "
                               "b2(): %6 = load.u8 %1 + 24 %7 = 15 %8 = and %6, %7 if %8 == 6 ? b3() : b4() "
                               "b3(): return 1 b4(): return 2");
    // Nor across many tests: the kernel's verifier would walk each way through them apart.
    std::string chain = "b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b9() ";
    for (int i = 1; i < 9; ++i)
        chain += fmt::format("b{}(): %{} = load.u8 %1 + 23 if %{} == {} ? b9() : b{}() ", i, i + 2, i + 2, i,
                             i < 8 ? i + 1 : 10);
    ir::Module module = read(chain + "b9(): return 2 b10(): return 1");
    share_values_nearby(module.programs[0]);
    std::size_t loads = 0;
    for (const ir::Block &block : module.programs[0].blocks)
        for (const ir::Inst &inst : block.insts)
            loads += inst.op == ir::Op::load ? 1 : 0;
    CHECK(loads == 2);
}

TEST_CASE("parts that do the same with different pointers are one")
{
    const std::string twice = "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b8() "
                              "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b5() "
                              "b2(): %4 = 34 %5 = offset %1 + %4 max 34 jump b3() "
                              "b3(): %6 = load.be16 %5 + 2 if %6 >= 53 ? b4() : b8() "
                              "b4(): %7 = load.be16 %5 + 4 if %7 <= 9 ? b9() : b8() "
                              "b5(): %8 = 54 %9 = offset %1 + %8 max 54 jump b6() "
                              "b6(): %10 = load.be16 %9 + 2 if %10 >= 53 ? b7() : b8() "
                              "b7(): %11 = load.be16 %9 + 4 if %11 <= 9 ? b9() : b8() "
                              "b8(): return 2 b9(): return 1";
    becomes(share_for_any_rule, twice,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b7() "
            "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b3() "
            "b2(): %4 = 34 %5 = offset %1 + %4 max 34 jump b4(%5) "
            "b3(): %8 = 54 %9 = offset %1 + %8 max 54 jump b4(%9) "
            "b4(%12: packet max 54): %6 = load.be16 %12 + 2 if %6 >= 53 ? b5() : b7() "
            "b5(): %7 = load.be16 %12 + 4 if %7 <= 9 ? b6() : b7() "
            "b6(): return 1 b7(): return 2");
    // Not where one of them reads both through one pointer, in whatever order: it could not have two values.
    for (const bool first : {true, false})
        stays(share_for_any_rule,
              fmt::format("b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b7() "
                          "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b4() "
                          "b2(): %6 = load.be16 %1 + 2 if %6 >= 53 ? b3() : b7() "
                          "b3(): %7 = load.be16 %1 + 4 if %7 <= 9 ? b8() : b7() "
                          "b4(): %8 = 4 %9 = offset %1 + %8 max 4 jump b5() "
                          "b5(): %10 = load.be16 {} + 2 if %10 >= 53 ? b6() : b7() "
                          "b6(): %11 = load.be16 {} + 4 if %11 <= 9 ? b8() : b7() "
                          "b7(): return 2 b8(): return 1",
                          first ? "%9" : "%1", first ? "%1" : "%9"));
    // Not what has been shown of an entry of a map: another might be null.
    stays(share_for_any_rule,
          "slot $0 : 4 slot $1 : 4 b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b5() "
          "b1(): %3 = load.le32 %1 + 12 store.le32 $0 + 0, %3 %4 = load.le32 %1 + 16 store.le32 $1 + 0, %4 "
          "%5 = lookup @seen[$0] if %5 != 0 ? b2() : b3() "
          "b2(): %6 = load.le64 %5 + 0 %7 = 1 %8 = add %6, %7 store.le64 %5 + 0, %8 jump b5() "
          "b3(): %9 = lookup @last[$1] if %9 != 0 ? b4() : b5() "
          "b4(): %10 = load.le64 %9 + 0 %11 = 1 %12 = add %10, %11 store.le64 %9 + 0, %12 jump b5() "
          "b5(): return 2");
    // Each rule keeps its own where it matters which one decides.
    stays(share_tails, twice);
    // Others that end in something else stay two, and so do those of which one leads to the other.
    stays(share_for_any_rule, "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b6() "
                              "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b4() "
                              "b2(): %6 = load.be16 %1 + 36 if %6 >= 53 ? b3() : b6() "
                              "b3(): %7 = load.be16 %1 + 38 if %7 <= 9 ? b7() : b6() "
                              "b4(): %10 = load.be16 %1 + 36 if %10 >= 53 ? b5() : b6() "
                              "b5(): %11 = load.be16 %1 + 38 if %11 <= 9 ? b8() : b6() "
                              "b6(): return 2 b7(): return 1 b8(): return 3");
    stays(share_for_any_rule, "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b4() "
                              "b1(): %3 = load.be16 %1 + 36 %4 = load.be16 %1 + 38 %5 = add %3, %4 "
                              "if %5 >= 53 ? b2() : b4() "
                              "b2(): %6 = load.be16 %1 + 36 %7 = load.be16 %1 + 38 %8 = add %6, %7 "
                              "if %8 >= 53 ? b3() : b4() b3(): return 1 b4(): return 2");
}

TEST_CASE("what few packets pass comes first")
{
    becomes(decisive_first,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b5() "
            "b1(): %3 = load.u8 %1 + 14 %4 = 69 %5 = sub %3, %4 if %5 <= 10 ? b2() : b5() "
            "b2(): %6 = 2 %7 = shl %5, %6 within 40 %8 = offset %1 + %7 max 40 guard %8 + 42 <= %2 ? b3() : b5() "
            "b3(): %9 = load.u8 %1 + 23 if %9 == 17 ? b4() : b5() b4(): return 1 b5(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b5() "
            "b1(): %9 = load.u8 %1 + 23 if %9 == 17 ? b2() : b5() "
            "b2(): %3 = load.u8 %1 + 14 %4 = 69 %5 = sub %3, %4 if %5 <= 10 ? b3() : b5() "
            "b3(): %6 = 2 %7 = shl %5, %6 within 40 %8 = offset %1 + %7 max 40 guard %8 + 42 <= %2 ? b4() : b5() "
            "b4(): return 1 b5(): return 2");
    // Not in front of the guard of what it reads, nor of what makes what it compares.
    stays(decisive_first, "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b3() "
                          "b1(): %9 = load.u8 %1 + 23 if %9 == 17 ? b2() : b3() b2(): return 1 b3(): return 2");
    stays(decisive_first, "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b4() "
                          "b1(): %3 = load.u8 %1 + 14 if %3 <= 10 ? b2() : b4() "
                          "b2(): %4 = 15 %5 = and %3, %4 if %5 == 4 ? b3() : b4() b3(): return 1 b4(): return 2");
    // Where failing means something else, nothing moves.
    stays(decisive_first, "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b4() "
                          "b1(): %3 = load.u8 %1 + 14 if %3 <= 10 ? b2() : b5() "
                          "b2(): %9 = load.u8 %1 + 23 if %9 == 17 ? b3() : b4() "
                          "b3(): return 1 b4(): return 2 b5(): return 3");
}

TEST_CASE("a mask goes where a comparison has shown that it changes nothing")
{
    becomes(use_ranges,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b3() "
            "b1(): %3 = load.u8 %1 + 22 if %3 >= 2 ? b2() : b3() "
            "b2(): %4 = 1 %5 = sub %3, %4 %6 = 255 %7 = and %5, %6 within 255 return %7 b3(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b3() "
            "b1(): %3 = load.u8 %1 + 22 if %3 >= 2 ? b2() : b3() "
            "b2(): %4 = 1 %5 = sub %3, %4 %6 = 255 %7 = and %5, %6 within 255 return %5 b3(): return 2");
    stays(use_ranges, "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b3() "
                      "b1(): %3 = load.u8 %1 + 22 if %3 >= 2 ? b2() : b3() "
                      "b2(): %4 = 3 %5 = sub %3, %4 %6 = 255 %7 = and %5, %6 within 255 return %7 b3(): return 2");
}

TEST_CASE("a store needs no mask of what it does not store")
{
    becomes(fold,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b2() "
            "b1(): %3 = ctx rx_queue %4 = 0xffff %5 = and %3, %4 within 65535 pstore.le16 %1 + 2, %5 "
            "pstore.le32 %1 + 4, %5 return 1 b2(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b2() "
            "b1(): %3 = ctx rx_queue %4 = 0xffff %5 = and %3, %4 within 65535 pstore.le16 %1 + 2, %3 "
            "pstore.le32 %1 + 4, %5 return 1 b2(): return 2");
}

// RFC 1624, equation 3, word by word; and what fold() makes of it, for many checksums and changes.
TEST_CASE("a checksum after a known change comes out as the RFC has it")
{
    for (const std::uint64_t change : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{0xfe}, std::uint64_t{0x100},
                                       std::uint64_t{0x7fff}, std::uint64_t{0xfffe}, std::uint64_t{0xffff}}) {
        ir::Module module = read(fmt::format(
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b2() "
            "b1(): %3 = load.le16 %1 + 24 %4 = 0xffff %5 = xor %3, %4 within 65535 %6 = {} %7 = add %5, %6 %8 = 16 "
            "%9 = shr %7, %8 %10 = and %7, %4 within 65535 %11 = add %10, %9 %12 = shr %11, %8 "
            "%13 = and %11, %4 within 65535 %14 = add %13, %12 %15 = xor %14, %4 pstore.le16 %1 + 24, %15 return 1 "
            "b2(): return 2",
            change));
        fold(module.programs[0]);
        remove_dead_code(module.programs[0]);
        CHECK(text(module).find("xor") == std::string::npos);
        for (std::uint32_t before = 0; before <= 0xffff; before += before < 0x200 || before >= 0xfe00 ? 1 : 37) {
            std::uint32_t sum = (before ^ 0xffff) + static_cast<std::uint32_t>(change);
            sum = (sum & 0xffff) + (sum >> 16);
            sum = (sum & 0xffff) + (sum >> 16);
            std::vector<std::byte> bytes(64);
            bytes[24] = static_cast<std::byte>(before);
            bytes[25] = static_cast<std::byte>(before >> 8);
            ir::PacketBuffer packet(bytes);
            ir::MapStore maps(module.maps);
            REQUIRE(ir::Interpreter(module.programs[0], maps).run(packet, {}).has_value());
            const auto after = std::to_integer<std::uint32_t>(packet.bytes()[24]) |
                               std::to_integer<std::uint32_t>(packet.bytes()[25]) << 8;
            if (after != (sum ^ 0xffff))
                FAIL_CHECK("of ", before, " and ", change, ": ", after, " and not ", sum ^ 0xffff);
        }
    }
}
