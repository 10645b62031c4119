// Test blocks as data: which packets, surroundings and expectations belong together.
#include "compiler/sema/analyze.hpp"

#include <doctest/doctest.h>
#include <linux/bpf.h>

using namespace xdpf;

namespace {

std::string errors;

std::vector<TestImage> tests_of(const std::string &statements)
{
    Sources sources;
    Diagnostics diagnostics;
    const auto text = "defmap hits : hash<u16 -> u32>[4] = {1 -> 2}\ndefmap socks : xskmap[4]\n"
                      "param port : u16 = 53 in 1..100\n"
                      "match udp.dport == port -> { count hits[udp.dport]; xsk socks }\nmatch ip -> drop\n"
                      "test \"t\" {\n" +
                      statements + "\n}\n";
    const auto modules = sema::load_text("t.xdpf", text, sources, diagnostics);
    const auto unit = sema::analyze(modules, sources, diagnostics);
    errors.clear();
    for (const auto &one : diagnostics.all())
        if (severity_of(one.kind) == Severity::error)
            errors += one.message + "\n";
    return unit.tests;
}

TestImage test_of(const std::string &statements)
{
    auto all = tests_of(statements);
    REQUIRE_MESSAGE(all.size() == 1, errors);
    return all[0];
}

} // namespace

TEST_CASE("groups end with their expectations")
{
    const auto test = test_of("packet ethernet times 3\nwith rx_queue = 2\npacket ethernet / arp\n"
                              "expect pass\nexpect rule 2\n"
                              "with rx_queue = 3\npacket ethernet\nexpect xsk socks[3]\n");
    REQUIRE(test.groups.size() == 2);
    const auto &first = test.groups[0];
    REQUIRE(first.packets.size() == 2);
    CHECK(first.packets[0].times == 3);
    CHECK(first.packets[1].times == 1);
    CHECK(first.surroundings.rx_queue == 2);
    REQUIRE(first.expectations.size() == 2);
    CHECK(std::get<ExpectedVerdict>(first.expectations[0].what).verdict == XDP_PASS);
    CHECK(std::get<ExpectedRule>(first.expectations[1].what).number == 2);
    CHECK(first.expectations[1].text == "rule 2");
    const auto &second = test.groups[1];
    CHECK(second.surroundings.rx_queue == 3);
    CHECK_FALSE(second.surroundings.ingress_ifindex);
    const auto &redirect = std::get<ExpectedVerdict>(second.expectations[0].what);
    CHECK(redirect.verdict == XDP_REDIRECT);
    CHECK(redirect.map.valid());
    CHECK(redirect.key == 3);
    CHECK(test.not_in_kernel.empty());
}

TEST_CASE("what the kernel cannot be told keeps a test out of it")
{
    CHECK(test_of("packet ethernet\nwith iface = 7\nexpect pass").not_in_kernel.empty());
    for (const std::string name : {"now", "cpu", "rx_hash", "rx_timestamp", "rx_vlan", "egress_iface"})
        CHECK(test_of("packet ethernet\nwith " + name + " = 7\nexpect pass").not_in_kernel.find(name) !=
              std::string::npos);
    CHECK(test_of("packet ethernet\nwith now = 7ms\nexpect pass").groups[0].surroundings.now == 7'000'000);
}

TEST_CASE("contents and parameters are those of the test")
{
    const auto test =
        test_of("packet ethernet\nwith hits = {5 -> 6, 7}\nwith socks = {1, 3}\nwith port = 99\nexpect pass");
    const auto &group = test.groups[0];
    REQUIRE(group.contents.size() == 2);
    REQUIRE(group.contents[0].entries.size() == 2);
    CHECK(group.contents[0].entries[0].key == std::vector{std::byte{5}, std::byte{0}});
    CHECK(group.contents[0].entries[0].value == std::vector{std::byte{6}, std::byte{0}, std::byte{0}, std::byte{0}});
    CHECK(group.contents[0].entries[1].value == std::vector<std::byte>(4));
    CHECK(group.contents[1].entries.size() == 2);
    REQUIRE(group.parameters.size() == 1);
    CHECK(group.parameters[0].value == std::vector{std::byte{99}, std::byte{0}});
}

TEST_CASE("an entry with constant keys is read back, other conditions are about the packet")
{
    const auto test = test_of("packet ethernet\nexpect hits[5] == 6\nexpect 5 in hits\nexpect not 5 in hits\n"
                              "expect hits[5] > 6\nexpect udp.dport in hits\nexpect hits[udp.dport] == 5\n"
                              "expect not udp\nexpect packet hex \"00\"");
    const auto &all = test.groups[0].expectations;
    REQUIRE(all.size() == 8);
    CHECK(std::get<ExpectedEntry>(all[0].what).fields.size() == 1);
    CHECK(std::get<ExpectedEntry>(all[1].what).present);
    CHECK_FALSE(std::get<ExpectedEntry>(all[2].what).present);
    for (std::size_t i = 3; i < 7; ++i)
        CHECK(std::holds_alternative<ExpectedCondition>(all[i].what));
    CHECK(std::get<ExpectedPacket>(all[7].what).bytes.size() == 1);
}

TEST_CASE("a packet that is wrong is reported, and what is expected of it is not missing it")
{
    CHECK(tests_of("packet nosuch\nexpect pass").empty());
    CHECK(errors.find("nosuch") != std::string::npos);
    CHECK(errors.find("no packet") == std::string::npos);
    CHECK(tests_of("packet ethernet\nexpect pass\npacket ethernet").empty());
    CHECK(errors.find("nothing of its last packets") != std::string::npos);
    CHECK(tests_of("packet ethernet\nexpect pass\nexpect pass\nwith rx_queue = 1\nexpect pass").empty());
    CHECK(errors.find("between this and what is expected in front of it") != std::string::npos);
}
