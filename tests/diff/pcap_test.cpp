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
//   IHL below 5, other versions than 4 are taken       absent
//   a field behind the packet's end makes the whole    a field behind the packet's end makes its comparison
//   expression false                                   false
#include "tests/diff/dissect.hpp"

#include "compiler/compile.hpp"
#include "compiler/interpret.hpp"
#include "compiler/report.hpp"
#include "tests/diff/engines.hpp"
#include "tests/diff/tcpdump.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

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

struct Pair {
    const char *expression;
    const char *condition;
    bool exact = false;
};

constexpr Pair pairs[] = {
    {"udp", "udp"},
    {"tcp", "tcp"},
    {"icmp", "icmp"},
    {"icmp6", "icmpv6"},
    {"arp", "arp"},
    {"ip", "ipv4"},
    {"ip6", "ipv6"},
    {"not udp", "not udp"},
    {"tcp or udp", "tcp or udp"},
    {"ip and not tcp", "ipv4 and not tcp"},
    {"tcp dst port 80", "tcp.dport == 80"},
    {"udp port 53", "udp.sport == 53 or udp.dport == 53"},
    {"port 443", "udp.sport == 443 or udp.dport == 443 or tcp.sport == 443 or tcp.dport == 443"},
    {"udp dst portrange 1000-9000", "udp.dport in 1000..9000"},
    {"not tcp dst port 80", "not tcp.dport == 80"},
    {"ip src net 10.0.0.0/8", "ipv4.src in 10.0.0.0/8"},
    {"ip dst host 192.0.2.7", "ipv4.dst == 192.0.2.7"},
    {"ip src net 10.0.0.0/24 and udp", "ipv4.src in 10.0.0.0/24 and udp"},
    {"ip6 src net 2001:db8::/32", "ipv6.src in 2001:db8::/32"},
    {"ip6 dst host 2001:db8::1", "ipv6.dst == 2001:db8::1"},
    {"ip6 src net 2001:db8::/33 and tcp", "ipv6.src in 2001:db8::/33 and tcp"},
    {"ether src 02:00:00:00:00:01", "ethernet.src == 02:00:00:00:00:01"},
    {"ether broadcast", "ethernet.dst == ff:ff:ff:ff:ff:ff"},
    {"tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", "ipv4 and tcp.flags.syn and not tcp.flags.ack"},
    {"ip[8] < 2", "ipv4.ttl < 2"},
    {"ip[0] & 0xf > 5", "ipv4.ihl > 5"},
    {"icmp[icmptype] == icmp-echo", "icmp.type == 8"},
    {"arp[6:2] == 1", "arp.op == 1"},
    {"udp[8:4] == 0x12345678", "ipv4 and udp.payload[0:4] == 0x12345678"},
    {"ip proto 50", "ipv4.protocol == 50"},
    {"greater 60", "packet.length >= 60"},
    // The same bytes, packets of every sort.
    {"ip", "packet[12:2] == 0x0800", true},
    {"ip proto 17", "packet[12:2] == 0x0800 and packet[23] == 17", true},
    {"ip src net 10.0.0.0/8", "packet[12:2] == 0x0800 and packet[26] == 10 and packet[29] >= 0", true},
    {"ip6 proto 17", "packet[12:2] == 0x86dd and (packet[20] == 17 or packet[20] == 44 and packet[54] == 17)", true},
    {"vlan", "packet[12:2] in {0x8100, 0x88a8, 0x9100}", true},
    {"vlan 7", "packet[12:2] in {0x8100, 0x88a8, 0x9100} and packet[14:2] & 0xfff == 7", true},
    {"vlan and ip proto 17", "packet[12:2] in {0x8100, 0x88a8, 0x9100} and packet[16:2] == 0x0800 and packet[27] == 17",
     true},
    {"vlan and vlan and ip6",
     "packet[12:2] in {0x8100, 0x88a8, 0x9100} and packet[16:2] in {0x8100, 0x88a8, 0x9100} and packet[20:2] == 0x86dd",
     true},
    {"ether[12:2] > 0x0800", "packet[12:2] > 0x0800", true},
    {"ether[6:4] = 0x02000000 and ether[10:2] = 1", "packet[6:6] == 0x020000000001", true},
    {"ether[40] - ether[41] > 3", "packet[40] - packet[41] > 3", true},
    {"ether[20] * 3 + 1 > 200 and len < 100", "packet[20] * 3 + 1 > 200 and packet.length < 100", true},
    {"len > 59 and len <= 64", "packet.length in 60..64", true},
};

class Filter {
public:
    explicit Filter(const char *condition) : compilation_(compile(fmt::format("match {} -> drop", condition)))
    {
        REQUIRE_MESSAGE(compilation_.ok(), to_text(compilation_.diagnostics(), compilation_.sources()));
        interpreter_.emplace(compilation_);
    }
    bool matches(const Bytes &packet) { return interpreter_->run(packet).verdict == xdp_drop; }

private:
    Compilation compilation_;
    std::optional<Interpreter> interpreter_;
};

// How many packets were compared.
std::size_t compare(std::span<const Packet> packets)
{
    std::vector<Dissection> dissected;
    for (const Packet &packet : packets)
        dissected.emplace_back(packet.bytes);
    std::size_t compared = 0;
    for (const Pair &pair : pairs) {
        const Expression expression(pair.expression);
        REQUIRE_MESSAGE(expression.good(), pair.expression);
        Filter filter(pair.condition);
        std::size_t matching = 0;
        int wrong = 0;
        for (std::size_t i = 0; i < packets.size() && wrong < 3; ++i) {
            const Bytes &packet = packets[i].bytes;
            if (packet.size() < 14 || (!pair.exact && !plain(dissected[i])))
                continue;
            ++compared;
            const bool expected = expression.matches(packet);
            matching += expected ? 1 : 0;
            if (filter.matches(packet) == expected)
                continue;
            ++wrong;
            FAIL_CHECK(fmt::format("tcpdump's '{}' {}, '{}' does not agree\n  packet: {}\n  {}", pair.expression,
                                   expected ? "matches" : "does not match", pair.condition, packets[i].name,
                                   hex(packet)));
        }
        // An expression that no packet matches has shown little.
        if (packets.size() > 10'000)
            CHECK_MESSAGE(matching > 0, std::string(pair.expression));
    }
    return compared;
}

} // namespace

TEST_CASE("tcpdump's expressions agree on every truncation")
{
    const auto packets = truncations(whole_packets(number_from_environment("XDPF_DIFF_SEED", 1)));
    CHECK(compare(packets) > 100'000);
}

TEST_CASE("tcpdump's expressions agree on captures")
{
    const auto packets = captured_packets();
    if (packets.empty())
        return;
    const std::size_t compared = compare(packets);
    MESSAGE(fmt::format("{} packets, {} comparisons", packets.size(), compared));
}
