#include "tests/diff/protocols.hpp"

// A header with a size of its own is there with the last of its items, and so the items in front of the last are, too:
// each item's row has it as the last one of its header. What fills such a header up counts as its bytes.
namespace xdpf::diff {

std::span<const Row> option_rows()
{
    static const std::vector<Row> rows{
        {"",
         "ethernet / ipv4 | ethernet / ipv4 / ipv4.option.router_alert",
         "ipv4.option.record_route(pointer = 8)",
         "07 03 08 00",
         "udp",
         "ipv4.option.record_route.pointer == 8",
         "ipv4.option.record_route.pointer == 4",
         "ethernet / ipv4 / ipv4.option(type = 0) / ipv4.option.record_route(pointer = 8) | ethernet / ipv4 / "
         "ipv4.option.record_route(type = 8, pointer = 8) | ethernet / ipv4 / ipv4.option.record_route(length = 2, "
         "pointer = 8) | ethernet / ipv4 / ipv4.option.record_route(length = 5, pointer = 8) / udp",
         {{"ipv4.option.record_route and udp", "udp"}}},
        {"", "ethernet / ipv4 | ethernet / ipv4 / ipv4.option.router_alert",
         "ipv4.option.loose_source_route(pointer = 8)", "83 03 08 00", "udp",
         "ipv4.option.loose_source_route.pointer == 8", "ipv4.option.loose_source_route.pointer == 4",
         "ethernet / ipv4 / ipv4.option.strict_source_route(pointer = 8) | ethernet / ipv4 / "
         "ipv4.option.loose_source_route(type = 132, pointer = 8)"},
        {"", "ethernet / ipv4 | ethernet / ipv4 / ipv4.option.router_alert",
         "ipv4.option.strict_source_route(pointer = 8)", "89 03 08 00", "udp",
         "ipv4.option.strict_source_route.pointer == 8", "ipv4.option.strict_source_route.pointer == 4",
         "ethernet / ipv4 / ipv4.option.loose_source_route(pointer = 8) | ethernet / ipv4 / "
         "ipv4.option.strict_source_route(type = 136, pointer = 8)"},
        {"", "ethernet / ipv4 | ethernet / vlan / ipv4 / ipv4.option.router_alert(type = 149)",
         "ipv4.option.router_alert(value = 5)", "94 04 0005", "udp",
         "ipv4.option.router_alert == 5 and ipv4.option.router_alert.length == 4", "ipv4.option.router_alert == 4",
         "ethernet / ipv4 / ipv4.option.router_alert(value = 5, length = 3) | ethernet / ipv4 / "
         "ipv4.option.router_alert(type = 0, value = 5) | ethernet / ipv4 / payload(\"\\x94\\x04\\x00\\x05\")"},
        {"", "ethernet / ipv6 / hop_by_hop | ethernet / vlan / ipv6 / routing / hop_by_hop",
         "hop_by_hop.option.router_alert(value = 1)", "05 02 0001 0000", "udp", "hop_by_hop.option.router_alert == 1",
         "hop_by_hop.option.router_alert == 0",
         "ethernet / ipv6 / hop_by_hop / hop_by_hop.option.router_alert(type = 6, value = 1) | ethernet / ipv6 / "
         "hop_by_hop / hop_by_hop.option.router_alert(length = 1, value = 1) | ethernet / ipv6 / hop_by_hop / "
         "hop_by_hop.option.jumbo"},
        {"",
         "ethernet / ipv6 / hop_by_hop | ethernet / ipv6 / hop_by_hop / hop_by_hop.option.jumbo(type = 0xc3) / "
         "hop_by_hop.option(type = 1, length = 0)",
         "hop_by_hop.option.jumbo(value = 0x10002)", "c2 04 00010002", "udp", "hop_by_hop.option.jumbo == 0x10002",
         "hop_by_hop.option.jumbo == 2",
         "ethernet / ipv6 / hop_by_hop / hop_by_hop.option.jumbo(type = 0xc3, value = 0x10002) | ethernet / ipv6 / "
         "hop_by_hop / hop_by_hop.option.jumbo(length = 5, value = 0x10002) / udp"},
        {"", "ethernet / ipv6 / destination_options | ethernet / ipv6 / hop_by_hop / destination_options",
         "destination_options.option.home_address(value = 2001:db8::77)",
         "c9 10 20010db8000000000000000000000077 00000000", "udp",
         "destination_options.option.home_address == 2001:db8::77",
         "destination_options.option.home_address == 2001:db8::1",
         "ethernet / ipv6 / destination_options / destination_options.option.home_address(type = 0xc8) | ethernet / "
         "ipv6 "
         "/ destination_options / destination_options.option.home_address(length = 15)"},
        {"",
         "ethernet / ipv4 / tcp | ethernet / ipv6 / tcp / tcp.option(kind = 1, length = 1) / "
         "tcp.option.sack_permitted",
         "tcp.option.mss(value = 1400)", "02 04 0578", "payload(4)",
         "tcp.option.mss == 1400 and tcp.option.mss.length == 4", "tcp.option.mss == 1460",
         "ethernet / ipv4 / tcp / tcp.option(kind = 0) / tcp.option.mss(value = 1400) | ethernet / ipv4 / tcp / "
         "tcp.option.mss(value = 1400, length = 3) | ethernet / ipv4 / tcp / tcp.option.mss(value = 1400, length = 5) "
         "| "
         "ethernet / ipv4 / tcp / tcp.option.mss(value = 1400, kind = 1) | ethernet / ipv4 / tcp / "
         "payload(\"\\x02\\x04\\x05\\x78\")"},
        {"", "ethernet / ipv4 / tcp | ethernet / ipv6 / tcp / tcp.option.mss", "tcp.option.window_scale(value = 9)",
         "03 03 09 00", "payload(4)", "tcp.option.window_scale == 9", "tcp.option.window_scale == 7",
         "ethernet / ipv4 / tcp / tcp.option.window_scale(value = 9, length = 2) | ethernet / ipv4 / tcp / "
         "tcp.option.window_scale(value = 9, kind = 2)"},
        {"", "ethernet / ipv4 / tcp | ethernet / ipv6 / tcp / tcp.option.mss", "tcp.option.sack_permitted",
         "04 02 0000", "payload(4)", "tcp.option.sack_permitted.length == 2", "tcp.option.sack_permitted.length == 4",
         "ethernet / ipv4 / tcp / tcp.option(kind = 4, length = 1) | ethernet / ipv4 / tcp / "
         "tcp.option.sack_permitted(kind = 5)"},
        {"", "ethernet / ipv4 / tcp | ethernet / ipv6 / tcp / tcp.option.mss", "tcp.option.sack(left = 1, right = 2)",
         "05 0a 00000001 00000002 0000", "payload(4)", "tcp.option.sack.left == 1 and tcp.option.sack.right == 2",
         "tcp.option.sack.left == 2",
         "ethernet / ipv4 / tcp / tcp.option.sack(left = 1, right = 2, length = 2) | ethernet / ipv4 / tcp / "
         "tcp.option.sack(left = 1, right = 2, kind = 4)"},
        {"", "ethernet / ipv4 / tcp | ethernet / ipv6 / tcp / tcp.option.mss",
         "tcp.option.timestamps(value = 6, echo = 9)", "08 0a 00000006 00000009 0000", "payload(4)",
         "tcp.option.timestamps == 6 and tcp.option.timestamps.echo == 9", "tcp.option.timestamps == 9",
         "ethernet / ipv4 / tcp / tcp.option.timestamps(value = 6, echo = 9, length = 9) | ethernet / ipv4 / tcp / "
         "tcp.option.timestamps(value = 6, echo = 9, kind = 9)"},
        {"", "ethernet / ipv4 / tcp | ethernet / ipv6 / tcp / tcp.option.mss",
         "tcp.option.mptcp(subtype = 2, version = 1)", "1e 03 21 00", "payload(4)",
         "tcp.option.mptcp.subtype == 2 and tcp.option.mptcp.version == 1", "tcp.option.mptcp.subtype == 1",
         "ethernet / ipv4 / tcp / tcp.option.mptcp(subtype = 2, version = 1, length = 2) | ethernet / ipv4 / tcp / "
         "tcp.option.mptcp(subtype = 2, version = 1, kind = 29)"},
        {"nd",
         "ethernet / ipv6 / icmpv6 / nd_neighbor_solicit / nd | ethernet / ipv6 / icmpv6 / nd_router_solicit / nd / "
         "nd.option.mtu",
         "nd.option.source_link(value = 02:00:00:00:00:77)", "01 01 020000000077", "nd.option.mtu",
         "nd.option.source_link == 02:00:00:00:00:77", "nd.option.source_link == 02:00:00:00:00:01",
         "ethernet / ipv6 / icmpv6 / nd_neighbor_solicit / nd / nd.option(type = 1, length = 0) / "
         "nd.option.source_link(value = 02:00:00:00:00:77) | ethernet / ipv6 / icmpv6 / nd_neighbor_solicit / nd / "
         "nd.option.source_link(type = 2, value = 02:00:00:00:00:77) | ethernet / ipv6 / icmpv6(type = 128) / "
         "payload(\"\\x01\\x01\\x02\\x00\\x00\\x00\\x00\\x77\")"},
        {"nd", "ethernet / ipv6 / icmpv6 / nd_neighbor_advert / nd | ethernet / ipv6 / icmpv6 / nd_redirect / nd",
         "nd.option.target_link(value = 02:00:00:00:00:77)", "02 01 020000000077", "nd.option.mtu",
         "nd.option.target_link == 02:00:00:00:00:77", "nd.option.target_link == 02:00:00:00:00:02",
         "ethernet / ipv6 / icmpv6 / nd_redirect / nd / nd.option.source_link(value = 02:00:00:00:00:77)"},
        {"nd",
         "ethernet / ipv6 / icmpv6 / nd_router_advert / nd | ethernet / ipv6 / icmpv6 / nd_router_advert / nd / "
         "nd.option.mtu",
         "nd.option.prefix(value = 2001:db8:5::, on_link = 1, valid_lifetime = 7, preferred_lifetime = 6)",
         "03 04 40 80 00000007 00000006 00000000 20010db8000500000000000000000000", "nd.option.source_link",
         "nd.option.prefix in 2001:db8:5::/48 and nd.option.prefix.prefix_length == 64 and nd.option.prefix.on_link "
         "and "
         "nd.option.prefix.valid_lifetime == 7 and nd.option.prefix.preferred_lifetime == 6",
         "nd.option.prefix in 2001:db8:4::/48 or nd.option.prefix.autonomous",
         "ethernet / ipv6 / icmpv6 / nd_router_advert / nd / nd.option.prefix(type = 4, value = 2001:db8:5::) | "
         "ethernet "
         "/ ipv6 / icmpv6 / nd_router_advert / nd / nd.option.prefix(length = 3, value = 2001:db8:5::)"},
        {"nd", "ethernet / ipv6 / icmpv6 / nd_router_advert / nd", "nd.option.mtu(value = 1280)", "05 01 0000 00000500",
         "nd.option.source_link", "nd.option.mtu == 1280", "nd.option.mtu == 1500",
         "ethernet / ipv6 / icmpv6 / nd_router_advert / nd / nd.option.mtu(type = 6, value = 1280)"},
        {"nd", "ethernet / ipv6 / icmpv6 / nd_router_advert / nd",
         "nd.option.dns_server(lifetime = 9, value = "
         "2001:db8::53)",
         "19 03 0000 00000009 20010db8000000000000000000000053", "nd.option.mtu",
         "nd.option.dns_server == 2001:db8::53 and nd.option.dns_server.lifetime == 9",
         "nd.option.dns_server == 2001:db8::54",
         "ethernet / ipv6 / icmpv6 / nd_router_advert / nd / nd.option.dns_server(type = 24, lifetime = 9, value = "
         "2001:db8::53) | ethernet / ipv6 / icmpv6 / nd_router_advert / nd / nd.option.dns_server(length = 2, value = "
         "2001:db8::53)"},
    };
    return rows;
}

} // namespace xdpf::diff
