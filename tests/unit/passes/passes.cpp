// What each pass makes of a small program. That it keeps the meaning is shown by running, in differential.cpp.
#include "tests/unit/passes/programs.hpp"

using namespace xdpf;
using namespace xdpf::ir;
using namespace xdpf::passes;

namespace {

// What fold makes of an expression of %1 (any number) and constants, as the instruction that gives the result.
void folds(std::string_view expression, std::string_view expected)
{
    const std::string start = "slot $0 : 4 b0(): %1 = ctx rx_queue store.le32 $0 + 0, %1 %0 = lookup @last[$0] ";
    Module module = read(start + std::string(expression) + " return %9");
    fold(module.programs[0]);
    remove_dead_code(module.programs[0]);
    CHECK(text(module) == text(read(start + std::string(expected))));
}

// The same of a condition.
void decides(std::string_view condition, std::string_view expected)
{
    const std::string edges = " ? b1() : b2() b1(): return 1 b2(): return 2";
    Module module = read("b0(): " + std::string(condition) + edges);
    fold(module.programs[0]);
    remove_dead_code(module.programs[0]);
    const bool decided = expected.starts_with("jump");
    CHECK(text(module) ==
          text(read("b0(): " + std::string(expected) + (decided ? " b1(): return 1 b2(): return 2" : edges))));
}

} // namespace

TEST_CASE("fold computes with constants")
{
    folds("%2 = 6 %3 = 7 %9 = mul %2, %3", "return 42");
    becomes(fold, "b0(): %1 = 6 %2 = 7 %3 = mul %1, %2 return %3", "b0(): %1 = 6 %2 = 7 %3 = 42 return 42");
    becomes(fold, "b0(): %1 = 0 %2 = 7 %3 = div %2, %1 %4 = mod %2, %1 %5 = add %3, %4 return %5",
            "b0(): %1 = 0 %2 = 7 %3 = 0 %4 = 7 %5 = 7 return 7");
    becomes(fold, "b0(): %1 = 1 %2 = neg %1 return %2",
            "b0(): %1 = 1 %2 = 0xffffffffffffffff return 18446744073709551615");
}

TEST_CASE("fold simplifies arithmetic with one constant")
{
    folds("%2 = 0 %9 = add %2, %1", "return %1");
    folds("%2 = 0 %9 = sub %1, %2", "return %1");
    folds("%2 = 0 %9 = mul %1, %2", "return 0");
    folds("%2 = 1 %9 = mul %1, %2", "return %1");
    folds("%2 = 8 %9 = mul %1, %2", "%3 = 3 %9 = shl %1, %3 return %9");
    folds("%2 = 0 %9 = div %1, %2", "return 0");
    folds("%2 = 16 %9 = div %1, %2", "%3 = 4 %9 = shr %1, %3 return %9");
    folds("%2 = 0 %9 = mod %1, %2", "return %1");
    folds("%2 = 16 %9 = mod %1, %2", "%3 = 15 %9 = and %1, %3 return %9");
    folds("%2 = 10 %9 = mod %1, %2", "%2 = 10 %9 = mod %1, %2 return %9");
    folds("%2 = 0 %9 = and %1, %2", "return 0");
    folds("%2 = 0xffffffff %9 = and %1, %2", "return %1");
    folds("%2 = 0xf0 %3 = and %1, %2 %4 = 0x3c %9 = and %4, %3", "%3 = 0x30 %9 = and %1, %3 return %9");
    folds("%2 = 0xf0 %3 = and %1, %2 %4 = 0xf %9 = and %4, %3", "return 0");
    folds("%2 = 0 %9 = or %1, %2", "return %1");
    folds("%9 = xor %1, %1", "return 0");
    folds("%9 = sub %1, %1", "return 0");
    folds("%9 = or %1, %1", "return %1");
    folds("%2 = 65 %9 = shl %1, %2", "%3 = 1 %9 = shl %1, %3 return %9");
    folds("%2 = 64 %9 = shr %1, %2", "return %1");
}

TEST_CASE("fold keeps a mask that the kernel needs to see a bound")
{
    // The byte swap leaves the kernel without a bound, though there are only 16 bits.
    stays(fold, R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b2()
        b1(): %3 = load.be16 %1 + 0  %4 = 0xffff  %5 = and %3, %4  return %5
        b2(): return 2)");
}

TEST_CASE("fold decides branches")
{
    decides("%1 = 5 if %1 == 5", "jump b1()");
    decides("%1 = 5 if %1 & 8", "jump b2()");
    decides("%1 = 5 %2 = 6 if %1 < %2", "jump b1()");
    decides("%1 = ctx rx_queue if %1 >= 0", "jump b1()");
    decides("%1 = ctx rx_queue if %1 < 0", "jump b2()");
    decides("%1 = ctx rx_queue if %1 <= 0xffffffff", "jump b1()");
    decides("%1 = ctx rx_queue if %1 > 0xffffffff", "jump b2()");
    decides("%1 = ctx rx_queue if %1 > 0xfffffffe", "%1 = ctx rx_queue if %1 > 0xfffffffe");
    decides("%1 = ctx rx_queue if %1 < 0x100000000", "jump b1()");
    decides("%1 = ctx rx_queue if %1 == 0x100000000", "jump b2()");
    decides("%1 = ctx rx_queue if %1 != 0x100000000", "jump b1()");
    decides("%1 = ctx rx_queue if %1 & 0", "jump b2()");
    decides("%1 = ctx rx_queue if %1 !& 0", "jump b1()");
    decides("%1 = ctx rx_queue if %1 <= %1", "jump b1()");
    decides("%1 = ctx rx_queue if %1 != %1", "jump b2()");
    decides("%1 = ctx rx_queue if %1 & %1", "%1 = ctx rx_queue if %1 & %1");
    decides("%1 = ctx rx_queue %2 = 5 if %2 < %1", "%1 = ctx rx_queue if %1 > 5");
    decides("%1 = ctx rx_queue %2 = 6 %3 = and %1, %2 if %3 == 0", "%1 = ctx rx_queue if %1 !& 6");
    decides("%1 = ctx rx_queue %2 = 6 %3 = and %1, %2 if %3 != 0", "%1 = ctx rx_queue if %1 & 6");
}

TEST_CASE("fold sees a parameter that is one constant along all edges that are left")
{
    becomes(fold,
            R"(b0(): %1 = 4 %2 = ctx rx_queue if %1 == 4 ? b2() : b1()
               b1(): %3 = 9 jump b4(%3)
               b2(): if %2 == 1 ? b3() : b4(%1)
               b3(): %4 = 4 jump b4(%4)
               b4(%5): if %5 == 4 ? b5() : b6()
               b5(): return %5
               b6(): return 1)",
            R"(b0(): %1 = 4 %2 = ctx rx_queue jump b2()
               b1(): %3 = 9 jump b4(%3)
               b2(): if %2 == 1 ? b3() : b4(%1)
               b3(): %4 = 4 jump b4(%4)
               b4(%5): %6 = 4 jump b5()
               b5(): return 4
               b6(): return 1)");
}

TEST_CASE("fold makes a pointer that moves by nothing the pointer itself")
{
    becomes(fold, R"(b0(): %1 = packet_start %2 = packet_end %3 = 0 %4 = offset %1 + %3 max 0
            guard %4 + 1 <= %2 ? b1() : b2() b1(): %5 = load.u8 %4 + 0 return %5 b2(): return 1)",
            R"(b0(): %1 = packet_start %2 = packet_end %3 = 0
            guard %1 + 1 <= %2 ? b1() : b2() b1(): %5 = load.u8 %1 + 0 return %5 b2(): return 1)");
}

TEST_CASE("simplify_cfg")
{
    const auto pass = simplify_cfg;
    // Unreachable blocks.
    becomes(pass, "b0(): return 1 b1(): jump b2() b2(): return 2", "b0(): return 1");
    // Blocks that only jump, as a chain; the branch then has two equal edges.
    becomes(pass, "b0(): %1 = ctx rx_queue if %1 == 1 ? b1() : b3() b1(): jump b2() b2(): jump b3() b3(): return 3",
            "b0(): %1 = ctx rx_queue return 3");
    // Arguments go along, even twice.
    becomes(pass,
            R"(b0(): %1 = ctx rx_queue %2 = packet_length if %1 == 1 ? b1(%1) : b2(%2, %1)
               b1(%3): jump b2(%3, %3)
               b2(%4, %5): %6 = add %4, %5 return %6)",
            R"(b0(): %1 = ctx rx_queue %2 = packet_length if %1 == 1 ? b1(%1) : b1(%2)
               b1(%4): %6 = add %4, %1 return %6)");
    // A parameter that is used behind its block keeps the block.
    stays(pass, R"(b0(): %1 = ctx rx_queue %2 = packet_length if %1 == 1 ? b1(%1) : b1(%2)
               b1(%3): if %3 == 5 ? b2() : b3()
               b2(): return %3
               b3(): return 1)");
    // A block with a single way in.
    becomes(pass, "b0(): %1 = ctx rx_queue jump b1(%1) b1(%2): %3 = neg %2 jump b2() b2(): %4 = neg %3 return %4",
            "b0(): %1 = ctx rx_queue %3 = neg %1 %4 = neg %3 return %4");
    // Two edges with different arguments are two.
    stays(pass, "b0(): %1 = ctx rx_queue %2 = packet_length if %1 == 1 ? b1(%1) : b1(%2) b1(%3): return %3");
}

TEST_CASE("share_values")
{
    const auto pass = share_values;
    becomes(pass, "b0(): %1 = ctx rx_queue %2 = ctx rx_queue %3 = add %1, %2 %4 = add %2, %1 %5 = sub %3, %4 return %5",
            "b0(): %1 = ctx rx_queue %3 = add %1, %1 %5 = sub %3, %3 return %5");
    // Pointers everywhere, loads in their block only.
    becomes(pass,
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b3()
               b1(): %3 = load.u8 %1 + 0 %4 = load.u8 %1 + 0 if %3 == %4 ? b2() : b3()
               b2(): %5 = packet_start %6 = packet_end %7 = load.u8 %1 + 0 guard %5 + 20 <= %6 ? b4(%7) : b3()
               b3(): return 1
               b4(%8): return %8)",
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b3()
               b1(): %3 = load.u8 %1 + 0 if %3 == %3 ? b2() : b3()
               b2(): %7 = load.u8 %1 + 0 guard %1 + 20 <= %2 ? b4(%7) : b3()
               b3(): return 1
               b4(%8): return %8)");
    // The same distance, computed anew from the same bytes, is the same pointer.
    becomes(pass,
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b3()
               b1(): %3 = load.u8 %1 + 0 %4 = offset %1 + %3 max 255 guard %4 + 1 <= %2 ? b2() : b3()
               b2(): %5 = load.u8 %1 + 0 %6 = offset %1 + %5 max 255 guard %6 + 1 <= %2 ? b3() : b3()
               b3(): return 1)",
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b3()
               b1(): %3 = load.u8 %1 + 0 %4 = offset %1 + %3 max 255 guard %4 + 1 <= %2 ? b2() : b3()
               b2(): %5 = load.u8 %1 + 0 guard %4 + 1 <= %2 ? b3() : b3()
               b3(): return 1)");
    // Another width, order, place or bound is something else; branches side by side share nothing.
    stays(pass, R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b2()
               b1(): %3 = load.be16 %1 + 0 %4 = load.le16 %1 + 0 %5 = load.be16 %1 + 2 %6 = load.be32 %1 + 0 jump b2()
               b2(): return 1)");
    stays(pass, R"(b0(): %1 = ctx rx_queue if %1 == 0 ? b1() : b2()
               b1(): %2 = packet_start jump b3(%2)
               b2(): %3 = packet_start jump b3(%3)
               b3(%4: packet max 0): return 1)");
    // What changes between two readings.
    stays(pass, R"(slot $0 : 4 b0(): %1 = 0 store.le32 $0 + 0, %1 %2 = lookup @seen[$0] %3 = lookup @seen[$0]
               if %2 == 0 ? b2() : b1()
               b1(): %4 = load.le64 %2 + 0 atomic_add.le64 %2 + 0, %4 %5 = load.le64 %2 + 0 return %5
               b2(): return 1)");
}

TEST_CASE("merge_guards")
{
    const auto pass = merge_guards;
    // A chain that fails alike becomes its largest.
    becomes(pass,
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b4()
               b1(): %3 = load.u8 %1 + 0 guard %1 + 34 <= %2 ? b2() : b4()
               b2(): guard %1 + 42 <= %2 ? b3() : b4()
               b3(): %4 = load.u8 %1 + 41 return %4
               b4(): return 2)",
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 42 <= %2 ? b1() : b4()
               b1(): %3 = load.u8 %1 + 0 jump b2()
               b2(): jump b3()
               b3(): %4 = load.u8 %1 + 41 return %4
               b4(): return 2)");
    // Over tests that lead out as the guards do, either way round.
    becomes(pass,
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b5()
               b1(): %3 = load.u8 %1 + 0 if %3 == 1 ? b2() : b5()
               b2(): %4 = load.u8 %1 + 1 if %4 == 1 ? b5() : b3()
               b3(): guard %1 + 34 <= %2 ? b4() : b5() b4(): return 1 b5(): return 2)",
            R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b5()
               b1(): %3 = load.u8 %1 + 0 if %3 == 1 ? b2() : b5()
               b2(): %4 = load.u8 %1 + 1 if %4 == 1 ? b5() : b3()
               b3(): jump b4() b4(): return 1 b5(): return 2)");
    // One that has been asked already, also where paths met, and one that cannot succeed.
    becomes(pass,
            R"(b0(): %1 = packet_start %2 = packet_end %3 = ctx rx_queue if %3 == 0 ? b1() : b2()
               b1(): guard %1 + 14 <= %2 ? b3() : b4()
               b2(): guard %1 + 20 <= %2 ? b3() : b4()
               b3(): guard %1 + 12 <= %2 ? b5() : b6()
               b4(): guard %1 + 30 <= %2 ? b5() : b6()
               b5(): return 1
               b6(): return 2)",
            R"(b0(): %1 = packet_start %2 = packet_end %3 = ctx rx_queue if %3 == 0 ? b1() : b2()
               b1(): guard %1 + 14 <= %2 ? b3() : b4()
               b2(): guard %1 + 20 <= %2 ? b3() : b4()
               b3(): jump b5()
               b4(): jump b6()
               b5(): return 1
               b6(): return 2)");
    // A pointer that nothing is known of may itself lie behind the packet's end.
    stays(pass, R"(b0(): %1 = packet_start %2 = packet_end %3 = ctx rx_queue %4 = 7 %5 = and %3, %4
               %6 = offset %1 + %5 max 7 guard %6 + 0 <= %2 ? b1() : b2() b1(): return 1 b2(): return 2)");
    // Not where the failures differ, another pointer is asked, a decision or an effect lies between, or others come in.
    stays(pass, R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b3()
               b1(): guard %1 + 34 <= %2 ? b2() : b4() b2(): return 1 b3(): return 2 b4(): return 3)");
    stays(pass, R"(b0(): %1 = packet_start %2 = packet_end %3 = packet_length %4 = 1
               guard %1 + 14 <= %2 ? b1() : b3(%3)
               b1(): guard %1 + 34 <= %2 ? b2() : b3(%4) b2(): return 1 b3(%5): return %5)");
    stays(pass, R"(b0(): %1 = packet_start %2 = packet_end %3 = packet_start guard %1 + 14 <= %2 ? b1() : b3()
               b1(): guard %3 + 34 <= %2 ? b2() : b3() b2(): return 1 b3(): return 2)");
    stays(pass, R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b5()
               b1(): %3 = load.u8 %1 + 0 if %3 == 1 ? b2() : b4()
               b2(): guard %1 + 34 <= %2 ? b3() : b5() b3(): return 1 b4(): return 3 b5(): return 2)");
    stays(pass, R"(slot $0 : 4 b0(): %1 = packet_start %2 = packet_end %3 = 1 store.le32 $0 + 0, %3
               guard %1 + 14 <= %2 ? b1() : b3()
               b1(): %4 = lookup @last[$0] guard %1 + 34 <= %2 ? b2() : b3() b2(): return 1 b3(): return 2)");
    stays(pass, R"(b0(): %1 = packet_start %2 = packet_end %3 = ctx rx_queue if %3 == 0 ? b1() : b2()
               b1(): guard %1 + 14 <= %2 ? b2() : b4()
               b2(): guard %1 + 34 <= %2 ? b3() : b4() b3(): return 1 b4(): return 2)");
}

TEST_CASE("choose_byte_order")
{
    const auto pass = choose_byte_order;
    const auto with = [&](std::string_view test, std::string_view expected) {
        const std::string start = "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b3() b1(): ";
        const std::string end = " ? b2() : b3() b2(): return 1 b3(): return 2";
        becomes(pass, start + std::string(test) + end, start + std::string(expected) + end);
    };
    with("%3 = load.be16 %1 + 12 if %3 == 0x800", "%3 = load.le16 %1 + 12 if %3 == 8");
    with("%3 = load.be32 %1 + 4 if %3 != 0x0a000001", "%3 = load.le32 %1 + 4 if %3 != 0x0100000a");
    with("%3 = load.be64 %1 + 0 if %3 == 0x0102030405060708", "%3 = load.le64 %1 + 0 if %3 == 0x0807060504030201");
    with("%3 = load.be16 %1 + 0 if %3 & 0x1fff", "%3 = load.le16 %1 + 0 if %3 & 0xff1f");
    with("%3 = load.be16 %1 + 0 if %3 !& 0x12000", "%3 = load.le16 %1 + 0 if %3 !& 0x20");
    with("%3 = load.be32 %1 + 0 %4 = 0xffffff00 %5 = and %3, %4 if %5 == 0xc0000200",
         "%3 = load.le32 %1 + 0 %4 = 0xffffff00 %6 = 0x00ffffff %5 = and %3, %6 within 0xffffff if %5 == 0x000200c0");
    with("%3 = load.be16 %1 + 0 %4 = load.be16 %1 + 2 if %3 == %4",
         "%3 = load.le16 %1 + 0 %4 = load.le16 %1 + 2 if %3 == %4");
    const auto stays_with = [&](std::string_view test) { with(test, test); };
    stays_with("%3 = load.be16 %1 + 12 if %3 > 0x800");
    stays_with("%3 = load.u8 %1 + 12 if %3 == 8");
    stays_with("%3 = load.be16 %1 + 12 if %3 == 0x10000");
    stays_with("%3 = load.be16 %1 + 12 %4 = neg %3 if %3 == 1");
    stays_with("%3 = load.be16 %1 + 12 %4 = load.be16 %1 + 2 if %3 < %4");
    stays_with("%3 = load.be16 %1 + 12 %4 = load.be32 %1 + 2 if %3 == %4");
    stays_with("%3 = load.be16 %1 + 12 %4 = 0xff %5 = and %3, %4 if %5 > 1");
    stays_with("%3 = load.be16 %1 + 12 %4 = 0xff %5 = and %3, %4 %6 = neg %5 if %5 == 1");
}

TEST_CASE("choose_byte_order carries bytes into keys as they are")
{
    const auto program = [](std::string_view load, std::string_view store) {
        return fmt::format(R"(slot $0 : 4 b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b2()
            b1(): %3 = load.{} %1 + 0 store.{} $0 + 0, %3 %4 = 0 store.le16 $0 + 2, %4 %5 = lookup @seen[$0] return 1
            b2(): return 2)",
                           load, store);
    };
    becomes(choose_byte_order, program("be16", "be16"), program("le16", "le16"));
    stays(choose_byte_order, program("be16", "le16"));
    stays(choose_byte_order, program("be32", "be16"));
}

TEST_CASE("remove_dead_code")
{
    const auto pass = remove_dead_code;
    becomes(pass, "b0(): %1 = ctx rx_queue %2 = neg %1 %3 = add %2, %1 return %1", "b0(): %1 = ctx rx_queue return %1");
    becomes(pass,
            R"(b0(): %1 = ctx rx_queue %2 = neg %1 jump b1(%1, %2)
               b1(%3, %4): jump b2(%4, %3)
               b2(%5, %6): return %6)",
            "b0(): %1 = ctx rx_queue jump b1(%1) b1(%3): jump b2(%3) b2(%6): return %6");
    // Slots that nothing looks up with.
    becomes(pass,
            R"(slot $0 : 8 slot $1 : 4
               b0(): %1 = ctx rx_queue %2 = 7 store.le64 $0 + 0, %2 store.le32 $1 + 0, %1 %3 = lookup @seen[$1] return 1)",
            "slot $0 : 4 b0(): %1 = ctx rx_queue store.le32 $0 + 0, %1 %3 = lookup @seen[$0] return 1");
    // Effects stay.
    stays(pass, "b0(): %1 = ctx rx_queue %2 = redirect @xsks[%1] else 2 return 4");
    stays(pass, R"(slot $0 : 4 slot $1 : 8 b0(): %1 = 0 store.le32 $0 + 0, %1 store.le64 $1 + 0, %1
               update @seen[$0] = $1 %2 = lookup @last[$0] if %2 == 0 ? b2() : b1()
               b1(): atomic_add.le64 %2 + 0, %1 jump b2()
               b2(): return 1)");
}

TEST_CASE("the whole list on the program that the project began with")
{
    // Two rules on UDP, each asking for its headers anew.
    Module module = read(R"(
        b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b9()
        b1(): %3 = load.be16 %1 + 12 if %3 == 0x800 ? b2() : b9()
        b2(): %4 = packet_start %5 = packet_end guard %4 + 34 <= %5 ? b3() : b9()
        b3(): %6 = load.u8 %4 + 23 if %6 == 17 ? b4() : b5()
        b4(): %7 = ctx rx_queue %8 = redirect @xsks[%7] else 2 return %8
        b5(): %9 = packet_start %10 = packet_end guard %9 + 14 <= %10 ? b6() : b9()
        b6(): guard %9 + 34 <= %10 ? b7() : b9()
        b7(): %11 = load.u8 %9 + 23 if %11 == 6 ? b8() : b9()
        b8(): return 1
        b9(): return 2)");
    passes::optimize(module, passes::Checks::on);
    CHECK(text(module) == text(read(R"(
        b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b6()
        b1(): %3 = load.le16 %1 + 12 if %3 == 8 ? b2() : b6()
        b2(): %4 = load.u8 %1 + 23 if %4 == 17 ? b3() : b4()
        b3(): %5 = ctx rx_queue %6 = redirect @xsks[%5] else 2 return %6
        b4(): if %4 == 6 ? b5() : b6()
        b5(): return 1
        b6(): return 2)")));
}
