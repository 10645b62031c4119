// Checking `asm` blocks: what is refused, and that what is right is not.
#include "tests/unit/bpf/asm_reading.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace xdpf;
using testing::read_and_check;

namespace {

struct Case {
    std::string_view text;
    std::string_view said; // without the kind's end and the help: the beginning of the line
};

void check(std::span<const Case> cases)
{
    for (const Case &one : cases) {
        CAPTURE(std::string(one.text));
        const auto read = read_and_check(one.text);
        CHECK_FALSE(read.block.has_value());
        CHECK_MESSAGE(read.lines().starts_with(one.said), read.lines());
        CHECK(read.said.size() == 1);
    }
}

// r2 and r3: the packet and its end.
std::string packet(std::string_view rest)
{
    return "r2 = *(u32 *)(r1 + xdp_md.data)\nr3 = *(u32 *)(r1 + xdp_md.data_end)\nr0 = 2\n" + std::string(rest) +
           "\nout: exit";
}

// r0: an entry of 'hash' (16 bytes), or 0.
std::string entry(std::string_view rest, std::string_view map = "hash")
{
    return fmt::format("*(u64 *)(r10 - 8) = 0\nr6 = r1; r2 = r10; r2 += -8\nr1 = map {}\ncall bpf_map_lookup_elem\n{}\n"
                       "r0 = 1\nout: r0 = 2\nexit",
                       map, rest);
}

void fine(const std::string &text)
{
    const auto read = read_and_check(text);
    CHECK_MESSAGE(read.block.has_value(), read.lines() << text);
}

void wrong(const std::string &text, std::string_view said)
{
    const auto read = read_and_check(text);
    CHECK_MESSAGE(read.lines() == std::string(said) + "\n", read.lines() << text);
}

} // namespace

TEST_CASE("ways through a block")
{
    check(std::array{
        Case{"r0 = 1", "asm_flow 'r0 = 1' the block goes on behind its last instruction | every way ends with `exit`"},
        Case{"r0 = 1; if r0 > 5 goto out; exit; out:",
             "asm_flow 'if r0 > 5 goto out' this jump leads to the end of the block, where no instruction stands"},
        Case{"r0 = 1; exit; r0 = 2; exit", "asm_flow 'r0 = 2' this instruction is never reached"},
        Case{"r0 = 1; goto out; r0 = 5; out: exit", "asm_flow 'r0 = 5' this instruction is never reached"},
        Case{"exit", "asm_type 'exit' r0 was never given a value here | it is the program's verdict: `r0 = XDP_PASS`"},
        Case{"r0 = r1; exit", "asm_type 'exit' r0 must be a number at the exit, and it is the context"},
    });
    fine("r0 = 1; goto out; out: exit");
    std::string ways = "r2 = *(u32 *)(r1 + 16)\nr0 = 0\n";
    for (int i = 0; i < 20; ++i)
        ways += fmt::format("if r2 & {} goto l{}\nr0 += 1\nl{}:\n", 1U << i, i, i);
    wrong(ways + "exit", "asm_flow 'r2 = *(u32 *)(r1 + 16)' too many ways lead through this block for the kernel to "
                         "follow each | each condition behind which both ways meet again doubles their number: leave "
                         "early instead");
    std::string chain = "r0 = *(u32 *)(r1 + 16)\n";
    for (int i = 0; i < 1001; ++i)
        chain += "if r0 == 7 goto out\n";
    CHECK(read_and_check(chain + "out: exit").lines().find("1001 conditional jumps in one block") != std::string::npos);
}

TEST_CASE("registers")
{
    check(std::array{
        Case{"r0 = r3; exit", "asm_type 'r0 = r3' r3 was never given a value here"},
        Case{"r0 += 3; exit", "asm_type 'r0 += 3' r0 was never given a value here"},
        Case{"if r5 > 3 goto out; out: r0 = 1; exit", "asm_type 'if r5 > 3 goto out' r5 was never given a value here"},
        Case{"r10 = 5; r0 = 1; exit", "asm_type 'r10 = 5' r10 is the end of the stack frame and cannot be changed"},
        Case{"call bpf_ktime_get_ns; r0 = r1; exit",
             "asm_type 'r0 = r1' r1 lost its value in the call of bpf_ktime_get_ns | r6 to r9 keep their values"},
        Case{"r0 = *(u32 *)(r1 + 16); if r0 > 5 goto out; r2 = 1; out: r0 = r2; exit",
             "asm_type 'r0 = r2' r2 was not given a value on every way that leads here"},
        Case{"r0 = *(u32 *)(r1 + 16); if r0 > 5 goto out; r1 = 1; out: r0 = r1; exit",
             "asm_type 'r0 = r1' r1 holds something else on each way that leads here"},
        Case{"r0 = 1; r0 /= 0; exit", "division_by_zero 'r0 /= 0' division by the constant 0"},
        Case{"r0 = 1; r0 <<= 64; exit", "asm_type 'r0 <<= 64' a shift by 64 bits; the register has 64"},
        Case{"r0 = 1; w0 s>>= 32; exit", "asm_type 'w0 s>>= 32' a shift by 32 bits; the register has 32"},
        Case{"r2 = r1; r2 += 4; r0 = 1; exit", "asm_type 'r2 += 4' r2 is the context, which cannot be moved"},
        Case{"r2 = r10; r2 *= 4; r0 = 1; exit",
             "asm_type 'r2 *= 4' r2 is a pointer to the stack: only numbers can be added"},
        Case{"w2 = w1; r0 = 1; exit", "asm_type 'w2 = w1' r1 is the context, which has 64 bits: r1 and not w1"},
        Case{"r1 = -r1; r0 = 1; exit", "asm_type 'r1 = -r1' r1 is the context: its bytes are not for calculating"},
        Case{"r2 = r10; r2 += r1; r0 = 1; exit", "asm_type 'r2 += r1' a pointer to the stack plus the context"},
        Case{"r2 = 7; r2 -= r10; r0 = 1; exit", "asm_type 'r2 -= r10' a number minus a pointer to the stack"},
        Case{"if r1 == r10 goto out; out: r0 = 1; exit",
             "asm_type 'if r1 == r10 goto out' the context cannot be compared with a pointer to the stack"},
    });
    // one mistake does not bring others along
    CHECK(read_and_check("r2 = r7; r2 += r2; r0 = *(u8 *)(r2 + 0); exit").said.size() == 1);
    const auto noted = read_and_check("call bpf_ktime_get_ns; r0 = r1; exit");
    REQUIRE(noted.said[0].notes.size() == 1);
    CHECK(noted.at(noted.said[0].notes[0].span) == "call bpf_ktime_get_ns");
}

TEST_CASE("the context")
{
    check(std::array{
        Case{"r0 = *(u16 *)(r1 + 0); exit", "asm_memory 'r0 = *(u16 *)(r1 + 0)' the context is read field by field"},
        Case{"r0 = *(u32 *)(r1 + 2); exit", "asm_memory 'r0 = *(u32 *)(r1 + 2)' the context is read field by field"},
        Case{"r0 = *(u32 *)(r1 + 24); exit", "asm_memory 'r0 = *(u32 *)(r1 + 24)' the context is read field by field"},
        Case{"r0 = *(u32 *)(r1 + xdp_md.egress_ifindex); exit",
             "asm_memory 'r0 = *(u32 *)(r1 + xdp_md.egress_ifindex)' egress_ifindex is there only in programs on a"},
        Case{"*(u32 *)(r1 + 16) = 0; r0 = 1; exit", "asm_memory '*(u32 *)(r1 + 16) = 0' the context cannot be written"},
    });
    const char *egress = "r0 = *(u32 *)(r1 + xdp_md.egress_ifindex); exit";
    CHECK(read_and_check(egress, ProgramImage::Place::devmap).block.has_value());
    CHECK_FALSE(read_and_check(egress, ProgramImage::Place::cpumap).block.has_value());
}

TEST_CASE("the packet is compared with its end before it is read")
{
    wrong(packet("r0 = *(u16 *)(r2 + 12)"),
          "asm_memory 'r0 = *(u16 *)(r2 + 12)' the packet may end before byte 14 here | compare r2 + 14 with "
          "xdp_md.data_end first");
    for (const std::string_view guard : {"if r4 > r3 goto out", "if r3 < r4 goto out", "if r4 <= r3 goto in\ngoto out",
                                         "if r3 >= r4 goto in\ngoto out"}) {
        const std::string before = "r4 = r2; r4 += 14\n" + std::string(guard) + "\nin: ";
        fine(packet(before + "r0 = *(u16 *)(r2 + 12)"));
        fine(packet(before + "*(u8 *)(r4 - 1) = 1"));
        wrong(packet(before + "r0 = *(u16 *)(r2 + 13)"),
              "asm_memory 'r0 = *(u16 *)(r2 + 13)' the packet may end before byte 15 here | compare r2 + 15 with "
              "xdp_md.data_end first");
    }
    for (const std::string_view guard : {"if r4 >= r3 goto out", "if r3 <= r4 goto out", "if r4 < r3 goto in\ngoto out",
                                         "if r3 > r4 goto in\ngoto out"}) {
        const std::string before = "r4 = r2; r4 += 14\n" + std::string(guard) + "\nin: ";
        fine(packet(before + "r0 = *(u8 *)(r2 + 14)"));
        CHECK_FALSE(read_and_check(packet(before + "r0 = *(u8 *)(r2 + 15)")).block.has_value());
    }
    check(std::array{Case{"r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); if r2 == r3 goto out; out: r0 = 1; exit",
                          "asm_type 'if r2 == r3 goto out' a pointer into the packet cannot be compared with the "
                          "packet's end like this | a pointer into the packet is compared with xdp_md.data_end"},
                     Case{"r2 = *(u32 *)(r1 + 0); r0 = *(u8 *)(r2 - 1); exit",
                          "asm_memory 'r0 = *(u8 *)(r2 - 1)' this may lie before the beginning of the packet"},
                     Case{"r2 = *(u32 *)(r1 + 4); r0 = *(u8 *)(r2 - 1); exit",
                          "asm_type 'r0 = *(u8 *)(r2 - 1)' r2 is the packet's end: no bytes can be reached by it"},
                     Case{"r2 = *(u32 *)(r1 + 4); r2 += 4; r0 = 1; exit",
                          "asm_type 'r2 += 4' r2 is the packet's end, which cannot be moved"}});
}

TEST_CASE("the packet at a distance that is not known")
{
    const std::string bounded = "r5 = *(u32 *)(r1 + 16)\nr5 &= 60\nr2 += r5\nr4 = r2\nr4 += 4\n";
    fine(packet(bounded + "if r4 > r3 goto out\nr0 = *(u32 *)(r2 + 0)"));
    fine(packet("r5 = *(u32 *)(r1 + 16)\nif r5 > 60 goto out\nr5 += r2\nr4 = r5\nr4 += 4\n"
                "if r4 > r3 goto out\nr0 = *(u32 *)(r5 + 0)"));
    CHECK_FALSE(read_and_check(packet(bounded + "r0 = *(u32 *)(r2 + 0)")).block.has_value());
    wrong(packet("r5 = *(u32 *)(r1 + 16)\nr2 += r5"),
          "asm_type 'r2 += r5' the number added to r2 may be 4294967295; 65535 is possible | bound it first: `r3 &= "
          "0xff`, or `if r3 > 100 goto out`");
    wrong(packet("r5 = *(u16 *)(r10 - 2)\nr2 += r5"),
          "asm_memory 'r5 = *(u16 *)(r10 - 2)' the stack at r10 -2 was never written here");
    CHECK_FALSE(read_and_check(packet("r5 = *(u32 *)(r1 + 16)\nr5 &= 60\nr2 -= r5")).block.has_value());
    // both ways come to different places: one comparison behind them holds for either
    fine(packet("r4 = r2; r4 += 14\nr5 = *(u32 *)(r1 + 16)\nif r5 > 9 goto on\nr4 += 4\non: r5 = r4\nr5 += 20\n"
                "if r5 > r3 goto out\nr0 = *(u32 *)(r4 + 16)"));
    // the number of bytes is a number
    fine(packet("r3 -= r2\nr0 = r3"));
}

TEST_CASE("the metadata area ends where the packet begins")
{
    const std::string pointers = "r4 = *(u32 *)(r1 + xdp_md.data_meta)\nr5 = r4\nr5 += 8\n";
    fine(packet(pointers + "if r5 > r2 goto out\n*(u64 *)(r4 + 0) = 1"));
    wrong(packet(pointers + "*(u64 *)(r4 + 0) = 1"),
          "asm_memory '*(u64 *)(r4 + 0) = 1' the metadata area may end before byte 8 here | compare r4 + 8 with "
          "xdp_md.data first");
    CHECK_FALSE(read_and_check(packet(pointers + "r2 += 1\nif r5 > r2 goto out")).block.has_value());
}

TEST_CASE("the packet has moved")
{
    const auto read = read_and_check(packet("r6 = r2\nr2 = 4\ncall bpf_xdp_adjust_head\nr0 = *(u8 *)(r6 + 0)"));
    CHECK(read.lines() == "asm_type 'r0 = *(u8 *)(r6 + 0)' r6 pointed into the packet before bpf_xdp_adjust_head moved "
                          "it | read xdp_md.data and xdp_md.data_end again, and compare again\n");
}

TEST_CASE("entries of maps")
{
    wrong(entry("r1 = *(u64 *)(r0 + 0)"),
          "asm_memory 'r1 = *(u64 *)(r0 + 0)' r0 may be 0 here: 'hash' may have no such "
          "entry | `if r0 == 0 goto …` first");
    fine(entry("if r0 == 0 goto out\nr1 = *(u64 *)(r0 + 8)\n*(u64 *)(r0 + 0) = r1\nlock *(u32 *)(r0 + 4) += r1"));
    fine(entry("r7 = r0\nif r0 != 0 goto in\ngoto out\nin: r1 = *(u64 *)(r7 + 8)"));
    fine(entry("if r0 == 0 goto out\nr1 = *(u8 *)(r0 + 0)\nr1 &= 7\nr0 += r1\nr1 = *(u64 *)(r0 + 1)"));
    wrong(entry("if r0 == 0 goto out\nr1 = *(u8 *)(r0 + 0)\nr1 &= 7\nr0 += r1\nr1 = *(u64 *)(r0 + 2)"),
          "asm_memory 'r1 = *(u64 *)(r0 + 2)' this may reach to byte 17, and values of 'hash' have 16 bytes");
    wrong(entry("if r0 == 0 goto out\nr1 = *(u64 *)(r0 + 12)"),
          "asm_memory 'r1 = *(u64 *)(r0 + 12)' this reaches to byte 20, and values of 'hash' have 16 bytes");
    wrong(entry("if r0 == 0 goto out\nr1 = *(u8 *)(r0 - 1)"),
          "asm_memory 'r1 = *(u8 *)(r0 - 1)' this lies 1 byte before the entry of 'hash'");
    wrong(entry("if r0 == 0 goto out\n*(u64 *)(r0 + 0) = r6"),
          "asm_type '*(u64 *)(r0 + 0) = r6' r6 is the context, which can be stored on the stack only, as u64");
    wrong(entry("if r0 == 0 goto out\nr1 = 1\nlock *(u64 *)(r0 + 4) += r1"),
          "asm_memory 'lock *(u64 *)(r0 + 4) += r1' 'lock' wants a place that is known and a multiple of 8");
    wrong(entry("r0 += 4"), "asm_type 'r0 += 4' r0 may be 0 here: `if r0 == 0 goto …` first");
    wrong(
        entry("if r0 > 4 goto out"),
        "asm_type 'if r0 > 4 goto out' an entry of 'hash' or 0 cannot be compared with a number like this | it can be "
        "asked for being there: `if r0 == 0 goto …`, `if r0 != 0 goto …`");
    fine(entry("if r0 == 0 goto out", "xsks"));
    wrong(entry("if r0 == 0 goto out\nr1 = *(u8 *)(r0 + 0)", "xsks"),
          "asm_memory 'r1 = *(u8 *)(r0 + 0)' what is in 'xsks' cannot be looked into");
    wrong("r1 = map hash\nr0 = *(u8 *)(r1 + 0)\nexit",
          "asm_type 'r0 = *(u8 *)(r1 + 0)' r1 is the map 'hash': no bytes can be reached by it");
}

TEST_CASE("entries that programs cannot write")
{
    std::vector<MapSpec> maps{testing::asm_map("fixed", MapKind::array, 4, 8, 1)};
    maps[0].flags = 128; // BPF_F_RDONLY_PROG
    Diagnostics diagnostics;
    const auto block =
        bpf::assemble_asm("*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map fixed\n"
                          "call bpf_map_lookup_elem; if r0 == 0 goto out; *(u8 *)(r0 + 0) = 1\n"
                          "out: r0 = 2; exit",
                          Span{FileId(0), 0, 0}, {maps, {}}, ProgramImage::Place::interface, diagnostics);
    CHECK_FALSE(block.has_value());
    CHECK(diagnostics.all()[0].message == "entries of 'fixed' cannot be written by programs");
}

TEST_CASE("the stack")
{
    check(std::array{
        Case{"r0 = *(u64 *)(r10 - 8); exit",
             "asm_memory 'r0 = *(u64 *)(r10 - 8)' the stack at r10 -8 was never written here"},
        Case{"*(u32 *)(r10 - 8) = 1; r0 = *(u64 *)(r10 - 8); exit",
             "asm_memory 'r0 = *(u64 *)(r10 - 8)' the stack at r10 -4 was never written here"},
        Case{"*(u32 *)(r10 - 516) = 1; r0 = 1; exit",
             "asm_memory '*(u32 *)(r10 - 516) = 1' 4 bytes at r10 -516 are not on the stack"},
        Case{"*(u32 *)(r10 - 2) = 1; r0 = 1; exit",
             "asm_memory '*(u32 *)(r10 - 2) = 1' 4 bytes at r10 -2 are not on the stack"},
        Case{"*(u32 *)(r10 - 6) = 1; r0 = 1; exit",
             "asm_memory '*(u32 *)(r10 - 6) = 1' r10 -6 is no multiple of 4, as the stack wants it for u32"},
        Case{"*(u64 *)(r10 - 8) = r1; r0 = *(u32 *)(r10 - 8); exit",
             "asm_type 'r0 = *(u32 *)(r10 - 8)' the context is stored at r10 -8: it is read whole"},
        Case{"*(u32 *)(r10 - 8) = r1; r0 = 1; exit",
             "asm_type '*(u32 *)(r10 - 8) = r1' r1 is the context, which can be stored on the stack only, as u64"},
        Case{"r2 = r10; r2 += 8; r0 = 1; exit", "asm_memory 'r2 += 8' r2 would leave the stack"},
        Case{"r2 = r10; r2 -= 8; r0 = 1; exit",
             "asm_type 'r2 -= 8' nothing can be subtracted from a pointer to the stack | add a negative number"},
        Case{"r2 = r10; r3 = *(u32 *)(r1 + 16); r3 &= 7; r2 += r3; r0 = 1; exit",
             "asm_type 'r2 += r3' only a known number can be added to a pointer to the stack"},
        Case{"r0 = *(u32 *)(r1 + 16); if r0 > 3 goto on; *(u8 *)(r10 - 1) = 1; on: r0 = *(u8 *)(r10 - 1); exit",
             "asm_memory 'r0 = *(u8 *)(r10 - 1)' the stack at r10 -1 was never written here"},
    });
    fine("*(u64 *)(r10 - 8) = r1; r2 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r2 + 16); exit");
    fine("*(u64 *)(r10 - 16) = 7; r2 = r10; r2 += -16; r0 = *(u16 *)(r2 + 6); lock *(u64 *)(r2 + 0) += r0; exit");
}

TEST_CASE("helpers and what they want")
{
    check(std::array{
        Case{"r1 = 1; call bpf_trace_printk; exit",
             "asm_type 'call bpf_trace_printk' this helper cannot be called here | these can: bpf_map_lookup_elem, "},
        Case{"r2 = 1; r3 = 1; call bpf_redirect_map; exit",
             "asm_type 'call bpf_redirect_map' bpf_redirect_map wants a map in r1, and that is the context"},
        Case{"r1 = map hash; r2 = 1; r3 = 1; call bpf_redirect_map; exit",
             "asm_type 'call bpf_redirect_map' bpf_redirect_map wants an xskmap, a devmap, a devmap_hash or a cpumap, "
             "and 'hash' is of the kind hash"},
        Case{"r1 = map xsks; r2 = 1; call bpf_redirect_map; exit",
             "asm_type 'call bpf_redirect_map' r3 was never given a value here"},
        Case{"r1 = map hash; r2 = r10; r2 += -4; call bpf_map_lookup_elem; r0 = 1; exit",
             "asm_memory 'call bpf_map_lookup_elem' the stack at r10 -4 was never written here"},
        Case{"r1 = map hash; r2 = 4; call bpf_map_lookup_elem; r0 = 1; exit",
             "asm_type 'call bpf_map_lookup_elem' bpf_map_lookup_elem wants a pointer to 4 bytes in r2, and that is a"},
        Case{"r1 = map devs; r2 = r10; call bpf_map_lookup_elem; r0 = 1; exit",
             "asm_type 'call bpf_map_lookup_elem' bpf_map_lookup_elem wants a hash, an array or an lpm_trie, and "
             "'devs'"},
        Case{"r1 = map array; r2 = r10; call bpf_map_delete_elem; r0 = 1; exit",
             "asm_type 'call bpf_map_delete_elem' bpf_map_delete_elem wants a hash or an lpm_trie"},
        Case{"r2 = map xsks; r3 = 1; call bpf_tail_call; r0 = 1; exit",
             "asm_type 'call bpf_tail_call' bpf_tail_call wants a prog_array, and 'xsks' is of the kind xskmap"},
        Case{"r2 = map progs; r3 = 1; call bpf_tail_call; exit", "asm_type 'exit' bpf_tail_call gives no result in r0"},
        Case{"r2 = 0; r3 = r10; r3 += -8; r4 = 16; call bpf_xdp_load_bytes; exit",
             "asm_memory 'call bpf_xdp_load_bytes' 16 bytes at r10 -8 are not on the stack"},
        Case{"r4 = *(u32 *)(r1 + 16); r4 &= 7; r2 = 0; r3 = r10; r3 += -8; call bpf_xdp_load_bytes; exit",
             "asm_type 'call bpf_xdp_load_bytes' r4, the number of bytes for bpf_xdp_load_bytes, may be 0"},
        Case{"r4 = *(u32 *)(r1 + 16); r2 = 0; r3 = r10; r3 += -8; r4 += 1; call bpf_xdp_load_bytes; exit",
             "asm_type 'call bpf_xdp_load_bytes' r4, the number of bytes for bpf_xdp_load_bytes, may be 4294967296 | "
             "bound it"},
        Case{"r1 = *(u32 *)(r1 + 0); r2 = 4; r3 = 0; r4 = 0; r5 = 0; call bpf_csum_diff; exit",
             "asm_memory 'call bpf_csum_diff' the packet may end before byte 4 here"},
        Case{"r2 = *(u32 *)(r1 + 0); r3 = 4; r4 = 0; r1 = map ring; call bpf_ringbuf_output; exit",
             "asm_type 'call bpf_ringbuf_output' bpf_ringbuf_output cannot read from the packet: copy to the stack"},
    });
    fine("r2 = 0; r3 = r10; r3 += -8; r4 = 8; call bpf_xdp_load_bytes; r0 = *(u64 *)(r10 - 8); exit");
    fine("*(u64 *)(r10 - 8) = 1; r1 = r10; r1 += -8; r2 = 4; r3 = 0; r4 = 0; r5 = 0; call bpf_csum_diff; exit");
    fine("*(u64 *)(r10 - 8) = 1; r2 = r10; r2 += -8; r3 = 8; r4 = 0; r1 = map ring; call bpf_ringbuf_output; exit");
}

TEST_CASE("the example of the language")
{
    fine(R"(
        r2 = *(u32 *)(r1 + xdp_md.rx_queue_index)
        r1 = map xsks
        r3 = XDP_PASS
        call bpf_redirect_map
        exit
    )");
}
