// What operations with effects do in the interpreter.
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/verify.hpp"
#include "tests/unit/ir/programs.hpp"

#include <fmt/format.h>

#include <cerrno>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

using Bytes = std::vector<std::byte>;

Bytes counted(std::size_t size)
{
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = std::byte(i + 1);
    return bytes;
}

// A program, its maps, and the packet that it leaves behind.
struct Machine {
    explicit Machine(std::string_view blocks) : module(read_blocks(blocks)), maps(module.maps)
    {
        REQUIRE(fmt::format("{}", fmt::join(verify(module), "\n")) == "");
    }

    RunResult run(const Bytes &bytes = counted(20), const Context &context = {})
    {
        packet.assign(bytes);
        auto result = Interpreter(module.programs[0], maps).run(packet, context);
        if (!result)
            FAIL(result.error());
        return std::move(*result);
    }

    std::int32_t verdict(const Bytes &bytes = counted(20), const Context &context = {})
    {
        return static_cast<std::int32_t>(run(bytes, context).verdict);
    }

    Module module;
    MapStore maps;
    PacketBuffer packet;
};

constexpr std::string_view ethernet = "b0(): %1 = packet_start %2 = packet_end guard %1 + 14 <= %2 ? b1() : b2() ";

} // namespace

TEST_CASE("stores into the packet are seen by loads behind them")
{
    Machine machine(std::string(ethernet) +
                    "b1(): %3 = load.be16 %1 + 0 pstore.le16 %1 + 0, %3 %4 = load.be16 %1 + 0 %5 = 0xabcd "
                    "pstore.be16 %1 + 12, %5 pstore.u8 %1 + 2, %5 return %4 b2(): return 2");
    CHECK(machine.verdict() == 0x201);
    Bytes expected = counted(20);
    expected[0] = std::byte(2);
    expected[1] = std::byte(1);
    expected[2] = std::byte(0xcd);
    expected[12] = std::byte(0xab);
    expected[13] = std::byte(0xcd);
    CHECK(Bytes(machine.packet.bytes().begin(), machine.packet.bytes().end()) == expected);
}

TEST_CASE("a packet that came as bytes is written back as far as it goes")
{
    const Module module = read_blocks(
        "b0(): %1 = 2 %2 = adjust_head %1 %3 = packet_start %4 = packet_end guard %3 + 14 <= %4 ? b1() : b2() "
        "b1(): pstore.u8 %3 + 0, %1 return 1 b2(): return 2");
    MapStore maps(module.maps);
    Bytes packet = counted(20);
    REQUIRE(Interpreter(module.programs[0], maps).run(std::span(packet)).has_value());
    CHECK(packet[0] == std::byte(2));
    CHECK(packet[1] == std::byte(4));
    CHECK(packet[17] == std::byte(20));
    CHECK(packet[18] == std::byte(19)); // not there any more, and left alone
}

TEST_CASE("the packet's ends are asked for anew")
{
    Machine grow("b0(): %1 = 0xfffffffffffffffc %2 = packet_length %3 = adjust_head %1 %4 = packet_length "
                 "%5 = sub %4, %2 if %3 == 0 ? b1() : b2() b1(): return %5 b2(): return 99");
    CHECK(grow.verdict() == 4);
    Machine shrink("b0(): %1 = 7 %2 = adjust_head %1 return %2");
    CHECK(shrink.verdict() == -EINVAL);
    CHECK(shrink.verdict(counted(21)) == 0);
    Machine tail("b0(): %1 = 4 adjust_tail %1 %2 = packet_length return %2");
    CHECK(tail.verdict() == 24);
    // A pointer behind a moved start, made anew from there.
    Machine rebased("b0(): %1 = 2 adjust_head %1 %2 = packet_start %3 = packet_end %4 = offset %2 + %1 max 2 "
                    "%5 = rebase %4 from %2 max 3 guard %5 + 1 <= %3 ? b1() : b2() "
                    "b1(): %6 = load.u8 %5 + 0 return %6 b2(): return 99");
    CHECK(rebased.verdict() == 5);
}

TEST_CASE("metadata is written and read where it was guarded")
{
    Machine machine(R"(
        b0(): %1 = 0xfffffffffffffff8 %2 = adjust_meta %1 %3 = meta_start %4 = packet_start
              guard %3 + 8 <= %4 ? b1() : b2()
        b1(): %5 = 0x1234 pstore.le32 %3 + 4, %5 %6 = load.le16 %3 + 4 return %6
        b2(): return 99)");
    CHECK(machine.verdict() == 0x1234);
    CHECK(machine.packet.metadata().size() == 8);
    CHECK(machine.packet.metadata()[4] == std::byte(0x34));
    Machine odd("b0(): %1 = 0xfffffffffffffffa %2 = adjust_meta %1 return %2");
    CHECK(odd.verdict() == -EACCES);
}

TEST_CASE("questions are answered by the context")
{
    const Context context{.rx_queue = 1, .egress_ifindex = 5, .cpu = 3, .now = 77, .seed = 9};
    CHECK(Machine("b0(): %1 = now return %1").verdict({}, context) == 77);
    CHECK(Machine("b0(): %1 = cpu return %1").verdict({}, context) == 3);
    CHECK(Machine("b0(): %1 = ctx egress_ifindex return %1").verdict({}, context) == 5);
    Machine random("b0(): %1 = random %2 = random %3 = xor %1, %2 return %3");
    RandomNumbers numbers(9);
    const std::uint32_t first = numbers.next();
    const std::uint32_t expected = first ^ numbers.next();
    CHECK(expected != 0);
    CHECK(random.run({}, context).verdict == expected);
    CHECK(random.run({}, context).verdict == expected);
    CHECK(random.run({}).verdict != expected);
}

TEST_CASE("what the device tells goes into a slot, or an error comes")
{
    const auto ask = [](std::string_view what, std::string_view load, const Context &context) {
        return Machine(fmt::format("slot $0 : 8 b0(): %1 = 0x5555555555555555 store.le64 $0 + 0, %1 %2 = rx_meta {} $0 "
                                   "%3 = load.{} if %2 == 0 ? b1() : b2() b1(): return %3 b2(): return %2",
                                   what, load))
            .verdict({}, context);
    };
    Context told;
    told.rx = {.hash = 7, .timestamp = 0x800000009, .vlan = RxMetadata::Vlan{0x8100, 12}};
    CHECK(ask("hash", "le32 $0 + 0", told) == 7);
    CHECK(ask("timestamp", "le64 $0 + 0", told) == 9);
    CHECK(ask("vlan", "be16 $0 + 0", told) == 0x8100);
    CHECK(ask("vlan", "le16 $0 + 2", told) == 12);
    for (const std::string_view what : {"hash", "timestamp", "vlan"})
        CHECK(ask(what, "le32 $0 + 0", {}) == -EOPNOTSUPP);
    CHECK(Machine("slot $0 : 8 b0(): %1 = 3 store.le64 $0 + 0, %1 rx_meta hash $0 %2 = load.le64 $0 + 0 return %2")
              .verdict() == 3);
}

TEST_CASE("slots are read as they were last written")
{
    CHECK(Machine("slot $0 : 8 b0(): %1 = 0x102 store.be16 $0 + 2, %1 %2 = load.le16 $0 + 2 %3 = 7 "
                  "store.u8 $0 + 2, %3 %4 = load.be16 $0 + 2 %5 = sub %4, %2 return %5")
              .verdict() == 0x702 - 0x201);
}

TEST_CASE("the value of an array is reached directly")
{
    Machine machine("b0(): %1 = map_value @conf + 8 %2 = 5 atomic_add.le64 %1 + 0, %2 %3 = load.le32 %1 + 0 return %3");
    CHECK(machine.verdict() == 5);
    CHECK(machine.verdict() == 10);
    CHECK(machine.maps.entries(MapId(3))[0].second[8] == std::byte(10));
    CHECK(machine.maps.entries(MapId(3))[0].second[0] == std::byte(0));
}

TEST_CASE("updates and deletions say how they went")
{
    const auto update = [](unsigned flags) {
        return fmt::format("slot $0 : 8 b0(): %1 = ctx rx_queue store.le64 $0 + 0, %1 %2 = update @seen[$0] = $0 "
                           "flags {} return %2",
                           flags);
    };
    Machine any(update(0));
    CHECK(any.verdict({}, {.rx_queue = 1}) == 0);
    CHECK(any.verdict({}, {.rx_queue = 2}) == 0);
    CHECK(any.verdict({}, {.rx_queue = 2}) == 0);
    CHECK(any.verdict({}, {.rx_queue = 3}) == -E2BIG);
    Machine only_new(update(1));
    CHECK(only_new.verdict() == 0);
    CHECK(only_new.verdict() == -EEXIST);
    Machine only_old(update(2));
    CHECK(only_old.verdict() == -ENOENT);
    CHECK(only_old.maps.entries(MapId(2)).empty());
    Machine removed("slot $0 : 8 b0(): %1 = 3 store.le64 $0 + 0, %1 update @seen[$0] = $0 %2 = delete @seen[$0] "
                    "%3 = delete @seen[$0] %4 = sub %3, %2 return %4");
    CHECK(removed.verdict() == -ENOENT);
}

TEST_CASE("queues fill up; a Bloom filter remembers")
{
    Machine fifo("slot $0 : 8 b0(): %1 = ctx rx_queue store.le64 $0 + 0, %1 %2 = push @fifo $0 return %2");
    CHECK(fifo.verdict({}, {.rx_queue = 1}) == 0);
    CHECK(fifo.verdict({}, {.rx_queue = 2}) == 0);
    CHECK(fifo.verdict({}, {.rx_queue = 3}) == -E2BIG);
    CHECK(fifo.maps.pop(MapId(7))->front() == std::byte(1));
    Machine bloom("slot $0 : 8 b0(): %1 = ctx rx_queue store.le64 $0 + 0, %1 %2 = peek @bloom $0 push @bloom $0 "
                  "return %2");
    CHECK(bloom.verdict({}, {.rx_queue = 1}) == -ENOENT);
    CHECK(bloom.verdict({}, {.rx_queue = 1}) == 0);
    CHECK(bloom.verdict({}, {.rx_queue = 2}) == -ENOENT);
}

TEST_CASE("a broadcast asks for no slot; a failed redirect takes back the one before")
{
    Machine all("b0(): %1 = 9 %2 = redirect @devs[%1] else 1 broadcast exclude_ingress return %2");
    all.maps.clear_slots(MapId(4));
    CHECK(all.run().redirect == RedirectTarget{MapId(4), 0, true, true});
    Machine twice("b0(): %1 = 1 %2 = redirect @devs[%1] else 1 %3 = 9 %4 = redirect @devs[%3] else 1 return %2");
    const RunResult result = twice.run();
    CHECK(result.verdict == 4);
    CHECK(!result.redirect);
}

TEST_CASE("a tail call ends the run where there is a program")
{
    Machine machine("b0(): %1 = 4 adjust_tail %1 tail_call @progs[2] return 1");
    const RunResult called = machine.run();
    CHECK(called.tail_call == TailCall{MapId(5), 2});
    CHECK(machine.packet.bytes().size() == 24);
    machine.maps.clear_slots(MapId(5));
    machine.maps.fill(MapId(5), 1);
    const RunResult went_on = machine.run();
    CHECK(!went_on.tail_call);
    CHECK(went_on.verdict == 1);
}

TEST_CASE("records are filled, submitted, and run out")
{
    constexpr std::string_view sample = R"(
        b0(): %1 = reserve @ring 40  if %1 == 0 ? b5() : b1()
        b1(): %2 = packet_length  store.be64 %1 + 0, %2  if %2 > 32 ? b4() : b2()
        b2(): if %2 == 0 ? b4() : b3()
        b3(): %3 = copy_packet %1 + 8, %2 max 32  submit %1  return 1
        b4(): submit %1  return 2
        b5(): return 3)";
    Machine machine(sample);
    const RunResult result = machine.run();
    REQUIRE(result.records.size() == 1);
    CHECK(result.records[0].map == MapId(8));
    Bytes expected(40);
    expected[7] = std::byte(20);
    std::ranges::copy(counted(20), expected.begin() + 8);
    CHECK(result.records[0].bytes == expected);
    CHECK(machine.maps.records(MapId(8)) == std::vector<Bytes>(1, expected));
    CHECK(machine.verdict(counted(40)) == 2);
    // A header of 8 bytes each; the last 48 of 4096 stay free.
    for (int i = 2; i < 85; ++i)
        CHECK(machine.verdict() == 1);
    CHECK(machine.verdict() == 3);
    machine.maps.clear_records(MapId(8));
    CHECK(machine.verdict() == 1);
}

TEST_CASE("instructions are run by whoever knows how")
{
    const Module module = read_blocks("asm 0 : 0x95 b0(): asm 0");
    MapStore maps(module.maps);
    Interpreter interpreter(module.programs[0], maps);
    PacketBuffer packet(counted(20));
    CHECK(interpreter.run(packet).error() == "nobody runs the program's instructions");
    interpreter.set_asm_hook([](const AsmRun &run) -> std::expected<void, std::string> {
        if (run.packet.bytes().size() == 14)
            return std::unexpected("too short");
        run.result.verdict = static_cast<std::uint32_t>(run.block.insns[0]) + run.context.rx_queue;
        return {};
    });
    CHECK(interpreter.run(packet, {.rx_queue = 1})->verdict == 0x96);
    packet.assign(counted(14));
    CHECK(interpreter.run(packet).error() == "too short");
}
