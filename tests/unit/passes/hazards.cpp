// What passes must leave as it is: the packet, slots and maps change under the program's hands.
#include "tests/unit/passes/programs.hpp"

using namespace xdpf::passes;

namespace {

const std::string ethernet = "b0(): %1 = packet_start %2 = packet_end %9 = ctx rx_queue "
                             "guard %1 + 14 <= %2 ? b1() : b2() b1(): ";
const std::string rest = " b2(): return 2";

// No pass changes it, as far as what is to stay is concerned: pointers and loads.
void stays_shared(std::string_view insts) { stays(share_values, ethernet + std::string(insts) + rest); }

} // namespace

TEST_CASE("share_values loads anew behind a store into the packet")
{
    stays_shared("%3 = load.be16 %1 + 12 pstore.be16 %1 + 12, %9 %4 = load.be16 %1 + 12 %5 = add %3, %4 return %5");
    // Whatever the store's address looks like.
    stays_shared("%3 = load.u8 %1 + 0 pstore.u8 %1 + 5, %3 %4 = load.u8 %1 + 0 %5 = add %3, %4 return %5");
    // Two loads between stores are one.
    becomes(share_values,
            ethernet + "pstore.u8 %1 + 0, %9 %3 = load.u8 %1 + 0 %4 = load.u8 %1 + 0 %5 = add %3, %4 return %5" + rest,
            ethernet + "pstore.u8 %1 + 0, %9 %3 = load.u8 %1 + 0 %5 = add %3, %3 return %5" + rest);
    // Arithmetic on what was loaded is still arithmetic on other numbers.
    stays_shared("%3 = load.u8 %1 + 0 %6 = neg %3 pstore.u8 %1 + 0, %9 %4 = load.u8 %1 + 0 %7 = neg %4 "
                 "%5 = add %6, %7 return %5");
}

TEST_CASE("share_values keeps pointers over a store, and none over a move")
{
    becomes(share_values,
            ethernet + "pstore.u8 %1 + 0, %9 %3 = packet_start %4 = load.u8 %1 + 1 jump b3(%3) b2(): return 2 "
                       "b3(%5: packet max 0): return 1",
            ethernet + "pstore.u8 %1 + 0, %9 %4 = load.u8 %1 + 1 jump b3(%1) b2(): return 2 "
                       "b3(%5: packet max 0): return 1");
    for (const std::string move : {"adjust_head %9 ", "adjust_tail %9 ", "adjust_meta %9 ", "tail_call @progs[1] "}) {
        stays(share_values, ethernet + move +
                                "%3 = packet_start %4 = packet_end guard %3 + 14 <= %4 ? b3() : b2() b2(): return 2 "
                                "b3(): %5 = load.u8 %3 + 0 return %5");
        stays_shared("%3 = packet_length " + move + "%4 = packet_length %5 = sub %3, %4 return %5");
        stays(share_values, ethernet + "%3 = meta_start " + move +
                                "%4 = meta_start %5 = packet_start guard %4 + 4 <= %5 ? b3() : b2() b2(): return 2 "
                                "b3(): return 1");
        // On one of two ways.
        stays(share_values, ethernet + "if %9 == 1 ? b3() : b4() b2(): return 2 b3(): " + move +
                                "jump b4() b4(): %3 = packet_start %4 = packet_end "
                                "guard %3 + 1 <= %4 ? b5() : b5() b5(): return 1");
    }
    // Between moves, also in other blocks, they are shared.
    becomes(share_values,
            ethernet + "adjust_head %9 %3 = packet_start jump b3() b2(): return 2 b3(): %4 = packet_start "
                       "%5 = packet_end guard %4 + 1 <= %5 ? b4() : b4() b4(): return 1",
            ethernet + "adjust_head %9 %3 = packet_start jump b3() b2(): return 2 b3(): "
                       "%5 = packet_end guard %3 + 1 <= %5 ? b4() : b4() b4(): return 1");
}

TEST_CASE("share_values loads slots and maps anew, and asks again")
{
    stays_shared("%3 = now %4 = now %5 = sub %4, %3 return %5");
    stays_shared("%3 = random %4 = random %5 = sub %4, %3 return %5");
    stays(share_values, "slot $0 : 8 b0(): %1 = now store.le64 $0 + 0, %1 %2 = load.le64 $0 + 0 %3 = random "
                        "store.le64 $0 + 0, %3 %4 = load.le64 $0 + 0 %5 = sub %2, %4 return %5");
    stays_shared("%3 = map_value @conf + 0 %4 = load.le64 %3 + 0 store.le64 %3 + 0, %9 %5 = load.le64 %3 + 0 "
                 "%6 = sub %4, %5 return %6");
    stays_shared("%3 = map_value @conf + 0 %4 = map_value @conf + 8 %5 = load.le64 %3 + 0 %6 = load.le64 %4 + 0 "
                 "%7 = sub %5, %6 return %7");
    stays_shared("%3 = map_value @conf + 0 %4 = map_value @other + 0 %5 = load.le64 %3 + 0 %6 = load.le64 %4 + 0 "
                 "%7 = sub %5, %6 return %7");
    becomes(share_values,
            ethernet + "%3 = map_value @conf + 8 %4 = map_value @conf + 8 %5 = load.le64 %4 + 0 return %5" + rest,
            ethernet + "%3 = map_value @conf + 8 %5 = load.le64 %3 + 0 return %5" + rest);
    stays(share_values, "slot $0 : 4 b0(): %1 = ctx rx_queue store.le32 $0 + 0, %1 %2 = delete @seen[$0] "
                        "%3 = delete @seen[$0] %4 = sub %2, %3 return %4");
}

TEST_CASE("merge_tests knows a byte until it is written")
{
    const std::string head = "b0(): %1 = packet_start %2 = packet_end %9 = ctx rx_queue "
                             "guard %1 + 34 <= %2 ? b1() : b4() ";
    const std::string failed = " b4(): return 2";
    const std::string tested = head + "b1(): %3 = load.u8 %1 + 15 %4 = 252 %5 = and %3, %4 if %5 == 184 ? b2() : b4() "
                                      "b2(): %6 = load.u8 %1 + 15 %7 = 3 %8 = and %6, %7 if %8 != 0 ? b3() : b4() "
                                      "b3(): ";
    const std::string shorter = head + "b1(): %3 = load.u8 %1 + 15 %4 = 252 %5 = and %3, %4 %10 = load.u8 %1 + 15 "
                                       "%11 = 185 %12 = sub %10, %11 if %12 <= 2 ? b2() : b4() "
                                       "b2(): %6 = load.u8 %1 + 15 %7 = 3 %16 = 1 %8 = add %12, %16 jump b3() b3(): ";
    const std::string read = "%13 = load.u8 %1 + 15 ";
    const std::string store = "pstore.u8 %1 + 15, %9 ";
    const std::string masked = "%14 = 3 %15 = and %13, %14 return %15";
    const std::string known = "%14 = 3 %17 = 1 %15 = add %12, %17 return %15";
    becomes(merge_tests, tested + read + masked + failed, shorter + read + known + failed);
    becomes(merge_tests, tested + store + read + masked + failed, shorter + store + read + masked + failed);
    // What was loaded before the store is still what it was.
    becomes(merge_tests, tested + read + store + masked + failed, shorter + read + store + known + failed);
    // The tests would look at another byte.
    stays(merge_tests, head + "b1(): %3 = load.u8 %1 + 15 " + store +
                           "%4 = 252 %5 = and %3, %4 if %5 == 184 ? b2() : b4() "
                           "b2(): %6 = load.u8 %1 + 14 if %6 == 1 ? b3() : b4() b3(): return 1" +
                           failed);
    stays(merge_tests, "b0(): %1 = packet_start %2 = packet_end %9 = ctx rx_queue guard %1 + 34 <= %2 ? b1() : b5() "
                       "b1(): %3 = load.u8 %1 + 15 jump b2() b2(): " +
                           store +
                           "%4 = 252 %5 = and %3, %4 if %5 == 184 ? b3() : b5() "
                           "b3(): %6 = load.u8 %1 + 14 if %6 == 1 ? b4() : b5() b4(): return 1 b5(): return 2");
}

TEST_CASE("merge_guards does not ask before something happens")
{
    const auto widened = [](std::string_view between) {
        return "b0(): %1 = packet_start %2 = packet_end %9 = ctx rx_queue guard %1 + 14 <= %2 ? b1() : b3() b1(): " +
               std::string(between) + " guard %1 + 34 <= %2 ? b2() : b3() b2(): return 1 b3(): return 2";
    };
    stays(merge_guards, widened("pstore.u8 %1 + 0, %9"));
    stays(merge_guards, "slot $0 : 8 " + widened("store.le64 $0 + 0, %9 push @fifo $0"));
    stays(merge_guards, widened("%3 = random"));
    becomes(merge_guards, widened("%3 = now"),
            "b0(): %1 = packet_start %2 = packet_end %9 = ctx rx_queue guard %1 + 34 <= %2 ? b1() : b3() "
            "b1(): %3 = now jump b2() b2(): return 1 b3(): return 2");
    // A new pointer has not been guarded, and its guard is not known to fail either.
    stays(merge_guards, "b0(): %1 = packet_start %2 = packet_end %9 = ctx rx_queue guard %1 + 14 <= %2 ? b1() : b3() "
                        "b1(): adjust_tail %9 %3 = packet_start %4 = packet_end guard %3 + 14 <= %4 ? b2() : b3() "
                        "b2(): return 1 b3(): return 2");
    stays(merge_guards, "b0(): %1 = packet_start %2 = packet_end %9 = ctx rx_queue guard %1 + 14 <= %2 ? b2() : b1() "
                        "b1(): adjust_tail %9 %3 = packet_start %4 = packet_end guard %3 + 14 <= %4 ? b2() : b3() "
                        "b2(): return 1 b3(): return 2");
}

TEST_CASE("remove_dead_code drops no effect")
{
    stays(remove_dead_code,
          ethernet + "pstore.u8 %1 + 0, %9 adjust_head %9 %3 = random tail_call @progs[0] return 1" + rest);
    stays(remove_dead_code, "slot $0 : 8 b0(): %1 = now store.le64 $0 + 0, %1 push @fifo $0 delete @seen[$0] "
                            "update @seen[$0] = $0 return 1");
    stays(remove_dead_code, "slot $0 : 8 b0(): %1 = now store.le64 $0 + 0, %1 rx_meta hash $0 %2 = load.le32 $0 + 0 "
                            "return %2");
    stays(remove_dead_code, R"(b0(): %1 = reserve @ring 16 if %1 == 0 ? b1() : b2()
                               b1(): return 1
                               b2(): %2 = 8 copy_packet %1 + 0, %2 max 8 submit %1 return 2)");
    // Nobody looks at how it went, or at what was asked.
    becomes(remove_dead_code,
            "slot $0 : 8 slot $1 : 8 b0(): %1 = now store.le64 $0 + 0, %1 store.le64 $1 + 0, %1 %2 = push @fifo $1 "
            "%3 = adjust_tail %1 %4 = cpu %5 = now %6 = map_value @conf + 0 %7 = load.le64 %6 + 0 "
            "%8 = load.le32 $1 + 0 %9 = peek @bloom $1 return 1",
            "slot $0 : 8 b0(): %1 = now store.le64 $0 + 0, %1 push @fifo $0 adjust_tail %1 return 1");
}

TEST_CASE("simplify_cfg keeps blocks of instructions, and the order of what happens")
{
    stays(simplify_cfg, "asm 0 : 0x95 b0(): asm 0");
    becomes(simplify_cfg, ethernet + "pstore.u8 %1 + 0, %9 jump b3() b2(): return 2 b3(): adjust_head %9 return 1",
            ethernet + "pstore.u8 %1 + 0, %9 adjust_head %9 return 1 b2(): return 2");
    // The same pointer along both edges: it is alive there, so nothing has moved.
    becomes(simplify_cfg,
            ethernet + "if %9 == 1 ? b3() : b4(%1) b2(): return 2 b3(): pstore.u8 %1 + 0, %9 jump b4(%1) "
                       "b4(%3: packet max 0): %4 = load.u8 %3 + 0 return %4",
            ethernet + "if %9 == 1 ? b3() : b4() b2(): return 2 b3(): pstore.u8 %1 + 0, %9 jump b4() "
                       "b4(): %4 = load.u8 %1 + 0 return %4");
}

TEST_CASE("choose_byte_order carries bytes from packet to packet")
{
    becomes(choose_byte_order, ethernet + "%3 = load.be16 %1 + 0 pstore.be16 %1 + 12, %3 return 1" + rest,
            ethernet + "%3 = load.le16 %1 + 0 pstore.le16 %1 + 12, %3 return 1" + rest);
    // Two fields change places.
    becomes(choose_byte_order,
            ethernet +
                "%3 = load.be32 %1 + 0 %4 = load.be32 %1 + 4 pstore.be32 %1 + 0, %4 pstore.be32 %1 + 4, %3 "
                "return 1" +
                rest,
            ethernet +
                "%3 = load.le32 %1 + 0 %4 = load.le32 %1 + 4 pstore.le32 %1 + 0, %4 pstore.le32 %1 + 4, %3 "
                "return 1" +
                rest);
    const auto keeps = [](std::string_view insts) { stays(choose_byte_order, ethernet + std::string(insts) + rest); };
    keeps("%3 = load.be16 %1 + 0 pstore.be32 %1 + 8, %3 return 1");  // another width
    keeps("%3 = load.be16 %1 + 0 pstore.le16 %1 + 8, %3 return 1");  // the swap is wanted
    keeps("%3 = load.be16 %1 + 0 pstore.be16 %1 + 8, %3 return %3"); // the number is wanted, too
    keeps("%3 = load.be16 %1 + 0 %4 = add %3, %9 pstore.be16 %1 + 8, %4 return 1");
    becomes(choose_byte_order,
            "slot $0 : 8 b0(): %1 = now store.be64 $0 + 0, %1 %2 = load.be16 $0 + 0 %3 = map_value @conf + 0 "
            "store.be16 %3 + 2, %2 %4 = load.be32 %3 + 0 if %4 == 0x1020304 ? b1() : b1() b1(): return 1",
            "slot $0 : 8 b0(): %1 = now store.be64 $0 + 0, %1 %2 = load.le16 $0 + 0 %3 = map_value @conf + 0 "
            "store.le16 %3 + 2, %2 %4 = load.le32 %3 + 0 if %4 == 0x4030201 ? b1() : b1() b1(): return 1");
}

TEST_CASE("the whole list keeps a program that rewrites")
{
    // Swap two fields, grow by four bytes, and look at the packet again.
    xdpf::ir::Module module = read(R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b4()
        b1(): %3 = load.be32 %1 + 0 %4 = load.be32 %1 + 4 pstore.be32 %1 + 0, %4 pstore.be32 %1 + 4, %3
              %5 = load.be16 %1 + 12 if %5 == 0x800 ? b2() : b4()
        b2(): %6 = 4 %7 = neg %6 %8 = adjust_head %7 if %8 == 0 ? b3() : b4()
        b3(): %9 = packet_start %10 = packet_end guard %9 + 4 <= %10 ? b5() : b4()
        b4(): return 1
        b5(): %11 = load.be16 %9 + 0 %12 = 0 pstore.be32 %9 + 0, %12 %13 = load.be16 %9 + 0 %14 = add %11, %13
              return %14)");
    optimize(module, Checks::on);
    CHECK(text(module) == text(read(R"(b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b4()
        b1(): %3 = load.le32 %1 + 0 %4 = load.le32 %1 + 4 pstore.le32 %1 + 0, %4 pstore.le32 %1 + 4, %3
              %5 = load.le16 %1 + 12 if %5 == 8 ? b2() : b4()
        b2(): %7 = 0xfffffffffffffffc %8 = adjust_head %7 if %8 == 0 ? b3() : b4()
        b3(): %9 = packet_start %10 = packet_end guard %9 + 4 <= %10 ? b5() : b4()
        b4(): return 1
        b5(): %11 = load.be16 %9 + 0 %12 = 0 pstore.be32 %9 + 0, %12 %13 = load.be16 %9 + 0 %14 = add %11, %13
              return %14)")));
}
