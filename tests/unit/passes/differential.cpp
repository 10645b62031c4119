// Random programs do the same before and after the passes: verdict, redirect target, the rule that decided, the packet,
// maps.
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/passes/pipeline.hpp"
#include "tests/unit/passes/random_chains.hpp"
#include "tests/unit/passes/random_program.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

std::string hex(std::span<const std::byte> bytes)
{
    std::string text;
    for (const std::byte byte : bytes)
        text += fmt::format("{:02x}", std::to_integer<int>(byte));
    return text;
}

// Everything that can be told from outside about a program that saw a few packets, one after the other.
std::string observe(const Module &module, std::uint32_t seed)
{
    std::mt19937 random(seed);
    MapStore maps(module.maps);
    if (seed % 2 == 0 && !module.maps.empty()) {
        maps.clear_slots(MapId(0));
        maps.fill(MapId(0), 1);
    }
    if (seed % 3 != 0 && !module.maps.empty()) {
        maps.clear_slots(MapId(7));
        maps.fill(MapId(7), seed % 4);
    }
    Interpreter interpreter(module.programs[0], maps);
    std::string seen;
    for (int n = 0; n < 12; ++n) {
        std::vector<std::byte> packet(random() % 64);
        for (std::byte &byte : packet)
            byte = std::byte(random() % 3 == 0 ? random() : random() % 9);
        Context context;
        context.rx_queue = random() % 5;
        context.cpu = random() % 3;
        context.now = random();
        context.seed = random();
        if (random() % 2 == 0)
            context.rx = {.hash = random(), .timestamp = random(), .vlan = RxMetadata::Vlan{0x8100, 7}};
        PacketBuffer buffer(packet);
        const auto result = interpreter.run(buffer, context);
        if (!result)
            return "trap: " + result.error();
        seen += fmt::format("{} by {}", result->verdict, result->decided_by.begin);
        if (result->redirect)
            seen += fmt::format(" to {}", result->redirect->key);
        if (result->tail_call)
            seen += fmt::format(" on to {}", result->tail_call->slot);
        seen += " with " + hex(buffer.metadata()) + "|" + hex(buffer.bytes()) + "; ";
    }
    for (std::size_t i = 0; i < module.maps.size(); ++i)
        for (const auto &[key, value] : maps.entries(MapId(i))) {
            seen += hex(key) + "=" + hex(value) + " ";
        }
    return seen;
}

std::string findings(const Module &module, Stage stage = Stage::on_the_way)
{
    return fmt::format("{}", fmt::join(verify(module, stage), "\n"));
}

constexpr std::uint32_t programs = 3000;

} // namespace

TEST_CASE("random programs are sound, run, and go through text")
{
    for (std::uint32_t seed = 0; seed < programs; ++seed) {
        const Module module = RandomProgram(seed).make();
        const std::string text = to_text(module);
        INFO("seed " << seed << "\n" << text);
        REQUIRE(findings(module) == "");
        REQUIRE(!observe(module, seed).starts_with("trap"));
        const auto again = from_text(text);
        REQUIRE(again.has_value());
        REQUIRE(to_text(*again) == text);
    }
}

TEST_CASE("no pass changes what a program does")
{
    for (std::uint32_t seed = 0; seed < programs; ++seed) {
        Module module = RandomProgram(seed).make();
        const std::string expected = observe(module, seed);
        for (const passes::Pass &pass : passes::pipeline()) {
            const std::string before = to_text(module);
            pass.run(module.programs[0]);
            INFO("seed " << seed << " pass " << pass.name << "\nbefore:\n" << before << "after:\n" << to_text(module));
            REQUIRE(findings(module) == "");
            REQUIRE(observe(module, seed) == expected);
        }
        INFO("seed " << seed << "\n" << to_text(module));
        REQUIRE(findings(module, Stage::for_the_kernel) == "");
    }
}

TEST_CASE("each pass keeps the meaning of any sound program, not only of what comes before it in the list")
{
    for (std::uint32_t seed = programs; seed < programs + 500; ++seed) {
        for (const passes::Pass &pass : passes::pipeline()) {
            Module module = RandomProgram(seed).make();
            const std::string expected = observe(module, seed);
            const std::string before = to_text(module);
            pass.run(module.programs[0]);
            INFO("seed " << seed << " pass " << pass.name << "\nbefore:\n" << before << "after:\n" << to_text(module));
            REQUIRE(findings(module) == "");
            REQUIRE(observe(module, seed) == expected);
        }
    }
}

TEST_CASE("no pass mistakes a byte for what it was, or one pointer for another")
{
    constexpr std::uint32_t chains = 3'000;
    for (std::uint32_t seed = 0; seed < chains; ++seed) {
        const std::string source = RandomChains(seed).make();
        auto module = from_text(source);
        REQUIRE_MESSAGE(module.has_value(), source);
        REQUIRE_MESSAGE(findings(*module) == "", source);
        module->programs[0].by_rule = false;
        const std::string expected = observe(*module, seed);
        const auto run = [&](const passes::Pass &pass, Module &on) {
            const Module before = on;
            pass.run(on.programs[0]);
            if (findings(on) != "" || observe(on, seed) != expected)
                FAIL(fmt::format("seed {} pass {}\nbefore:\n{}after:\n{}{}", seed, pass.name, to_text(before),
                                 to_text(on), findings(on)));
        };
        if (seed % 4 == 0) // each of what it may meet somewhere
            for (const passes::Pass &pass : passes::pipeline()) {
                Module alone = *module;
                run(pass, alone);
            }
        for (const passes::Pass &pass : passes::pipeline())
            run(pass, *module);
    }
}

TEST_CASE("ten thousand rules take no time to speak of")
{
    std::string text =
        "program long {\nb0(): %1 = packet_start %2 = packet_end guard %1 + 64 <= %2 ? b1() : b20001()\n";
    for (int i = 0; i < 10000; ++i) {
        text += fmt::format("b{}(): %{} = load.be32 %1 + 30 if %{} == {} ? b{}() : b{}()\n", 2 * i + 1, i + 10, i + 10,
                            i * 77, 2 * i + 2, 2 * i + 3);
        text += fmt::format("b{}(): return 1\n", 2 * i + 2);
    }
    auto module = from_text(text + "b20001(): return 2 }");
    REQUIRE(module.has_value());
    passes::optimize(*module, passes::Checks::on);
    CHECK(module->programs[0].blocks.size() == 20002);
    CHECK(to_text(*module).find("be32") == std::string::npos);
}
