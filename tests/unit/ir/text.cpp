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

constexpr std::string_view effects = R"(map m : hash key 4 value 8 entries 8
map conf : array key 4 value 16 entries 1
map devs : devmap_hash key 4 value 8 entries 8
map cpus : cpumap key 4 value 8 entries 4
map progs : prog_array key 4 value 4 entries 8
map bloom : bloom_filter key 0 value 8 entries 8
map fifo : queue key 0 value 8 entries 8
map lifo : stack key 0 value 8 entries 8
map ring : ringbuf key 0 value 0 entries 4096

program effects {
  slot $0 : 8
  slot $1 : 8
  asm 0 : 0x1018, 0x0, 0x95 @m at 0 @conf at 1
  asm 1 : 0x95
b0():
  %1 = packet_start
  %2 = packet_end
  %3 = 0xfffffffffffffffc
  %4 = now
  %5 = random
  %6 = cpu
  %7 = ctx egress_ifindex
  store.le64 $0 + 0, %4
  %8 = load.be32 $0 + 4
  %9 = rx_meta hash $0
  rx_meta timestamp $0
  %10 = rx_meta vlan $0
  %11 = map_value @conf + 8
  %12 = load.le64 %11 + 0
  %13 = update @m[$0] = $1 flags 1
  update @m[$0] = $1 flags 2
  %14 = delete @m[$0]
  delete @m[$0]
  %15 = push @fifo $0
  push @lifo $0
  %16 = peek @bloom $0
  %17 = redirect @devs[%7] else 2 broadcast exclude_ingress
  %18 = redirect @devs[%7] else 1 broadcast
  %19 = redirect @cpus[%6] else 2
  guard %1 + 14 <= %2 ? b1() : b4(%11)
b1():
  pstore.be16 %1 + 12, %8
  pstore.u8 %1 + 0, %8
  %20 = adjust_head %3
  adjust_tail %3
  %21 = adjust_meta %3
  %22 = meta_start
  %23 = packet_start
  guard %22 + 4 <= %23 ? b2(%22) : b5()
b2(%24: meta):
  pstore.le32 %24 + 0, %8
  %25 = load.le32 %24 + 0
  tail_call @progs[3]
  %26 = reserve @ring 64
  if %26 == 0 ? b5() : b3(%26)
b3(%27: record):
  store.le64 %27 + 0, %4
  %28 = load.le64 %27 + 0
  %29 = copy_packet %27 + 32, %28 max 32
  copy_packet %27 + 32, %28 max 16
  submit %27
  asm 1
b4(%30: map_value):
  return 2
b5():
  asm 0
}
)";

} // namespace

TEST_CASE("operations with effects go through text and back")
{
    const Module module = read_module(effects);
    CHECK(to_text(module) == effects);
    CHECK(to_text(read_module(to_text(module))) == effects);
    const Program &program = module.programs[0];
    REQUIRE(program.asms.size() == 2);
    CHECK(program.asms[0].insns == std::vector<std::uint64_t>{0x1018, 0, 0x95});
    CHECK(program.asms[0].maps == std::vector<AsmBlock::MapReference>{{0, MapId(0)}, {1, MapId(1)}});
    const auto &insts = program.blocks[BlockId(0)].insts;
    CHECK(insts[20].op == Op::peek);
    CHECK(insts[21].imm == (2 | redirect_flag::broadcast | redirect_flag::exclude_ingress));
    CHECK(program.values[insts[9].result].max == UINT64_MAX); // a status
    CHECK(program.blocks[BlockId(3)].insts[1].op == Op::load_map);
    CHECK(program.blocks[BlockId(3)].insts[2].max == 32);
}

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

TEST_CASE("loops read back")
{
    constexpr std::string_view loop = "program turns {\nb0():\n  %1 = 5\n  jump b1(%1)\nb1(%2: max 5) loop 5:\n"
                                      "  if %2 == 0 ? b3() : b2()\nb2():\n  %3 = 1\n  %4 = sub %2, %3 within 5\n"
                                      "  again b1(%4)\nb3():\n  return 2\n}\n";
    CHECK(to_text(read_module(loop)) == loop);
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
    CHECK(error("program x {\nb0():\n%1 = submit %2\n}") == "line 3: 'submit' gives no result");
    CHECK(error("program x {\nb0():\n%1 = ctx length\n}") ==
          "line 3: 'rx_queue', 'ingress_ifindex' or 'egress_ifindex' is missing");
    CHECK(error("program x {\nasm 1 : 0x95\nb0():\nasm 0\n}") ==
          "line 2: blocks of instructions are declared in order from 0");
    CHECK(error("program x {\nb0():\n%1 = rebase %2 max 31\n}") == "line 3: 'from' is missing");
    CHECK(error("map m : heap key 4 value 4 entries 1") == "line 1: 'heap' is no kind of map");
    CHECK(error("program x {\nb0():\n") != "none");
    CHECK(error("program x {\nb0():\n}") == "line 3: the last block has no end");
    CHECK(error("program x {") != "none");
}
