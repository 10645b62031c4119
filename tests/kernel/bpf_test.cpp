// What the back end makes is taken by the kernel's verifier and does what the IR means.
#include "compiler/bpf/codegen.hpp"
#include "compiler/bpf/disassemble.hpp"
#include "compiler/bpf/interpret.hpp"
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"

#include "tests/kernel/bpf_kernel.hpp"
#include "tests/skip.hpp"
#include "tests/unit/bpf/random_programs.hpp"
#include "tests/unit/bpf/sample_programs.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

using namespace xdpf;

namespace {

using Packet = std::vector<std::byte>;

ir::Module parse(std::string_view text)
{
    auto module = ir::from_text(text);
    REQUIRE_MESSAGE(module.has_value(), module.error());
    const auto findings = ir::verify(*module);
    REQUIRE_MESSAGE(findings.empty(), findings.front());
    return std::move(*module);
}

ir::MapStore store_of(const ir::Module &module)
{
    ir::MapStore maps(module.maps);
    for (std::size_t i = 0; i < module.maps.size(); ++i)
        if (has(module.maps[i].kind, map_trait::redirect))
            maps.clear_slots(MapId(i)); // there are no sockets in the kernel's either
    return maps;
}

Packet random_packet(std::mt19937_64 &random)
{
    Packet packet(14 + random() % 140);
    for (std::byte &byte : packet)
        byte = static_cast<std::byte>(random() % 3 == 0 ? random() % 4 : random());
    return packet;
}

// IR interpreter, bytecode interpreter and kernel on the same packets, one after the other with the same maps.
void check(const ir::Module &module, std::span<const Packet> packets)
{
    const auto image = bpf::generate(module.programs[0], nullptr);
    REQUIRE_MESSAGE(image.has_value(), "limit " << static_cast<int>(image.error().kind));
    const std::string text = ir::to_text(module) + bpf::disassemble(*image, module.maps);
    const testing::KernelProgram kernel(*image, module.maps);
    REQUIRE_MESSAGE(kernel.loaded(), kernel.log() << "\n" << text);
    ir::MapStore ir_maps = store_of(module);
    ir::MapStore bpf_maps = store_of(module);
    ir::Interpreter interpreter(module.programs[0], ir_maps);
    for (std::size_t i = 0; i < packets.size(); ++i) {
        Packet packet = packets[i];
        const auto meant = interpreter.run(packet);
        REQUIRE_MESSAGE(meant.has_value(), meant.error() << "\n" << text);
        const auto outcome = bpf::interpret(*image, bpf_maps, packet);
        REQUIRE_MESSAGE(outcome.has_value(), outcome.error() << "\n" << text);
        const auto verdict = kernel.run(packet);
        REQUIRE(verdict.has_value());
        REQUIRE_MESSAGE(outcome->verdict == meant->verdict, "bytecode, packet " << i << "\n" << text);
        REQUIRE_MESSAGE(*verdict == meant->verdict, "kernel, packet " << i << "\n" << text);
    }
}

std::uint64_t setting(const char *name, std::uint64_t otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

} // namespace

// XDPF_SEED and XDPF_PROGRAMS: from which number on, and how many.
TEST_CASE("random programs mean the same in IR, bytecode and kernel")
{
    XDPF_NEEDS_ROOT();
    const std::uint64_t first = setting("XDPF_SEED", 1);
    const std::uint64_t count = setting("XDPF_PROGRAMS", 500);
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        CAPTURE(seed);
        const ir::Module module = testing::random_module(seed);
        const auto findings = ir::verify(module);
        REQUIRE_MESSAGE(findings.empty(), findings.front() << "\n" << ir::to_text(module));
        std::mt19937_64 random(seed);
        std::vector<Packet> packets;
        for (int i = 0; i < 12; ++i)
            packets.push_back(random_packet(random));
        check(module, packets);
    }
}

TEST_CASE("written programs mean the same in IR, bytecode and kernel")
{
    XDPF_NEEDS_ROOT();
    std::mt19937_64 random(7);
    for (const std::string_view text : testing::sample_programs) {
        const ir::Module module = parse(text);
        std::vector<Packet> packets;
        for (int i = 0; i < 40; ++i)
            packets.push_back(random_packet(random));
        for (std::size_t size = 14; size < 80; ++size)
            packets.push_back(testing::udp_packet(5 + size % 11, size));
        check(module, packets);
    }
}

// A chain of rules so long that jumps to its end need 32 bits.
TEST_CASE("the kernel takes far jumps")
{
    XDPF_NEEDS_ROOT();
    const ir::Module module = testing::rule_chain(7900, 4);
    const auto image = bpf::generate(module.programs[0], nullptr);
    REQUIRE(image.has_value());
    CHECK(std::ranges::any_of(image->insns, [](Insn insn) { return insn.code == (BPF_JMP32 | BPF_JA); }));
    std::mt19937_64 random(3);
    check(module, std::array{random_packet(random), testing::udp_packet(5, 60)});
}

TEST_CASE("as many branches are taken as the kernel takes")
{
    XDPF_NEEDS_ROOT();
    std::size_t most = 8100;
    while (bpf::generate(testing::rule_chain(most + 1, 0).programs[0], nullptr).has_value())
        ++most;
    const ir::Module module = testing::rule_chain(most, 0);
    std::mt19937_64 random(3);
    check(module, std::array{random_packet(random)});
    MESSAGE("rules: ", most);
}
