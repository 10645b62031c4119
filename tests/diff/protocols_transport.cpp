#include "tests/diff/protocols.hpp"

namespace xdpf::diff {

std::span<const Row> transport_rows()
{
    static const std::vector<Row> rows{
        {"", "ethernet / ipv4 | ethernet / vlan / ipv6 | ethernet / ipv6 / hop_by_hop / fragment(more = 1)",
         "udp(dport = 53)", "04d2 0035 000c ????", "payload(4)",
         "udp.sport == 1234 and udp.dport == 53 and udp.length == 12", "udp.dport == 1234",
         "ethernet / ipv4(fragment_offset = 1) / udp(dport = 53) / payload(4) | ethernet / ipv6 / fragment(offset = 1) "
         "/ "
         "udp(dport = 53) / payload(4) | ethernet / ipv4(protocol = 136) / udp(dport = 53) / payload(4) | ethernet / "
         "ipv6(next_header = 16) / udp(dport = 53) / payload(4) | ethernet / ipv4 / tcp(dport = 53)"},
        {"", "ethernet / ipv4 | ethernet / vlan / ipv6 | ethernet / ipv6 / destination_options",
         "tcp(dport = 80, seq = 0x01020304, syn = 1, window = 512)", "04d2 0050 01020304 00000000 50 02 0200 ???? 0000",
         "payload(4)",
         "tcp.dport == 80 and tcp.seq == 0x1020304 and tcp.doff == 5 and tcp.flags.syn and not tcp.flags.fin and "
         "tcp.window == 512",
         "tcp.flags.rst or tcp.dport == 1234",
         "ethernet / ipv4 / tcp(dport = 80, doff = 4) / payload(4) | ethernet / ipv4(fragment_offset = 1) / tcp(dport "
         "= "
         "80) | ethernet / ipv6(next_header = 7) / tcp(dport = 80) | ethernet / ipv4 / udp(dport = 80)"},
        {"sctp", "ethernet / ipv4 | ethernet / ipv6 / hop_by_hop", "sctp(dport = 38412, tag = 7)",
         "04d2 960c 00000007 00000000", "sctp.chunk.abort", "sctp.dport == 38412 and sctp.tag == 7", "sctp.tag == 0",
         "ethernet / ipv4(protocol = 131) / sctp(dport = 38412, tag = 7) | ethernet / ipv6(next_header = 133) / "
         "sctp(dport = 38412, tag = 7) | ethernet / ipv4 / udp(dport = 38412)"},
        {"sctp", "ethernet / ipv4 / sctp | ethernet / ipv6 / sctp / sctp.chunk.abort",
         "sctp.chunk.data(tsn = 5, stream = 2, sequence = 3)", "00 03 0010 00000005 0002 0003 00000000",
         "sctp.chunk.shutdown",
         "sctp.chunk.data.tsn == 5 and sctp.chunk.data.stream == 2 and sctp.chunk.data.sequence == 3",
         "sctp.chunk.data.stream == 3",
         "ethernet / ipv4 / sctp / sctp.chunk.data(type = 10, tsn = 5) | ethernet / ipv4 / sctp / "
         "sctp.chunk.data(length "
         "= 12, tsn = 5) | ethernet / ipv4 / sctp / sctp.chunk.abort(length = 3) / sctp.chunk.data(tsn = 5)"},
        {"sctp", "ethernet / ipv4 / sctp | ethernet / ipv6 / sctp / sctp.chunk.abort",
         "sctp.chunk.init(tag = 9, inbound_streams = 5, tsn = 7)", "01 00 0014 00000009 0000ffff 000a 0005 00000007",
         "sctp.chunk.shutdown",
         "sctp.chunk.init.tag == 9 and sctp.chunk.init.window == 65535 and sctp.chunk.init.outbound_streams == 10 and "
         "sctp.chunk.init.inbound_streams == 5 and sctp.chunk.init.tsn == 7",
         "sctp.chunk.init.inbound_streams == 10",
         "ethernet / ipv4 / sctp / sctp.chunk.init(type = 2, tag = 9) | ethernet / ipv4 / sctp / "
         "sctp.chunk.init(length "
         "= 16, tag = 9)"},
        {"sctp", "ethernet / ipv4 / sctp | ethernet / ipv6 / sctp / sctp.chunk.data", "sctp.chunk.abort(flags = 1)",
         "06 01 0004", "sctp.chunk.shutdown", "sctp.chunk.abort.flags == 1", "sctp.chunk.abort.flags == 0",
         "ethernet / ipv4 / sctp / sctp.chunk.abort(type = 5, flags = 1) | ethernet / ipv4 / sctp / "
         "sctp.chunk.abort(length = 3, flags = 1)"},
        {"sctp", "ethernet / ipv4 / sctp | ethernet / ipv6 / sctp / sctp.chunk.data", "sctp.chunk.shutdown(tsn = 9)",
         "07 00 0008 00000009", "sctp.chunk.abort", "sctp.chunk.shutdown.tsn == 9", "sctp.chunk.shutdown.tsn == 8",
         "ethernet / ipv4 / sctp / sctp.chunk.shutdown(type = 8, tsn = 9) | ethernet / ipv4 / sctp / "
         "sctp.chunk.shutdown(length = 4, tsn = 9)"},
        // With x: 24 bits of it reserved, 48 of a sequence number.
        {"dccp", "ethernet / ipv4 | ethernet / ipv6 / hop_by_hop",
         "dccp(x = 1, data_offset = 4, type = 2, sequence = 0x123456789a)", "04d2 162e 04 00 ???? 05 00 00123456789a",
         "payload(4)", "dccp.dport == 5678 and dccp.type == 2 and dccp.x and dccp.sequence == 0x123456789a",
         "dccp.sequence == 0x1234",
         "ethernet / ipv4(protocol = 34) / dccp(x = 1, data_offset = 4, type = 2) | ethernet / ipv4 / dccp(x = 1, "
         "data_offset = 3, type = 2) / payload(8)"},
        {"dccp", "ethernet / ipv4 | ethernet / ipv6", "dccp(short_sequence = 7, type = 1)",
         "04d2 162e 03 00 ???? 02 000007", "payload(8)", "dccp.short_sequence == 7 and dccp.type == 1 and not dccp.x",
         "dccp.sequence >= 0",
         "ethernet / ipv4 / dccp(short_sequence = 7, data_offset = 2) / payload(4) | ethernet / ipv6(next_header = 32) "
         "/ "
         "dccp(short_sequence = 7)"},
        // Without authentication, up, from the first discriminator.
        {"bfd", "ethernet / ipv4 / udp | ethernet / ipv6 / udp(dport = 4784)",
         "bfd(diagnostic = 5, my_discriminator = 9)", "25 c0 03 18 00000009 00000000 000f4240 000f4240 00000000",
         "payload(4)",
         "bfd.diagnostic == 5 and bfd.state == 3 and bfd.multiplier == 3 and bfd.my_discriminator == 9 and bfd.min_rx "
         "== "
         "1_000_000",
         "bfd.your_discriminator == 9",
         "ethernet / ipv4 / udp / bfd(version = 2, my_discriminator = 9) | ethernet / ipv4 / udp / bfd(length = 23, "
         "my_discriminator = 9) | ethernet / ipv4 / udp(dport = 3785) / bfd(my_discriminator = 9)"},
        // Its length says how long it is, authentication included.
        {"bfd", "ethernet / ipv4 / udp", "bfd(length = 28)",
         "20 c0 03 1c 00000001 00000000 000f4240 000f4240 00000000 00000000", "payload(4)", "bfd.length == 28",
         "bfd.length == 24", "ethernet / ipv4"},
        {"dns", "ethernet / ipv4 / udp(dport = 53) | ethernet / ipv6 / udp(sport = 53, dport = 4000)",
         "dns(id = 0x1234, qr = 1, rcode = 3)", "1234 8103 0001 0000 0000 0000", "payload(12)",
         "dns.id == 0x1234 and dns.qr and dns.rd and dns.rcode == 3 and dns.questions == 1 and dns.answers == 0",
         "dns.aa or dns.opcode == 3",
         "ethernet / ipv4 / udp(dport = 54, sport = 54) / dns(id = 0x1234, qr = 1, rcode = 3) | ethernet / ipv4 / "
         "tcp(dport = 53) / payload(12)"},
        {"quic", "ethernet / ipv4 / udp(dport = 443) | ethernet / ipv6 / udp(sport = 443, dport = 4000)",
         "quic(long = 1, type = 2)", "e0", "quic_long", "quic.long and quic.type == 2", "quic.type == 0",
         "ethernet / ipv4 / udp(dport = 443) / quic(fixed = 0, long = 1, type = 2) / quic_long | ethernet / ipv4 / "
         "udp(dport = 444, sport = 444) / quic(long = 1, type = 2) / quic_long"},
        {"quic", "ethernet / ipv4 / udp(dport = 443) / quic(long = 1)",
         "quic_long(version = 0x6b3343cf, dcid_length = 8)", "6b3343cf 08", "payload(8)",
         "quic_long.version == 0x6b3343cf and quic_long.dcid_length == 8", "quic_long.version == 1",
         "ethernet / ipv4 / udp(dport = 443) / quic(long = 0) / quic_long(version = 0x6b3343cf, dcid_length = 8)"},
    };
    return rows;
}

} // namespace xdpf::diff
