// What a program tells of itself in the registry is what others see of it; maps that a program takes over.
#include "compiler/compile.hpp"
#include "runtime/running.hpp"
#include "runtime/session.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;
using namespace std::chrono_literals;

namespace registry_test {
namespace {

constexpr const char *source = "param port : u16 = 8192 in 8000..9000\n"
                               "defmap hits : percpu_hash<ipv4.src -> counter>[16]\n"
                               "match ipv4 / udp {\n"
                               "    match udp.dport == port -> { count hits[ipv4.src]; drop }\n"
                               "    match udp.dport == 7    -> xsk\n"
                               "}\n";

Compilation compiled(const std::string &text)
{
    Compilation out = compile(text, "counted.xdpf", {.rule_counters = true, .verdict_counters = true});
    REQUIRE(out.ok());
    return out;
}

Session open(const Compilation &compilation)
{
    SessionOptions options{.interface = "xdpfrt0"};
    options.mode = Mode::native;
    options.publish = Origin{"/some/counted.xdpf", {}};
    for (const ProgramImage &program : compilation.image().programs)
        options.publish->rules.emplace_back(program.rules.size(), RulePlace{"counted.xdpf", 4, "match udp"});
    Result<Session> session = Session::open(compilation.image(), options);
    if (!session)
        FAIL(runtime::to_string(session.error()));
    return std::move(*session);
}

Running running()
{
    Result<Registered> entry = registered_on({.interface = "xdpfrt0", .program = ""});
    if (!entry)
        FAIL(runtime::to_string(entry.error()));
    Result<Running> out = Running::open(std::move(*entry));
    if (!out)
        FAIL(runtime::to_string(out.error()));
    return std::move(*out);
}

std::uint64_t dropped(const Running &program)
{
    const auto counts = program.maps().verdict_counts();
    REQUIRE(counts);
    REQUIRE(counts->has_value());
    return (*counts)->dropped;
}

} // namespace

TEST_CASE("others see what a program counts, and change its parameters")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        CHECK_FALSE(registered_on({}).has_value()); // in this namespace
        Session session = open(compiled(source));
        const Running program = running();
        CHECK(program.entry().program_id == session.program().program_id());
        CHECK(program.entry().link_id == session.attachment().link_id());
        CHECK(program.entry().origin.rules.at(0).at(1).line == 4);
        REQUIRE(program.entry().sockets.size() == 1);
        CHECK(program.entry().sockets[0].fd == session.queues()[0].fd());
        CHECK(program.entry().sockets[0].frame_size == 2048);

        Sender sender("xdpfrt1");
        for (int i = 0; i < 7; ++i)
            sender.send(udp_frame(1, 17, 64));
        for (int i = 0; i < 200 && dropped(program) < 7; ++i)
            std::this_thread::sleep_for(10ms);
        CHECK(dropped(program) == 7);
        const auto rules = program.maps().rule_counts();
        REQUIRE(rules);
        REQUIRE(rules->size() == 2);
        CHECK(rules->at(0).packets == 7);
        CHECK(rules->at(0).bytes == 7 * 64);
        CHECK(rules->at(1).packets == 0);

        CHECK(program.maps().set_parameter("port", "8001").has_value());
        CHECK(session.program().parameter("port").value() == "8001");
        CHECK_FALSE(program.maps().set_parameter("port", "7999").has_value());
        CHECK(program.maps().parameter("port").value() == "8001");
        const Result<Map> map = program.maps().map("hits");
        REQUIRE(map);
        CHECK(map->entries().value().size() == 1);
        CHECK_FALSE(program.maps().map("hitz").has_value());

        CHECK(is_at_work(program.entry()));
        CHECK(session.detach().has_value());
        CHECK_FALSE(is_at_work(program.entry()));
        CHECK_FALSE(registered_on({}).has_value());
        CHECK(map->entries().value().size() == 1); // who has it open reads on
    });
}

TEST_CASE("nothing is published unless it is asked for")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Result<Session> session = Session::open(compiled(source).image(), {.interface = "xdpfrt0"});
        REQUIRE(session);
        CHECK_FALSE(registered_on({}).has_value());
    });
}

TEST_CASE("a map is taken over with what it holds")
{
    XDPF_NEEDS_ROOT();
    const std::string text = "defmap kept : hash<ipv4.src -> u32>[8] = {10.0.0.1 -> 1}\n"
                             "defmap other : hash<ipv4.src -> u32>[8] = {10.0.0.2 -> 2}\n"
                             "match kept[ipv4.src] == 1 and other[ipv4.src] == 2 -> drop\n";
    const Result<Loaded> first = load(compiled(text).image());
    REQUIRE(first);
    const Map kept = map_of(*first, "kept").value();
    REQUIRE(kept.update(*kept.key("10.0.0.9"), *kept.value("9")));
    REQUIRE(kept.erase(*kept.key("10.0.0.1")));
    LoadOptions options;
    options.reuse_maps["kept"] = first->map_fd(*first->map_named("kept"));
    const Result<Loaded> second = load(compiled(text).image(), options);
    if (!second)
        FAIL(runtime::to_string(second.error()));
    const Map same = map_of(*second, "kept").value();
    const auto entries = same.entries().value();
    REQUIRE(entries.size() == 1); // the contents of the source are not put in again
    CHECK(same.text(entries[0]) == "10.0.0.9 -> 9");
    CHECK(map_of(*second, "other").value().entries().value().size() == 1);
    options.reuse_maps = {{"nothing", options.reuse_maps["kept"]}};
    CHECK_FALSE(load(compiled(text).image(), options).has_value());
}

TEST_CASE("a value for each processor: what is written as a sum is read as that")
{
    XDPF_NEEDS_ROOT();
    const Result<Loaded> loaded = load(compiled(source).image());
    REQUIRE(loaded);
    const Map hits = map_of(*loaded, "hits").value();
    const Bytes key = hits.key("10.0.0.1").value();
    const Bytes value = hits.value("{packets = 5, bytes = 300}").value();
    REQUIRE(hits.update_sum(key, value));
    CHECK(hits.lookup(key).value() == value);
    REQUIRE(hits.update(key, value));
    CHECK(hits.lookup_each(key).value().back() == value);
}

} // namespace registry_test
