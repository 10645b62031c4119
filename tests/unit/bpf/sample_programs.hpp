// Programs and packets that the unit tests and the kernel tests share.
#pragma once

#include "compiler/ir/ir.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace xdpf::testing {

inline constexpr std::string_view redirect_all = R"(
map xsks : xskmap key 4 value 4 entries 64

program redirect_all {
b0():
  %1 = ctx rx_queue
  %2 = redirect @xsks[%1] else 2
  return %2
}
)";

// UDP behind IPv4 with options behind Ethernet; later fragments are not UDP.
inline constexpr std::string_view udp_strict = R"(
map xsks : xskmap key 4 value 4 entries 64

program udp_strict {
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 42 <= %2 ? b1() : b6()
b1():
  %3 = load.be16 %1 + 12
  if %3 == 0x800 ? b2() : b6()
b2():
  %4 = load.u8 %1 + 14
  %5 = 69
  %6 = sub %4, %5
  if %6 <= 10 ? b3() : b6()
b3():
  %7 = load.be32 %1 + 20
  %8 = 0x1fff00ff
  %9 = and %7, %8
  if %9 == 17 ? b4() : b6()
b4():
  %10 = 2
  %11 = shl %4, %10
  %12 = 60
  %13 = and %11, %12
  %14 = 14
  %15 = offset %1 + %14 max 14
  %16 = offset %15 + %13 max 60
  guard %16 + 8 <= %2 ? b5() : b6()
b5():
  %20 = ctx rx_queue
  %21 = redirect @xsks[%20] else 3
  return %21
b6():
  return 2
}
)";

// Fourteen fields alive across two calls; what they were is returned.
inline constexpr std::string_view pressure = R"(
map hits : array key 4 value 8 entries 4

program pressure {
  slot $0 : 4
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 60 <= %2 ? b1() : b5()
b1():
  %10 = load.be32 %1 + 0
  %11 = load.be16 %1 + 4
  %12 = load.le32 %1 + 6
  %13 = load.be32 %1 + 10
  %14 = load.be16 %1 + 14
  %15 = load.le64 %1 + 16
  %16 = load.be64 %1 + 24
  %17 = load.u8 %1 + 32
  %18 = load.be32 %1 + 33
  %19 = load.be16 %1 + 37
  %20 = load.le16 %1 + 39
  %21 = load.be32 %1 + 41
  %22 = load.be16 %1 + 45
  %23 = load.le32 %1 + 47
  %24 = 3
  %25 = and %17, %24
  store.le32 $0 + 0, %25
  %26 = lookup @hits[$0]
  if %26 == 0 ? b4(%25) : b2()
b2():
  %30 = load.le64 %26 + 0
  %31 = lookup @hits[$0]
  if %31 == 0 ? b4(%30) : b3()
b3():
  atomic_add.le64 %31 + 0, %10
  store.be16 %26 + 6, %11
  jump b4(%30)
b4(%40):
  %41 = load.u8 %1 + 59
  %50 = add %40, %10
  %51 = xor %50, %11
  %52 = add %51, %12
  %53 = xor %52, %13
  %54 = add %53, %14
  %55 = xor %54, %15
  %56 = add %55, %16
  %57 = xor %56, %17
  %58 = add %57, %18
  %59 = xor %58, %19
  %60 = add %59, %20
  %61 = xor %60, %21
  %62 = add %61, %22
  %63 = xor %62, %23
  %64 = add %63, %41
  return %64
b5():
  return 1
}
)";

// Comparisons of every width with constants around the sign bits.
inline constexpr std::string_view comparisons = R"(
program comparisons {
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b12()
b1():
  %3 = load.be32 %1 + 0
  if %3 >= 0x80000000 ? b2() : b3()
b2():
  return 21
b3():
  %4 = load.be32 %1 + 4
  if %4 & 0x80000000 ? b4() : b5()
b4():
  return 22
b5():
  %5 = load.le64 %1 + 6
  if %5 > 0xffffffff00000000 ? b6() : b7()
b6():
  return 23
b7():
  if %5 == 0x80000001 ? b8() : b9()
b8():
  return 24
b9():
  if %4 !& 0x0000fff0 ? b10() : b11()
b10():
  return 25
b11():
  %6 = 0xfffffffe
  %7 = or %3, %6
  return %7
b12():
  return 26
}
)";

inline constexpr std::string_view sample_programs[] = {redirect_all, udp_strict, pressure, comparisons};

// Ethernet, IPv4 with `ihl` words, UDP, cut to `size` bytes.
inline std::vector<std::byte> udp_packet(std::size_t ihl, std::size_t size)
{
    std::vector<std::byte> packet(14 + 4 * ihl + 8 + 60);
    packet[12] = std::byte{8};
    packet[14] = static_cast<std::byte>(0x40 | ihl);
    packet[23] = std::byte{17};
    packet.resize(size);
    return packet;
}

// `rules` times: if the field is this number, return 3; with `work` instructions for each.
inline ir::Module rule_chain(std::size_t rules, int work)
{
    using namespace ir;
    Module module;
    Program &program = module.programs.emplace_back();
    program.name = "chain";
    const auto add = [&](BlockId block, Op op, ValueKind kind, ValueId a = {}) {
        Inst inst;
        inst.op = op;
        inst.width = 4;
        inst.order = Order::big;
        inst.a = a;
        inst.imm = op == Op::load ? 10 : 0;
        inst.result = program.add_value(kind, op == Op::load ? UINT32_MAX : op == Op::packet_start ? 0 : UINT64_MAX);
        program.blocks[block].insts.push_back(inst);
        return inst.result;
    };
    const BlockId entry = program.blocks.add({});
    const ValueId start = add(entry, Op::packet_start, ValueKind::packet);
    const ValueId end = add(entry, Op::packet_end, ValueKind::packet_end);
    std::vector<BlockId> tests;
    for (std::size_t i = 0; i < rules; ++i) {
        const BlockId test = program.blocks.add({});
        tests.push_back(test);
        Terminator &branch = program.blocks[test].end;
        branch.kind = Terminator::Kind::branch;
        branch.cond = i % 3 == 0 ? Cond::set : Cond::eq;
        branch.imm = 0x80000000 + i;
        ValueId field = add(test, Op::load, ValueKind::number, start);
        for (int step = 0; step < work; ++step)
            field = add(test, Op::complement, ValueKind::number, field);
        program.blocks[test].end.a = field;
    }
    const BlockId hit = program.blocks.add({});
    const BlockId miss = program.blocks.add({});
    const auto give = [&](BlockId block, std::uint64_t verdict) {
        program.blocks[block].end.kind = Terminator::Kind::return_;
        program.blocks[block].end.imm = verdict;
    };
    give(hit, 3);
    give(miss, 2);
    program.blocks[entry].end.kind = Terminator::Kind::guard;
    program.blocks[entry].end.a = start;
    program.blocks[entry].end.b = end;
    program.blocks[entry].end.imm = 14;
    program.blocks[entry].end.edges = {Edge{rules > 0 ? tests[0] : miss, {}}, Edge{miss, {}}};
    for (std::size_t i = 0; i < rules; ++i)
        program.blocks[tests[i]].end.edges = {Edge{hit, {}}, Edge{i + 1 < rules ? tests[i + 1] : miss, {}}};
    return module;
}

} // namespace xdpf::testing
