// Random programs: each compiles, the kernel takes it, and all engines agree about a few hundred packets. Environment:
// XDPF_DIFF_PROGRAMS (how many), XDPF_DIFF_SEED (the first one's seed), XDPF_DIFF_PACKETS (for each program),
// XDPF_DIFF_LARGEST (instructions of the largest program that the kernel gets).
#include "tests/diff/random_source.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

using namespace xdpf::diff;

TEST_CASE("random programs are taken by the kernel, and mean the same everywhere")
{
    const std::uint64_t count = number_from_environment("XDPF_DIFF_PROGRAMS", 150);
    const std::uint64_t seed = number_from_environment("XDPF_DIFF_SEED", 1);
    const std::uint64_t largest = number_from_environment("XDPF_DIFF_LARGEST", 15'000);
    const auto packets = mixed_packets(seed, number_from_environment("XDPF_DIFF_PACKETS", 400));
    std::uint64_t refused = 0;
    std::uint64_t lopsided = 0;
    std::uint64_t beyond = 0;
    std::uint32_t most_verified = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const Subject subject = random_program(seed + i);
        const Findings found =
            compare_engines(subject, packets, kernel_usable() ? Engines::all : Engines::interpreters, largest);
        beyond += found.instructions > largest ? 1 : 0;
        most_verified = std::max(most_verified, found.verified);
        if (found.refused_by_compiler) {
            ++refused;
            continue;
        }
        if (!found.verdicts.empty())
            lopsided +=
                std::ranges::all_of(found.verdicts, [&](auto verdict) { return verdict == found.verdicts[0]; }) ? 1 : 0;
        for (const std::string &problem : found.problems)
            FAIL_CHECK(fmt::format("XDPF_DIFF_SEED={}\n{}\n{}", seed + i, subject.source, problem));
    }
    MESSAGE(fmt::format("{} programs, {} too large, {} too large for a test of the kernel, {} with one verdict for all "
                        "packets, at most {} instructions verified",
                        count, refused, beyond, lopsided, most_verified));
    CHECK(refused * 10 <= count);
    CHECK(beyond * 5 <= count);
    CHECK(lopsided * 2 <= count); // else the programs tell nothing
    if (!kernel_usable())
        xdpf::testing::note_skip("the kernel's part needs root; the interpreters were compared");
}
