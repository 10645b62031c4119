// What verify() asks of operations with effects.
#include "compiler/ir/verify.hpp"
#include "tests/unit/ir/programs.hpp"

#include <fmt/format.h>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

std::string findings(std::string_view blocks)
{
    return fmt::format("{}", fmt::join(verify(read_blocks(blocks)), "\n"));
}

void finds(std::string_view blocks, std::string_view what)
{
    const std::string found = findings(blocks);
    INFO(blocks << "\n" << found);
    CHECK(found.find(what) != std::string::npos);
}

void sound(std::string_view blocks)
{
    INFO(blocks);
    CHECK(findings(blocks) == "");
}

const std::string ethernet = "b0(): %1 = packet_start %2 = packet_end %9 = 4 guard %1 + 14 <= %2 ? b1() : b2() ";

} // namespace

TEST_CASE("stores into the packet are guarded as loads are")
{
    sound(ethernet + "b1(): pstore.be16 %1 + 12, %9 return 1 b2(): return 2");
    finds(ethernet + "b1(): pstore.be32 %1 + 12, %9 return 1 b2(): return 2", "14 bytes are guarded");
    finds(ethernet + "b1(): return 1 b2(): pstore.u8 %1 + 0, %9 return 2", "0 bytes are guarded");
    finds(ethernet + "b1(): pstore.u8 %2 + 0, %9 return 1 b2(): return 2", "is a packet_end where a packet is needed");
    finds(ethernet + "b1(): pstore.u8 %1 + 0, %1 return 1 b2(): return 2", "where a number is needed");
}

TEST_CASE("no pointer to the packet outlives a move of its ends")
{
    constexpr std::string_view stale = "was made before the packet's ends were moved";
    for (const std::string_view move :
         {"%5 = adjust_head %9", "adjust_tail %9", "%5 = adjust_meta %9", "tail_call @progs[1]"}) {
        const std::string start = ethernet + "b1(): " + std::string(move);
        finds(start + " %3 = load.u8 %1 + 0 return 1 b2(): return 2", stale);
        finds(start + " pstore.u8 %1 + 0, %9 return 1 b2(): return 2", stale);
        finds(start + " guard %1 + 1 <= %2 ? b2() : b2() b2(): return 2", stale);
        finds(start + " %3 = packet_start guard %3 + 1 <= %2 ? b2() : b2() b2(): return 2", stale);
        finds(start + " %3 = offset %1 + %9 max 4 return 1 b2(): return 2", stale);
        finds(start + " jump b3(%1) b2(): return 2 b3(%6: packet max 0): return 1", stale);
        sound(start + " %3 = packet_start %4 = packet_end guard %3 + 1 <= %4 ? b3() : b2() b2(): return 2 "
                      "b3(): %6 = load.u8 %3 + 0 return 1");
        // What was guarded before is not guarded afterwards.
        finds(start + " %3 = packet_start %6 = load.u8 %3 + 0 return 1 b2(): return 2", "0 bytes are guarded");
        // On one of two ways.
        finds(ethernet + "b1(): if %9 == 1 ? b3() : b4() b2(): return 2 b3(): " + std::string(move) +
                  " jump b4() b4(): %3 = load.u8 %1 + 0 return 1",
              stale);
        sound(ethernet + "b1(): if %9 == 1 ? b3() : b4() b2(): return 2 b3(): " + std::string(move) +
              " jump b5() b4(): %3 = load.u8 %1 + 0 jump b5() b5(): return 1");
        // On neither of two ways that meet, after another one moved.
        sound(ethernet + "b1(): if %9 == 1 ? b3() : b4() b2(): return 2 b3(): " + std::string(move) +
              " return 1 b4(): if %9 == 2 ? b5() : b6() b5(): jump b6() b6(): %3 = load.u8 %1 + 0 return 1");
        // As a parameter, from both ways.
        sound(ethernet + "b1(): if %9 == 1 ? b3() : b4(%1) b2(): return 2 b3(): " + std::string(move) +
              " %3 = packet_start jump b4(%3) b4(%4: packet max 0): %7 = packet_end "
              "guard %4 + 1 <= %7 ? b5() : b5() b5(): return 1");
    }
    sound(ethernet + "b1(): pstore.u8 %1 + 0, %9 %3 = load.u8 %1 + 0 return 1 b2(): return 2");
}

TEST_CASE("a rebase goes from the packet's start")
{
    finds(ethernet + "b1(): %3 = offset %1 + %9 max 4 %4 = rebase %1 from %3 max 31 return 1 b2(): return 2",
          "is not the packet's start");
    finds(ethernet + "b1(): %4 = rebase %1 from %2 max 31 return 1 b2(): return 2", "where a packet is needed");
}

TEST_CASE("metadata is guarded against the packet's start")
{
    sound("b0(): %1 = meta_start %2 = packet_start guard %1 + 4 <= %2 ? b1() : b2() "
          "b1(): %3 = load.le32 %1 + 0 pstore.le16 %1 + 2, %3 return 1 b2(): return 2");
    finds("b0(): %1 = meta_start %2 = packet_start guard %1 + 4 <= %2 ? b1() : b2() "
          "b1(): %3 = load.le32 %1 + 2 return 1 b2(): return 2",
          "4 bytes are guarded");
    finds("b0(): %1 = meta_start %2 = packet_end guard %1 + 4 <= %2 ? b1() : b1() b1(): return 2",
          "is a packet_end where a packet is needed");
    finds("b0(): %1 = meta_start %2 = packet_start %3 = 4 %4 = offset %2 + %3 max 4 "
          "guard %1 + 4 <= %4 ? b1() : b1() b1(): return 2",
          "more than the packet's start");
    finds("b0(): %1 = meta_start %2 = packet_start %3 = 4 adjust_meta %3 guard %1 + 4 <= %2 ? b1() : b1() "
          "b1(): return 2",
          "was made before");
}

TEST_CASE("slots are read where they were written")
{
    const std::string start = "slot $0 : 8 slot $1 : 4 b0(): %1 = 3 ";
    sound(start + "store.le32 $0 + 4, %1 %2 = load.be16 $0 + 6 return 1");
    finds(start + "store.le32 $0 + 4, %1 %2 = load.le64 $0 + 0 return 1", "byte 0 of slot 0 may not have been written");
    finds(start + "if %1 == 3 ? b1() : b2() b1(): store.le32 $1 + 0, %1 jump b2() b2(): %2 = load.u8 $1 + 0 return 1",
          "byte 0 of slot 1 may not have been written");
    finds(start + "%2 = load.le64 $0 + 4 return 1", "leaves the slot's 8 bytes");
    finds(start + "%2 = load.le32 $0 + 2 return 1", "is not aligned");
    finds(start + "%2 = delete @hits[$1] return 1", "byte 0 of slot 1");
    finds(start + "%2 = push @fifo $0 return 1", "byte 0 of slot 0");
    finds(start + "%2 = peek @bloom $0 return 1", "byte 0 of slot 0");
    finds(start + "%2 = rx_meta hash $0 return 1", "byte 0 of slot 0");
    finds(start + "%2 = rx_meta hash $1 return 1", "has fewer than 8 bytes");
    sound(start + "store.le64 $0 + 0, %1 rx_meta hash $0 %2 = load.le32 $0 + 0 return 1");
}

TEST_CASE("maps are of the kind that an operation is for")
{
    const std::string start = "slot $0 : 8 slot $1 : 4 b0(): %1 = 3 store.le64 $0 + 0, %1 store.le32 $1 + 0, %1 ";
    for (const std::string_view map : {"progs", "fifo", "bloom", "ring"})
        for (const std::string_view access : {"%2 = lookup @{}[$0]", "update @{}[$0] = $0", "delete @{}[$0]"})
            finds(start + fmt::format(fmt::runtime(access), map) + " return 1", "no entries that a program can reach");
    finds(start + "update @devs[$0] = $0 return 1", "can only be redirected into");
    finds(start + "update @seen[$0] = $0 flags 3 return 1", "no flag of an update");
    finds(start + "push @seen $0 return 1", "no map to push");
    finds(start + "%2 = peek @fifo $0 return 1", "no map to peek");
    finds(start + "push @fifo $1 return 1", "smaller than a value");
    finds(start + "delete @seen[$1] return 1", "smaller than a key");
    finds(start + "%2 = reserve @seen 8 return 1", "no ring buffer");
    finds(start + "%2 = reserve @ring 0 return 1", "a record of 0 bytes");
    finds(start + "tail_call @seen[1] return 1", "holds no programs");
    finds(start + "tail_call @progs[4] return 1", "has 4 slots");
    finds(start + "%2 = redirect @xsks[%1] else 2 broadcast return 1", "no map to broadcast into");
    finds(start + "%2 = redirect @devs[%1] else 2 exclude_ingress return 1", "an exception without a broadcast");
    sound(start + "%2 = redirect @devs[%1] else 2 broadcast exclude_ingress return %2");
    finds(start + "%2 = map_value @hits + 0 return 1", "no array of one entry");
    finds(start + "%2 = map_value @conf + 8 %3 = load.le64 %2 + 8 return 1", "leaves the value's 8 bytes");
    sound(start + "%2 = map_value @conf + 8 %3 = load.le64 %2 + 0 return 1");
    sound(start + "%2 = map_value @conf + 8 jump b1(%2) b1(%3: map_value): %4 = load.le64 %3 + 0 return 1");
    finds("asm 0 : 0x95 b0(): asm 1", "no such block of instructions");
    sound("asm 0 : 0x95 b0(): asm 0");
}

TEST_CASE("records are tested, and submitted once on every way")
{
    const std::string start = "asm 0 : 0x95 b0(): %1 = reserve @ring 64 %2 = 5 ";
    const std::string tested = start + "if %1 == 0 ? b1() : b2() b1(): return 1 ";
    sound(tested + "b2(): store.le64 %1 + 56, %2 submit %1 return 1");
    sound(start + "if %1 != 0 ? b1() : b2() b1(): submit %1 jump b2() b2(): return 1");
    finds(start + "return 1", "is not submitted");
    finds(start + "submit %1 return 1", "the record may be null");
    finds(start + "store.le64 %1 + 0, %2 return 1", "the record may be null");
    finds(start + "if %1 == 0 ? b2() : b1() b1(): return 1 b2(): return 1", "is not submitted");
    finds(start + "if %1 == 0 ? b1() : b1() b1(): return 1", "on one way to b1 and not on another");
    finds(start + "if %1 == 0 ? b1() : b2() b1(): submit %1 return 1 b2(): submit %1 return 1",
          "is submitted already, or not there");
    finds(tested + "b2(): asm 0", "is not submitted");
    finds(tested + "b2(): tail_call @progs[1] submit %1 return 1", "is not submitted");
    finds(tested + "b2(): submit %1 submit %1 return 1", "submitted already");
    finds(tested + "b2(): submit %1 store.le64 %1 + 0, %2 return 1", "submitted already");
    finds(tested + "b2(): submit %1 %3 = load.le64 %1 + 0 return 1", "submitted already");
    finds(tested + "b2(): if %2 == 1 ? b3() : b4() b3(): submit %1 jump b4() b4(): return 1", "on one way to b4");
    sound(tested + "b2(): if %2 == 1 ? b3() : b4() b3(): submit %1 return 1 b4(): submit %1 return 2");
    finds(tested + "b2(): jump b3(%1) b3(%3: record): submit %3 return 1", "a record is a parameter");
    finds(tested + "b2(): store.le64 %1 + 57, %2 submit %1 return 1", "leaves the value's 64 bytes");
    finds(start + "if %1 == 4 ? b1() : b1() b1(): return 1", "compared with more than null");
}

TEST_CASE("what is copied into a record is at least a byte, and fits")
{
    const std::string start = "b0(): %1 = reserve @ring 64 %2 = packet_length if %1 == 0 ? b1() : b2() "
                              "b1(): return 1 b2(): ";
    const auto copy = [&](std::string_view length, std::string_view operation) {
        return start + std::string(length) + " " + std::string(operation) + " submit %1 return 1";
    };
    constexpr std::string_view into = "%4 = copy_packet %1 + 32, %3 max 32";
    sound(copy("%3 = 32", into));
    finds(copy("%3 = 33", into), "the length is bounded by 33, not by 32");
    finds(copy("%3 = 0", into), "the length may be 0");
    finds(copy("%3 = packet_length", into), "the length is bounded by");
    finds(copy("%3 = 32", "%4 = copy_packet %1 + 33, %3 max 32"), "leaves the value's 64 bytes");
    const std::string branched = start + "if %2 <= 32 ? b3() : b5() b3(): if %2 > 0 ? b4() : b5() ";
    sound(branched + "b4(): copy_packet %1 + 0, %2 max 32 jump b5() b5(): submit %1 return 1");
    finds(branched + "b4(): copy_packet %1 + 0, %2 max 31 jump b5() b5(): submit %1 return 1", "bounded by");
    finds(start + "if %2 <= 32 ? b3() : b4() b3(): copy_packet %1 + 0, %2 max 32 jump b4() b4(): submit %1 return 1",
          "the length may be 0");
    // The smaller of the packet and what there is room for, by a parameter.
    const std::string smaller = "b0(): %1 = reserve @ring 64 %2 = packet_length %5 = 32 if %1 == 0 ? b1() : b2() "
                                "b1(): return 1 b2(): if %2 == 0 ? b5() : b3() ";
    sound(smaller + "b3(): if %2 < 32 ? b4(%2) : b4(%5) b4(%3): copy_packet %1 + 0, %3 max 32 jump b5() "
                    "b5(): submit %1 return 1");
    finds(smaller + "b3(): if %2 <= 33 ? b4(%2) : b4(%5) b4(%3): copy_packet %1 + 0, %3 max 32 jump b5() "
                    "b5(): submit %1 return 1",
          "the length is bounded by");
}
