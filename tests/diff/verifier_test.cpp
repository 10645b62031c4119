// What the kernel's verifier has to walk: it grows with the rules and not with the ways to their headers, and what it
// would give up on the compiler refuses first.
#include "compiler/bpf/codegen.hpp"
#include "tests/diff/engines.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

using namespace xdpf;
using namespace xdpf::diff;

namespace {

Findings load(std::string source) { return compare_engines({std::move(source), {}}, {}, Engines::all); }

std::string access_list(int rules)
{
    std::string out;
    for (int i = 0; i < rules; ++i)
        out += fmt::format("match ipv4.src in 10.{}.{}.0/24 and udp.dport == {} -> drop\n", i % 200, i * 7 % 250,
                           1000 + i);
    return out;
}

std::string both_versions(int rules)
{
    std::string out;
    for (int i = 0; i < rules; ++i)
        out += fmt::format("match ipv6.src in 2001:db8:{:x}::/48 and {}.dport == {} -> drop\n", i,
                           i % 2 == 0 ? "tcp" : "udp", 1000 + i);
    return out;
}

} // namespace

TEST_CASE("the verifier walks each instruction a few times")
{
    XDPF_NEEDS_ROOT();
    for (const std::string &source :
         {std::string("match udp -> xsk"), std::string("match tcp.dport == 80 or udp.dport == 53 -> drop"),
          access_list(10), access_list(1000), both_versions(10), both_versions(100), both_versions(1000)}) {
        const Findings found = load(source);
        INFO(source.substr(0, 200));
        REQUIRE_MESSAGE(found.problems.empty(), found.problems.front());
        CHECK(found.verified > 0);
        // In a short program loops weigh more: each kind of link in each round is a way of its own, and tables are
        // walked once for each rule that a leaf can have.
        const std::size_t short_program = found.verified_of < 1000 ? 100'000 : 0; // of the kernel's million
        CHECK(found.verified <= std::max(bpf::steps_per_insn * found.verified_of, short_program));
    }
}

TEST_CASE("what the verifier would give up on is refused by the compiler")
{
    std::string source = "match udp.sport == udp.dport"; // one rule, which cannot be split
    for (int i = 1; i < 9000; ++i)
        source += fmt::format(" or udp.sport == udp.dport + {}", i);
    source += " -> drop";
    const Findings found = compare_engines({source, {}}, {}, Engines::interpreters);
    CHECK(found.refused_by_compiler);
    REQUIRE(!found.problems.empty());
    CHECK(found.problems.front().find("too_large") != std::string::npos);
}
