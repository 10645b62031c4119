// The registry's files: what is written reads back, and what is no such file says so.
#include "compiler/compile.hpp"
#include "runtime/maps.hpp"
#include "runtime/registry.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace xdpf;
using namespace xdpf::runtime;

namespace registry_test {
namespace {

constexpr const char *source = "param limit : u16 = 7 in {1..100, 200}\n"
                               "param server : ipv4.dst = 192.0.2.53\n"
                               "defmap hits : percpu_hash<(ip.src, udp.dport) -> counter>[1024]\n"
                               "defmap listed : lpm_trie<ipv4.src>[100]\n"
                               "defmap who : hash<ethernet.src -> {level: u8, mark: u32}>[8]\n"
                               "defmap slots : xskmap[4]\n"
                               "match ipv4.src in listed -> drop\n"
                               "match udp.dport == limit -> { count hits[ip.src, udp.dport]; xsk slots }\n"
                               "match ipv4.dst == server and ethernet.src in who -> drop\n";

Registered entry()
{
    const Compilation compiled = compile(source, "some.xdpf", {.rule_counters = true, .verdict_counters = true});
    REQUIRE(compiled.ok());
    Registered out;
    out.pid = 12;
    out.process_start = 0xffff'ffff'ffff'fff0;
    out.network = 4026531840;
    out.interface = "eth\xff\"1";
    out.interface_index = 3;
    out.started = std::chrono::system_clock::time_point(std::chrono::nanoseconds(1'795'994'373'043'965'642));
    out.mode = "native";
    out.program_id = 99;
    out.link_id = 5;
    out.pins = {"/sys/fs/bpf/xdpf/link-1-2"};
    out.image = compiled.image();
    out.maps.resize(out.image.maps.size());
    for (std::size_t i = 0; i < out.maps.size(); ++i)
        out.maps[i] = static_cast<std::uint32_t>(i + 100);
    out.loaded = {0};
    out.origin.source = "/tmp/some.xdpf";
    for (const ProgramImage &program : out.image.programs)
        out.origin.rules.emplace_back(program.rules.size(), RulePlace{"some.xdpf", 7, "match udp"});
    out.sockets.push_back({2, 13, true, 4096, 2048, {"slots"}});
    return out;
}

Registered there_and_back(const Registered &written)
{
    Result<Registered> read = read_registered(to_json(written), "1.json");
    if (!read)
        FAIL(runtime::to_string(read.error()));
    return std::move(*read);
}

void check_same(const Layout &a, const Layout &b)
{
    CHECK(a.name == b.name);
    CHECK(a.size == b.size);
    REQUIRE(a.fields.size() == b.fields.size());
    for (std::size_t i = 0; i < a.fields.size(); ++i) {
        CHECK(a.fields[i].name == b.fields[i].name);
        CHECK(a.fields[i].format == b.fields[i].format);
        CHECK(a.fields[i].offset == b.fields[i].offset);
        CHECK(a.fields[i].size == b.fields[i].size);
        CHECK(a.fields[i].big_endian == b.fields[i].big_endian);
        CHECK(a.fields[i].either_ip == b.fields[i].either_ip);
    }
}

std::string replaced(std::string text, const std::string &from, const std::string &to)
{
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("the maps of a registered program come back")
{
    const Registered written = entry();
    const Registered read = there_and_back(written);
    REQUIRE(read.image.maps.size() == written.image.maps.size());
    REQUIRE(read.image.maps.size() >= 6); // with parameters and both kinds of counters
    CHECK(read.maps == written.maps);
    for (std::size_t i = 0; i < read.image.maps.size(); ++i) {
        const MapSpec &a = written.image.maps[i];
        const MapSpec &b = read.image.maps[i];
        CAPTURE(a.name);
        CHECK(a.name == b.name);
        CHECK(a.kind == b.kind);
        check_same(a.key, b.key);
        check_same(a.value, b.value);
        CHECK(a.max_entries == b.max_entries);
        CHECK(a.flags == b.flags);
        CHECK(a.data == b.data);
        CHECK(a.internal == b.internal);
        CHECK(a.is_set == b.is_set);
        CHECK(a.pinned == b.pinned);
    }
    const auto hits = std::ranges::find(read.image.maps, "hits", &MapSpec::name);
    REQUIRE(hits != read.image.maps.end());
    CHECK(key_text(*hits, *read_key(*hits, "(10.0.0.1, 53)")) == "{src = 10.0.0.1, dport = 53}");
}

TEST_CASE("a registered program comes back: where it is, parameters, rules, sockets")
{
    Registered written = entry();
    written.interface = "eth1";
    const Registered read = there_and_back(written);
    CHECK(read.pid == written.pid);
    CHECK(read.process_start == written.process_start);
    CHECK(read.network == written.network);
    CHECK(read.interface == written.interface);
    CHECK(read.interface_index == written.interface_index);
    CHECK(read.started == written.started);
    CHECK(read.mode == written.mode);
    CHECK(read.program_id == written.program_id);
    CHECK(read.link_id == written.link_id);
    CHECK(read.pins == written.pins);
    CHECK(read.loaded == written.loaded);
    CHECK(read.program() == written.program());
    CHECK(read.image.name == "some");
    CHECK(read.image.params == written.image.params);
    CHECK(read.image.verdict_counters == written.image.verdict_counters);
    CHECK(read.image.programs[0].rule_counters == written.image.programs[0].rule_counters);
    REQUIRE(read.image.parameters.size() == 2);
    CHECK(read.image.parameters[0].bounds == written.image.parameters[0].bounds);
    CHECK(read.image.parameters[1].field == written.image.parameters[1].field);
    REQUIRE(read.origin.rules[0].size() == 3);
    CHECK(read.origin.rules[0][2].line == 7);
    REQUIRE(read.sockets.size() == 1);
    CHECK(read.sockets[0].fd == 13);
    CHECK(read.sockets[0].zero_copy);
    CHECK(read.sockets[0].maps == std::vector<std::string>{"slots"});
}

TEST_CASE("bytes of a name that are no UTF-8 do no harm")
{
    CHECK(there_and_back(entry()).interface.starts_with("eth"));
}

TEST_CASE("what is no description of a program is an error")
{
    const std::string good = to_json(entry());
    for (const std::string &bad :
         {std::string(), std::string("{"), std::string("[]"), replaced(good, "\"version\":1", "\"version\":2"),
          replaced(good, "percpu_hash", "treasure"), replaced(good, "\"loaded\":[0]", "\"loaded\":[9]"),
          replaced(good, "\"loaded\":[0]", "\"loaded\":[]"), replaced(good, "\"offset\":0", "\"offset\":4000000000"),
          replaced(good, "\"format\":\"mac\"", "\"format\":\"Mac\"")}) {
        const Result<Registered> read = read_registered(bad, "/run/xdpf/1.json");
        REQUIRE_FALSE(read.has_value());
        CHECK(to_string(read.error()).find("/run/xdpf/1.json") != std::string::npos);
    }
}

} // namespace registry_test
