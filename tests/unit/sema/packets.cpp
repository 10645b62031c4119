// The packets that tests build, against bytes and checksums worked out here from the RFCs.
#include "compiler/sema/analyze.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace xdpf;

namespace {

using Bytes = std::vector<std::uint8_t>;

std::string first_error;

Bytes build(const std::string &packet, const std::string &more = "")
{
    Sources sources;
    Diagnostics diagnostics;
    const auto text = more + "\nmatch ethernet -> pass\ntest \"t\" {\n packet " + packet + "\n expect pass\n}\n";
    const auto modules = sema::load_text("t.xdpf", text, sources, diagnostics);
    const auto unit = sema::analyze(modules, sources, diagnostics);
    first_error = diagnostics.has_errors() ? diagnostics.all().front().message : "";
    Bytes out;
    if (!unit.tests.empty())
        for (const auto byte : unit.tests[0].groups[0].packets[0].bytes)
            out.push_back(std::to_integer<std::uint8_t>(byte));
    return out;
}

unsigned word(const Bytes &bytes, std::size_t at) { return bytes[at] * 256U + bytes[at + 1]; }

// RFC 1071: the sum over data and its checksum is all ones.
unsigned sum(const Bytes &bytes, std::size_t begin, std::size_t end, unsigned start = 0)
{
    unsigned total = start;
    for (std::size_t i = begin; i < end; i += 2)
        total += bytes[i] * 256U + (i + 1 < end ? bytes[i + 1] : 0U);
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

} // namespace

TEST_CASE("defaults, selectors, lengths and the header checksum of IPv4")
{
    const auto packet = build("ethernet / ipv4 / udp(dport = 53) / payload(\"abc\")");
    REQUIRE(packet.size() == 14 + 20 + 8 + 3);
    CHECK(word(packet, 12) == 0x0800);
    CHECK(packet[14] == 0x45);
    CHECK(word(packet, 16) == 31);
    CHECK(packet[22] == 64);
    CHECK(packet[23] == 17);
    CHECK(sum(packet, 14, 34) == 0xffff);
    CHECK(word(packet, 36) == 53);
    CHECK(word(packet, 38) == 11);
    CHECK(Bytes(packet.end() - 3, packet.end()) == Bytes{'a', 'b', 'c'});
    CHECK(sum(packet, 34, packet.size(), sum(packet, 26, 34) + 17 + 11) == 0xffff);
}

TEST_CASE("checksums over IPv6's pseudo header, of an odd payload too")
{
    const auto udp = build("ethernet / vlan(id = 7) / ipv6 / udp / payload(\"odd\")");
    REQUIRE(udp.size() == 14 + 4 + 40 + 8 + 3);
    CHECK(word(udp, 12) == 0x8100);
    CHECK(word(udp, 14) == 7);
    CHECK(word(udp, 16) == 0x86dd);
    CHECK(word(udp, 22) == 11);
    CHECK(udp[24] == 17);
    CHECK(sum(udp, 58, udp.size(), sum(udp, 26, 58) + 17 + 11) == 0xffff);
    const auto icmp = build("ethernet / ipv6 / icmpv6(type = 135)");
    CHECK(sum(icmp, 54, icmp.size(), sum(icmp, 22, 54) + 58 + 8) == 0xffff);
    const auto tcp = build("ethernet / ipv4 / tcp(syn = 1) / payload(5)");
    CHECK(tcp[14 + 20 + 13] == 2);
    CHECK(tcp[14 + 20 + 12] == 0x50);
    CHECK(sum(tcp, 34, tcp.size(), sum(tcp, 26, 34) + 6 + 25) == 0xffff);
}

TEST_CASE("a UDP checksum of zero is sent as all ones")
{
    // The rest sums to 0xffff: RFC 768 has 0 mean "no checksum".
    auto packet = build("ethernet / ipv4 / udp(sport = 0) / payload(\"\\x00\\x00\")");
    REQUIRE(packet.size() == 44);
    const auto rest = sum(packet, 34, 40, sum(packet, 26, 34) + 17 + 10);
    char payload[16];
    std::snprintf(payload, sizeof payload, "\\x%02x\\x%02x", (0xffff - rest) >> 8, (0xffff - rest) & 0xff);
    packet = build("ethernet / ipv4 / udp(sport = 0) / payload(\"" + std::string(payload) + "\")");
    CHECK(word(packet, 40) == 0xffff);
}

TEST_CASE("what a test sets stays, and a header grows with its size field")
{
    const auto packet = build("ethernet(type = 0x1234) / ipv4(ihl = 6, checksum = 1, protocol = 99) / udp");
    CHECK(word(packet, 12) == 0x1234);
    CHECK(packet[14] == 0x46);
    CHECK(packet[23] == 99);
    CHECK(word(packet, 24) == 1);
    CHECK(packet.size() == 14 + 24 + 8);
    CHECK(build("ethernet / ipv6 / hop_by_hop / fragment(offset = 3) / udp").size() == 14 + 40 + 8 + 8 + 8);
    CHECK(build("hex \"00 01 02 FF\"") == Bytes{0, 1, 2, 255});
}

TEST_CASE("a user's own header: little-endian and odd widths")
{
    const std::string own = "header own on udp.dport == 7 {\n a : u3\n b : u13\n c : u32le\n d : bytes[2]\n e : u24\n}";
    const auto packet =
        build("ethernet / ipv4 / udp / own(a = 5, b = 1, c = 0x01020304, d = \"xy\", e = 0xaabbcc)", own);
    REQUIRE(packet.size() == 14 + 20 + 8 + 11);
    CHECK(word(packet, 36) == 7);
    CHECK(Bytes(packet.begin() + 42, packet.end()) == Bytes{0xa0, 1, 4, 3, 2, 1, 'x', 'y', 0xaa, 0xbb, 0xcc});
}

TEST_CASE("stacks that cannot be are refused")
{
    CHECK(build("ethernet / udp").empty());
    CHECK(first_error == "'udp' never stands right behind 'ethernet'");
    CHECK(build("ethernet / ipv4(ttl = 300)").empty());
    CHECK(build("ethernet / ipv4(src = 5)").empty());
    CHECK(build("ethernet / payload(\"a\") / ipv4").empty());
    CHECK(build("ethernet / ipv5").empty());
    CHECK(build("hex \"0\"").empty());
}
