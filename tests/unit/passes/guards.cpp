// Guards, rebases and tests of bytes: what the passes about packet access make of small programs.
#include "tests/unit/passes/programs.hpp"

using namespace xdpf::passes;
using namespace xdpf;

TEST_CASE("a guard asks for what is needed behind it")
{
    becomes(anticipate_guards,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b4() "
            "b2(): %4 = 34 %5 = offset %1 + %4 max 34 guard %5 + 8 <= %2 ? b3() : b4() "
            "b3(): return 1 b4(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 42 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b4() "
            "b2(): %4 = 34 %5 = offset %1 + %4 max 34 jump b3() "
            "b3(): return 1 b4(): return 2");
    // Where ways part it is the smaller number, and none where one ends in something else.
    becomes(anticipate_guards,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b5() "
            "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b3() "
            "b2(): guard %1 + 34 <= %2 ? b4() : b5() b3(): guard %1 + 54 <= %2 ? b4() : b5() "
            "b4(): return 1 b5(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 34 <= %2 ? b1() : b5() "
            "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b3() "
            "b2(): jump b4() b3(): guard %1 + 54 <= %2 ? b4() : b5() "
            "b4(): return 1 b5(): return 2");
    stays(anticipate_guards, "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b4() "
                             "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b3() "
                             "b2(): guard %1 + 34 <= %2 ? b3() : b4() b3(): return 1 b4(): return 2");
    // Nor over what is done.
    stays(anticipate_guards, "slot $0 : 4 b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b3() "
                             "b1(): %3 = 1 store.le32 $0 + 0, %3 %4 = delete @seen[$0] "
                             "guard %1 + 34 <= %2 ? b2() : b3() b2(): return %4 b3(): return 2");
}

TEST_CASE("what surely comes about is come to at once")
{
    becomes(anticipate_guards,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b2() : b3() "
            "b2(): guard %1 + 34 <= %2 ? b4() : b4() b3(): return 1 b4(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 12 if %3 == 8 ? b4() : b3() "
            "b2(): guard %1 + 34 <= %2 ? b4() : b4() b3(): return 1 b4(): return 2");
}

TEST_CASE("a guard of the packet's start is one of pointers a constant away, in loops too")
{
    becomes(anticipate_guards,
            "b0(): %1 = packet_start %2 = packet_end %3 = 2 guard %1 + 34 <= %2 ? b1(%1, %3) : b5() "
            "b1(%4: packet max 8, %5: max 2) loop 2: guard %4 + 14 <= %2 ? b2() : b5() "
            "b2(): %6 = load.u8 %4 + 12 if %6 == 8 ? b4() : b3() "
            "b3(): %7 = 4 %8 = offset %4 + %7 max 4 %9 = 1 %10 = sub %5, %9 within 2 again b1(%8, %10) "
            "b4(): return 1 b5(): return 2",
            "b0(): %1 = packet_start %2 = packet_end %3 = 2 guard %1 + 34 <= %2 ? b1(%1, %3) : b5() "
            "b1(%4: packet max 8, %5: max 2) loop 2: jump b2() "
            "b2(): %6 = load.u8 %4 + 12 if %6 == 8 ? b4() : b3() "
            "b3(): %7 = 4 %8 = offset %4 + %7 max 4 %9 = 1 %10 = sub %5, %9 within 2 again b1(%8, %10) "
            "b4(): return 1 b5(): return 2");
}

TEST_CASE("tests of one byte become one")
{
    becomes(merge_tests,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 20 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 0 %4 = 0xf0 %5 = and %3, %4 if %5 == 0x40 ? b2() : b4() "
            "b2(): %6 = load.u8 %1 + 0 %7 = 15 %8 = and %6, %7 if %8 >= 5 ? b3() : b4() "
            "b3(): %9 = load.u8 %1 + 0 %10 = 15 %11 = and %9, %10 return %11 b4(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 20 <= %2 ? b1() : b4() "
            "b1(): %3 = load.u8 %1 + 0 %4 = 0xf0 %5 = and %3, %4 "
            "%12 = load.u8 %1 + 0 %13 = 0x45 %14 = sub %12, %13 if %14 <= 10 ? b2() : b4() "
            "b2(): %6 = load.u8 %1 + 0 %7 = 15 %15 = 5 %8 = add %14, %15 jump b3() "
            "b3(): %9 = load.u8 %1 + 0 %10 = 15 %16 = 5 %11 = add %14, %16 return %11 b4(): return 2");
}

TEST_CASE("tests of bytes side by side become one, where all of them are there")
{
    const auto both = [](int guarded) {
        return fmt::format("b0(): %1 = packet_start %2 = packet_end guard %1 + {} <= %2 ? b1() : b3() "
                           "b1(): %3 = load.be16 %1 + 6 if %3 !& 0x1fff ? b2() : b3() ",
                           guarded);
    };
    becomes(merge_tests, both(20) + "b2(): %4 = load.u8 %1 + 9 if %4 == 17 ? b4() : b3() b3(): return 2 b4(): return 1",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 20 <= %2 ? b1() : b3() "
            "b1(): %3 = load.be16 %1 + 6 %5 = load.le32 %1 + 6 %6 = 0xff00ff1f %7 = and %5, %6 within 4278255391 "
            "if %7 == 0x11000000 ? b2() : b3() "
            "b2(): %4 = load.u8 %1 + 9 jump b4() b3(): return 2 b4(): return 1");
    stays(merge_tests, both(8) + "b2(): guard %1 + 20 <= %2 ? b5() : b3() b3(): return 2 b4(): return 1 "
                                 "b5(): %4 = load.u8 %1 + 9 if %4 == 17 ? b6() : b7() b6(): return 1 b7(): return 2");
    // The other value leads elsewhere.
    stays(merge_tests,
          both(20) +
              "b2(): %4 = load.u8 %1 + 9 if %4 == 17 ? b4() : b5() b3(): return 2 b4(): return 1 b5(): return 3");
}

TEST_CASE("the constant part of a distance is counted apart")
{
    becomes(split_distances,
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 20 <= %2 ? b1() : b2() "
            "b1(): %3 = load.u8 %1 + 0 %4 = 15 %5 = and %3, %4 %6 = 2 %7 = add %5, %6 %8 = shl %7, %6 "
            "%9 = offset %1 + %8 max 68 guard %9 + 8 <= %2 ? b2() : b2() b2(): return 2",
            "b0(): %1 = packet_start %2 = packet_end guard %1 + 20 <= %2 ? b1() : b2() "
            "b1(): %3 = load.u8 %1 + 0 %4 = 15 %5 = and %3, %4 %6 = 2 %7 = add %5, %6 %8 = shl %7, %6 "
            "%10 = 8 %11 = offset %1 + %10 max 8 %12 = 2 %13 = shl %5, %12 within 60 "
            "%9 = offset %11 + %13 max 60 within 68 guard %9 + 8 <= %2 ? b2() : b2() b2(): return 2");
}

TEST_CASE("a rebase is left out in front of little")
{
    const std::string loop =
        "b0(): %1 = packet_start %2 = packet_end %3 = 2 guard %1 + 42 <= %2 ? b1(%1, %3) : b4() "
        "b1(%4: packet max 8, %5: max 2) loop 2: %6 = load.u8 %4 + 12 if %6 == 8 ? b3() : b2() "
        "b2(): %7 = 4 %8 = offset %4 + %7 max 4 %9 = 1 %10 = sub %5, %9 within 2 again b1(%8, %10) ";
    becomes(drop_rebases,
            loop + "b3(): %11 = rebase %4 from %1 max 15 guard %11 + 34 <= %2 ? b5() : b4() "
                   "b4(): return 2 b5(): return 1",
            loop + "b3(): guard %4 + 34 <= %2 ? b5() : b4() b4(): return 2 b5(): return 1");
}

TEST_CASE("comparisons that lead out of a loop come first")
{
    becomes(order_tests,
            "b0(): %1 = 2 %2 = 5 jump b1(%1, %2) "
            "b1(%3: max 2, %4: max 5) loop 2: if %4 == 7 ? b3() : b2() "
            "b2(): if %4 == 5 ? b4() : b5() "
            "b3(): %5 = 1 %6 = sub %3, %5 within 2 again b1(%6, %4) b4(): return 1 b5(): return 2",
            "b0(): %1 = 2 %2 = 5 jump b1(%1, %2) "
            "b1(%3: max 2, %4: max 5) loop 2: if %4 != 5 ? b2() : b5() "
            "b2(): if %4 != 7 ? b3() : b4() b3(): return 2 "
            "b4(): %5 = 1 %6 = sub %3, %5 within 2 again b1(%6, %4) b5(): return 1");
}
