// tcpdump's expressions as a third opinion, through libpcap's own compiler and interpreter, on the packets of the
// truncation tests and on captures: XDPF_PCAPS names a folder of them.
//
// Where libpcap and xdpf mean different things on purpose, either the xdpf condition says in raw bytes what libpcap
// looks at ("exact"), or only packets are compared about which both mean the same ("alike"):
//
//   libpcap                                            xdpf
//   no VLAN tag is looked through; `vlan` moves all    up to two tags are looked through
//   offsets behind it on by one tag
//   `udp` is the protocol's number                     `udp` is a whole UDP header in the packet
//   `udp` over IPv6 looks at the fixed header, and     up to six extension headers are walked
//   through one fragment header
//   `udp` is true of later fragments, ports are not    neither is, and no UDP behind it
//   `mpls` is EtherType 0x8847                         `mpls` is 0x8848 as well
//   `pppoes` is the EtherType                          `pppoe` is a whole header, version and type 1, code 0
//   IHL below 5, other versions than 4 are taken       absent
//   a field behind the packet's end makes the whole    a field behind the packet's end makes its comparison
//   expression false                                   false
#include "tests/diff/dissect.hpp"

#include "compiler/compile.hpp"
#include "compiler/interpret.hpp"
#include "compiler/report.hpp"
#include "tests/diff/engines.hpp"
#include "tests/diff/pcap_pairs.hpp"
#include "tests/diff/tcpdump.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <iterator>
#include <optional>

using namespace xdpf;
using namespace xdpf::diff;

namespace {

constexpr std::uint32_t xdp_drop = 1; // XDP_DROP of <linux/bpf.h>

// Whether what the number names is there as a whole, or is something that neither side looks into.
bool whole_transport(const Dissection &packet, std::optional<std::uint64_t> protocol, bool six)
{
    switch (protocol.value_or(255)) {
    case 6: return packet.has("tcp");
    case 17: return packet.has("udp");
    case 1: return !six && packet.has("icmp");
    case 58: return six && packet.has("icmpv6");
    case 44:  // libpcap looks behind a fragment header,
    case 132: // and at SCTP's ports
        return false;
    default: return true;
    }
}

// Both about the same: Ethernet without a tag, and above it what both find or both do not find.
bool plain(const Dissection &packet)
{
    if (!packet.has("ethernet") || packet.has("vlan") || !packet.ethernet_protocol())
        return false;
    if (packet.ethernet_protocol() == 0x0800U)
        return packet.has("ipv4") && packet.bits("ipv4", 51, 13) == 0U &&
               whole_transport(packet, packet.bits("ipv4", 72, 8), false);
    if (packet.ethernet_protocol() == 0x86ddU)
        return packet.has("ipv6") && packet.ipv6_protocol() == packet.bits("ipv6", 48, 8) &&
               whole_transport(packet, packet.bits("ipv6", 48, 8), true);
    return packet.ethernet_protocol() != 0x0806U || packet.has("arp");
}

// All of the standard library.
std::string imports()
{
    std::string out;
    for (const auto *module : {"bfd", "dccp", "dns", "esp", "gre", "igmp", "lldp", "mobility", "mpls", "nd", "pppoe",
                               "ptp", "quic", "sctp", "tunnel/geneve", "tunnel/gtpu", "tunnel/ipip", "tunnel/vxlan"})
        out += fmt::format("import \"{}\"\n", module);
    return out;
}

class Filter {
public:
    explicit Filter(const char *condition)
        : compilation_(compile(fmt::format("{}match {} -> drop", imports(), condition)))
    {
        REQUIRE_MESSAGE(compilation_.ok(), to_text(compilation_.diagnostics(), compilation_.sources()));
        interpreter_.emplace(compilation_);
    }
    bool matches(const Bytes &packet) { return interpreter_->run(packet).verdict == xdp_drop; }

private:
    Compilation compilation_;
    std::optional<Interpreter> interpreter_;
};

struct Tally {
    std::size_t compared = 0;
    std::size_t matching = 0;
};

class Comparison {
public:
    explicit Comparison(const Pair &pair) : pair_(pair), expression_(pair.expression), filter_(pair.condition)
    {
        REQUIRE_MESSAGE(expression_.good(), pair.expression);
    }

    void compare(const Packet &packet, const Dissection &dissected)
    {
        if (wrong_ == enough || packet.bytes.size() < 14 || (!pair_.exact && !plain(dissected)))
            return;
        ++tally_.compared;
        const bool expected = expression_.matches(packet.bytes);
        tally_.matching += expected ? 1 : 0;
        if (filter_.matches(packet.bytes) == expected)
            return;
        ++wrong_;
        FAIL_CHECK(fmt::format("tcpdump's '{}' {}, '{}' does not agree\n  packet: {}\n  {}", pair_.expression,
                               expected ? "matches" : "does not match", pair_.condition, packet.name,
                               hex(packet.bytes)));
    }

    // Random packets that get far into the expression.
    void compare_steered(std::uint64_t seed)
    {
        Random random(seed);
        for (int i = 0; i < 1200; ++i) {
            const Packet packet{"steered", expression_.packet_for(random)};
            compare(packet, Dissection(packet.bytes));
        }
    }

    [[nodiscard]] Tally tally() const { return tally_; }

private:
    static constexpr int enough = 3; // disagreements

    const Pair &pair_;
    Expression expression_;
    Filter filter_;
    Tally tally_;
    int wrong_ = 0;
};

std::vector<Dissection> dissect(std::span<const Packet> packets)
{
    std::vector<Dissection> out;
    for (const Packet &packet : packets)
        out.emplace_back(packet.bytes);
    return out;
}

} // namespace

TEST_CASE("tcpdump's expressions agree on every truncation")
{
    const auto seed = number_from_environment("XDPF_DIFF_SEED", 1);
    const auto packets = truncations(whole_packets(seed));
    const auto dissected = dissect(packets);
    std::size_t compared = 0;
    for (const Pair &pair : pairs) {
        Comparison comparison(pair);
        for (std::size_t i = 0; i < packets.size(); ++i)
            comparison.compare(packets[i], dissected[i]);
        comparison.compare_steered(seed);
        compared += comparison.tally().compared;
        // An expression that no packet matches has shown little.
        CHECK_MESSAGE(comparison.tally().matching > 0, std::string(pair.expression));
    }
    CHECK(compared > 100'000);
}

TEST_CASE("tcpdump's expressions agree on captures")
{
    const auto packets = captured_packets();
    if (packets.empty())
        return;
    const auto dissected = dissect(packets);
    Tally sum;
    for (const Pair &pair : pairs) {
        Comparison comparison(pair);
        for (std::size_t i = 0; i < packets.size(); ++i)
            comparison.compare(packets[i], dissected[i]);
        sum.compared += comparison.tally().compared;
        sum.matching += comparison.tally().matching;
    }
    MESSAGE(fmt::format("{} pairs, {} packets, {} comparisons, {} matches", std::size(pairs), packets.size(),
                        sum.compared, sum.matching));
}
