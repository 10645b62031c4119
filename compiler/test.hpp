// The tests that stand in a source: run in the interpreter or elsewhere, and judged.
#pragma once

#include "compiler/interpret.hpp"

#include <functional>

namespace xdpf {

// What came of one packet of a test. The kernel tells a redirect, but not where it goes, and no rule.
struct TestedPacket {
    std::uint32_t verdict = 2;
    bool target_known = false;
    MapId redirect_map;
    std::uint32_t redirect_key = 0;
    bool broadcast = false;
    bool exclude_ingress = false;
    std::optional<Span> decided_by = std::nullopt; // the rule of the test's own program
    [[nodiscard]] bool operator==(const TestedPacket &) const = default;
};

// What came of a group's packets.
struct TestedGroup {
    std::vector<TestedPacket> packets; // one for each packet and time
    std::vector<std::byte> last;       // the last packet's bytes afterwards
    PacketContext context;             // what it met
    std::vector<RingRecord> records;   // of all packets
};

// Who runs packets, and holds the maps.
struct TestEngine {
    // Sets what the group sets and runs its packets; nothing where that is not possible, which ends the test.
    std::function<std::optional<TestedGroup>(const TestGroup &)> run;
    // Reads a value back, as Interpreter::lookup.
    std::function<std::optional<std::vector<std::byte>>(MapId, std::span<const std::byte>)> lookup;
};

// One expectation that does not hold.
struct TestFailure {
    Span span;
    std::string text; // "expected drop, got pass"; may have further lines
};

struct TestResult {
    std::string name;
    std::vector<TestFailure> failures;
    [[nodiscard]] bool passed() const { return failures.empty(); }
};

// Runs one test in the interpreter, with maps of its own. What the test says of its packets' surroundings changes
// `context`.
[[nodiscard]] TestResult run_test(const Compilation &compilation, const TestImage &test, PacketContext context = {});
// Runs it by an engine.
[[nodiscard]] TestResult run_test(const Compilation &compilation, const TestImage &test, const TestEngine &engine);

// What of a group's expectations does not hold. `program` is the test's.
[[nodiscard]] std::vector<TestFailure> judge(const Compilation &compilation, std::size_t program,
                                             const TestGroup &group, const TestedGroup &tested,
                                             const TestEngine &engine);

// What a group sets, and its packets.
void set_up(Interpreter &interpreter, const Image &image, const TestGroup &group);
void apply(const TestSurroundings &surroundings, PacketContext &context);
// Calls `each` behind every packet.
[[nodiscard]] TestedGroup run_group(Interpreter &interpreter, const TestGroup &group, PacketContext &context,
                                    const std::function<void(const TestPacket &, const PacketResult &)> &each = {});

// "pass", "drop", …: as the language writes them; redirects with map and slot where they are known: "xsk xsks[2]",
// "redirect ports[*]".
[[nodiscard]] std::string verdict_text(const Image &image, const TestedPacket &packet);
[[nodiscard]] std::string verdict_text(const Image &image, const PacketResult &result);

} // namespace xdpf
