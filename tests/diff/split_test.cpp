// Programs that are beyond what the kernel's verifier follows: in parts, in every engine, against the whole program in
// the interpreter and against the evaluation of the source.
#include "compiler/compile.hpp"
#include "compiler/explain.hpp"
#include "compiler/ir/interpret.hpp"
#include "compiler/lower/lower.hpp"
#include "compiler/state.hpp"
#include "tests/diff/engines.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <array>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

using namespace xdpf;
using namespace xdpf::diff;

namespace {

constexpr unsigned port = 100; // the destination; the source port says which rule the packet is for

Packet packet_for(unsigned rule, unsigned destination = port)
{
    Random random(rule);
    Frame frame(random);
    frame.ethernet({}, 0x0800);
    frame.number(0x45, 1).number(0, 1).number(28, 2).number(1, 2).number(0, 2).number(64, 1).number(17, 1);
    frame.number(0, 2).number(0x0a000001, 4).number(0x0a000002, 4);
    frame.number(destination + rule, 2).number(destination, 2).number(8, 2).number(0, 2);
    return {fmt::format("a packet for rule {} to port {}", rule, destination), frame.bytes()};
}

// A rule that no run of rules can hold.
std::string condition(unsigned rule) { return fmt::format("udp.sport == udp.dport + {}", rule); }

// The first and the last, those around each cut, and one that there is not; of `programs` parts at least.
std::vector<Packet> around_cuts(const std::string &source, std::size_t rules, std::size_t programs)
{
    std::set<std::size_t> chosen{1, 2, 3, 7, 14, 15, rules - 1, rules, rules + 1};
    for (const bool optimize : {true, false}) {
        const Compilation compilation = compile(source, "split.xdpf", {.optimize = optimize});
        REQUIRE(compilation.ok());
        const SplitPrograms &split = compilation.state().split;
        if (optimize)
            REQUIRE(split.programs.size() >= programs);
        for (const SplitPrograms::Part &part : split.parts)
            for (std::size_t beside = 0; beside < 4; ++beside)
                if (part.end + beside >= 2)
                    chosen.insert(part.end + beside - 2);
    }
    std::vector<Packet> packets;
    for (const std::size_t rule : chosen)
        packets.push_back(packet_for(static_cast<unsigned>(rule)));
    return packets;
}

// All engines agree, and what they say is what the program says in one piece.
Findings check(const Subject &subject, const std::vector<Packet> &packets, Engines most = Engines::all)
{
    Findings found = compare_engines(subject, packets, kernel_usable() ? most : Engines::interpreters);
    CHECK(!found.refused_by_compiler);
    CHECK(!found.refused_by_kernel);
    REQUIRE_MESSAGE(found.problems.empty(), found.problems.front());
    return found;
}

void same_in_one_piece(const std::string &source, const std::vector<Packet> &packets, const Findings &found)
{
    const Compilation compilation = compile(source);
    Diagnostics unused;
    const ir::Module whole = lower(compilation.state().unit, unused, {.classify = false});
    ir::MapStore maps(whole.maps);
    ir::Interpreter interpreter(whole.programs.front(), maps);
    Explainer explainer(compilation);
    for (std::size_t i = 0; i < packets.size(); ++i) {
        INFO(packets[i].name);
        ir::PacketBuffer buffer;
        buffer.assign(packets[i].bytes);
        const auto result = interpreter.run(buffer, {});
        REQUIRE(result);
        CHECK(found.verdicts[i] == result->verdict);
        const Explanation explained = explainer.run(packets[i].bytes);
        CHECK(explained.result.verdict == result->verdict);
        CHECK(explained.result.program == 0);
        CHECK(explained.result.decided_by == result->decided_by);
    }
}

} // namespace

TEST_CASE("a long row of rules")
{
    constexpr unsigned rules = 12'000;
    constexpr std::array actions{"drop", "tx", "pass", "{ count seen; drop }", "xsk", "{ set ipv4.ttl = 3; tx }"};
    constexpr std::array<std::uint32_t, 6> verdicts{XDP_DROP, XDP_TX, XDP_PASS, XDP_DROP, XDP_REDIRECT, XDP_TX};
    std::string source = "defmap seen : percpu_array<counter>[1]\ndefmap gone : hash<udp.dport -> counter>[64]\n";
    for (unsigned rule = 1; rule <= rules; ++rule)
        source += fmt::format("match {}{} -> {}\n", condition(rule),
                              rule % 200 == 7 ? " and not udp.dport in gone" : "", actions[rule % actions.size()]);
    const std::vector<Packet> packets = around_cuts(source, rules, 2);
    const Findings found = check({source, {}}, packets);
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const auto bytes = packets[i].bytes;
        const unsigned rule = static_cast<unsigned>(bytes[34]) * 256U + static_cast<unsigned>(bytes[35]) - port;
        INFO(packets[i].name);
        CHECK(found.verdicts[i] ==
              (rule == 0 || rule > rules ? std::uint32_t{XDP_PASS} : verdicts[rule % verdicts.size()]));
    }
    same_in_one_piece(source, packets, found);
}

TEST_CASE("rules in nested matches, and rules that go on")
{
    std::string source = "defmap seen : percpu_array<counter>[1]\nmatch udp -> { set ipv4.ttl = 7; continue }\n";
    unsigned rule = 1; // its number is one more: the rule above has the first
    const auto row = [&](unsigned count, std::string_view action) {
        for (unsigned i = 0; i < count; ++i, ++rule)
            source += fmt::format("match {} -> {}\n", condition(rule + 1), action);
    };
    source += "match tcp -> drop\nmatch ipv4 {\n";
    ++rule;
    row(200, "{ count seen; set ipv4.dscp = 3; continue }");
    source += "match udp.dport == 100 {\n";
    row(3'000, "drop");
    source += "match ipv4.ttl == 7 {\n";
    row(2'500, "{ if ipv4.ttl == 7 { set ipv4.ttl = 8 }; continue }");
    source += "}\n}\n";
    row(100, "tx");
    source += "}\n";
    row(2'500, "drop");
    source += "match ipv4.ttl == 8 -> tx\nmatch udp.dport == 101 -> drop\n";
    std::vector<Packet> packets = around_cuts(source, rule, 2);
    for (const unsigned number : {2U, 150U, 2000U, 4000U, 5750U, 7000U})
        packets.push_back(packet_for(number, 101)); // comes past the matches inside
    const Findings found = check({source, {}}, packets);
    same_in_one_piece(source, packets, found);
    check({source, {}, 0, true}, packets, Engines::interpreters); // each rule counted
}

TEST_CASE("goto into a program in parts, out of it, and around until the kernel has enough")
{
    std::string source = "defprogram front {\nmatch udp -> goto long\n}\n"
                         "defprogram long {\n";
    constexpr unsigned rules = 12'000;
    for (unsigned rule = 1; rule <= rules; ++rule)
        source += fmt::format("match {} -> {}\n", condition(rule), rule % 2 == 0 ? "drop" : "tx");
    source += "match udp.dport == 9 -> goto last\nmatch udp.dport == 10 -> goto front\n}\n"
              "defprogram last {\nmatch udp -> tx\n}\n";
    const std::vector<Packet> packets{packet_for(1),     packet_for(rules),  packet_for(rules + 1),
                                      packet_for(0, 9),  packet_for(0, 10),  packet_for(rules - 1),
                                      packet_for(0, 11), packet_for(6000, 9)};
    // The first program is short, and LLVM would take minutes for the second.
    setenv("XDPF_DIFF_LLVM", "0", 1);
    const Findings found = check({source, {}}, packets);
    CHECK(found.verdicts ==
          std::vector<std::uint32_t>{XDP_TX, XDP_DROP, XDP_PASS, XDP_TX, XDP_ABORTED, XDP_TX, XDP_PASS, XDP_DROP});
    const Compilation compilation = compile(source);
    REQUIRE(compilation.ok());
    CHECK(compilation.image().own_programs().size() == 3);
    Interpreter interpreter(compilation, 0);
    const PacketResult left = interpreter.run(packets[3].bytes, {});
    CHECK(left.program == 2); // by two gotos, whatever lies between
    CHECK(left.gone_on_by.size() == 2);
}
