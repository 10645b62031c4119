#include "compiler/ir/verify.hpp"
#include "tests/unit/ir/programs.hpp"

#include <fmt/format.h>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

std::string findings(const Module &module, Stage stage = Stage::on_the_way)
{
    return fmt::format("{}", fmt::join(verify(module, stage), "\n"));
}
std::string findings(std::string_view blocks, Stage stage = Stage::on_the_way)
{
    return findings(read_blocks(blocks), stage);
}

bool finds(std::string_view blocks, std::string_view what, Stage stage = Stage::on_the_way)
{
    const std::string found = findings(blocks, stage);
    INFO(found);
    const bool hit = found.find(what) != std::string::npos;
    CHECK(hit);
    return hit;
}

constexpr std::string_view ethernet = "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b2() ";

} // namespace

TEST_CASE("a sound program has no findings")
{
    CHECK(findings(std::string(ethernet) + R"(
        b1(): %3 = load.be16 %1 + 12  if %3 == 0x800 ? b3() : b2()
        b2(): return 2
        b3(): %4 = ctx rx_queue  %5 = redirect @xsks[%4] else 2  return %5)") == "");
    CHECK(findings(R"(slot $0 : 4
        b0(): %1 = 0  store.le32 $0 + 0, %1  %2 = lookup @hits[$0]  if %2 == 0 ? b2() : b1()
        b1(): %3 = 1  atomic_add.le64 %2 + 8, %3  %4 = load.le64 %2 + 0  store.le64 %2 + 0, %4  jump b2()
        b2(): return 2)") == "");
}

TEST_CASE("the shape of the graph")
{
    finds("b0(%1): return 1", "the entry has parameters");
    finds("b0(): jump b0()", "the edge to b0 does not go forward");
    finds("b0(): jump b7()", "an edge leads nowhere");
    finds("b0(): %1 = 1 jump b1(%1) b1(): return 1", "b1 takes 0 values, not 1");
    finds("b0(): %1 = packet_start jump b1(%1) b1(%2): return 1", "b1 takes a number as its parameter 1, not a packet");
    finds("b0(): jump b1() b1(): b2(): return 1", "b1: 'no terminator': the block has no terminator");
    finds("slot $0 : 512 slot $1 : 513 b0(): return 1", "a slot takes 513 bytes of the stack");
    finds("b0(): %1 = packet_start jump b1(%1) b1(%2: packet max 10): jump b2(%2) b2(%3: packet max 9): return 1",
          "may be 10 bytes into the packet, more than 9");
    CHECK(findings(Module{{}, {Program{}}}).ends_with("the program has no blocks"));
}

TEST_CASE("loops")
{
    const std::string head = "b0(): %1 = packet_start %2 = packet_end %3 = 5 jump b1(%1, %3) ";
    CHECK(findings(head + R"(
        b1(%4: packet max 40, %5: max 5) loop 5: %6 = rebase %4 from %1 max 31  if %5 == 0 ? b4() : b2()
        b2(): guard %6 + 1 <= %2 ? b3() : b4()
        b3(): %7 = load.u8 %6 + 0  %8 = 3  %9 = and %7, %8  %10 = offset %6 + %9 max 3
              %11 = 1  %12 = sub %5, %11 within 5  again b1(%10, %12)
        b4(): return 2)",
                   Stage::for_the_kernel) == "");
    finds("b0(): jump b1() b1(): again b0()", "b0 is not the head of a loop that ends here");
    finds(head + "b1(%4: packet max 9, %5: max 5) loop 5: again b1(%4)", "b1 takes 2 values, not 1");
    finds(head + "b1(%4: packet max 4, %5: max 5) loop 5: %6 = 1 %7 = offset %4 + %6 max 1 again b1(%7, %5)",
          "may be 5 bytes into the packet, more than 4");
    finds("b0(): %1 = packet_start %2 = packet_end jump b1(%2) b1(%3: packet_end) loop 5: again b1(%3)",
          "a loop carries no packet_end");
    finds("b0(): %1 = 1 jump b1(%1) b1(%2: max 1) loop 5: %3 = 2 again b1(%3)",
          "the number for parameter 1 of b1 may be 2, more than 1");
    // What the entry's argument is guarded for, the next round's is not.
    finds(R"(b0(): %1 = packet_start %2 = packet_end %3 = 5 guard %1 + 1 <= %2 ? b1(%1, %3) : b3()
             b1(%4: packet max 9, %5: max 5) loop 5: %6 = load.u8 %4 + 0  if %5 == 0 ? b3() : b2()
             b2(): %7 = 1  %8 = sub %5, %7 within 5  %9 = offset %4 + %7 max 1  again b1(%9, %8)
             b3(): return 2)",
          "0 bytes are guarded on every path, 1 needed");
    finds(R"(b0(): %3 = 5 if %3 == 5 ? b1(%3) : b2()
             b1(%5: max 5) loop 5: jump b2()
             b2(): %7 = 1  again b1(%7))",
          "a way leads into the loop of b1 beside its head");
    // Each round goes farther than a mask of 31 keeps.
    finds(head + R"(
        b1(%4: packet max 40, %5: max 5) loop 5: %6 = rebase %4 from %1 max 31  if %5 == 0 ? b3() : b2()
        b2(): %7 = 7  %8 = offset %6 + %7 max 7  %9 = 1  %10 = sub %5, %9 within 5  again b1(%8, %10)
        b3(): return 2)",
          "the pointer may be 35 bytes into the packet, more than the mask keeps");
    finds(head + R"(
        b1(%4: packet max 40, %5: max 5) loop 5: if %5 == 0 ? b3() : b2()
        b2(): jump b4(%4, %5)
        b3(): jump b4(%4, %5)
        b4(%6: packet max 40, %7: max 5): again b2())",
          "b2 is not the head of a loop that ends here");
}

TEST_CASE("instructions have what they need")
{
    Module module = read_blocks("b0(): %1 = 1 %2 = add %1, %1 return %2");
    Inst &sum = module.programs[0].blocks[BlockId(0)].insts[1];
    SUBCASE("operands") { sum.b = {}; }
    SUBCASE("operands that exist") { sum.b = ValueId(99); }
    SUBCASE("no more than those") { sum.op = Op::neg; }
    CHECK(findings(module).find("operands are missing or too many") != std::string::npos);
}

TEST_CASE("results, maps, slots and widths are checked")
{
    Module module = read_blocks("slot $0 : 8 b0(): %1 = 1 store.le64 $0 + 0, %1 %2 = lookup @seen[$0] return 1");
    auto &insts = module.programs[0].blocks[BlockId(0)].insts;
    std::string expected;
    SUBCASE("result")
    {
        insts[2].result = {};
        expected = "the result is missing";
    }
    SUBCASE("no result")
    {
        insts[1].result = insts[0].result;
        expected = "gives no result";
    }
    SUBCASE("map")
    {
        insts[2].map = MapId(9);
        expected = "there is no such map";
    }
    SUBCASE("slot")
    {
        insts[2].key = SlotId(9);
        expected = "there is no such slot";
    }
    SUBCASE("width")
    {
        insts[1].width = 3;
        expected = "3 is no width";
    }
    CHECK(findings(module).find(expected) != std::string::npos);
}

TEST_CASE("every use has its definition before it on every path")
{
    finds("b0(): return %1", "value 0 is never defined");
    finds("b0(): %1 = neg %2 %2 = 1 return %1", "is not defined on every path to its use");
    finds("b0(): %1 = ctx rx_queue if %1 == 1 ? b1() : b2() b1(): %2 = 1 jump b2() b2(): return %2",
          "is not defined on every path to its use");
    finds("b0(): %1 = 1 %1 = 2 return %1", "is defined twice");
    finds("b0(): %1 = 1 jump b1(%1) b1(%1): return %1", "is defined twice");
    CHECK(findings("b0(): %1 = 1 jump b2() b1(): return %1 b2(): return %1") == ""); // b1 is unreachable
}

TEST_CASE("operands are of the right kind")
{
    finds("b0(): %1 = packet_end %2 = neg %1 return 1", "is a packet_end where a number is needed");
    finds("b0(): %1 = packet_start %2 = add %1, %1 return 1", "is a packet where a number is needed");
    finds("b0(): %1 = packet_start if %1 == 1 ? b1() : b1() b1(): return 1", "is a packet where a number is needed");
    finds("b0(): %1 = packet_start return %1", "is a packet where a number is needed");
    finds("b0(): %1 = packet_start guard %1 + 1 <= %1 ? b1() : b1() b1(): return 1", "a packet_end is needed");
    finds("b0(): %1 = 1 guard %1 + 1 <= %1 ? b1() : b1() b1(): return 1", "where a packet is needed");
    finds("b0(): %1 = 1 %2 = load.u8 %1 + 0 return 1", "where a packet is needed");
    finds("b0(): %1 = 1 %2 = offset %1 + %1 max 4 return 1", "where a packet is needed");
    finds("b0(): %1 = 1 store.u8 %1 + 0, %1 return 1", "where a map_value is needed");
    finds(
        "slot $0 : 4 b0(): %1 = 0 store.le32 $0 + 0, %1 %2 = lookup @hits[$0] if %2 == 4 ? b1() : b1() b1(): return 1",
        "a pointer is compared with more than null");
    Module module = read_blocks("b0(): %1 = 1 return 1");
    module.programs[0].values[ValueId(0)].kind = ValueKind::packet;
    CHECK(findings(module).find("is a packet where a number is needed") != std::string::npos);
}

TEST_CASE("packet bytes are guarded on every path")
{
    const std::string start(ethernet);
    finds(start + "b1(): %3 = load.be16 %1 + 13 return 1 b2(): return 2",
          "14 bytes are guarded on every path, 15 needed");
    finds(start + "b1(): jump b2() b2(): %3 = load.u8 %1 + 0 return 2", "0 bytes are guarded");
    // Another pointer to the same byte has not been guarded.
    finds(start + "b1(): %3 = packet_start %4 = load.u8 %3 + 0 return 1 b2(): return 2", "0 bytes are guarded");
    finds(start + "b1(): %3 = rebase %1 from %1 max 31 %4 = load.u8 %3 + 0 return 1 b2(): return 2",
          "0 bytes are guarded");
    // The smaller of two guards counts where paths meet.
    finds(R"(b0(): %1 = packet_start %2 = packet_end %3 = ctx rx_queue if %3 == 0 ? b1() : b2()
             b1(): guard %1 + 4 <= %2 ? b3() : b4()
             b2(): guard %1 + 8 <= %2 ? b3() : b4()
             b3(): %4 = load.le64 %1 + 0 return 1
             b4(): return 2)",
          "4 bytes are guarded on every path, 8 needed");
    // A parameter knows what all its arguments know.
    finds(R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 8 <= %2 ? b1(%1) : b1(%1)
             b1(%3: packet max 0): %4 = load.u8 %3 + 0 return 1)",
          "0 bytes are guarded");
    CHECK(findings(start + "b1(): jump b3(%1) b2(): return 2 b3(%3: packet max 0): %4 = load.be16 %3 + 12 return 1") ==
          "");
}

TEST_CASE("distances are bounded as the kernel can see")
{
    const std::string start(ethernet);
    const std::string rest = " guard %5 + 8 <= %2 ? b2() : b2() b2(): return 2";
    finds(start + "b1(): %3 = load.u8 %1 + 0 %5 = offset %1 + %3 max 60" + rest, "bounded by 255, not by 60");
    finds(start + "b1(): %3 = load.be16 %1 + 0 %5 = offset %1 + %3 max 65000" + rest,
          "bounded by 18446744073709551615");
    finds(start + "b1(): %3 = load.le16 %1 + 0 %5 = offset %1 + %3 max 65535" + rest,
          "with the guard's 8 that is more than 65535");
    finds(start + "b1(): %3 = load.u8 %1 + 0 %5 = offset %1 + %3 max 255 within 254" + rest, "bound 254 is too low");
    finds(start + "b1(): %3 = load.u8 %1 + 0 %4 = offset %1 + %3 max 255 %5 = rebase %4 from %1 max 31" + rest,
          "more than the mask keeps");
    finds(start + "b1(): %5 = rebase %1 from %1 max 30" + rest, "30 is no mask");
    finds(start + "b1(): %5 = rebase %1 from %1 max 31 within 30" + rest, "bound 30 is too low");
    CHECK(findings(start +
                   "b1(): %3 = load.u8 %1 + 0 %4 = 15 %6 = and %3, %4 %7 = 2 %8 = shl %6, %7 "
                   "%5 = offset %1 + %8 max 60" +
                   rest) == "");
    // A branch bounds what comes behind it, on its own side.
    const auto branched = [&](std::string_view condition, std::string_view edges) {
        return start + "b1(): %3 = load.be16 %1 + 0 if %3 " + std::string(condition) + " ? " + std::string(edges) +
               " b2(): return 2 b3(): %5 = offset %1 + %3 max 60 guard %5 + 8 <= %2 ? b4() : b4() b4(): return 2";
    };
    for (const std::string_view condition : {"<= 60", "< 61", "== 60", "<= 3"})
        CHECK(findings(branched(condition, "b3() : b2()")) == "");
    for (const std::string_view condition : {"> 60", ">= 61", "!= 7"})
        CHECK(findings(branched(condition, "b2() : b3()")) == "");
    for (const std::string_view condition : {"<= 61", "< 62"})
        finds(branched(condition, "b3() : b2()"), "bounded by 61, not by 60");
    for (const std::string_view condition : {"> 60", "!= 60", "< 0"})
        finds(branched(condition, "b3() : b2()"), "bounded by 18446744073709551615, not by 60");
    finds(branched("<= 60", "b3() : b3()"), "bounded by 18446744073709551615, not by 60");
}

TEST_CASE("map values are checked for null and size")
{
    const std::string start = "slot $0 : 4 b0(): %1 = 0 store.le32 $0 + 0, %1 %2 = lookup @hits[$0] ";
    finds(start + "%3 = load.le64 %2 + 0 return 1", "the pointer may be null");
    finds(start + "if %2 == 0 ? b1() : b1() b1(): store.le64 %2 + 0, %1 return 1", "the pointer may be null");
    finds(start + "if %2 == 0 ? b1() : b2() b1(): store.le64 %2 + 0, %1 return 1 b2(): return 1", "may be null");
    finds(start + "if %2 != 0 ? b1() : b2() b1(): store.le64 %2 + 9, %1 return 1 b2(): return 1",
          "the value's 16 bytes");
    finds(start + "if %2 != 0 ? b1() : b2() b1(): atomic_add.le64 %2 + 4, %1 return 1 b2(): return 1", "is aligned");
    finds(start + "if %2 != 0 ? b1() : b2() b1(): atomic_add.le16 %2 + 0, %1 return 1 b2(): return 1", "4 or 8 bytes");
    // Of a parameter the smallest value counts.
    finds(R"(slot $0 : 8
        b0(): %1 = 0 store.le64 $0 + 0, %1 %2 = lookup @hits[$0] if %2 != 0 ? b1() : b3()
        b1(): %3 = lookup @seen[$0] if %3 != 0 ? b2(%3) : b2(%2)
        b2(%4: map_value): if %4 != 0 ? b4() : b3()
        b3(): return 1
        b4(): %5 = load.le64 %4 + 8 return 1)",
          "the access leaves the value's 8 bytes");
}

TEST_CASE("slots are written before they are read")
{
    finds("slot $0 : 8 b0(): %1 = 0 store.le32 $0 + 0, %1 %2 = lookup @seen[$0] return 1", "byte 4 of slot 0 may not");
    finds(R"(slot $0 : 4
        b0(): %1 = ctx rx_queue if %1 == 0 ? b1() : b2()
        b1(): store.le32 $0 + 0, %1 jump b2()
        b2(): %2 = lookup @hits[$0] return 1)",
          "byte 0 of slot 0 may not");
    finds("slot $0 : 8 slot $1 : 8 b0(): %1 = 0 store.le64 $0 + 0, %1 update @seen[$0] = $1 return 1",
          "of slot 1 may not");
    finds("slot $0 : 8 b0(): %1 = 0 store.le64 $0 + 4, %1 return 1", "leaves the slot's 8 bytes");
    finds("slot $0 : 8 b0(): %1 = 0 store.le32 $0 + 2, %1 return 1", "is not aligned");
    finds("slot $0 : 4 b0(): %1 = 0 store.le32 $0 + 0, %1 %2 = lookup @seen[$0] return 1", "smaller than a key");
    finds("slot $0 : 8 slot $1 : 4 b0(): %1 = 0 store.le64 $0 + 0, %1 update @seen[$0] = $1 return 1",
          "smaller than a value");
    CHECK(findings(
              "slot $0 : 8 b0(): %1 = 0 store.le32 $0 + 0, %1 store.le32 $0 + 4, %1 %2 = lookup @seen[$0] return 1") ==
          "");
}

TEST_CASE("maps are used for what they are")
{
    finds("slot $0 : 4 b0(): %1 = 0 store.le32 $0 + 0, %1 %2 = lookup @xsks[$0] return 1",
          "can only be redirected into");
    finds("b0(): %1 = 0 %2 = redirect @hits[%1] else 2 return %2", "no map to redirect into");
    finds("b0(): %1 = 0 %2 = redirect @xsks[%1] else 4 return %2", "more than two bits");
}

TEST_CASE("what passes remove before the kernel sees it")
{
    const auto refuses = [](std::string_view blocks, std::string_view what) {
        finds(blocks, what, Stage::for_the_kernel);
        CHECK(findings(blocks) == "");
    };
    refuses("b0(): %1 = 64 %2 = shl %1, %1 return %2", "a shift by 64");
    refuses("b0(): %1 = 0 %2 = div %1, %1 return %2", "the divisor is 0");
    refuses("b0(): %1 = 0 %2 = mod %1, %1 return %2", "the divisor is 0");
    refuses("b0(): return 1 b1(): return 2", "b1 is unreachable");
}
