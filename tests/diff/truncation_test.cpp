// Programs of the language over every packet shape cut at every length: all engines agree, and where a program is
// simple enough to say its meaning in a line of C++ over a dissected packet, they agree with that, too.
#include "tests/diff/dissect.hpp"
#include "tests/diff/engines.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <functional>
#include <vector>

using namespace xdpf::diff;

namespace {

using Holds = std::function<bool(const Dissection &)>;

// `match CONDITION -> drop`, and when it holds.
struct Condition {
    const char *text;
    Holds holds;
};

auto bits(std::string_view header, std::size_t first, std::size_t count, std::size_t index = 0)
{
    return [=](const Dissection &packet) { return packet.bits(header, first, count, index); };
}
const auto udp_sport = bits("udp", 0, 16);
const auto udp_dport = bits("udp", 16, 16);
const auto tcp_dport = bits("tcp", 16, 16);
const auto ipv4_src = bits("ipv4", 96, 32);
const auto ipv4_dst = bits("ipv4", 128, 32);
const auto ttl = bits("ipv4", 64, 8);
const auto ipv6_src_high = bits("ipv6", 64, 64);
const auto ipv6_src_low = bits("ipv6", 128, 64);

template <class Read, class Test> Holds where(Read read, Test test)
{
    return [=](const Dissection &packet) {
        const auto value = read(packet);
        return value && test(*value);
    };
}
template <class Read> Holds equal(Read read, std::uint64_t wanted)
{
    return where(read, [=](auto value) { return value == wanted; });
}
Holds has(std::string_view name)
{
    return [=](const Dissection &packet) { return packet.has(name); };
}
Holds path(std::initializer_list<std::string_view> names)
{
    return [kept = std::vector(names)](const Dissection &packet) {
        switch (kept.size()) {
        case 2: return packet.has_path({kept[0], kept[1]});
        case 3: return packet.has_path({kept[0], kept[1], kept[2]});
        case 4: return packet.has_path({kept[0], kept[1], kept[2], kept[3]});
        default: return packet.has_path({kept[0], kept[1], kept[2], kept[3], kept[4]});
        }
    };
}
Holds operator!(Holds a)
{
    return [=](const Dissection &packet) { return !a(packet); };
}
Holds operator&&(Holds a, Holds b)
{
    return [=](const Dissection &packet) { return a(packet) && b(packet); };
}
Holds operator||(Holds a, Holds b)
{
    return [=](const Dissection &packet) { return a(packet) || b(packet); };
}
auto between(std::uint64_t first, std::uint64_t last)
{
    return [=](std::uint64_t value) { return value >= first && value <= last; };
}
auto raw(std::size_t offset, std::size_t count)
{
    return [=](const Dissection &packet) { return packet.bytes(offset, count); };
}
auto behind(std::string_view header, std::size_t offset, std::size_t count)
{
    return [=](const Dissection &packet) { return packet.behind(header, offset, count); };
}
Holds length(std::function<bool(std::uint64_t)> test)
{
    return [=](const Dissection &packet) { return test(packet.length()); };
}
std::uint64_t two(const std::optional<std::uint64_t> &value) { return value.value_or(0); }

const std::vector<Condition> presence{
    {"ethernet", has("ethernet")},
    {"vlan", has("vlan")},
    {"arp", has("arp")},
    {"ipv4", has("ipv4")},
    {"ipv6", has("ipv6")},
    {"udp", has("udp")},
    {"tcp", has("tcp")},
    {"icmp", has("icmp")},
    {"icmpv6", has("icmpv6")},
    {"fragment", has("fragment")},
    {"hop_by_hop", has("hop_by_hop")},
    {"routing", has("routing")},
    {"ah", has("ah")},
    {"destination_options", has("destination_options")},
    {"not udp", !has("udp")},
    {"not ipv4 and not ipv6", !has("ipv4") && !has("ipv6")},
    {"udp or tcp", has("udp") || has("tcp")},
    {"ipv6 and (udp or tcp or icmpv6)", has("ipv6") && (has("udp") || has("tcp") || has("icmpv6"))},
    {"vlan and udp", has("vlan") && has("udp")},
    {"ipv4 and not udp and not tcp", has("ipv4") && !has("udp") && !has("tcp")},
};

const std::vector<Condition> paths{
    {"ethernet/ipv4/udp", path({"ethernet", "ipv4", "udp"})},
    {"ethernet/ipv4", path({"ethernet", "ipv4"})},
    {"ipv4/udp", path({"ipv4", "udp"})},
    {"ipv4/tcp", path({"ipv4", "tcp"})},
    {"ethernet/vlan/ipv4/udp", path({"ethernet", "vlan", "ipv4", "udp"})},
    {"ethernet/vlan/vlan/ipv4/tcp", path({"ethernet", "vlan", "vlan", "ipv4", "tcp"})},
    {"ethernet/vlan/vlan/ipv6/tcp", path({"ethernet", "vlan", "vlan", "ipv6", "tcp"})},
    {"ethernet/vlan", path({"ethernet", "vlan"})},
    {"ethernet/vlan/vlan", path({"ethernet", "vlan", "vlan"})},
    {"vlan/vlan", path({"vlan", "vlan"})},
    {"vlan/ipv4", path({"vlan", "ipv4"})},
    {"vlan/ipv6/udp", path({"vlan", "ipv6", "udp"})},
    {"ethernet/arp", path({"ethernet", "arp"})},
    {"ipv6/udp", path({"ipv6", "udp"})},
    {"ethernet/ipv6/icmpv6", path({"ethernet", "ipv6", "icmpv6"})},
    {"ipv6/fragment/udp", path({"ipv6", "fragment", "udp"})},
    {"ipv6/fragment", path({"ipv6", "fragment"})},
    {"fragment/udp", path({"fragment", "udp"})},
    {"routing/fragment", path({"routing", "fragment"})},
    {"ipv6/hop_by_hop/destination_options", path({"ipv6", "hop_by_hop", "destination_options"})},
    {"destination_options/destination_options", path({"destination_options", "destination_options"})},
    {"ipv6/ah/tcp", path({"ipv6", "ah", "tcp"})},
    {"not ethernet/ipv4/udp", !path({"ethernet", "ipv4", "udp"})},
    {"ipv4/udp or ipv6/udp", path({"ipv4", "udp"}) || path({"ipv6", "udp"})},
};

const std::vector<Condition> fields{
    {"udp.dport == 53", equal(udp_dport, 53)},
    {"udp.dport != 53", where(udp_dport, [](auto v) { return v != 53; })},
    {"not udp.dport == 53", !equal(udp_dport, 53)},
    {"not udp.dport != 53", !where(udp_dport, [](auto v) { return v != 53; })},
    {"udp.dport < 1024", where(udp_dport, between(0, 1023))},
    {"udp.dport <= 1023", where(udp_dport, between(0, 1023))},
    {"udp.dport > 8999", where(udp_dport, between(9000, 65535))},
    {"tcp.dport >= 9000", where(tcp_dport, between(9000, 65535))},
    {"53 == udp.dport", equal(udp_dport, 53)},
    {"1024 > udp.dport", where(udp_dport, between(0, 1023))},
    {"tcp.dport in {22, 80, 8000..8999}",
     where(tcp_dport, [](auto v) { return v == 22 || v == 80 || (v >= 8000 && v <= 8999); })},
    {"tcp.dport in 0..65535", has("tcp")},
    {"udp.sport in {}", [](const Dissection &) { return false; }},
    {"udp.sport in {1, 3, 5, 7, 22, 53, 80, 443, 1023, 8080, 65535}", where(udp_sport,
                                                                            [](auto v) {
                                                                                return v == 22 || v == 53 || v == 80 ||
                                                                                       v == 443 || v == 1023 ||
                                                                                       v == 8080 || v == 65535 ||
                                                                                       (v < 8 && v % 2 == 1);
                                                                            })},
    {"ipv4.src in 10.0.0.0/8", where(ipv4_src, [](auto v) { return v >> 24 == 10; })},
    {"ipv4.src in {10.0.0.0/24, 192.0.2.7, 198.51.100.0..198.51.100.7}",
     where(ipv4_src,
           [](auto v) { return v >> 8 == 0x0a0000 || v == 0xc0000207 || (v >= 0xc6336400 && v <= 0xc6336407); })},
    {"ipv4.src == 255.255.255.255", equal(ipv4_src, 0xffffffff)},
    {"ipv4.src >= 128.0.0.0", where(ipv4_src, between(0x80000000, 0xffffffff))},
    {"ipv4.src in 0.0.0.0/0", has("ipv4")},
    {"ipv4.src == ipv4.dst", [](const Dissection &p) { return p.has("ipv4") && *ipv4_src(p) == *ipv4_dst(p); }},
    {"ipv4.src < ipv4.dst", [](const Dissection &p) { return p.has("ipv4") && *ipv4_src(p) < *ipv4_dst(p); }},
    {"udp.sport != udp.dport", [](const Dissection &p) { return p.has("udp") && *udp_sport(p) != *udp_dport(p); }},
    {"udp.sport == tcp.sport", [](const Dissection &) { return false; }},
    {"ipv6.src in 2001:db8::/32", where(ipv6_src_high, [](auto v) { return v >> 32 == 0x20010db8; })},
    {"ipv6.src == 2001:db8::1",
     [](const Dissection &p) { return two(ipv6_src_high(p)) == 0x20010db800000000 && two(ipv6_src_low(p)) == 1; }},
    {"ipv6.src in {2001:db8::/33, fe80::/10, ::1, 2001:db8:0:1::..2001:db8:0:1::1}",
     [](const Dissection &p) {
         const auto high = ipv6_src_high(p);
         const auto low = two(ipv6_src_low(p));
         return high && (*high >> 31 == 0x20010db8U * 2ULL || *high >> 54 == 0xfe80 >> 6 || (*high == 0 && low == 1) ||
                         (*high == 0x20010db800000001 && low <= 1));
     }},
    {"ipv6.src in 2001:db8::8000:0:0:0/65",
     [](const Dissection &p) {
         return two(ipv6_src_high(p)) == 0x20010db800000000 && two(ipv6_src_low(p)) >> 63 == 1;
     }},
    {"ipv6.src < 2001:db8:0:1::", where(ipv6_src_high, between(0, 0x20010db800000000))},
    {"ipv6.src == ipv6.dst",
     [](const Dissection &p) {
         return p.has("ipv6") && p.bits("ipv6", 64, 64) == p.bits("ipv6", 192, 64) &&
                p.bits("ipv6", 128, 64) == p.bits("ipv6", 256, 64);
     }},
    {"ipv6.src > ipv6.dst",
     [](const Dissection &p) {
         return p.has("ipv6") && std::pair(*p.bits("ipv6", 64, 64), *p.bits("ipv6", 128, 64)) >
                                     std::pair(*p.bits("ipv6", 192, 64), *p.bits("ipv6", 256, 64));
     }},
    {"ethernet.src == 02:00:00:00:00:01", equal(bits("ethernet", 48, 48), 0x020000000001)},
    {"ethernet.dst == ff:ff:ff:ff:ff:ff or ethernet.type == 0x0806",
     equal(bits("ethernet", 0, 48), 0xffffffffffff) || equal(bits("ethernet", 96, 16), 0x0806)},
    {"ethernet.protocol == 0x0800", [](const Dissection &p) { return p.ethernet_protocol() == 0x0800U; }},
    {"ethernet.protocol != 0x0800",
     [](const Dissection &p) { return p.ethernet_protocol().value_or(0x0800) != 0x0800; }},
    {"ipv6.protocol == 17", [](const Dissection &p) { return p.ipv6_protocol() == 17U; }},
    {"ipv6.protocol in {6, 17, 58..60}",
     [](const Dissection &p) {
         const auto v = p.ipv6_protocol().value_or(255);
         return v == 6 || v == 17 || (v >= 58 && v <= 60);
     }},
    {"not ipv6.protocol == 17", [](const Dissection &p) { return p.ipv6_protocol() != 17U; }},
    {"vlan.id == 7", equal(bits("vlan", 4, 12), 7)},
    {"vlan[0].id in 100..199", where(bits("vlan", 4, 12), between(100, 199))},
    {"vlan[1].id in 100..199", where(bits("vlan", 4, 12, 1), between(100, 199))},
    {"any vlan.id in 100..199",
     where(bits("vlan", 4, 12), between(100, 199)) || where(bits("vlan", 4, 12, 1), between(100, 199))},
    {"vlan[1]", [](const Dissection &p) { return p.get("vlan", 1) != nullptr; }},
    {"vlan.pcp > 3 and vlan.dei", where(bits("vlan", 0, 3), between(4, 7)) && equal(bits("vlan", 3, 1), 1)},
    {"any destination_options.length == 1",
     [](const Dissection &p) {
         for (std::size_t i = 0; i < 6; ++i)
             if (p.bits("destination_options", 8, 8, i) == 1U)
                 return true;
         return false;
     }},
    {"destination_options[2].next_header == 60", equal(bits("destination_options", 0, 8, 2), 60)},
    {"fragment.offset == 0", equal(bits("fragment", 16, 13), 0)},
    {"fragment.more", equal(bits("fragment", 31, 1), 1)},
    {"tcp.flags.syn and not tcp.flags.ack", equal(bits("tcp", 110, 1), 1) && !equal(bits("tcp", 107, 1), 1)},
    {"tcp.flags == 0x12", equal(bits("tcp", 104, 8), 0x12)},
    {"tcp.flags & 0x03 == 3", where(bits("tcp", 104, 8), [](auto v) { return (v & 3) == 3; })},
    {"tcp.doff > 5", where(bits("tcp", 96, 4), between(6, 15))},
    {"ipv4.flags.mf or ipv4.fragment_offset > 0",
     equal(bits("ipv4", 50, 1), 1) || where(bits("ipv4", 51, 13), between(1, 8191))},
    {"ipv4.flags.df", equal(bits("ipv4", 49, 1), 1)},
    {"ipv4.ihl * 4 == 24", equal(bits("ipv4", 4, 4), 6)},
    {"ipv4.ttl - 1 < 64", where(ttl, [](auto v) { return v - 1 < 64; })},
    {"ipv4.ttl / 2 + 1 == 33", where(ttl, [](auto v) { return v / 2 + 1 == 33; })},
    {"(ipv4.ttl ^ 0xff) << 1 >> 1 == 127", where(ttl, [](auto v) { return (v ^ 0xff) == 127; })},
    {"ipv4.id % 7 == 3", where(bits("ipv4", 32, 16), [](auto v) { return v % 7 == 3; })},
    {"ipv4.id % ipv4.ttl == 0 and ipv4.id / ipv4.ttl >= 1",
     [](const Dissection &p) {
         if (!p.has("ipv4"))
             return false;
         const auto id = *p.bits("ipv4", 32, 16);
         const auto by = *ttl(p);
         return (by == 0 ? id : id % by) == 0 && (by == 0 ? 0 : id / by) >= 1;
     }},
    {"ipv4.length + 14 > packet.length",
     [](const Dissection &p) { return p.has("ipv4") && *p.bits("ipv4", 16, 16) + 14 > p.length(); }},
    {"icmp.type == 8", equal(bits("icmp", 0, 8), 8)},
    {"icmpv6.type in {128, 133..137}",
     where(bits("icmpv6", 0, 8), [](auto v) { return v == 128 || (v >= 133 && v <= 137); })},
    {"arp.op == 1 and arp.spa in 10.0.0.0/8",
     equal(bits("arp", 48, 16), 1) && where(bits("arp", 112, 32), [](auto v) { return v >> 24 == 10; })},
    {"arp.tpa == 192.0.2.7 or udp", equal(bits("arp", 192, 32), 0xc0000207) || has("udp")},
    {"ipv6.flow_label < 0x80000 and ipv6.hop_limit == 64",
     where(bits("ipv6", 12, 20), between(0, 0x7ffff)) && equal(bits("ipv6", 56, 8), 64)},
    {"ipv6.traffic_class >= 0x80", where(bits("ipv6", 4, 8), between(0x80, 0xff))},
};

const std::vector<Condition> raw_bytes{
    {"packet[12:2] == 0x0800", equal(raw(12, 2), 0x0800)},
    {"packet[0] & 1 == 1", where(raw(0, 1), [](auto v) { return (v & 1) == 1; })},
    {"packet[23] == 17", equal(raw(23, 1), 17)},
    {"packet[60:4] != 0", where(raw(60, 4), [](auto v) { return v != 0; })},
    {"packet[6:6] == 0x020000000001", equal(raw(6, 6), 0x020000000001)},
    {"packet[13:3] > 0x004500", where(raw(13, 3), between(0x004501, 0xffffff))},
    {"packet[0:8] >= 0x0200000000020200", where(raw(0, 8), between(0x0200000000020200, UINT64_MAX))},
    {"not packet[40:8] == 1", !equal(raw(40, 8), 1)},
    {"packet[12:3] == \"\\x08\\x00\\x45\"", equal(raw(12, 3), 0x080045)},
    {"packet.length > 60", length([](auto v) { return v > 60; })},
    {"packet.length in 42..45", length(between(42, 45))},
    {"packet.length - 14 < 20", length([](auto v) { return v - 14 < 20; })},
    {"udp.payload[0:4] == 0x12345678", equal(behind("udp", 0, 4), 0x12345678)},
    {"udp.payload[0:4] != 0x12345678", where(behind("udp", 0, 4), [](auto v) { return v != 0x12345678; })},
    {"tcp.payload[3] == 0x78", equal(behind("tcp", 3, 1), 0x78)},
    {"udp.payload[40:2] >= 0x8000", where(behind("udp", 40, 2), between(0x8000, 0xffff))},
    {"udp.payload[0:4] == 0 or tcp.payload[0:4] == 0", equal(behind("udp", 0, 4), 0) || equal(behind("tcp", 0, 4), 0)},
    {"packet[20:1] == packet[21:1]",
     [](const Dissection &p) { return p.length() >= 22 && *p.bytes(20, 1) == *p.bytes(21, 1); }},
};

// Several rules, steps, maps and redirects: the engines have only each other to compare with.
Bytes made_of(std::initializer_list<unsigned> values)
{
    Bytes out;
    for (const unsigned value : values)
        out.push_back(static_cast<std::byte>(value));
    return out;
}

const std::vector<Subject> whole_programs{
    {"match udp -> xsk", {}},
    {"defmap xsks : xskmap[64]\nmatch udp.dport == 53 -> xsk xsks[3] else drop\nmatch tcp -> xsk xsks[udp.dport] else "
     "tx\nmatch ipv4 -> xsk xsks[ipv4.ttl] else tx",
     {}},
    {"match rx_queue == 3 and udp -> xsk\nmatch iface == 1 -> tx\ndefault -> drop", {}, 3},
    {"match rx_queue == 3 and udp -> xsk\nmatch iface == 1 -> tx\ndefault -> drop", {}},
    {"defmap blocked : lpm_trie<ipv4.src>[100]\nmatch ipv4.src in blocked -> drop\nmatch ipv4.dst in blocked -> tx",
     {{"blocked", made_of({24, 0, 0, 0, 10, 0, 0, 0}), made_of({1, 0, 0, 0})},
      {"blocked", made_of({32, 0, 0, 0, 192, 0, 2, 7}), made_of({1, 0, 0, 0})}}},
    {"defmap blocked : lpm_trie<ipv6.src>[100]\nmatch ipv6.src in blocked -> drop\nmatch udp and ipv6.dst in blocked "
     "-> tx",
     {{"blocked", made_of({33, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
       made_of({1, 0, 0, 0})}}},
    {"defmap ports : hash<udp.dport>[100]\nmatch udp.dport in ports or tcp.dport in ports -> drop",
     {{"ports", made_of({53, 0}), made_of({1, 0, 0, 0})}, {"ports", made_of({0x90, 0x1f}), made_of({1, 0, 0, 0})}}},
    {"defmap seen : hash<ipv4.src -> counter>[1000]\nmatch ipv4 -> count seen[ipv4.src]\nmatch udp -> { count "
     "seen[ipv4.src]; drop }",
     {}},
    {"defmap seen : percpu_hash<ipv6.src -> u64>[1000]\ndefmap sizes : array<u64>[2048]\n"
     "match ipv6 -> { count seen[ipv6.src]; count sizes[packet.length]; continue }\nmatch tcp -> { count "
     "sizes[tcp.dport]; tx }",
     {}},
    {"defmap all : percpu_array<counter>[2]\ndefmap ports : lru_hash<tcp.dport -> u32>[4096]\nmatch tcp -> count "
     "all[0]\n"
     "match udp -> { count all[1]; pass }\nmatch tcp.dport < 1024 -> { count ports[tcp.dport]; drop }\ndefault -> "
     "count all[1]",
     {}},
    {"match ipv4 {\n match udp.dport == 53 -> xsk\n match tcp.flags.syn -> drop\n match ipv4.ttl < 2 -> tx\n}\n"
     "match ipv6 { match udp -> drop  match vlan.id == 7 -> tx }\nmatch arp -> abort\ndefault -> pass",
     {}},
    {"match ipv4.src in 192.0.2.0/24 -> drop\nmatch ipv6.src in 2001:db8:bad::/48 -> drop\n"
     "match tcp.flags.syn == 1 and tcp.flags.fin == 1 -> drop\nmatch udp.dport == 53 and ipv4.dst == 10.0.0.53 -> xsk\n"
     "match tcp.dport == 22 and ipv4.src in 10.0.0.0/8 -> pass\nmatch tcp.dport in {80, 443} -> xsk\n"
     "match udp.dport in 6000..6063 and ipv6.dst in 2001:db8::/32 -> xsk\nmatch icmp.type == 8 -> tx\n"
     "match icmpv6.type in 133..137 -> pass\nmatch tcp.dport in 1024..65535 -> pass\ndefault -> drop",
     {}},
    {"match vlan[0].id == 7 and vlan[1].id == 100 and ipv6/udp -> drop\nmatch vlan[1] and fragment/udp -> tx\n"
     "match ipv6/destination_options and tcp.dport == 80 -> abort\nmatch destination_options[5] -> drop",
     {}},
    {"match udp.payload[0:4] == 0x12345678 and udp.payload[4:2] > packet[0:2] -> drop\nmatch ipv4.payload[0:2] == 53 "
     "-> tx\n"
     "match fragment.payload[0:2] == 53 or vlan.payload[0:2] == 0x4500 -> abort\nmatch ethernet.payload[0:20] == "
     "ethernet.payload[4:20] -> drop",
     {}},
    {"const web = {80, 443, 8000..8999}\nconst near = 10.0.0.0/8\nmatch tcp.dport in web and not ipv4.src in near -> "
     "drop\n"
     "match (udp.sport + udp.dport) * 3 & 0xff == 0x2a or ~udp.length >> 60 == 0 -> tx\nmatch -ipv4.ttl > 5 -> drop",
     {}},
    {"match ethernet.dst == ethernet.src or ethernet.dst in {ff:ff:ff:ff:ff:ff, 02:00:00:00:00:02} -> drop\n"
     "match ethernet.type in {0x0800, 0x86dd} and vlan -> abort\nmatch ethernet.src < ethernet.dst -> tx",
     {}},
};

class Suite {
public:
    Suite() : packets_(truncations(whole_packets(number_from_environment("XDPF_DIFF_SEED", 1))))
    {
        for (const Packet &packet : packets_)
            dissected_.emplace_back(packet.bytes);
    }

    [[nodiscard]] std::size_t packets() const { return packets_.size(); }

    void run(const Subject &subject)
    {
        const Findings found =
            compare_engines(subject, packets_, kernel_usable() ? Engines::all : Engines::interpreters);
        INFO(subject.source);
        for (const std::string &problem : found.problems)
            FAIL_CHECK(problem);
    }

    void run(const Condition &condition)
    {
        const Subject subject{fmt::format("match {} -> drop", condition.text), {}};
        const Findings found =
            compare_engines(subject, packets_, kernel_usable() ? Engines::all : Engines::interpreters);
        INFO(condition.text);
        for (const std::string &problem : found.problems)
            FAIL_CHECK(problem);
        int wrong = 0;
        for (std::size_t i = 0; i < found.verdicts.size() && wrong < 3; ++i) {
            const std::uint32_t expected = condition.holds(dissected_[i]) ? XDP_DROP : XDP_PASS;
            if (found.verdicts[i] == expected)
                continue;
            ++wrong;
            FAIL_CHECK(fmt::format("all say {}, its meaning is {}\n  packet: {}\n  {}", found.verdicts[i], expected,
                                   packets_[i].name, hex(packets_[i].bytes)));
        }
    }

private:
    std::vector<Packet> packets_;
    std::vector<Dissection> dissected_;
};

Suite &suite()
{
    static Suite one;
    return one;
}

void run_all(const std::vector<Condition> &conditions)
{
    for (const Condition &condition : conditions)
        suite().run(condition);
    if (!kernel_usable())
        xdpf::testing::note_skip("the kernel's part needs root; the interpreters were compared");
}

} // namespace

TEST_CASE("presence of headers, at every truncation") { run_all(presence); }
TEST_CASE("paths, at every truncation") { run_all(paths); }
TEST_CASE("fields, at every truncation") { run_all(fields); }
TEST_CASE("raw bytes and lengths, at every truncation") { run_all(raw_bytes); }

TEST_CASE("rules, maps and redirects, at every truncation")
{
    for (const Subject &subject : whole_programs)
        suite().run(subject);
    if (!kernel_usable())
        xdpf::testing::note_skip("the kernel's part needs root; the interpreters were compared");
}
