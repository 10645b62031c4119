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
    {"rarp", "ethernet.type == 0x8035"},
    {"ether proto 0x88cc", "ethernet.type == 0x88cc"},
    {"igmp", "ipv4.protocol == 2"},
    {"ip proto 47", "ipv4.protocol == 47"},
    {"esp", "ipv4.protocol == 50 or ipv6.next_header == 50"},
    {"pim", "ipv4.protocol == 103 or ipv6.next_header == 103"},
    {"vrrp", "ipv4.protocol == 112"},
    {"ip6 proto 58", "ipv6.next_header == 58"},
    {"not icmp", "not icmp"},
    {"not arp", "not arp"},
    {"icmp or icmp6", "icmp or icmpv6"},
    {"arp or ip", "arp or ipv4"},
    {"not (tcp or udp)", "not (tcp or udp)"},
    {"not ip and not ip6 and not arp", "not (ipv4 or ipv6 or arp)"},
    {"ip and udp", "ethernet/ipv4/udp"},
    {"ip6 and udp", "ipv6/udp"},
    {"ip6 and tcp dst port 443", "ipv6 and tcp.dport == 443"},
    {"src port 53", "udp.sport == 53 or tcp.sport == 53"},
    {"dst port 80", "udp.dport == 80 or tcp.dport == 80"},
    {"tcp port 22 or tcp port 80 or tcp port 443", "tcp.sport in {22, 80, 443} or tcp.dport in {22, 80, 443}"},
    {"tcp and not port 80", "tcp and not (tcp.sport == 80 or tcp.dport == 80)"},
    {"udp portrange 1000-2000", "udp.sport in 1000..2000 or udp.dport in 1000..2000"},
    {"src portrange 1024-65535", "tcp.sport >= 1024 or udp.sport >= 1024"},
    {"udp and not port 53", "udp and udp.sport != 53 and udp.dport != 53"},
    {"udp src port 67 and udp dst port 68", "udp.sport == 67 and udp.dport == 68"},
    {"ip host 10.0.0.1", "ipv4.src == 10.0.0.1 or ipv4.dst == 10.0.0.1"},
    {"arp host 10.0.0.1", "arp.spa == 10.0.0.1 or arp.tpa == 10.0.0.1"},
    {"(ip or arp) and host 10.0.0.1", "10.0.0.1 == ipv4.src or 10.0.0.1 == ipv4.dst or arp.spa == 10.0.0.1 or "
                                      "arp.tpa == 10.0.0.1"},
    {"arp src host 10.0.0.1", "arp.spa == 10.0.0.1"},
    {"arp dst net 10.0.0.0/8", "arp.tpa in 10.0.0.0/8"},
    {"ip net 192.168.0.0/16", "ipv4.src in 192.168.0.0/16 or ipv4.dst in 192.168.0.0/16"},
    {"ip dst net 172.16.0.0/12", "ipv4.dst in 172.16.0.0/12"},
    {"ip and not src net 10.0.0.0/8", "ipv4 and not ipv4.src in 10.0.0.0/8"},
    {"ip src and dst net 10.0.0.0/8", "ipv4.src in 10.0.0.0/8 and ipv4.dst in 10.0.0.0/8"},
    {"ip src net 10.0.0.0/8 or ip src net 192.168.0.0/16", "ipv4.src in {10.0.0.0/8, 192.168.0.0/16}"},
    {"ip6 host 2001:db8::1", "ipv6.src == 2001:db8::1 or ipv6.dst == 2001:db8::1"},
    {"ip6 net fe80::/10", "ipv6.src in fe80::/10 or ipv6.dst in fe80::/10"},
    {"ip6 dst net ff02::/16", "ipv6.dst in ff02::/16"},
    {"ip multicast", "ipv4.dst in 224.0.0.0/3"},
    {"ip6 multicast", "ipv6.dst in ff00::/8"},
    {"tcp[tcpflags] & tcp-rst != 0", "ipv4 and tcp.flags.rst"},
    {"tcp[tcpflags] & tcp-fin != 0", "ipv4 and tcp.flags.fin"},
    {"tcp[tcpflags] & tcp-push != 0", "ipv4 and tcp.flags.psh"},
    {"tcp[tcpflags] & tcp-urg != 0", "ipv4 and tcp.flags.urg"},
    {"tcp[tcpflags] & tcp-ack == 0", "ipv4 and tcp and not tcp.flags.ack"},
    {"tcp[13] & 6 = 6", "ipv4 and tcp.flags.syn and tcp.flags.rst"},
    {"tcp[12] >> 4 > 5", "ipv4 and tcp.doff > 5"},
    {"tcp[14:2] < 0x8000", "ipv4 and tcp.window < 0x8000"},
    {"tcp[4:4] > 0x80000000", "ipv4 and tcp.seq > 0x80000000"},
    {"tcp[0:2] = 80", "ipv4 and tcp.sport == 80"},
    {"tcp[0:2] > tcp[2:2]", "ipv4 and tcp.sport > tcp.dport"},
    {"tcp[(tcp[12] >> 4) * 4] & 1 = 1", "ipv4 and tcp.payload[0] & 1 == 1"},
    {"tcp and ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) != 0",
     "ipv4 and tcp and ipv4.length - ipv4.ihl * 4 - tcp.doff * 4 != 0"},
    {"udp[4:2] > 100", "ipv4 and udp.length > 100"},
    {"udp[6:2] & 1 = 0", "ipv4 and udp.checksum & 1 == 0"},
    {"udp[0:2] < 1024 and udp[2:2] < 1024", "ipv4 and udp.sport < 1024 and udp.dport < 1024"},
    {"udp[8] & 0x80 = 0", "ipv4 and udp.payload[0] & 0x80 == 0"},
    {"udp[10:2] & 3 != 0", "ipv4 and udp.payload[2:2] & 3 != 0"},
    {"ip[1] & 3 = 3", "ipv4.ecn == 3"},
    {"ip[1] & 0xfc = 0", "ipv4.dscp == 0"},
    {"ip[2:2] > 576", "ipv4.length > 576"},
    {"ip[4:2] & 0xff < 16", "ipv4.id & 0xff < 16"},
    {"ip[6] & 0x40 != 0", "ipv4.flags.df"},
    {"ip[6] & 0x20 != 0", "ipv4.flags.mf"},
    {"ip[6:2] & 0x1fff = 0", "ipv4.fragment_offset == 0"},
    {"ip[8] = 64 or ip[8] >= 128", "ipv4.ttl == 64 or ipv4.ttl >= 128"},
    {"ip[9] = 17 or ip[9] = 6", "ipv4.protocol in {6, 17}"},
    {"ip[12:4] > ip[16:4]", "ipv4.src > ipv4.dst"},
    {"ip[0] & 0xf = 5 and ip[9] = 1", "ipv4.ihl == 5 and icmp"},
    {"ip6[6] = 17", "ipv6.next_header == 17"},
    {"ip6[7] = 64", "ipv6.hop_limit == 64"},
    {"ip6[7] < 10", "ipv6.hop_limit < 10"},
    {"ip6[4:2] & 7 = 0", "ipv6.payload_length & 7 == 0"},
    {"ip6[0:4] & 1 = 0", "ipv6.flow_label & 1 == 0"},
    {"ip6[24:4] = 0x20010db8", "ipv6.dst in 2001:db8::/32"},
    {"icmp[icmptype] == icmp-echoreply", "icmp.type == 0"},
    {"icmp[icmptype] == icmp-unreach and icmp[icmpcode] = 3", "icmp.type == 3 and icmp.code == 3"},
    {"icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply", "not icmp.type in {0, 8} and icmp"},
    {"icmp6[icmp6type] == icmp6-echo", "icmpv6.type == 128"},
    {"icmp6[icmp6type] >= 133 and icmp6[icmp6type] <= 137", "icmpv6.type in 133..137"},
    {"icmp6[1] = 0", "icmpv6.code == 0"},
    {"arp[6:2] = 2", "arp.op == 2"},
    {"arp[0:2] = 1 and arp[2:2] = 0x0800", "arp.hrd == 1 and arp.pro == 0x0800"},
    {"arp[14:4] >= arp[24:4]", "arp.spa >= arp.tpa"},
    {"arp[8] & 1 = 0", "arp and packet[22] & 1 == 0"},
    {"ip and greater 100", "ipv4 and packet.length >= 100"},
    {"udp and len - 42 > 20", "udp and packet.length - 42 > 20"},
    {"ether proto 0x88cc", "lldp"},
    {"igmp[0] = 0x16 and igmp[7] >= 0", "igmp.type == 0x16"},
    {"igmp[4:4] >= 0xe0000000", "igmp.group in 224.0.0.0/3"},
    {"mpls 100", "ethernet.type == 0x8847 and mpls[0].label == 100"},
    {"mpls and ether[16] & 1 = 1 and ether[17] > 9", "ethernet.type == 0x8847 and mpls[0].s == 1 and mpls[0].ttl > 9"},
    {"ether[14:2] = 0x1100 and ether[21] >= 0 and pppoes 5", "pppoe.session == 5"},
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
    {"arp", "packet[12:2] == 0x0806", true},
    {"rarp", "packet[12:2] == 0x8035", true},
    {"ip6", "packet[12:2] == 0x86dd", true},
    {"lat", "packet[12:2] == 0x6004", true},
    {"ether proto 0x42", "packet[12:2] <= 1500 and packet[14] == 0x42", true},
    {"llc", "packet[12:2] <= 1500 and packet[14:2] != 0xffff", true},
    {"tcp",
     "packet[12:2] == 0x0800 and packet[23] == 6 or "
     "packet[12:2] == 0x86dd and (packet[20] == 6 or packet[20] == 44 and packet[54] == 6)",
     true},
    {"icmp", "packet[12:2] == 0x0800 and packet[23] == 1", true},
    {"host 10.0.0.1",
     "packet[12:2] == 0x0800 and (packet[26:4] == 0x0a000001 or packet[30:4] == 0x0a000001) or "
     "packet[12:2] in {0x0806, 0x8035} and (packet[28:4] == 0x0a000001 or packet[38:4] == 0x0a000001)",
     true},
    {"ip src host 10.0.0.1", "packet[12:2] == 0x0800 and packet[26:4] == 0x0a000001", true},
    {"arp dst host 10.0.0.1", "packet[12:2] == 0x0806 and packet[38:4] == 0x0a000001", true},
    {"ip6 src net 2001:db8::/32", "packet[12:2] == 0x86dd and packet[22:4] == 0x20010db8", true},
    {"ip6 dst host 2001:db8::1", "packet[12:2] == 0x86dd and packet[38:8] == 0x20010db800000000 and packet[46:8] == 1",
     true},
    {"ip6 and udp port 53",
     "packet[12:2] == 0x86dd and packet[20] == 17 and (packet[54:2] == 53 or packet[56:2] == 53)", true},
    {"ip multicast", "packet[12:2] == 0x0800 and packet[30] >= 224", true},
    {"ip6 multicast", "packet[12:2] == 0x86dd and packet[38] == 255", true},
    {"ip[6:2] & 0x1fff != 0", "packet[12:2] == 0x0800 and packet[20:2] & 0x1fff != 0", true},
    {"ether host 02:00:00:00:00:01", "ethernet.src == 02:00:00:00:00:01 or ethernet.dst == 02:00:00:00:00:01", true},
    {"ether dst 02:00:00:00:00:02", "ethernet.dst == 02:00:00:00:00:02", true},
    {"broadcast", "ethernet.dst == ff:ff:ff:ff:ff:ff", true},
    {"ether multicast", "packet[0] & 1 != 0", true},
    {"not multicast", "not packet[0] & 1 != 0", true},
    {"mpls", "packet[12:2] == 0x8847", true},
    {"mpls 100", "packet[12:2] == 0x8847 and packet[14:4] >> 12 == 100", true},
    {"pppoed", "packet[12:2] == 0x8863", true},
    {"pppoes", "packet[12:2] == 0x8864", true},
    {"pppoes 5", "packet[12:2] == 0x8864 and packet[16:2] == 5", true},
    {"pppoes and ip", "packet[12:2] == 0x8864 and packet[20:2] == 0x0021", true},
    {"pppoes and ip6", "packet[12:2] == 0x8864 and packet[20:2] == 0x0057", true},
    {"not vlan", "not packet[12:2] in {0x8100, 0x88a8, 0x9100}", true},
    {"vlan 7 and arp",
     "packet[12:2] in {0x8100, 0x88a8, 0x9100} and packet[14:2] & 0xfff == 7 and packet[16:2] == 0x0806", true},
    {"ether[14] >> 4 = 4", "packet[14] >> 4 == 4", true},
    {"ether[14] & 0xf = 5 and ether[15] = 0", "packet[14] & 0xf == 5 and packet[15] == 0", true},
    {"ether[20:4] ^ ether[24:4] > 0x80000000", "packet[20:4] ^ packet[24:4] > 0x80000000", true},
    {"ether[20] | ether[21] = 255", "packet[20] | packet[21] == 255", true},
    {"ether[20] % 7 = 3", "packet[20] % 7 == 3", true},
    {"ether[20] / 16 = 3", "packet[20] / 16 == 3", true},
    {"ether[20] << 2 > 500", "packet[20] << 2 > 500", true},
    {"(ether[20] + ether[21]) & 1 = 0", "(packet[20] + packet[21]) & 1 == 0", true},
    {"ether[20:4] + ether[24:4] < 1000000000", "(packet[20:4] + packet[24:4]) & 0xffffffff < 1000000000", true},
    {"ether[20:4] * 3 > 0xc0000000", "packet[20:4] * 3 & 0xffffffff > 0xc0000000", true},
    {"not ether[60] = 0", "packet.length > 60 and not packet[60] == 0", true},
    {"ether[30:4] & 0xff000000 = 0x0a000000", "packet[30:4] & 0xff000000 == 0x0a000000", true},
    {"less 60", "packet.length <= 60", true},
    {"greater 60", "packet.length >= 60", true},
    {"len != 60", "packet.length != 60", true},
    {"len & 3 = 0", "packet.length & 3 == 0", true},
    // What the rest of the standard library knows, as bytes to tcpdump. A path begins at Ethernet: no tag, no label.
    {"ip[0] >> 4 = 4 and ip[0] & 0xf >= 5 and sctp[11] >= 0 and sctp[2:2] = 2905",
     "ethernet/ipv4/sctp and sctp.dport == 2905", true},
    {"ip6[0] >> 4 = 6 and ip6[6] = 132 and ip6[51] >= 0 and ip6[44:4] = 7", "ethernet/ipv6/sctp and sctp.tag == 7",
     true},
    {"ip[0] = 0x45 and sctp[12] = 1 and sctp[14:2] >= 20 and sctp[31] >= 0 and sctp[20:4] > 9",
     "ethernet/ipv4/sctp and ipv4.ihl == 5 and sctp.chunk[0].init.window > 9", true},
    {"ip[0] = 0x45 and ip[9] = 33 and ip[6:2] & 0x1fff = 0 and ip[24] = 4 and ip[35] >= 0 and ip[28] & 1 = 1 and "
     "ip[28] >> 1 & 0xf = 4 and ip[30:4] = 5",
     "ethernet/ipv4/dccp and ipv4.ihl == 5 and dccp.data_offset == 4 and dccp.type == 4 and dccp.x == 1 and "
     "dccp.sequence == 5",
     true},
    {"ip[0] = 0x45 and ip[9] = 47 and ip[6:2] & 0x1fff = 0 and ip[20:4] = 0x20000800 and ip[24:4] = 7",
     "ethernet/ipv4/gre and ipv4.ihl == 5 and packet[34:2] == 0x2000 and gre.protocol == 0x0800 and gre.key == 7",
     true},
    {"ip[0] = 0x45 and ip[9] = 47 and ip[6:2] & 0x1fff = 0 and ip[20:4] = 0x0800 and ip[24] = 0x45 and ip[40:4] = 1 "
     "and ip[43] >= 0",
     "ethernet/ipv4/gre and ipv4.ihl == 5 and packet[34:4] == 0x0800 and gre.inner.ipv4.ihl == 5 and "
     "gre.inner.ipv4.dst == 0.0.0.1",
     true},
    {"ip[0] = 0x45 and ip[6:2] & 0x1fff = 0 and ip[9] = 4 and ip[20] = 0x45 and ip[29] = 17 and ip[36:4] >= 0",
     "ethernet/ipv4/ipip and ipv4.ihl == 5 and ipip.inner.ipv4.ihl == 5 and ipip.inner.ipv4.protocol == 17", true},
    {"ip[0] = 0x45 and ip[6:2] & 0x1fff = 0 and ip[9] = 41 and ip[20] >> 4 = 6 and ip[27] = 3 and ip[59] >= 0",
     "ethernet/ipv4/sit and ipv4.ihl == 5 and sit.inner.ipv6.hop_limit == 3", true},
    {"ip[0] = 0x45 and ip[9] = 50 and ip[6:2] & 0x1fff = 0 and ip[20:4] = 256 and ip[24:4] >= 0",
     "ethernet/ipv4/esp and ipv4.ihl == 5 and esp.spi == 256", true},
    {"ip[0] = 0x45 and ip[9] = 51 and ip[6:2] & 0x1fff = 0 and ip[21] = 1 and ip[24:4] = 256 and ip[31] >= 0",
     "ethernet/ipv4/ah and ipv4.ihl == 5 and ipv4.ah.length == 1 and ipv4.ah.spi == 256", true},
    {"ip6[0] >> 4 = 6 and ip6[6] = 51 and ip6[41] = 2 and ip6[44:4] = 9 and ip6[55] >= 0",
     "ethernet/ipv6/ah and packet[55] == 2 and ah.spi == 9", true},
    {"ip6[0] >> 4 = 6 and ip6[6] = 135 and ip6[41] = 0 and ip6[42] = 5 and ip6[47] >= 0",
     "ethernet/ipv6/mobility and mobility.length == 0 and mobility.type == 5", true},
    {"ip6[0] >> 4 = 6 and ip6[6] = 0 and ip6[41] = 0 and ip6[42:4] = 0x05020000",
     "ethernet/ipv6/hop_by_hop and hop_by_hop.length == 0 and hop_by_hop.option[0].router_alert.value == 0 and "
     "packet[57] == 2",
     true},
    {"ip[0] = 0x45 and udp[2:2] = 4789 and udp[8] & 8 != 0 and udp[12:4] >> 8 = 42 and udp[15] >= 0",
     "ethernet/ipv4/udp/vxlan and ipv4.ihl == 5 and vxlan.vni == 42", true},
    {"ip[0] = 0x45 and udp[2:2] = 4789 and udp[8] & 8 != 0 and udp[28:2] = 0x0806 and udp[29] >= 0",
     "ethernet/ipv4/udp/vxlan and ipv4.ihl == 5 and vxlan.inner.ethernet.type == 0x0806", true},
    {"ip[0] = 0x45 and udp[2:2] = 4790 and udp[8] & 12 = 12 and udp[11] = 2 and udp[15] >= 0",
     "ethernet/ipv4/udp/vxlan_gpe and ipv4.ihl == 5 and vxlan_gpe.next_protocol == 2", true},
    {"ip[0] = 0x45 and udp[2:2] = 6081 and udp[8] = 0 and udp[10:2] = 0x6558 and udp[12:4] >> 8 = 7",
     "ethernet/ipv4/udp/geneve and ipv4.ihl == 5 and geneve.options_length == 0 and geneve.protocol == 0x6558 and "
     "geneve.vni == 7",
     true},
    {"ip[0] = 0x45 and udp[2:2] = 2152 and udp[8] = 0x30 and udp[9] = 255 and udp[12:4] = 5",
     "ethernet/ipv4/udp/gtpu and ipv4.ihl == 5 and packet[42] == 0x30 and gtpu.type == 255 and gtpu.teid == 5", true},
    {"ip[0] = 0x45 and udp port 53 and udp[10] & 0x80 = 0 and udp[12:2] = 1 and udp[19] >= 0",
     "ethernet/ipv4/udp/dns and ipv4.ihl == 5 and dns.qr == 0 and dns.questions == 1", true},
    {"ip[0] = 0x45 and udp port 443 and udp[8] & 0xc0 = 0xc0 and udp[9:4] = 1 and udp[13] >= 0",
     "ethernet/ipv4/udp/quic/quic_long and ipv4.ihl == 5 and quic_long.version == 1", true},
    {"ip[0] = 0x45 and (udp dst port 319 or udp dst port 320) and udp[9] & 0xf = 2 and udp[8] & 0xf = 9 and udp[41] >= "
     "0",
     "ethernet/ipv4/udp/ptp and ipv4.ihl == 5 and ptp.type == 9", true},
    {"ether proto 0x88f7 and ether[15] & 0xf = 2 and ether[14] & 0xf = 11 and ether[47] >= 0",
     "ethernet/ptp and ptp.type == 11", true},
    {"ip[0] = 0x45 and udp dst port 3784 and udp[8] >> 5 = 1 and udp[11] = 24 and udp[9] >> 6 = 3 and udp[31] >= 0",
     "ethernet/ipv4/udp/bfd and ipv4.ihl == 5 and udp.dport == 3784 and bfd.length == 24 and bfd.state == 3", true},
    {"ip6[0] >> 4 = 6 and ip6[6] = 58 and ip6[40] = 135 and ip6[48:4] = 0xfe800000 and ip6[63] >= 0",
     "ethernet/ipv6/icmpv6 and nd_neighbor_solicit and packet[62:4] == 0xfe800000", true},
    {"ether proto 0x88cc and ether[14:2] = 0x0207 and ether[16] = 4 and ether[22] >= 0",
     "ethernet/lldp and packet[15] == 7 and lldp.tlv[0].chassis_id.subtype == 4", true},
    {"ip[0] = 0x45 and tcp[12] >> 4 = 6 and tcp[20:2] = 0x0204 and tcp[22:2] < 1460",
     "ethernet/ipv4/tcp and ipv4.ihl == 5 and tcp.doff == 6 and packet[55] == 4 and tcp.option[0].mss.value < 1460",
     true},
    {"ip[0] = 0x46 and ip[20:4] = 0x94040000",
     "ethernet/ipv4 and ipv4.ihl == 6 and packet[35] == 4 and ipv4.option[0].router_alert.value == 0", true},
    {"pppoes and ether[14:2] = 0x1100 and ether[20:2] = 0x0021 and ether[22] = 0x45 and ether[31] = 6 and ether[41] >= "
     "0",
     "ethernet/pppoe/ipv4 and ipv4.ihl == 5 and ipv4.protocol == 6", true},
    {"ether proto 0x8847 and ether[16] & 1 = 1 and ether[18] = 0x45 and ether[27] = 17 and ether[37] >= 0",
     "ethernet.type == 0x8847 and mpls[0].s == 1 and ipv4.ihl == 5 and ipv4.protocol == 17", true},
};

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
