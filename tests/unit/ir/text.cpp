#include "compiler/ir/text.hpp"
#include "tests/unit/ir/programs.hpp"

using namespace xdpf;
using namespace xdpf::ir;

namespace {

constexpr std::string_view everything = R"(map xsks : xskmap key 4 value 4 entries 64
map hits : lpm_trie key 8 value 16 entries 100 flags 1

program first.one {
  slot $0 : 8
  slot $1 : 16
b0():
  %1 = packet_start
  %2 = packet_end
  %3 = 0x1f4
  guard %1 + 14 <= %2 ? b1(%3, %1) : b5()
b1(%4: max 500, %5: packet max 0):
  %6 = load.be16 %1 + 12
  %7 = load.u8 %1 + 0
  %8 = 0xf
  %9 = and %7, %8
  %10 = offset %1 + %9 max 15
  %11 = rebase %10 from %1 max 31
  %12 = add %6, %4 within 66035
  if %12 & 0x10 ? b2() : b5()
b2():
  store.be32 $0 + 4, %4
  store.u8 $0 + 0, %4
  %13 = lookup @hits[$0]
  if %13 != 0 ? b3(%13, %2) : b5()
b3(%14: map_value, %15: packet_end):
  %16 = load.le64 %14 + 8
  store.le64 %14 + 0, %16
  atomic_add.le64 %14 + 8, %16
  update @hits[$0] = $1
  if %16 > %4 ? b4() : b5()
b4():
  %17 = ctx rx_queue
  %18 = ctx ingress_ifindex
  %19 = packet_length
  %20 = neg %19
  %21 = not %20
  %22 = redirect @xsks[%17] else 2
  return %22
b5():
  return 2
}

program second {
b0():
  jump b1()
b1():
  return 1
}
)";

} // namespace

TEST_CASE("everything the IR has goes through text and back")
{
    const Module module = read_module(everything);
    CHECK(to_text(module) == everything);
    CHECK(to_text(read_module(to_text(module))) == everything);
    REQUIRE(module.maps.size() == 2);
    CHECK(module.maps[1].kind == MapKind::lpm_trie);
    CHECK(module.maps[1].flags == 1);
    const Program &program = module.programs[0];
    CHECK(program.blocks[BlockId(3)].insts[0].op == Op::load_map);
    CHECK(program.values[program.blocks[BlockId(1)].insts[0].result].max == 0xffff);
    CHECK(program.values[program.blocks[BlockId(1)].insts[4].result].max == 15);
}

TEST_CASE("values are numbered in order of appearance")
{
    const Module module = read_blocks("b0(): %70 = 1 jump b1(%70) b1(%3): return %3");
    CHECK(to_text(module.programs[0], module.maps) == "program test {\n"
                                                      "b0():\n"
                                                      "  %1 = 1\n"
                                                      "  jump b1(%1)\n"
                                                      "b1(%2):\n"
                                                      "  return %2\n"
                                                      "}\n");
}

TEST_CASE("an unknown bound of a number is not written")
{
    Module module = read_blocks("b0(): %1 = ctx rx_queue return %1");
    for (ValueInfo &value : module.programs[0].values)
        value.max = UINT64_MAX;
    CHECK(to_text(module).find("within") == std::string::npos);
}

TEST_CASE("what does not read says where and why")
{
    const auto error = [](std::string_view text) {
        const auto module = from_text(text);
        return module ? "none" : module.error();
    };
    CHECK(error("\nprogramm x {}") == "line 2: 'map' or 'program' is missing");
    CHECK(error("program x {\nb1():\nreturn 1\n}") == "line 2: blocks stand in order from b0");
    CHECK(error("program x {\nb0():\n%1 = frob %2\n}") == "line 3: 'frob' is no operation");
    CHECK(error("program x {\nb0():\n%1 = load.be24 %2 + 0\n}") ==
          "line 3: 'be24' is none of u8, le16, be16, le32, be32, le64, be64");
    CHECK(error("program x {\nb0():\n%1 = store.u8 $0 + 0, %2\n}") == "line 3: 'store' gives no result");
    CHECK(error("program x {\nb0():\nadd %1, %2\n}") == "line 3: 'add' gives a result");
    CHECK(error("program x {\nb0():\n%1 = lookup @m[$0]\n}") == "line 3: there is no map 'm'");
    CHECK(error("program x {\nb0():\nif %1 ~ 4 ? b1() : b1()\n}") == "line 3: a condition is missing");
    CHECK(
        error("program x {\nb0():\n%1 = 99999999999999999999\n}").starts_with("line 3: '99999999999999999999' is no"));
    CHECK(error("map m : heap key 4 value 4 entries 1") == "line 1: 'heap' is no kind of map");
    CHECK(error("program x {\nb0():\n") != "none");
    CHECK(error("program x {\nb0():\n}") == "line 3: the last block has no end");
    CHECK(error("program x {") != "none");
}
