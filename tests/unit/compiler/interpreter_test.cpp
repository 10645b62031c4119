// The public interpreter: what it gives back of a packet, and what its maps hold.
#include "compiler/interpret.hpp"
#include "compiler/report.hpp"

#include <doctest/doctest.h>
#include <linux/bpf.h>

#include <set>

#include <algorithm>

using namespace xdpf;

namespace {

using Bytes = std::vector<std::byte>;

Compilation compiled(const std::string &source)
{
    auto compilation = compile(source, "p.xdpf");
    REQUIRE_MESSAGE(compilation.ok(), to_text(compilation.diagnostics(), compilation.sources()));
    return compilation;
}

// An Ethernet header with that type, and zeros up to `size` bytes.
Bytes frame(unsigned type, std::size_t size = 60)
{
    Bytes out(size);
    out[12] = static_cast<std::byte>(type >> 8);
    out[13] = static_cast<std::byte>(type);
    return out;
}

Bytes number(std::uint64_t value, std::size_t size)
{
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i)
        out[i] = static_cast<std::byte>(value >> (8 * i));
    return out;
}

MapId map_named(const Compilation &compilation, std::string_view name)
{
    const auto &maps = compilation.image().maps;
    return MapId(static_cast<std::size_t>(std::ranges::find(maps, name, &MapSpec::name) - maps.begin()));
}

} // namespace

TEST_CASE("the packet as the program leaves it")
{
    const auto compilation = compiled("match vlan -> { pop vlan; tx }\n"
                                      "match ethernet.type == 1 -> { set ethernet.type = 2; pass }\n"
                                      "match ethernet -> { push vlan(id = 5); tx }\n");
    Interpreter interpreter(compilation);
    const auto same = interpreter.run(frame(1));
    CHECK(same.verdict == XDP_PASS);
    CHECK(same.bytes == frame(2));
    const auto grown = interpreter.run(frame(0x88b5));
    CHECK(grown.verdict == XDP_TX);
    REQUIRE(grown.bytes.size() == 64);
    CHECK(grown.bytes[15] == std::byte{5});
    CHECK(interpreter.run(grown.bytes).bytes == frame(0x88b5));
}

TEST_CASE("metadata, records, and who decided")
{
    const auto compilation = compiled("defmap events : ringbuf[4096]\n"
                                      "match ethernet.type == 1 -> { metadata {mark = 7}; pass }\n"
                                      "match ethernet.type == 2 -> { emit events {what = ethernet.type}; drop }\n");
    Interpreter interpreter(compilation);
    const auto marked = interpreter.run(frame(1));
    CHECK(marked.metadata == number(7, marked.metadata.size()));
    CHECK_FALSE(marked.metadata.empty());
    CHECK(marked.bytes == frame(1));
    CHECK(marked.records.empty());
    CHECK(marked.decided_by == compilation.image().programs[0].rules[0]);
    const auto told = interpreter.run(frame(2), {.now = 99});
    CHECK(told.metadata.empty());
    REQUIRE(told.records.size() == 1);
    CHECK(told.records[0].map == map_named(compilation, "events"));
    CHECK(Bytes(told.records[0].bytes.begin(), told.records[0].bytes.begin() + 8) == number(99, 8));
}

TEST_CASE("a ring takes no more when it is full, until somebody reads it")
{
    const auto compilation =
        compiled("defmap events : ringbuf[4096]\nmatch ethernet -> { sample events[1000]; pass }\n");
    Interpreter interpreter(compilation);
    const MapId ring = map_named(compilation, "events");
    std::size_t records = 0;
    for (int i = 0; i < 10; ++i)
        records += interpreter.run(frame(1, 1000)).records.size();
    CHECK(records == 3);
    interpreter.clear_records(ring);
    CHECK(interpreter.run(frame(1, 1000)).records.size() == 1);
}

TEST_CASE("goto: another program, at most 33 times")
{
    const auto compilation = compiled("defprogram first { match ethernet.type == 1 -> goto second  default -> pass }\n"
                                      "defprogram second { match ethernet.type == 1 -> drop  default -> tx }\n"
                                      "defmap turns : array<u64>[1]\n"
                                      "defprogram round { match ethernet -> { count turns; goto round } }\n");
    Interpreter interpreter(compilation);
    const auto &programs = compilation.image().programs;
    const auto there = interpreter.run(frame(1));
    CHECK(there.verdict == XDP_DROP);
    CHECK(there.program == 1);
    CHECK(there.decided_by == programs[1].rules[0]);
    REQUIRE(there.gone_on_by.size() == 1);
    CHECK(there.gone_on_by[0] == programs[0].rules[0]);
    const auto here = interpreter.run(frame(2));
    CHECK(here.verdict == XDP_PASS);
    CHECK(here.program == 0);
    CHECK(here.gone_on_by.empty());
    interpreter.select(2);
    for (std::uint64_t packets = 1; packets < 3; ++packets) {
        const auto result = interpreter.run(frame(1));
        CHECK(result.verdict == XDP_ABORTED);
        CHECK(result.gone_on_by.size() == 33);
        CHECK(interpreter.lookup(map_named(compilation, "turns"), number(0, 4)) == number(34 * packets, 8));
    }
}

TEST_CASE("parameters and their bounds")
{
    const auto compilation = compiled("param port : u16 = 53 in {53, 1000..2000}\nparam who : ipv4_address = 10.0.0.1\n"
                                      "match ethernet.type == port -> drop\nmatch arp.spa == who -> tx\n");
    Interpreter interpreter(compilation);
    CHECK(interpreter.run(frame(53)).verdict == XDP_DROP);
    CHECK(interpreter.set_parameter("port", 1500));
    CHECK(interpreter.run(frame(53)).verdict == XDP_PASS);
    CHECK(interpreter.run(frame(1500)).verdict == XDP_DROP);
    for (const std::uint64_t wrong : {0ULL, 54ULL, 999ULL, 2001ULL, 65536ULL + 53})
        CHECK_FALSE(interpreter.set_parameter("port", wrong));
    CHECK(interpreter.set_parameter("port", 999).error() == "999 lies out of the bounds of parameter 'port'");
    CHECK(interpreter.set_parameter("prt", 1).error() == "there is no parameter 'prt'; did you mean 'port'?");
    CHECK_FALSE(interpreter.set_parameter("who", 5));
    CHECK_FALSE(interpreter.set_parameter("who", number(5, 3)));
    CHECK(interpreter.set_parameter("who", number(5, 4)));
    CHECK(interpreter.run(frame(1500)).verdict == XDP_DROP);
    // A new one begins anew.
    CHECK(Interpreter(compilation).run(frame(53)).verdict == XDP_DROP);
}

TEST_CASE("contents are there, and can be taken out")
{
    const auto compilation = compiled("defmap types : hash<u16 -> u32>[4] = {1 -> 10, 2 -> 20}\n"
                                      "defmap table : array<u32>[2] = {5}\n"
                                      "defmap seen : bloom_filter<u32>[8] = {7}\n"
                                      "defmap work : queue<u32>[2] = {1, 2}\n"
                                      "defmap socks : xskmap[4]\n"
                                      "match ethernet.type in types -> drop\nmatch ethernet -> xsk socks\n");
    Interpreter interpreter(compilation);
    const auto id = [&](std::string_view name) { return map_named(compilation, name); };
    CHECK(interpreter.run(frame(2)).verdict == XDP_DROP);
    CHECK(interpreter.lookup(id("types"), number(2, 2)) == number(20, 4));
    CHECK(interpreter.lookup(id("table"), number(0, 4)) == number(5, 4));
    CHECK(interpreter.lookup(id("seen"), number(7, 4)));
    CHECK_FALSE(interpreter.lookup(id("seen"), number(8, 4)));
    CHECK(interpreter.entries(id("work")).size() == 2);
    CHECK_FALSE(interpreter.update(id("work"), {}, number(3, 4)));
    for (const auto name : {"types", "table", "seen", "work", "socks"})
        interpreter.clear(id(name));
    CHECK(interpreter.run(frame(2)).verdict == XDP_PASS);
    CHECK_FALSE(interpreter.lookup(id("types"), number(2, 2)));
    CHECK(interpreter.lookup(id("table"), number(0, 4)) == number(0, 4));
    CHECK_FALSE(interpreter.lookup(id("seen"), number(7, 4)));
    CHECK(interpreter.entries(id("work")).empty());
    CHECK(interpreter.update(id("work"), {}, number(3, 4)));
    CHECK(interpreter.filled_slots(id("socks")).empty());
    interpreter.fill_slot(id("socks"), 0);
    CHECK(interpreter.is_filled(id("socks"), 0));
    CHECK(interpreter.run(frame(2)).verdict == XDP_REDIRECT);
}

TEST_CASE("what a packet meets: the device, the processor, the time, chance")
{
    const auto compilation = compiled("match rx_hash == 1 -> drop\nmatch rx_vlan == 2 -> tx\n"
                                      "match rx_timestamp == 3 -> abort\nmatch cpu == 4 -> drop\n"
                                      "match now == 5 -> tx\nmatch iface == 6 -> abort\n"
                                      "match packet.length > 100 and one_in(2) -> drop\n");
    Interpreter interpreter(compilation);
    const auto verdict = [&](const PacketContext &context) { return interpreter.run(frame(1), context).verdict; };
    CHECK(verdict({}) == XDP_PASS);
    CHECK(verdict({.rx_hash = 1}) == XDP_DROP);
    CHECK(verdict({.rx_vlan = 2}) == XDP_TX);
    CHECK(verdict({.rx_timestamp = 3}) == XDP_ABORTED);
    CHECK(verdict({.cpu = 4}) == XDP_DROP);
    CHECK(verdict({.now = 5}) == XDP_TX);
    CHECK(verdict({.ingress_ifindex = 6}) == XDP_ABORTED);
    unsigned dropped = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        const auto first = interpreter.run(frame(1, 200), {.seed = seed}).verdict;
        CHECK(first == interpreter.run(frame(1, 200), {.seed = seed}).verdict);
        dropped += first == XDP_DROP ? 1 : 0;
    }
    CHECK(dropped > 400);
    CHECK(dropped < 600);
}

TEST_CASE("instructions run, too")
{
    const auto compilation = compiled("defmap socks : xskmap[4]\n"
                                      "match ethernet.type == 1 -> drop\n"
                                      "match ethernet -> asm {\n"
                                      "    r2 = *(u32 *)(r1 + xdp_md.rx_queue_index)\n"
                                      "    r1 = map socks\n"
                                      "    r3 = XDP_PASS\n"
                                      "    call bpf_redirect_map\n"
                                      "    exit\n"
                                      "}\n");
    Interpreter interpreter(compilation);
    CHECK(interpreter.run(frame(1)).verdict == XDP_DROP);
    const auto there = interpreter.run(frame(2), {.rx_queue = 3});
    CHECK(there.verdict == XDP_REDIRECT);
    CHECK(there.redirect_map == map_named(compilation, "socks"));
    CHECK(there.redirect_key == 3);
    CHECK(interpreter.run(frame(2), {.rx_queue = 4}).verdict == XDP_PASS);
}

TEST_CASE("maps that the compiler makes have names of their own, of which the kernel keeps all")
{
    const std::string rules =
        "{ match ethernet.type == 1 and exceeds(1/s, burst 1) -> drop match udp -> goto other }\n";
    const auto compilation =
        compile("defmap hits_other : array<u64>[1]\ndefmap programs : array<u64>[1]\ndefmap rate_3 : array<u64>[1]\n"
                "defprogram abcdefghijklmn1 " +
                    rules + "defprogram abcdefghijklmn2 " + rules + "defprogram other { match udp -> drop }\n",
                "p.xdpf", {.rule_counters = true, .verdict_counters = true});
    REQUIRE(compilation.ok());
    std::set<std::string> names;
    for (const MapSpec &map : compilation.image().maps) {
        CHECK(map.name.size() <= 15);
        CHECK_MESSAGE(names.insert(map.name).second, map.name);
    }
    CHECK(names.contains("hits_abcdefgh_2"));
    CHECK(names.contains("hits_other_2"));
    CHECK(names.contains("programs_2"));
}

TEST_CASE("verdicts are counted where that is asked for, of programs of an interface, whatever decides")
{
    const std::string source = "defmap verdicts : array<u32 -> u64>[1]\n"
                               "defprogram main { match ethernet.type == 1 -> drop match ethernet.type == 2 -> xsk "
                               "match ethernet.type == 3 -> goto other match ethernet.type == 4 -> tx }\n"
                               "defprogram other { match ethernet -> abort }\n"
                               "defprogram entry on devmap { match ethernet -> drop }\n";
    CHECK(!compiled(source).image().verdict_counters.valid());
    const auto compilation = compile(source, "p.xdpf", {.verdict_counters = true});
    REQUIRE(compilation.ok());
    const Image &image = compilation.image();
    REQUIRE(image.verdict_counters.valid());
    CHECK(image.maps[image.verdict_counters.value].name == "verdicts_2");
    const auto refers = [&](const ProgramImage &program) {
        return std::ranges::any_of(program.map_references,
                                   [&](const auto &reference) { return reference.map == image.verdict_counters; });
    };
    CHECK(refers(image.programs[0]));
    CHECK(refers(image.programs[1]));
    CHECK(!refers(image.programs[2]));

    Interpreter interpreter(compilation);
    for (const unsigned type : {1U, 1U, 2U, 3U, 4U, 5U, 5U, 5U})
        (void)interpreter.run(frame(type));
    const std::array<std::uint64_t, 5> expected{1, 2, 3, 1, 1};
    for (std::size_t verdict = 0; verdict < expected.size(); ++verdict)
        CHECK(interpreter.lookup(image.verdict_counters, number(verdict, 4)) == number(expected[verdict], 8));
}
