// tcpdump's expressions as predicates: libpcap's program, translated, against libpcap's own interpreter. Every engine
// has to give its answer, on packets that are steered through the expression, on all their truncations, on packets of
// every other shape, and on captures.
#include "compiler/bpf/codegen.hpp"
#include "compiler/lower/lower.hpp"
#include "compiler/object/object.hpp"
#include "compiler/passes/pipeline.hpp"
#include "compiler/pcap/compile.hpp"
#include "compiler/state.hpp"
#include "tests/diff/engines.hpp"
#include "tests/diff/tcpdump.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>

using namespace xdpf;
using namespace xdpf::diff;

namespace {

constexpr const char *expressions[] = {
    // Protocols
    "",
    "ip",
    "ip6",
    "arp",
    "rarp",
    "udp",
    "tcp",
    "sctp",
    "icmp",
    "icmp6",
    "igmp",
    "igrp",
    "pim",
    "vrrp",
    "carp",
    "ah",
    "esp",
    "ip proto 47",
    "ip6 proto 58",
    "proto 17",
    "ether proto 0x88cc",
    "ether proto \\ip",
    "ether proto 0x42",
    "llc",
    "llc i",
    "llc s",
    "llc u",
    "llc rnr",
    "stp",
    "isis",
    "clnp",
    "esis",
    "iso",
    "ipx",
    "netbeui",
    "atalk",
    "aarp",
    "lat",
    "moprc",
    "mopdl",
    "decnet",
    // Addresses
    "host 10.0.0.1",
    "src host 10.0.0.1",
    "dst host 10.0.0.1 or src host 10.0.0.2",
    "src and dst host 10.0.0.1",
    "ip host 192.0.2.7",
    "arp host 10.0.0.1",
    "net 10.0.0.0/8",
    "src net 192.168.0.0/16",
    "dst net 172.16.0.0 mask 255.240.0.0",
    "net 192.168.1",
    "net 0.0.0.0/0",
    "not net 10.0.0.0/8",
    "host 2001:db8::1",
    "src host 2001:db8::1",
    "ip6 net 2001:db8::/32",
    "dst net 2001:db8::/65",
    "net fe80::/10",
    "ether host 02:00:00:00:00:01",
    "ether src 02:00:00:00:00:01",
    "ether dst 02:00:00:00:00:01",
    "ether broadcast",
    "broadcast",
    "ether multicast",
    "multicast",
    "ip multicast",
    "ip6 multicast",
    "ip and not multicast and not broadcast",
    "decnet host 10.15",
    // Ports
    "port 53",
    "udp port 53",
    "tcp dst port 80",
    "src port 1024",
    "sctp port 5060",
    "tcp port 22 or tcp port 80 or tcp port 443",
    "udp portrange 1000-2000",
    "dst portrange 8000-8999",
    "tcp src portrange 0-1023",
    "portrange 53-53",
    "ip and udp port 53",
    "ip6 and tcp port 443",
    "udp port 53 and net 10.0.0.0/8",
    "host 10.0.0.1 and (port 53 or port 80)",
    "src net 10.0.0.0/8 and dst net 192.168.0.0/16 and tcp dst port 443",
    "not port 22",
    "not (tcp port 22 and host 10.0.0.1)",
    "tcp and not port 22 and not port 80",
    "udp and (dst port 67 or dst port 68) and src port 67",
    // Tags and tunnels
    "vlan",
    "vlan 7",
    "vlan and ip",
    "vlan 7 and udp port 53",
    "vlan 7 and vlan 8 and tcp",
    "vlan and vlan and ip6 and tcp dst port 80",
    "not vlan",
    "vlan or ip",
    "mpls",
    "mpls 100",
    "mpls 100000 and host 10.0.0.1",
    "mpls and mpls 5 and ip6",
    "vlan 7 and mpls 100 and udp",
    "pppoed",
    "pppoes",
    "pppoes 5",
    "pppoes and ip",
    "pppoes 5 and udp port 53",
    "pppoes and ip6 and tcp port 443",
    "vlan and pppoes and host 10.0.0.1",
    "geneve",
    "geneve 5",
    "geneve and udp",
    "geneve and ip and tcp dst port 80",
    "geneve 7 and vlan 3 and icmp",
    // Bytes
    "tcp[13] & 2 != 0",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "tcp[tcpflags] = tcp-fin|tcp-ack",
    "tcp[13] & 7 != 0 and not src and dst net 10.0.0.0/8",
    "tcp[(tcp[12] & 0xf0) >> 2 : 4] = 0x47455420",
    "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
    "udp[8:2] & 0x8000 = 0",
    "udp[4:2] > 100",
    "icmp[icmptype] == icmp-echo",
    "icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply",
    "icmp[0] = 3 and icmp[1] = 4",
    "icmp6[icmp6type] == icmp6-neighborsolicit",
    "icmp6 and ip6[40] = 135",
    "ip[0] & 0xf != 5",
    "ip[0] >> 4 = 4",
    "ip[6:2] & 0x1fff != 0",
    "ip[6] & 0x20 != 0",
    "ip[8] < 5",
    "ip[2:2] > 576",
    "ip[12:4] = 0x0a000001",
    "ip[16] >= 224",
    "ip6[6] = 44",
    "ip6[4:2] + 40 < 100",
    "ip6[0:4] & 0xfffff = 0",
    "arp[6:2] = 1 and arp[14:4] = 0x0a000001",
    "ether[0] & 1 = 0 and ip[16] >= 224",
    "ether[12:2] = 0x88cc",
    "ether[0:4] = 0xffffffff and ether[4:2] = 0xffff",
    "ether[60] > ether[61]",
    "ether[1000] = 0",
    "ether[65530:4] = 0",
    "ether[65532:4] = 0",
    "ether[70000] = 0",
    // Arithmetic: 32 bits that wrap, unsigned
    "ether[20] + ether[21] > 256",
    "ether[20:4] + ether[24:4] < 1000000000",
    "ether[20] - ether[21] > 3",
    "ether[20:4] * ether[24:4] > 0x80000000",
    "ether[20] * 3 + 1 > 200 and len < 100",
    "ether[20:4] / ether[24] > 100",
    "ether[20] / 7 = 5",
    "ether[20] % 7 = 5",
    "ether[20:4] % ether[24] = 3",
    "not ether[20] / ether[21] = 0",
    "ether[20] / ether[21] = 0",
    "ether[20:4] % ether[24] > 5",
    "1 << (ether[24] & 127) = 0",
    "ether[20:4] ^ ether[24:4] >= 0xf0000000",
    "ether[20] | ether[21] = 0xff",
    "ether[20:4] & ether[24:4] = 0",
    "ether[20:4] << ether[24] > 0x1000",
    "ether[20:4] >> ether[24] > 0x1000",
    "ether[20:4] << 31 = 0x80000000",
    "1 << (ether[24] & 31) > 0xffffff",
    "1 << ether[24] = 0",
    "-ether[20:4] < 0x80000000",
    "-ether[20] = 0 - ether[21]",
    "0 - ether[20] > 0xffffff80",
    "ether[20:4] >= 0x80000000",
    "ether[20:4] > 0xfffffffe",
    "ether[20:4] = 0xffffffff",
    "ether[20:2] >= ether[22:2]",
    "(ether[20] + 1) * (ether[21] + 1) = (ether[22] + 1) * (ether[23] + 1)",
    // Offsets that are computed
    "ether[ether[14]] = 0",
    "ether[ether[14] + 1 : 2] & 8 = 0",
    "ether[ether[14:2]] & 1 = 0",
    "ether[ether[14:2] : 4] & 1 = 0",
    "ether[ether[14:4] : 2] & 1 = 0",
    "ether[ether[14] - 20] & 1 = 0",
    "ether[ether[14] - ether[15] : 2] & 1 = 0",
    "ether[ether[ether[14] & 15] & 31] & 1 = 0",
    "ip[ip[0] & 0xf : 2] & 1 = 1",
    "ip[(ip[0] & 0xf) << 2] & 1 = 1",
    "ip[1] >= 0xf4 and ip[ip[1] - 256] & 1 = 0",
    "ip[1] >= 0xf4 and ip[ip[1] - 256 : 2] & 1 = 0",
    "ip[1] >= 0xf4 and ip[ip[1] - 256 : 4] & 1 = 0",
    "ip[(ip[2:2] & 63) - 1] & 1 = 0",
    "ether[len - 1] = 0",
    "ether[len - 4 : 4] & 1 = 0",
    "ether[len] = 0",
    // Lengths
    "less 60",
    "greater 60",
    "len > 59 and len <= 64",
    "len = 14",
    "len - 14 > ip[2:2]",
    "len & 1 = 1",
    // Combinations
    "tcp or udp",
    "ip and not tcp",
    "not ip and not ip6 and not arp",
    "(tcp or udp) and (src net 10.0.0.0/8 or src net 192.168.0.0/16) and dst port 53",
    "tcp and (src port 80 or src port 443) and not (dst host 10.0.0.1 or dst host 10.0.0.2)",
    "ip6 or (ip and ip[8] > 1) or arp",
    "udp and ((port 53 and greater 100) or (port 123 and less 90)) and not broadcast",
    "tcp[13] = 2 or tcp[13] = 18 or (icmp and icmp[0] = 8) or (udp and udp[8] & 0x80 = 0)",
    "(vlan 5 and ip) or (vlan 6 and ip6)",
    "ether src 02:00:00:00:00:01 and ip and udp and src port 68 and dst port 67 and ether broadcast",
    "(tcp[0:2] > 1500 and tcp[0:2] < 1550) or (tcp[2:2] > 1500 and tcp[2:2] < 1550)",
    "host 10.0.0.1 and not (host 10.0.0.2 or host 10.0.0.3 or net 10.1.0.0/16)",
};

// Behind every packet's end, of those that are compared here; a sum of offsets does not wrap into the packet again.
constexpr const char *impossible[] = {"ether[1000] = 0",
                                      "ether[65530:4] = 0",
                                      "ether[65532:4] = 0",
                                      "ether[70000] = 0",
                                      "ether[len] = 0",
                                      "ip[1] >= 0xf4 and ip[ip[1] - 256] & 1 = 0",
                                      "ip[1] >= 0xf4 and ip[ip[1] - 256 : 2] & 1 = 0",
                                      "ip[1] >= 0xf4 and ip[ip[1] - 256 : 4] & 1 = 0"};

// `match pcap "…" -> drop`, or `match not pcap "…" -> drop`, as the analysis would hand it on.
sema::Unit typed_program(const pcap::Program &code, bool negated)
{
    sema::Unit unit;
    unit.name = "expression";
    auto predicate = unit.preds.add({sema::Pcap{code, {}}, {}});
    if (negated)
        predicate = unit.preds.add({sema::Not{predicate}, {}});
    const auto give = [](std::uint32_t verdict) {
        sema::Decision decision;
        decision.verdict = verdict;
        return sema::Action{{}, decision};
    };
    sema::Program program;
    program.name = unit.name;
    program.rules.push_back({predicate, give(XDP_DROP), {}});
    program.rules.push_back({std::nullopt, give(XDP_PASS), {}});
    unit.programs.push_back(std::move(program));
    return unit;
}

Compilation compile_typed(sema::Unit unit, const CompileOptions &options)
{
    auto state = std::make_unique<Compilation::State>();
    state->unit = std::move(unit);
    state->module = lower(state->unit, state->diagnostics);
    if (options.optimize)
        passes::optimize(state->module, passes::Checks::on);
    for (const ir::Program &program : state->module.programs) {
        if (auto code = bpf::generate(program, nullptr))
            state->image.programs.push_back(std::move(*code));
        else
            state->diagnostics.report(Kind::too_large, {}, program.name, "it does not fit");
    }
    state->image.name = state->unit.name;
    state->image.license = state->unit.license;
    if (!state->diagnostics.has_errors())
        state->image.elf = write_object(state->image);
    return Compilation(std::move(state));
}

Subject subject_of(const pcap::Program &code, bool negated)
{
    Subject subject;
    subject.make = [unit = typed_program(code, negated)](const CompileOptions &options) {
        return compile_typed(unit, options);
    };
    return subject;
}

Engines engines() { return kernel_usable() ? Engines::all : Engines::interpreters; }

// How many of the packets match.
std::size_t compare(const std::string &text, std::span<const Packet> packets, bool negated = false)
{
    const auto code = pcap::compile(text);
    const Expression expression(text);
    REQUIRE_MESSAGE((code && expression.good()), text);
    const Findings found = compare_engines(subject_of(*code, negated), packets, engines());
    CHECK_MESSAGE(found.problems.empty(), fmt::format("'{}': {}", text, found.problems.front()));
    CHECK(!found.refused_by_kernel);
    std::size_t matching = 0;
    int wrong = 0;
    for (std::size_t i = 0; i < std::min(packets.size(), found.verdicts.size()) && wrong < 3; ++i) {
        const bool expected = expression.matches(packets[i].bytes);
        matching += expected ? 1 : 0;
        if ((found.verdicts[i] == XDP_DROP) == (expected != negated))
            continue;
        ++wrong;
        FAIL_CHECK(fmt::format("'{}'{} {} for libpcap\n  packet: {}\n  {}", text, negated ? ", negated," : "",
                               expected ? "matches" : "does not match", packets[i].name, hex(packets[i].bytes)));
    }
    return matching;
}

std::vector<Packet> steered(const std::string &text, std::uint64_t seed, std::size_t count)
{
    Random random(seed);
    const Expression expression(text);
    std::vector<Packet> out;
    for (std::size_t i = 0; i < count; ++i) {
        const Bytes packet = expression.packet_for(random);
        out.push_back({fmt::format("steered {}", i), packet});
        if (i % 40 != 0)
            continue;
        for (std::size_t length = 0; length < packet.size(); ++length)
            out.push_back({fmt::format("steered {}, {} bytes", i, length), {packet.begin(), packet.begin() + length}});
    }
    return out;
}

std::string hosts(int count)
{
    std::string out;
    for (int i = 0; i < count; ++i)
        out += fmt::format("{}host 10.{}.{}.{}", i == 0 ? "" : " or ", i % 7, i / 250, i % 250);
    return out;
}

} // namespace

TEST_CASE("a predicate of tcpdump's language means what libpcap says")
{
    const std::uint64_t seed = number_from_environment("XDPF_DIFF_SEED", 1);
    const auto others = mixed_packets(seed, 200);
    std::size_t index = 0;
    for (const std::string text : expressions) {
        auto packets = steered(text, seed + index, 600);
        const bool negated = index++ % 8 == 0;
        packets.insert(packets.end(), others.begin(), others.end());
        const std::size_t matching = compare(text, packets, negated);
        const bool never = std::ranges::find(impossible, text) != std::end(impossible);
        CHECK_MESSAGE((matching > 0) == !never, text);
        CHECK_MESSAGE((matching < packets.size() || text.empty()), text);
    }
    CHECK(index > 200);
}

TEST_CASE("a predicate of tcpdump's language counts on captures what libpcap does")
{
    const auto packets = captured_packets();
    if (packets.empty())
        return;
    for (const std::string text : expressions)
        compare(text, packets);
}

TEST_CASE("the largest packets that there are")
{
    Random random(7);
    for (const std::size_t size : {3520U, 4000U, 65535U}) {
        Frame frame(random);
        Bytes bytes = frame.fill(size).bytes();
        const std::vector<Packet> packets{{"large", bytes}};
        for (const std::string text : {"ether[ether[14:2]] & 1 = 0", "ether[ether[14:2] : 4] & 1 = 0",
                                       "ether[len - 4 : 4] & 1 = 0", "ether[len - 1] & 1 = 0", "ether[65531:4] & 1 = 0",
                                       "ether[65534] & 1 = 0", "greater 65535", "len = 3520"})
            compare(text, packets);
    }
}

TEST_CASE("long expressions are taken, or refused before the kernel does")
{
    for (const int count : {10, 100, 300, 500}) {
        const std::string text = hosts(count);
        const auto code = pcap::compile(text);
        REQUIRE(code);
        const auto packets = steered(text, 1, 40);
        const Findings found = compare_engines(subject_of(*code, false), packets, engines());
        INFO(count);
        CHECK(!found.refused_by_kernel);
        CHECK((found.problems.empty() || found.refused_by_compiler));
        MESSAGE(fmt::format("{} hosts: {} classic instructions, {} BPF, {} verified{}", count, code->size(),
                            found.instructions, found.verified, found.refused_by_compiler ? ", refused" : ""));
    }
}

TEST_CASE("a predicate of tcpdump's language stands beside others in a source")
{
    const auto packets = mixed_packets(number_from_environment("XDPF_DIFF_SEED", 1), 2000);
    const Expression query("udp port 53 or icmp");
    const Expression small("less 60");
    for (const std::string source : {"match pcap \"udp port 53 or icmp\" and not pcap \"less 60\" -> drop",
                                     "match ethernet { match pcap \"less 60\" -> pass\n"
                                     "match pcap \"udp port 53 or icmp\" or pcap \"tcp[0:2] = 1\" and ipv6 -> drop }",
                                     "def asks = pcap \"udp port 53 or icmp\"\n"
                                     "match not asks -> pass\nmatch pcap \"less 60\" -> pass\ndefault -> drop"}) {
        const Findings found = compare_engines({source}, packets, engines());
        REQUIRE_MESSAGE(found.problems.empty(), found.problems.front());
        for (std::size_t i = 0; i < packets.size(); ++i) {
            const Bytes &packet = packets[i].bytes;
            const bool expected = query.matches(packet) && !small.matches(packet);
            CHECK_MESSAGE((found.verdicts[i] == XDP_DROP) == expected, packets[i].name);
        }
    }
}
