// What count_verdicts adds counts every verdict once, and changes none.
#include "compiler/passes/count_verdicts.hpp"
#include "compiler/ir/interpret.hpp"
#include "tests/unit/passes/programs.hpp"
#include "tests/unit/passes/random_program.hpp"

#include <array>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

using Counts = std::array<std::uint64_t, 5>;

MapId count(Module &module)
{
    const MapId counters(module.maps.size());
    module.maps.push_back(passes::verdict_counters(module.maps));
    passes::count_verdicts(module.programs[0], counters);
    return counters;
}

// Adds what a few packets come to; false: a trap.
bool observe(const Module &module, MapStore &maps, std::uint32_t seed, Counts &verdicts)
{
    std::mt19937 random(seed);
    Interpreter interpreter(module.programs[0], maps);
    for (int n = 0; n < 8; ++n) {
        std::vector<std::byte> packet(random() % 64, std::byte(n));
        Context context;
        context.rx_queue = random() % 5;
        context.seed = random();
        PacketBuffer buffer(packet);
        const auto result = interpreter.run(buffer, context);
        if (!result)
            return false;
        if (!result->tail_call && result->verdict < verdicts.size()) // others are none of the kernel's
            ++verdicts[result->verdict];
    }
    return true;
}

Counts counted(const MapStore &maps, MapId counters)
{
    Counts out{};
    for (const auto &[key, value] : maps.entries(counters))
        out.at(std::to_integer<std::size_t>(key[0])) += std::to_integer<std::uint64_t>(value[0]);
    return out;
}

} // namespace

TEST_CASE("every return leads through one block that counts")
{
    Module module = passes::read("b0(): %1 = ctx rx_queue if %1 == 1 ? b1() : b2() b1(): return 1 "
                                 "b2(): %2 = redirect @xsks[%1] else 2 return %2");
    count(module);
    CHECK(fmt::format("{}", fmt::join(verify(module), "\n")) == "");
    const std::string made = passes::text(module);
    CHECK(made.find("return") == made.rfind("return"));
    CHECK(made.find("lookup @verdicts") != std::string::npos);
}

TEST_CASE("random programs: the counts are the verdicts, before and behind the passes")
{
    for (std::uint32_t seed = 0; seed < 500; ++seed) {
        Module module = RandomProgram(seed).make();
        Counts expected{};
        MapStore before(module.maps);
        REQUIRE(observe(module, before, seed, expected));
        const MapId counters = count(module);
        for (const bool optimized : {false, true}) {
            if (optimized)
                passes::optimize(module, passes::Checks::on);
            INFO("seed " << seed << "\n" << to_text(module));
            REQUIRE(fmt::format("{}", fmt::join(verify(module), "\n")) == "");
            Counts verdicts{};
            MapStore maps(module.maps);
            REQUIRE(observe(module, maps, seed, verdicts));
            CHECK(verdicts == expected);
            CHECK(counted(maps, counters) == expected);
        }
    }
}

TEST_CASE("the map of the counts has a name of its own")
{
    CHECK(passes::verdict_counters({}).name == "verdicts");
    CHECK(passes::verdict_counters({{.name = "verdicts"}, {.name = "verdicts_2"}}).name == "verdicts_3");
}
