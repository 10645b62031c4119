#include "tests/diff/random_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace xdpf::diff {
namespace {

constexpr FieldName names_of_fields[] = {
    {"ethernet.dst", Type::mac, 48},
    {"ethernet.src", Type::mac, 48},
    {"ethernet.type", Type::number, 16},
    {"ethernet.protocol", Type::number, 16},
    {"vlan.id", Type::number, 12},
    {"vlan[0].pcp", Type::number, 3},
    {"vlan[1].id", Type::number, 12},
    {"vlan[1].type", Type::number, 16},
    {"arp.op", Type::number, 16},
    {"arp.sha", Type::mac, 48},
    {"arp.spa", Type::ipv4, 32},
    {"arp.tpa", Type::ipv4, 32},
    {"ipv4.ihl", Type::number, 4},
    {"ipv4.dscp", Type::number, 6},
    {"ipv4.ecn", Type::number, 2},
    {"ipv4.length", Type::number, 16},
    {"ipv4.id", Type::number, 16},
    {"ipv4.flags", Type::number, 3},
    {"ipv4.fragment_offset", Type::number, 13},
    {"ipv4.ttl", Type::number, 8},
    {"ipv4.protocol", Type::number, 8},
    {"ipv4.checksum", Type::number, 16},
    {"ipv4.src", Type::ipv4, 32},
    {"ipv4.dst", Type::ipv4, 32},
    {"ipv6.traffic_class", Type::number, 8},
    {"ipv6.flow_label", Type::number, 20},
    {"ipv6.payload_length", Type::number, 16},
    {"ipv6.next_header", Type::number, 8},
    {"ipv6.hop_limit", Type::number, 8},
    {"ipv6.protocol", Type::number, 8},
    {"ipv6.src", Type::ipv6, 128},
    {"ipv6.dst", Type::ipv6, 128},
    {"icmp.type", Type::number, 8},
    {"icmp.code", Type::number, 8},
    {"icmpv6.type", Type::number, 8},
    {"icmpv6.rest", Type::number, 32},
    {"udp.sport", Type::number, 16},
    {"udp.dport", Type::number, 16},
    {"udp.length", Type::number, 16},
    {"tcp.sport", Type::number, 16},
    {"tcp.dport", Type::number, 16},
    {"tcp.seq", Type::number, 32},
    {"tcp.doff", Type::number, 4},
    {"tcp.flags", Type::number, 8},
    {"tcp.window", Type::number, 16},
    {"packet.length", Type::number, 16},
    {"packet[12:2]", Type::number, 16},
    {"packet[23]", Type::number, 8},
    {"packet[40:4]", Type::number, 32},
    {"packet[26:8]", Type::number, 64},
    {"packet[9:3]", Type::number, 24},
    {"udp.payload[0:4]", Type::number, 32},
    {"tcp.payload[1:2]", Type::number, 16},
    {"ipv4.payload[2:2]", Type::number, 16},
    {"ipv6.payload[0:2]", Type::number, 16},
    {"rx_queue", Type::number, 32},
    {"iface", Type::number, 32},
};

constexpr FieldName asked_often[] = {
    {"udp.dport", Type::number, 16}, {"tcp.dport", Type::number, 16}, {"ipv4.src", Type::ipv4, 32},
    {"ipv4.dst", Type::ipv4, 32},    {"ipv6.src", Type::ipv6, 128},   {"ipv6.dst", Type::ipv6, 128},
    {"udp.sport", Type::number, 16}, {"ipv4.ttl", Type::number, 8},   {"vlan.id", Type::number, 12},
};

constexpr const char *bits[] = {"tcp.flags.syn", "tcp.flags.ack", "tcp.flags.fin",
                                "ipv4.flags.df", "ipv4.flags.mf", "vlan.dei"};

// What tells links of a chain apart multiplies a program; one of them a program, beside the simpler ones.
constexpr const char *chains[] = {
    "any destination_options.length > 0",
    "destination_options[1].next_header == 60",
    "ipv6/hop_by_hop/routing",
    "routing/fragment/udp",
    "destination_options/udp",
    "ipv6/fragment/udp",
    "fragment/tcp",
    "ipv6/destination_options",
    "hop_by_hop",
    "routing",
    "ah",
    "destination_options",
    "hop_by_hop.length > 0",
    "routing.segments_left == 0",
    "ah.spi in 1..0x7fffffff",
    "destination_options.length in {0, 1, 3}",
    "not hop_by_hop",
    "not routing",
    "fragment",
    "fragment.more",
    "fragment.offset > 3",
};

constexpr const char *headers[] = {
    "udp",
    "tcp",
    "icmp",
    "icmpv6",
    "ipv4",
    "ipv6",
    "arp",
    "vlan",
    "vlan[1]",
    "ethernet",
    "ethernet/ipv4/udp",
    "ethernet/ipv4/tcp",
    "ethernet/vlan/ipv4",
    "vlan/ipv6/udp",
    "ipv4/udp",
    "ipv6/tcp",
    "ethernet/vlan/vlan/ipv4/udp",
    "ethernet/ipv6/udp",
    "vlan/vlan",
    "ethernet/arp",
    "any vlan.id in 100..199",
    "any vlan.id == 7",
    "any vlan.pcp in {1, 3..5}",
};

constexpr const char *tcpdump[] = {
    "udp port 53",
    "tcp and portrange 1-100",
    "net 10.0.0.0/8",
    "ip6 and udp",
    "vlan 7 and ip",
    "len > 80",
    "icmp or icmp6",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) != 0",
    "ether host 02:00:00:00:00:01 or arp",
    "src host 10.0.0.1 and not dst port 443",
    "ip[8] < 5 and (udp[0:2] & 0xff > 20 or tcp)",
    "ip6 host 2001:db8::1",
};

constexpr FieldName tcp_option_fields[] = {
    {"tcp.option.mss.value", Type::number, 16},
    {"tcp.option.window_scale.value", Type::number, 8},
    {"tcp.option.timestamps.value", Type::number, 32},
    {"tcp.option.timestamps.echo", Type::number, 32},
};
constexpr const char *tcp_options[] = {"tcp.option.mss", "tcp.option.sack_permitted", "tcp.option.timestamps"};

constexpr FieldName ip_option_fields[] = {{"ipv4.option.router_alert.value", Type::number, 16},
                                          {"ipv4.option.record_route.pointer", Type::number, 8}};
constexpr const char *ip_options[] = {"ipv4.option.router_alert", "ipv4.option.record_route"};

constexpr FieldName vxlan_fields[] = {
    {"vxlan.vni", Type::number, 24},
    {"vxlan.inner.ipv4.src", Type::ipv4, 32},
    {"vxlan.inner.ipv4.ttl", Type::number, 8},
    {"vxlan.inner.udp.dport", Type::number, 16},
    {"vxlan.inner.ethernet.dst", Type::mac, 48},
    {"vxlan.inner.vlan.id", Type::number, 12},
    {"vxlan.inner.ipv6.dst", Type::ipv6, 128},
};
constexpr const char *vxlan_headers[] = {"vxlan", "vxlan.inner.ipv4", "vxlan.inner.tcp"};

constexpr FieldName ipip_fields[] = {
    {"ipip.inner.ipv4.src", Type::ipv4, 32},
    {"ipip.inner.ipv4.ttl", Type::number, 8},
    {"ipip.inner.udp.sport", Type::number, 16},
    {"ipip.inner.tcp.dport", Type::number, 16},
};
constexpr const char *ipip_headers[] = {"ipip", "ipip.inner.ipv4", "ipip.inner.udp"};

constexpr FieldName gre_fields[] = {
    {"gre.protocol", Type::number, 16},        {"gre.key", Type::number, 32},
    {"gre.sequence", Type::number, 32},        {"gre.inner.ipv4.dst", Type::ipv4, 32},
    {"gre.inner.udp.dport", Type::number, 16}, {"gre.inner.ipv6.src", Type::ipv6, 128},
};
constexpr const char *gre_headers[] = {"gre", "gre.inner.ipv4", "gre.inner.udp", "gre.k", "gre.s"};

constexpr FieldName gtpu_fields[] = {
    {"gtpu.teid", Type::number, 32},
    {"gtpu.sequence", Type::number, 16},
    {"gtpu.inner.ipv4.src", Type::ipv4, 32},
    {"gtpu.inner.tcp.dport", Type::number, 16},
};
constexpr const char *gtpu_headers[] = {"gtpu", "gtpu.inner.ipv4", "gtpu_extension", "gtpu.inner.udp"};

constexpr FieldName geneve_fields[] = {
    {"geneve.vni", Type::number, 24},
    {"geneve.inner.ipv4.src", Type::ipv4, 32},
    {"geneve.inner.udp.dport", Type::number, 16},
    {"geneve.option.ovn.value", Type::number, 32},
};
constexpr const char *geneve_headers[] = {"geneve", "geneve.inner.ipv6", "geneve.option.ovn"};

constexpr FieldName mpls_fields[] = {
    {"mpls.label", Type::number, 20},
    {"mpls[1].label", Type::number, 20},
    {"mpls.ttl", Type::number, 8},
    {"mpls[2].tc", Type::number, 3},
};
constexpr const char *mpls_headers[] = {"mpls", "mpls[1]", "mpls/mpls/ipv4", "any mpls.label == 5", "mpls.s"};

constexpr FieldName own_fields[] = {
    {"own.version", Type::number, 8}, {"own.kind", Type::number, 8}, {"own.seq", Type::number, 32},
    {"own.late", Type::number, 16},   {"own.from", Type::ipv4, 32},
};
constexpr const char *own_headers[] = {"own", "own.kind.urgent", "ipv4/udp/own", "own.payload[0:2] == 7"};

constexpr FieldName ip_fields[] = {
    {"ip.protocol", Type::number, 8},
    {"ip.ttl", Type::number, 8},
    {"ip.version", Type::number, 4},
};
constexpr const char *ip_headers[] = {"ip",
                                      "ip.src in {10.0.0.0/8, 2001:db8::/32}",
                                      "ip.dst in {10.0.0.1, 2001:db8::1, 192.0.2.0..192.0.2.255}",
                                      "ip.src == 10.0.0.1",
                                      "ip.dst != 2001:db8::2",
                                      "ip.src == ip.dst"};

constexpr FieldName service_fields[] = {
    {"ipv4.dscp", Type::number, 6}, {"ipv4.ecn", Type::number, 2}, {"ipv4.ttl", Type::number, 8}};
constexpr FieldName tag_fields[] = {
    {"vlan.id", Type::number, 12}, {"vlan.pcp", Type::number, 3}, {"vlan.dei", Type::number, 1}};
constexpr FieldName fragment_fields[] = {{"ipv4.flags", Type::number, 3},
                                         {"ipv4.flags.df", Type::number, 1},
                                         {"ipv4.flags.mf", Type::number, 1},
                                         {"ipv4.fragment_offset", Type::number, 13}};
constexpr FieldName flag_fields[] = {{"tcp.flags", Type::number, 8},
                                     {"tcp.flags.syn", Type::number, 1},
                                     {"tcp.flags.ack", Type::number, 1},
                                     {"tcp.doff", Type::number, 4}};
constexpr FieldName class_fields[] = {{"ipv6.traffic_class", Type::number, 8}, {"ipv6.flow_label", Type::number, 20}};
constexpr const char *in_ipv4[] = {"ipv4", "ipv4.dscp == 0", "ipv4.ecn != 3", "ipv4.ttl in {64, 128}"};
constexpr const char *in_vlan[] = {"vlan", "vlan.pcp == 0", "vlan.id < 200"};
constexpr const char *in_tcp[] = {"tcp", "tcp.flags.syn", "not tcp.flags.ack"};
constexpr const char *in_ipv6[] = {"ipv6", "ipv6.traffic_class == 0", "ipv6.flow_label == 0"};

constexpr FieldGroup groups[] = {
    {"", service_fields, in_ipv4, "", service_fields},
    {"", fragment_fields, in_ipv4, "", fragment_fields},
    {"", tag_fields, in_vlan, "", tag_fields},
    {"", flag_fields, in_tcp, "", flag_fields},
    {"", class_fields, in_ipv6, "", class_fields},
    {"", tcp_option_fields, tcp_options, ""},
    {"", ip_option_fields, ip_options, ""},
    {"", ip_fields, ip_headers, ""},
    {"", ip_fields, ip_headers, ""},
    {"", own_fields, own_headers, ""},
    {"tunnel/vxlan", vxlan_fields, vxlan_headers, "vxlan"},
    {"tunnel/ipip", ipip_fields, ipip_headers, "ipip"},
    {"gre", gre_fields, gre_headers, "gre"},
    {"tunnel/gtpu", gtpu_fields, gtpu_headers, "gtpu"},
    {"tunnel/geneve", geneve_fields, geneve_headers, "geneve"},
    {"mpls", mpls_fields, mpls_headers, "mpls"},
};

std::string ipv4_text(std::uint64_t v)
{
    return fmt::format("{}.{}.{}.{}", v >> 24 & 255, v >> 16 & 255, v >> 8 & 255, v & 255);
}

} // namespace

std::span<const FieldName> all_fields() { return names_of_fields; }
std::span<const FieldName> frequent_fields() { return asked_often; }
std::span<const FieldGroup> field_groups() { return groups; }
std::span<const char *const> bit_fields() { return bits; }
std::span<const char *const> chain_tests() { return chains; }
std::span<const char *const> presences() { return headers; }
std::span<const char *const> pcap_texts() { return tcpdump; }

std::string Values::one(Type type, unsigned bits)
{
    switch (type) {
    case Type::number: return fmt::format("{}", number(bits));
    case Type::mac: return mac();
    case Type::ipv4: return ipv4();
    case Type::ipv6: return ipv6();
    }
    return "0";
}

std::string Values::element(Type type, unsigned bits)
{
    if (type == Type::ipv4 && random_.one_in(2)) {
        const unsigned length = static_cast<unsigned>(random_.below(33));
        const std::uint64_t address = ipv4_number() & (length == 0 ? 0 : 0xffffffffU << (32 - length));
        return fmt::format("{}/{}", ipv4_text(address), length);
    }
    if (type == Type::ipv6 && random_.one_in(2)) {
        const unsigned group = static_cast<unsigned>(random_.below(5));
        return std::array{"2001:db8::/32", "2001:db8:0:1::/64", "fe80::/10", "2001:db8:bad::/48",
                          "2001:db8:0:0:8000::/65"}[group];
    }
    if (type == Type::number && random_.one_in(2)) {
        const auto first = number(bits);
        const auto last = number(bits);
        return fmt::format("{}..{}", std::min(first, last), std::max(first, last));
    }
    return one(type, bits);
}

std::string Values::set(Type type, unsigned bits)
{
    std::uint64_t count = 1 + random_.below(6);
    if (random_.one_in(10))
        count = 1 + random_.below(200);
    std::string out = "{";
    for (std::uint64_t i = 0; i < count; ++i)
        out += (i == 0 ? "" : ", ") + (count > 6 ? one(type, bits) : element(type, bits));
    return out + "}";
}

std::uint64_t Values::number(unsigned bits)
{
    const std::uint64_t most = bits >= 64 ? UINT64_MAX : (std::uint64_t(1) << bits) - 1;
    constexpr std::array<std::uint64_t, 22> known{0,      1,      2,     5,          6,          7,         17,  53,
                                                  58,     60,     64,    80,         100,        128,       443, 0x0800,
                                                  0x86dd, 0x8100, 65535, 0x12345678, 0x80000000, 0xffffffff};
    if (random_.one_in(3))
        return most - (random_.one_in(2) ? 0 : random_.next() & most & 3);
    const std::uint64_t value = random_.one_in(3) ? random_.next() : random_.pick(known);
    return value & most;
}

std::string Values::mac()
{
    const std::uint64_t value = random_.one_in(3) ? random_.next() : 0x020000000000 + random_.below(4);
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", value >> 40 & 255, value >> 32 & 255,
                       value >> 24 & 255, value >> 16 & 255, value >> 8 & 255, value & 255);
}

std::uint64_t Values::ipv4_number()
{
    constexpr std::array<std::uint64_t, 7> some{0x0a000001, 0x0a000002, 0x0a0000ff, 0xc0000207,
                                                0xc6336407, 0xffffffff, 0x80000000};
    return random_.one_in(4) ? random_.next() & 0xffffffff : random_.pick(some);
}

std::string Values::ipv4() { return ipv4_text(ipv4_number()); }

std::string Values::ipv6()
{
    constexpr std::array high{"2001:db8:0:0", "2001:db8:0:1", "2001:db8:bad:0", "fe80:0:0:0", "0:0:0:0"};
    constexpr std::array low{"0:0:0:0", "0:0:0:1", "0:0:0:2", "8000:0:0:0", "ffff:ffff:ffff:ffff"};
    return fmt::format("{}:{}", random_.pick(high), random_.pick(low));
}

} // namespace xdpf::diff
