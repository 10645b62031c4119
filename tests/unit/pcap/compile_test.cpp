#include "compiler/pcap/compile.hpp"

#include <doctest/doctest.h>
#include <linux/filter.h>

using namespace xdpf;

namespace {

// The word that a refusal points at; empty where it points at none.
std::string word(const std::string &text)
{
    const auto code = pcap::compile(text);
    REQUIRE_FALSE(code.has_value());
    CHECK_FALSE(code.error().message.empty());
    const auto place = code.error().place;
    return place ? text.substr(place->offset, place->length) : "";
}

std::string message(const std::string &text)
{
    const auto code = pcap::compile(text);
    return code ? "" : code.error().message;
}

} // namespace

TEST_CASE("an expression becomes a classic program")
{
    const auto code = pcap::compile("ip");
    REQUIRE(code.has_value());
    const pcap::Program expected{{BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
                                 {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x0800},
                                 {BPF_RET | BPF_K, 0, 0, 262144},
                                 {BPF_RET | BPF_K, 0, 0, 0}};
    CHECK(*code == expected);
    const auto all = pcap::compile("");
    REQUIRE(all.has_value());
    CHECK(*all == pcap::Program{{BPF_RET | BPF_K, 0, 0, 262144}});
}

TEST_CASE("a refusal points at the word that libpcap names")
{
    CHECK(word("udp port frob") == "frob");
    CHECK(word("ip proto frob and udp") == "frob");
    CHECK(word("host 1.2.3.400") == "1.2.3.400");
    CHECK(word("udp and net 10.0.0.1/8") == "10.0.0.1/8");
    CHECK(word("vlan 7 and vlan 70000") == "70000");
    CHECK(word("tcp port 99999") == "99999");
    CHECK(word("mpls 2000000") == "2000000");
    CHECK(word("tcp and and") == "");
    CHECK(word("udp[0:3] = 3") == "");
}

TEST_CASE("what a packet cannot be asked is refused")
{
    CHECK(message("inbound").find("beside the packet's bytes") != std::string::npos);
    CHECK(message("ether[0xfffff004:4] = 1").find("beside the packet's bytes") != std::string::npos);
    CHECK(message("ip protochain 17").find("protochain") != std::string::npos);
    CHECK(message("ip broadcast") != "");
    CHECK(message("ether[0] / 0 = 1") != "");
    CHECK(message("ether[0] << 32 = 1") != "");
    CHECK(message(std::string("udp\0 or tcp", 11)).find("zero byte") != std::string::npos);
    CHECK(message(std::string(70'000, ' ')).find("16 KiB") != std::string::npos);
}

// libpcap's parser and optimiser keep what they do in memory of their own and leave through longjmp().
TEST_CASE("odd texts are refused and not more")
{
    for (const char *text : {"(((((", "tcp[", "]", "%", "\\", "\"", "1 2 3", "and", "not", "ether host 1:2",
                             "tcp[tcp[tcp[0]", "port", "net 300.0.0.0/8", "gateway x", "wlan type mgt", "\xff\xfe"})
        CHECK_MESSAGE(message(text) != "", std::string(text));
    CHECK(message(std::string(20'000, '(')) != "");
    std::string nested = "tcp[0]";
    for (int i = 0; i < 1000; ++i)
        nested = "(" + nested + ")";
    CHECK(message("1 = " + nested) == "");
}
