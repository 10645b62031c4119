#include "compiler/ir/interpret.hpp"
#include "compiler/ir/verify.hpp"
#include "tests/unit/ir/programs.hpp"

#include <array>
#include <chrono>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes(std::initializer_list<int> numbers)
{
    Bytes result;
    for (const int number : numbers)
        result.push_back(std::byte(number));
    return result;
}

RunResult run(const Module &module, MapStore &maps, Bytes packet = {}, Context context = {})
{
    auto result = Interpreter(module.programs[0], maps).run(packet, context);
    if (!result)
        FAIL(result.error());
    return *result;
}

std::uint32_t verdict(std::string_view blocks, const Bytes &packet = {}, Context context = {})
{
    const Module module = read_blocks(blocks);
    MapStore maps(module.maps);
    return run(module, maps, packet, context).verdict;
}

std::string trap(std::string_view blocks, Bytes packet = {})
{
    const Module module = read_blocks(blocks);
    MapStore maps(module.maps);
    const auto result = Interpreter(module.programs[0], maps).run(packet);
    return result ? "none" : result.error();
}

} // namespace

TEST_CASE("loads in both orders and widths")
{
    const Bytes packet = bytes({1, 2, 3, 4, 5, 6, 7, 8});
    const auto load = [&](std::string_view access, int at) {
        return verdict("b0(): %1 = packet_start %2 = load." + std::string(access) + " %1 + " + std::to_string(at) +
                           " return %2",
                       packet);
    };
    CHECK(load("u8", 7) == 8);
    CHECK(load("be16", 1) == 0x203);
    CHECK(load("le16", 1) == 0x302);
    CHECK(load("be32", 4) == 0x5060708);
    CHECK(load("le32", 0) == 0x4030201);
    CHECK(load("be64", 0) == 0x5060708); // the verdict has 32 bits
    CHECK(load("le64", 0) == 0x4030201);
}

TEST_CASE("arithmetic is BPF's")
{
    const auto compute = [](std::string_view op, std::string_view a, std::string_view b) {
        return verdict("b0(): %1 = " + std::string(a) + " %2 = " + std::string(b) + " %3 = " + std::string(op) +
                       " %1, %2 return %3");
    };
    CHECK(compute("add", "5", "3") == 8);
    CHECK(compute("sub", "3", "5") == 0xfffffffe);
    CHECK(compute("mul", "3", "5") == 15);
    CHECK(compute("div", "7", "2") == 3);
    CHECK(compute("div", "7", "0") == 0);
    CHECK(compute("mod", "7", "4") == 3);
    CHECK(compute("mod", "7", "0") == 7);
    CHECK(compute("and", "12", "10") == 8);
    CHECK(compute("or", "12", "10") == 14);
    CHECK(compute("xor", "12", "10") == 6);
    CHECK(compute("shl", "1", "68") == 16);
    CHECK(compute("shr", "0x8000000000000000", "63") == 1);
    CHECK(verdict("b0(): %1 = 1 %2 = neg %1 return %2") == 0xffffffff);
    CHECK(verdict("b0(): %1 = 1 %2 = not %1 return %2") == 0xfffffffe);
}

TEST_CASE("conditions are unsigned")
{
    const auto holds = [](std::string_view condition) {
        return verdict("b0(): %1 = 0xffffffffffffffff %2 = 6 if " + std::string(condition) +
                       " ? b1() : b2() b1(): return 1 b2(): return 0") == 1;
    };
    CHECK(holds("%1 > 5"));
    CHECK(holds("%2 < %1"));
    CHECK(holds("%2 <= 6"));
    CHECK(holds("%2 >= 6"));
    CHECK(!holds("%2 != 6"));
    CHECK(holds("%2 & 4"));
    CHECK(!holds("%2 & 9"));
    CHECK(holds("%2 !& 9"));
}

TEST_CASE("guards, offsets and what a packet pointer is")
{
    constexpr std::string_view blocks = R"(
        b0(): %1 = packet_start  %2 = packet_end  guard %1 + 2 <= %2 ? b1() : b3()
        b1(): %3 = load.u8 %1 + 0  %4 = 3  %5 = and %3, %4  %6 = offset %1 + %5 max 3  %7 = rebase %6 from %1 max 3
              guard %7 + 1 <= %2 ? b2() : b3()
        b2(): %8 = load.u8 %7 + 0  return %8
        b3(): return 99)";
    CHECK(verify(read_blocks(blocks)).empty());
    CHECK(verdict(blocks, bytes({1})) == 99);
    CHECK(verdict(blocks, bytes({1, 50})) == 50);
    CHECK(verdict(blocks, bytes({2, 50})) == 99);
    CHECK(verdict(blocks, bytes({2, 50, 51})) == 51);
    CHECK(verdict("b0(): %1 = packet_length return %1", bytes({1, 2, 3})) == 3);
    CHECK(verdict("b0(): %1 = ctx rx_queue return %1", {}, {7, 8}) == 7);
    CHECK(verdict("b0(): %1 = ctx ingress_ifindex return %1", {}, {7, 8}) == 8);
}

TEST_CASE("parameters take their values all at once")
{
    CHECK(verdict("b0(): %1 = 3 %2 = 4 jump b1(%1, %2) b1(%3, %4): jump b2(%4, %3) b2(%5, %6): %7 = 10 "
                  "%8 = mul %5, %7 %9 = add %8, %6 return %9") == 43);
}

TEST_CASE("a broken program stops with an error and reads nothing it must not")
{
    CHECK(trap("b0(): %1 = packet_start %2 = load.be16 %1 + 0 return 1", bytes({1})).find("past the end of 1 bytes") !=
          std::string::npos);
    CHECK(trap("b0(): %1 = packet_start %2 = load.be16 %1 + 18446744073709551615 return 1").find("past the end") !=
          std::string::npos);
    CHECK(trap("b0(): %1 = packet_start %2 = 9 %3 = offset %1 + %2 max 8 return 1").find("the distance is 9") !=
          std::string::npos);
    CHECK(trap("slot $0 : 8 b0(): %1 = lookup @seen[$0] %2 = load.u8 %1 + 0 return 1").find("null") !=
          std::string::npos);
    CHECK(trap("slot $0 : 4 b0(): %1 = lookup @seen[$0] return 1").find("slot is too small") != std::string::npos);
    CHECK(trap("slot $0 : 4 b0(): %1 = lookup @hits[$0] %2 = load.le64 %1 + 9 return 1").find("end of 16 bytes") !=
          std::string::npos);
}

TEST_CASE("maps are read, written and added to")
{
    const Module module = read_blocks(R"(slot $0 : 4  slot $1 : 8  slot $2 : 8
        b0(): %1 = ctx rx_queue  store.le32 $0 + 0, %1  %2 = lookup @hits[$0]  if %2 == 0 ? b2() : b1()
        b1(): %3 = 5  atomic_add.le64 %2 + 8, %3  store.be16 %2 + 0, %3  %4 = load.le64 %2 + 8
              store.le64 $1 + 0, %1  store.le64 $2 + 0, %4  update @seen[$1] = $2  return %4
        b2(): return 0)");
    REQUIRE(verify(module).empty());
    MapStore maps(module.maps);
    CHECK(run(module, maps, {}, {1, 1}).verdict == 5);
    CHECK(run(module, maps, {}, {1, 1}).verdict == 10);
    CHECK(run(module, maps, {}, {2, 1}).verdict == 0);
    const auto hits = maps.entries(MapId(1));
    REQUIRE(hits.size() == 2);
    CHECK(hits[0].second == Bytes(16));
    CHECK(hits[1].second == bytes({0, 5, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0}));
    const auto seen = maps.entries(MapId(2));
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].first == bytes({1, 0, 0, 0, 0, 0, 0, 0}));
    CHECK(seen[0].second == bytes({10, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_CASE("redirect falls back where there is nothing to redirect to")
{
    const Module module = read_blocks("b0(): %1 = ctx rx_queue %2 = redirect @xsks[%1] else 2 return %2");
    MapStore maps(module.maps);
    const RunResult filled = run(module, maps, {}, {3, 1});
    CHECK(filled.verdict == 4);
    CHECK(filled.redirect == RedirectTarget{MapId(0), 3});
    CHECK(filled.executed == 3);
    const RunResult outside = run(module, maps, {}, {4, 1});
    CHECK(outside.verdict == 2);
    CHECK(!outside.redirect);
    maps.clear_slots(MapId(0));
    maps.fill(MapId(0), 1);
    CHECK(run(module, maps, {}, {3, 1}).verdict == 2);
    CHECK(run(module, maps, {}, {1, 1}).verdict == 4);
}

TEST_CASE("an index is cut to 32 bits; the last redirect counts, and only with its verdict")
{
    const Module cut = read_blocks("b0(): %1 = 0x100000002 %2 = redirect @xsks[%1] else 1 return %2");
    MapStore maps(cut.maps);
    CHECK(run(cut, maps).redirect == RedirectTarget{MapId(0), 2});
    const Module unused = read_blocks("b0(): %1 = 0 %2 = redirect @xsks[%1] else 1 return 2");
    CHECK(!run(unused, maps).redirect);
}

TEST_CASE("the return that decided is told")
{
    Module module = read_blocks("b0(): %1 = ctx rx_queue if %1 == 0 ? b1() : b2() b1(): return 1 b2(): return 2");
    module.programs[0].blocks[BlockId(2)].end.span = {FileId(0), 10, 20};
    MapStore maps(module.maps);
    CHECK(run(module, maps, {}, {1, 1}).decided_by == Span{FileId(0), 10, 20});
    CHECK(!run(module, maps, {}, {0, 1}).decided_by.valid());
}
