// Programs run over packets by BPF_PROG_TEST_RUN.
#include "compiler/compile.hpp"
#include "runtime/jited.hpp"
#include "runtime/kernel_test.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/kernel/runtime_programs.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;

namespace {

const MapId first_map(std::size_t{0});

std::vector<std::byte> raw(std::uint64_t value, std::size_t size)
{
    std::vector<std::byte> bytes(size);
    std::memcpy(bytes.data(), &value, size);
    return bytes;
}

TestGroup group_of(std::vector<std::vector<std::byte>> packets)
{
    TestGroup group;
    for (auto &packet : packets)
        group.packets.push_back({std::move(packet)});
    return group;
}

} // namespace

TEST_CASE("a slot's state decides the verdict, on any queue")
{
    XDPF_NEEDS_ROOT();
    Result<KernelProgram> program = KernelProgram::load(redirect_all());
    REQUIRE_MESSAGE(program.has_value(), to_string(program.error()));
    const std::vector<std::byte> packet = udp_frame(1);
    CHECK(program->run(packet).value_or(99) == XDP_PASS);
    REQUIRE(program->fill_slots(first_map));
    for (const std::uint32_t queue : {0U, 1U, 15U, 16U, 63U})
        CHECK(program->run(packet, {.rx_queue = queue}).value_or(99) == XDP_REDIRECT);
    CHECK(program->run(packet, {.rx_queue = 64}).value_or(99) == XDP_PASS);
    REQUIRE(program->clear_slot(first_map, 15));
    CHECK(program->run(packet, {.rx_queue = 15}).value_or(99) == XDP_PASS);
    CHECK(program->run(packet, {.rx_queue = 16}).value_or(99) == XDP_REDIRECT);
}

TEST_CASE("the interface has the index that was asked for")
{
    XDPF_NEEDS_ROOT();
    Result<KernelProgram> program = KernelProgram::load(report_ifindex());
    REQUIRE(program);
    const std::vector<std::byte> packet = udp_frame(1);
    CHECK(program->run(packet).value_or(0) == 1);
    CHECK(program->run(packet, {.rx_queue = 0, .ingress_ifindex = 7}).value_or(0) == 7);
    CHECK(program->run(packet, {.rx_queue = 40, .ingress_ifindex = 7}).value_or(0) == 7);
    CHECK(program->run(packet, {.rx_queue = 3, .ingress_ifindex = 1'000'000}).value_or(0) == 1'000'000);
    const std::uint32_t stand_in = program->run(packet, {.rx_queue = 3, .ingress_ifindex = 1}).value_or(0);
    CHECK(stand_in > 1);
    CHECK(program->real_ifindex({.rx_queue = 3, .ingress_ifindex = 1}).value_or(0) == stand_in);
}

TEST_CASE("many packets in one call; those the kernel cannot run are skipped with a reason")
{
    XDPF_NEEDS_ROOT();
    Result<KernelProgram> program = KernelProgram::load(udp_to_xsk());
    REQUIRE(program);
    REQUIRE(program->fill_slots(first_map));
    std::vector<std::vector<std::byte>> packets;
    for (std::uint32_t i = 0; i < 2000; ++i)
        packets.push_back(udp_frame(i, i % 2 == 0 ? 17 : 6));
    packets.push_back(bytes_of({1, 2, 3}));
    packets.push_back(udp_frame(1, 17, KernelProgram::max_packet));
    packets.push_back(udp_frame(1, 17, KernelProgram::max_packet + 1));
    const auto outcomes = program->run_all(packets, {.rx_queue = 2});
    REQUIRE_MESSAGE(outcomes.has_value(), to_string(outcomes.error()));
    REQUIRE(outcomes->size() == packets.size());
    int wrong = 0;
    for (std::uint32_t i = 0; i < 2000; ++i)
        wrong += (*outcomes)[i].verdict == (i % 2 == 0 ? XDP_REDIRECT : XDP_PASS) ? 0 : 1;
    CHECK(wrong == 0);
    CHECK_FALSE((*outcomes)[2000].verdict);
    CHECK((*outcomes)[2000].skipped.find("at least 14") != std::string::npos);
    CHECK((*outcomes)[2001].verdict == XDP_REDIRECT);
    CHECK_FALSE((*outcomes)[2002].skipped.empty());
}

TEST_CASE("many runs over one packet are timed, and the machine code has the lines of its source")
{
    XDPF_NEEDS_ROOT();
    const Compilation compilation = compile("match udp -> drop\nmatch tcp -> abort");
    Result<KernelProgram> program = KernelProgram::load(compilation.image());
    REQUIRE_MESSAGE(program.has_value(), to_string(program.error()));
    const auto timed = program->time(udp_frame(1), 1000);
    REQUIRE_MESSAGE(timed.has_value(), to_string(timed.error()));
    CHECK(timed->verdict == XDP_DROP);
    CHECK(timed->nanoseconds > 0);
    CHECK(program->time(std::vector<std::byte>(3), 1).error().call == "bpf(BPF_PROG_TEST_RUN)");
    const auto functions = jited(program->loaded().program_fd());
    REQUIRE_MESSAGE(functions.has_value(), to_string(functions.error()));
    REQUIRE(functions->size() == 1);
    const JitedFunction &function = functions->front();
    CHECK(function.code.size() > 50);
    CHECK(function.address != 0);
    CHECK(std::ranges::count(function.lines, "match tcp -> abort", &JitedLine::text) >= 1);
    REQUIRE_FALSE(function.lines.empty());
    CHECK(function.lines.back().offset < function.code.size());
    CHECK(jited(-1).error().call == "bpf(BPF_OBJ_GET_INFO_BY_FD)");
}

TEST_CASE("maps are filled before and read after")
{
    XDPF_NEEDS_ROOT();
    for (const MapKind kind : {MapKind::array, MapKind::percpu_array, MapKind::hash, MapKind::percpu_hash,
                               MapKind::lru_hash, MapKind::lru_percpu_hash}) {
        CAPTURE(name_of(kind));
        TestGroup group = group_of({udp_frame(1), udp_frame(2)});
        group.packets.push_back({udp_frame(3), 2});
        group.contents = {{first_map, {{raw(0, 4), raw(40, 8), {}}}}};
        const Image image = count_all(kind);
        Result<KernelTest> test = KernelTest::start(image, 0);
        REQUIRE_MESSAGE(test.has_value(), to_string(test.error()));
        const Result<KernelGroup> outcome = test->run(group);
        REQUIRE_MESSAGE(outcome.has_value(), to_string(outcome.error()));
        REQUIRE(outcome->packets.size() == 4);
        CHECK(outcome->packets[3].verdict == XDP_PASS);
        CHECK(std::ranges::equal(outcome->packets[3].packet(), udp_frame(3)));
        const auto value = test->program().lookup(first_map, raw(0, 4));
        REQUIRE(value);
        CHECK(*value == raw(44, 8));
        const auto absent = test->program().lookup(first_map, raw(9, 4));
        REQUIRE(absent);
        CHECK_FALSE(absent->has_value());
        REQUIRE(test->program().clear(first_map));
        const auto cleared = test->program().lookup(first_map, raw(0, 4));
        REQUIRE(cleared);
        CHECK(cleared->value_or(raw(0, 8)) == raw(0, 8));
    }
}

TEST_CASE("a prefix is found by itself, not by what it covers")
{
    XDPF_NEEDS_ROOT();
    MapSpec spec = map_spec("blocked", MapKind::lpm_trie, 16, 4);
    spec.flags = BPF_F_NO_PREALLOC;
    spec.key = {"blocked_key",
                8,
                {{"prefixlen", FieldFormat::number, 0, 4, false}, {"address", FieldFormat::ipv4, 4, 4, false}}};
    const Image image = image_of("passes", {spec}, {mov(0, XDP_PASS), leave()}, {});
    Result<KernelProgram> program = KernelProgram::load(image);
    REQUIRE_MESSAGE(program.has_value(), to_string(program.error()));
    const std::vector<std::byte> wide = bytes_of({8, 0, 0, 0, 10, 0, 0, 0});
    const std::vector<std::byte> narrow = bytes_of({16, 0, 0, 0, 10, 1, 0, 0});
    REQUIRE(program->set(first_map, wide, raw(5, 4)));
    CHECK(program->lookup(first_map, wide)->value() == raw(5, 4));
    CHECK_FALSE(program->lookup(first_map, narrow)->has_value());
}

TEST_CASE("what a group says of a map is all that it holds, and stays for the next")
{
    XDPF_NEEDS_ROOT();
    const Image image = redirect_all();
    Result<KernelTest> test = KernelTest::start(image, 0);
    REQUIRE_MESSAGE(test.has_value(), to_string(test.error()));
    TestGroup group = group_of({udp_frame(1)});
    const auto verdict = [&] {
        const Result<KernelGroup> outcome = test->run(group);
        REQUIRE_MESSAGE(outcome.has_value(), to_string(outcome.error()));
        return outcome->packets[0].verdict;
    };
    group.surroundings.rx_queue = 2;
    CHECK(verdict() == XDP_REDIRECT);
    group.contents = {{first_map, {}}};
    CHECK(verdict() == XDP_PASS);
    group.contents.clear();
    CHECK(verdict() == XDP_PASS);
    group.contents = {{first_map, {{raw(2, 4), {}, {}}}}};
    CHECK(verdict() == XDP_REDIRECT);
    group.contents = {{first_map, {{raw(1, 4), {}, {}}}}};
    CHECK(verdict() == XDP_PASS);
}
