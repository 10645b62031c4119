#include "compiler/ir/bounds.hpp"
#include "tests/unit/ir/programs.hpp"

using namespace xdpf;
using namespace xdpf::ir;

namespace {

// The bound of the last result before the return.
std::uint64_t bound(std::string_view insts)
{
    const Module module = read_blocks(
        "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b2() b1(): " + std::string(insts) +
        " return 1 b2(): return 2");
    const auto bounds = upper_bounds(module.programs[0]);
    return bounds[module.programs[0].blocks[BlockId(1)].insts.back().result];
}

constexpr std::uint64_t unbounded = UINT64_MAX;

} // namespace

TEST_CASE("bounds are what the kernel can tell")
{
    CHECK(bound("%3 = load.u8 %1 + 0") == 0xff);
    CHECK(bound("%3 = load.le16 %1 + 0") == 0xffff);
    CHECK(bound("%3 = load.be16 %1 + 0") == unbounded);
    CHECK(bound("%3 = ctx rx_queue") == 0xffffffff);
    CHECK(bound("%3 = packet_length") == unbounded);
    CHECK(bound("%3 = load.u8 %1 + 0 %4 = 15 %5 = and %3, %4 %6 = 2 %7 = shl %5, %6") == 60);
    CHECK(bound("%3 = load.u8 %1 + 0 %4 = 1 %5 = add %3, %4 %6 = 8 %7 = mul %5, %6") == 2048);
    CHECK(bound("%3 = load.u8 %1 + 0 %4 = 4 %5 = shr %3, %4") == 15);
    CHECK(bound("%3 = load.u8 %1 + 0 %5 = shl %3, %3") == unbounded);
    CHECK(bound("%3 = load.u8 %1 + 0 %5 = shr %3, %3") == 255);
    CHECK(bound("%3 = load.u8 %1 + 0 %4 = 0x100 %5 = or %3, %4") == 0x1ff);
    CHECK(bound("%3 = load.u8 %1 + 0 %4 = 0x100 %5 = xor %3, %4") == 0x1ff);
    CHECK(bound("%3 = load.u8 %1 + 0 %4 = 1 %5 = sub %3, %4") == unbounded);
    CHECK(bound("%3 = load.u8 %1 + 0 %4 = 2 %5 = div %3, %4") == unbounded);
    CHECK(bound("%3 = 0xffffffffffffffff %4 = 1 %5 = add %3, %4") == unbounded);
}

TEST_CASE("a parameter's bound is its largest argument's")
{
    const Module module = read_blocks("b0(): %1 = 3 %2 = 8 if %1 == 3 ? b1(%1) : b1(%2) b1(%3): return %3");
    CHECK(upper_bounds(module.programs[0])[module.programs[0].blocks[BlockId(1)].params[0]] == 8);
}

TEST_CASE("bounds of packet pointers follow from how they are made")
{
    Module module = read_blocks(R"(
        b0(): %1 = packet_start %2 = packet_end %3 = 14 %4 = offset %1 + %3 max 14 %5 = ctx rx_queue
              if %5 == 0 ? b1(%1) : b1(%4)
        b1(%6: packet max 3): %7 = offset %6 + %3 max 14 within 20 %8 = rebase %7 from %1 max 31 return 1)");
    Program &program = module.programs[0];
    settle_packet_bounds(program);
    CHECK(program.values[program.blocks[BlockId(1)].params[0]].max == 14);
    CHECK(program.values[program.blocks[BlockId(1)].insts[0].result].max == 28);
    CHECK(program.values[program.blocks[BlockId(1)].insts[1].result].max == 31);
}
