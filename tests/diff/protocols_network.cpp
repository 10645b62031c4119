#include "tests/diff/protocols.hpp"

namespace xdpf::diff {

std::span<const Row> network_rows()
{
    static const std::vector<Row> rows{
        {"mpls pppoe",
         "ethernet | ethernet / vlan / vlan | ethernet / mpls / mpls | ethernet / vlan / pppoe",
         "ipv4(dscp = 10, id = 0x1234, df = 1, ttl = 9)",
         "45 28 001c 1234 4000 09 11 ???? 0a000001 0a000002",
         "udp",
         "ipv4.dscp == 10 and ipv4.length == 28 and ipv4.id == 0x1234 and ipv4.flags.df and ipv4.ttl == 9 and "
         "ipv4.protocol == 17 and ipv4.src == 10.0.0.1 and ipv4.dst in 10.0.0.2/31",
         "ipv4.src == 10.0.0.2",
         "ethernet / ipv4(version = 6) / udp | ethernet / ipv4(ihl = 4) / udp | ethernet(type = 0x0801) / ipv4 / udp | "
         "ethernet / vlan / vlan / vlan / ipv4 | ethernet / pppoe(protocol = 0x0057) / ipv4 | ethernet / mpls(s = 0) / "
         "ipv4 | ethernet / mpls / mpls / mpls / mpls / mpls / ipv4 | ethernet / ipv6 / udp",
         {{"ipv4/udp", "udp"}, {"ip.ttl == 9", ""}}},
        // Options are part of it: 24 bytes.
        {"",
         "ethernet",
         "ipv4(ihl = 6)",
         "46 00 0020 0000 0000 40 11 ???? 0a000001 0a000002 00000000",
         "udp",
         "ipv4.ihl == 6",
         "ipv4.ihl == 5",
         "ethernet / ipv6",
         {{"udp.length == 8", "udp"}}},
        {"mpls pppoe",
         "ethernet | ethernet / vlan | ethernet / mpls | ethernet / pppoe",
         "ipv6(traffic_class = 0xab, flow_label = 0x12345, hop_limit = 9)",
         "6ab12345 0008 11 09 20010db8000000000000000000000001 20010db8000000000000000000000002",
         "udp",
         "ipv6.traffic_class == 0xab and ipv6.flow_label == 0x12345 and ipv6.payload_length == 8 and ipv6.next_header "
         "== "
         "17 and ipv6.hop_limit == 9 and ipv6.src == 2001:db8::1 and ipv6.dst in 2001:db8::/64",
         "ipv6.src == 2001:db8::2",
         "ethernet / ipv6(version = 4) / udp | ethernet(type = 0x86de) / ipv6 / udp | ethernet / pppoe(protocol = "
         "0x0021) "
         "/ ipv6 | ethernet / ipv4",
         {{"ipv6.protocol == 17", ""}, {"udp", "udp"}, {"ip.protocol == 17", ""}}},
        {"",
         "ethernet / ipv6 | ethernet / vlan / ipv6 / destination_options",
         "hop_by_hop(length = 1)",
         "11 01 0000 00000000 0000000000000000",
         "udp",
         "hop_by_hop.next_header == 17 and hop_by_hop.length == 1",
         "hop_by_hop.length == 0",
         "ethernet / ipv6(next_header = 59) / hop_by_hop / udp | ethernet / ipv6 / destination_options / udp",
         {{"hop_by_hop and ipv6.protocol == 17", ""}, {"hop_by_hop and udp", "udp"}}},
        {"",
         "ethernet / ipv6 | ethernet / ipv6 / hop_by_hop",
         "routing(type = 4, segments_left = 1)",
         "11 00 04 01 00000000",
         "udp",
         "routing.type == 4 and routing.segments_left == 1",
         "routing.type == 1",
         "ethernet / ipv6(next_header = 59) / routing(type = 4, segments_left = 1) / udp | ethernet / ipv6 / "
         "hop_by_hop",
         {{"udp", "udp"}}},
        {"",
         "ethernet / ipv6 | ethernet / ipv6 / routing",
         "fragment(more = 1, id = 0x1234)",
         "11 00 0001 00001234",
         "udp",
         "fragment.offset == 0 and fragment.more and fragment.id == 0x1234",
         "fragment.offset == 1",
         "ethernet / ipv6(next_header = 45) / fragment(more = 1, id = 0x1234) / udp | ethernet / ipv4",
         {{"udp", "udp"}}},
        // Six links at most: the fragment header is the sixth, not the seventh.
        {"",
         "ethernet / ipv6 / hop_by_hop / hop_by_hop / hop_by_hop / hop_by_hop / hop_by_hop",
         "fragment(offset = 0x123)",
         "3b 00 0918 00000000",
         "payload(8)",
         "fragment.offset == 0x123",
         "udp",
         "ethernet / ipv6 / hop_by_hop / hop_by_hop / hop_by_hop / hop_by_hop / hop_by_hop / hop_by_hop / "
         "fragment(offset = 0x123)",
         {}},
        // 24 bytes: 4 units of 4 and two more; the sequence number and 12 bytes of its check.
        {"",
         "ethernet / ipv6 | ethernet / ipv6 / hop_by_hop",
         "ah(spi = 0x1001, length = 4)",
         "11 04 0000 00001001 00000000 000000000000000000000000",
         "udp",
         "ah.spi == 0x1001 and ah.length == 4",
         "ah.spi == 0x1002",
         "ethernet / ipv6(next_header = 50) / ah(spi = 0x1001) / udp | ethernet / ipv4(protocol = 51) / payload(24)",
         {{"udp", "udp"}}},
        {"",
         "ethernet / ipv6 | ethernet / ipv6 / hop_by_hop / routing",
         "destination_options",
         "11 00 000000000000",
         "udp",
         "destination_options.next_header == 17 and destination_options.length == 0",
         "destination_options.next_header == 6",
         "ethernet / ipv6(next_header = 59) / destination_options / udp | ethernet / ipv6 / hop_by_hop / udp",
         {{"destination_options and udp", "udp"}}},
        {"esp", "ethernet / ipv4 | ethernet / vlan / ipv4(ihl = 7)", "ipv4.ah(spi = 5, sequence = 9)",
         "3b 01 0000 00000005 00000009", "payload(8)", "ipv4.ah.spi == 5 and ipv4.ah.sequence == 9", "ipv4.ah.spi == 9",
         "ethernet / ipv4(protocol = 50) / ipv4.ah(spi = 5, sequence = 9) | ethernet / ipv4(fragment_offset = 1) / "
         "ipv4.ah(spi = 5, sequence = 9) | ethernet / ipv6 / ah(spi = 5)"},
        {"esp", "ethernet / ipv4 | ethernet / ipv6 | ethernet / ipv6 / destination_options",
         "esp(spi = 0x1001, sequence = 7)", "00001001 00000007", "payload(16)",
         "esp.spi == 0x1001 and esp.sequence == 7", "esp.spi == 7",
         "ethernet / ipv4(protocol = 51) / esp(spi = 0x1001, sequence = 7) | ethernet / ipv6(next_header = 51) / "
         "esp(spi "
         "= 0x1001, sequence = 7)"},
        {"", "ethernet / ipv4 | ethernet / vlan / ipv4(ihl = 6)", "icmp(type = 3, code = 1, rest = 7)",
         "03 01 ???? 00000007", "payload(28)", "icmp.type == 3 and icmp.code == 1 and icmp.rest == 7", "icmp.type == 1",
         "ethernet / ipv4(fragment_offset = 1) / icmp(type = 3, code = 1, rest = 7) | ethernet / ipv4(protocol = 58) / "
         "icmp(type = 3, code = 1, rest = 7) | ethernet / ipv6(next_header = 1) / payload(8)"},
        {"", "ethernet / ipv6 | ethernet / ipv6 / hop_by_hop", "icmpv6(type = 1, code = 4, rest = 7)",
         "01 04 ???? 00000007", "payload(40)", "icmpv6.type == 1 and icmpv6.code == 4 and icmpv6.rest == 7",
         "icmpv6.type == 4",
         "ethernet / ipv6(next_header = 1) / icmpv6(type = 1, code = 4, rest = 7) | ethernet / ipv6 / fragment(offset "
         "= "
         "1) / icmpv6(type = 1, code = 4, rest = 7) | ethernet / ipv4(protocol = 58) / payload(8)"},
        {"igmp", "ethernet / ipv4 | ethernet / ipv4 / ipv4.option.router_alert", "igmp(group = 239.1.2.3)",
         "16 00 ???? ef010203", "payload(4)", "igmp.type == 0x16 and igmp.group == 239.1.2.3",
         "igmp.group == 239.1.2.4",
         "ethernet / ipv4(protocol = 3) / igmp(group = 239.1.2.3) | ethernet / ipv6(next_header = 2) / payload(8)"},
        {"mobility", "ethernet / ipv6 | ethernet / ipv6 / destination_options", "mobility(type = 5)",
         "3b 00 05 00 ???? 0000", "", "mobility.type == 5 and mobility.next_header == 59", "mobility.type == 6",
         "ethernet / ipv6(next_header = 134) / mobility(type = 5) | ethernet / ipv4(protocol = 135) / payload(8)"},
        {"nd", "ethernet / ipv6 / icmpv6", "nd_router_solicit", "", "nd / nd.option.source_link", "",
         "icmpv6.type == 134", "ethernet / ipv6 / icmpv6(type = 134) / nd_router_solicit"},
        {"nd", "ethernet / ipv6 / icmpv6", "nd_router_advert(reachable_time = 5, retrans_timer = 6)",
         "00000005 00000006", "nd / nd.option.mtu", "nd_router_advert.reachable_time == 5 and icmpv6.type == 134",
         "nd_router_advert.retrans_timer == 5",
         "ethernet / ipv6 / icmpv6(type = 133) / nd_router_advert(reachable_time = 5) / nd / nd.option.mtu"},
        {"nd", "ethernet / ipv6 / icmpv6 | ethernet / ipv6 / hop_by_hop / icmpv6",
         "nd_neighbor_solicit(target = 2001:db8::9)", "20010db8000000000000000000000009", "nd / nd.option.source_link",
         "nd_neighbor_solicit.target == 2001:db8::9 and icmpv6.type == 135",
         "nd_neighbor_solicit.target == 2001:db8::2",
         "ethernet / ipv6 / icmpv6(type = 136) / nd_neighbor_solicit(target = 2001:db8::9)"},
        {"nd", "ethernet / ipv6 / icmpv6", "nd_neighbor_advert(target = 2001:db8::9)",
         "20010db8000000000000000000000009", "nd / nd.option.target_link",
         "nd_neighbor_advert.target == 2001:db8::9 and icmpv6.type == 136", "nd_neighbor_advert.target == 2001:db8::2",
         "ethernet / ipv6 / icmpv6(type = 135) / nd_neighbor_advert(target = 2001:db8::9)"},
        {"nd", "ethernet / ipv6 / icmpv6", "nd_redirect(target = 2001:db8::9)",
         "20010db8000000000000000000000009 20010db8000000000000000000000003", "nd / nd.option.target_link",
         "nd_redirect.target == 2001:db8::9 and nd_redirect.destination == 2001:db8::3 and icmpv6.type == 137",
         "nd_redirect.target == nd_redirect.destination",
         "ethernet / ipv6 / icmpv6(type = 138) / nd_redirect(target = 2001:db8::9)"},
        {"nd",
         "ethernet / ipv6 / icmpv6 / nd_router_solicit | ethernet / ipv6 / icmpv6 / nd_router_advert | ethernet / ipv6 "
         "/ "
         "icmpv6 / nd_neighbor_solicit | ethernet / ipv6 / icmpv6 / nd_neighbor_advert | ethernet / ipv6 / icmpv6 / "
         "nd_redirect",
         "nd",
         "",
         "nd.option.source_link",
         "",
         "icmpv6.type == 132",
         "ethernet / ipv6 / icmpv6(type = 128) / payload(48) | ethernet / ipv6 / icmpv6(type = 138) / payload(48)",
         {{"nd.option.source_link", "nd.option.source_link"}}},
    };
    return rows;
}

} // namespace xdpf::diff
