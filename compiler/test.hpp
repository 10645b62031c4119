// The tests that stand in a source: run in the interpreter, and judged, wherever they ran.
#pragma once

#include "compiler/interpret.hpp"

#include <functional>

namespace xdpf {

// What came of one packet of a test. The kernel tells a redirect, but not where it goes.
struct TestedPacket {
    std::uint32_t verdict = 2;
    bool target_known = false;
    MapId redirect_map;
    std::uint32_t redirect_key = 0;
};

// One expectation that does not hold.
struct TestFailure {
    Span span;
    std::string text; // "expected drop, got pass"
};

struct TestResult {
    std::string name;
    std::vector<TestFailure> failures;
    [[nodiscard]] bool passed() const { return failures.empty(); }
};

// Reads a value back after the packets ran.
using TestLookup = std::function<std::optional<std::vector<std::byte>>(MapId, std::span<const std::byte>)>;

[[nodiscard]] TestResult judge(const Image &image, const TestImage &test, std::span<const TestedPacket> packets,
                               const TestLookup &lookup);

// Runs one test in the interpreter, with maps of its own.
[[nodiscard]] TestResult run_test(const Compilation &compilation, const TestImage &test);

// "pass", "drop", …: as the language writes them; redirects with map and slot where they are known: "xsk xsks[2]".
[[nodiscard]] std::string verdict_text(const Image &image, const TestedPacket &packet);
[[nodiscard]] std::string verdict_text(const Image &image, const PacketResult &result);

} // namespace xdpf
