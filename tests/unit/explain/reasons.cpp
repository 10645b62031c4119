// What is said about a condition that does not hold.
#include "compiler/compile.hpp"
#include "compiler/explain.hpp"
#include "compiler/report.hpp"

#include <doctest/doctest.h>

#include <string_view>

using namespace xdpf;

namespace {

using Bytes = std::vector<std::byte>;

Bytes from_hex(std::string_view text)
{
    Bytes out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
    return out;
}

const std::string ethernet = "020000000002020000000001";
const std::string ipv4 = "45000020000100004011aec50a000001c0000201"; // UDP from 10.0.0.1 to 192.0.2.1
const std::string udp = "04d2003500080000";                          // from 1234 to 53

// Why the only rule does not match the packet.
std::string reason(const std::string &condition, const std::string &packet, const std::string &front = "")
{
    const Compilation compilation = compile(front + "\nmatch " + condition + " -> drop");
    REQUIRE_MESSAGE(compilation.ok(), to_text(compilation.diagnostics(), compilation.sources()));
    Explainer explainer(compilation);
    const auto explanation = explainer.run(from_hex(packet), {}, Detail::reasons);
    CHECK(!explanation.rule);
    REQUIRE(explanation.tried.size() == 1);
    return explanation.tried[0].reason;
}

} // namespace

TEST_CASE("a comparison tells the value and what was wanted")
{
    const auto packet = ethernet + "0800" + ipv4 + udp;
    CHECK(reason("udp.dport == 80", packet) == "udp.dport is 53, not 80");
    CHECK(reason("80 == udp.dport", packet) == "udp.dport is 53, not 80");
    CHECK(reason("udp.dport != 53", packet) == "udp.dport is 53");
    CHECK(reason("ipv4.ttl < 5", packet) == "ipv4.ttl is 64, not < 5");
    CHECK(reason("5 > ipv4.ttl", packet) == "ipv4.ttl is 64, not < 5");
    CHECK(reason("udp.dport in {80, 8000..8999}", packet) == "udp.dport is 53, not in {80, 8000..8999}");
    CHECK(reason("udp.dport in web", packet, "const web = {80, 443}") == "udp.dport is 53, not in web");
    CHECK(reason("ipv4.src in 192.0.2.0/24", packet) == "ipv4.src is 10.0.0.1, not in 192.0.2.0/24");
    CHECK(reason("ethernet.src == 02:00:00:00:00:07", packet) ==
          "ethernet.src is 02:00:00:00:00:01, not 02:00:00:00:00:07");
    CHECK(reason("udp.sport == udp.dport", packet) == "udp.sport is 1234, udp.dport is 53");
    CHECK(reason("udp.sport + 1 == 7", packet) == "udp.sport + 1 is 1235, not 7");
    CHECK(reason("packet[12:2] == 0x0806", packet) == "packet[12:2] is 0x800, not 0x0806");
    CHECK(reason("packet[0:3] == \"abc\"", packet) == "packet[0:3] is \"\\x02\\x00\\x00\", not \"abc\"");
    CHECK(reason("ipv4.flags.df", packet) == "ipv4.flags.df is 0");
    CHECK(reason("packet.length > 100", packet) == "packet.length is 42, not > 100");
    CHECK(reason("ipv4.src in blocked", packet, "defmap blocked : lpm_trie<ipv4.src>[16]") ==
          "10.0.0.1 is not in blocked");
}

TEST_CASE("of several parts the first that failed is named, and all that could have held")
{
    const auto packet = ethernet + "0800" + ipv4 + udp;
    CHECK(reason("udp and ipv4.ttl == 1 and udp.dport == 80", packet) == "ipv4.ttl is 64, not 1");
    CHECK(reason("udp.dport == 80 or udp.sport == 80", packet) == "udp.dport is 53, not 80; udp.sport is 1234, not 80");
    CHECK(reason("not udp", packet) == "there is udp");
    CHECK(reason("not udp.dport == 53", packet) == "udp.dport is 53");
    CHECK(reason("not udp.dport != 80", packet) == "udp.dport is 53, not 80");
    CHECK(reason("not udp.dport in {53, 80}", packet) == "udp.dport is 53, in {53, 80}");
    CHECK(reason("not (udp and ipv4.ttl > 1)", packet) == "there is udp; ipv4.ttl is 64, > 1");
    CHECK(reason("udp.dport == 1 or udp.dport == 2 or udp.dport == 3 or udp.dport == 4", packet) ==
          "udp.dport is 53, not 1; udp.dport is 53, not 2; udp.dport is 53, not 3; …");
}

TEST_CASE("a header that is missing says what stands in its place")
{
    const auto packet = ethernet + "0800" + ipv4 + udp;
    CHECK(reason("tcp", packet) == "there is no tcp: ipv4.protocol is 17");
    CHECK(reason("tcp.dport == 80", packet) == "there is no tcp: ipv4.protocol is 17");
    CHECK(reason("arp", packet) == "there is no arp: ethernet.type is 0x800");
    CHECK(reason("udp", ethernet + "0806") == "there is no udp: ethernet.type is 0x806");
    CHECK(reason("udp", ethernet + "08004500") == "there is no udp: ipv4 takes 20 bytes, and the packet has 2 left");
    CHECK(reason("ipv4", ethernet + "0800" + "65" + ipv4.substr(2)) == "there is no ipv4: ipv4.version is 6");
    CHECK(reason("ipv4", ethernet + "0800" + "4f" + ipv4.substr(2)) ==
          "there is no ipv4: ipv4 takes 60 bytes, and the packet has 20 left");
    CHECK(reason("udp", ethernet + "0800" + ipv4 + "0000") ==
          "there is no udp: udp takes 8 bytes, and the packet has 2 left");
    CHECK(reason("udp", ethernet + "0800" + "4500002000010010" + ipv4.substr(16) + udp) ==
          "there is no udp: nothing stands behind ipv4: ipv4.fragment_offset is 16");
    CHECK(reason("ethernet", "0200") == "there is no ethernet: ethernet takes 14 bytes, and the packet has 2 left");
    CHECK(reason("udp.payload[0:4] == 1", packet) == "the packet ends before udp.payload[0:4] does");
}

TEST_CASE("chains")
{
    const auto inner = "0800" + ipv4 + udp;
    const std::string tag = "81000007";
    CHECK(reason("vlan", ethernet + inner) == "there is no vlan: ethernet.type is 0x800");
    CHECK(reason("vlan[1]", ethernet + tag + inner) ==
          "there is no vlan[1]: there are not so many; vlan.type is 0x800");
    CHECK(reason("udp", ethernet + tag + tag + tag + inner) ==
          "there is no udp: the chain behind ethernet has more than 2 links");
    CHECK(reason("ipv4", ethernet + "8100") == "there is no ipv4: vlan takes 4 bytes, and the packet has 0 left");
    CHECK(reason("ethernet/ipv4", ethernet + tag + inner) == "vlan stands right behind ethernet");
    CHECK(reason("ethernet/vlan/ipv4", ethernet + inner) == "there is no vlan: ethernet.type is 0x800");
    CHECK(reason("any vlan.id == 3", ethernet + tag + inner) ==
          "vlan.id is 7, not 3; there is no vlan[1]: there are not so many; vlan.type is 0x800");
}
