// Random programs: each compiles, the kernel takes it, and all engines agree about a few hundred packets. Environment:
// XDPF_DIFF_PROGRAMS (how many), XDPF_DIFF_SEED (the first one's seed), XDPF_DIFF_PACKETS (for each program),
// XDPF_DIFF_LARGEST (instructions of the largest program that the kernel gets), XDPF_DIFF_LLVM (of the
// largest that LLVM gets), XDPF_DIFF_SOURCE (a file in place of
// the first program's source), XDPF_DIFF_PRINT (a file for the source of the program that is being tried).
#include "tests/diff/random_source.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

using namespace xdpf::diff;

namespace {

Subject program_of(std::uint64_t seed)
{
    Subject out = random_program(seed);
    if (const char *file = std::getenv("XDPF_DIFF_SOURCE"); file != nullptr) {
        std::ifstream in(file);
        out.source.assign(std::istreambuf_iterator<char>(in), {});
    }
    if (const char *file = std::getenv("XDPF_DIFF_PRINT"); file != nullptr)
        std::ofstream(file) << "# seed " << seed << "\n" << out.source;
    return out;
}

} // namespace

TEST_CASE("random programs are taken by the kernel, and mean the same everywhere")
{
    const std::uint64_t count = number_from_environment("XDPF_DIFF_PROGRAMS", 150);
    const std::uint64_t seed = number_from_environment("XDPF_DIFF_SEED", 1);
    const std::uint64_t largest = number_from_environment("XDPF_DIFF_LARGEST", 15'000);
    const auto many = number_from_environment("XDPF_DIFF_PACKETS", 400);
    auto packets = mixed_packets(seed, many - many / 3);
    std::ranges::move(layered_packets(seed, many / 3), std::back_inserter(packets));
    std::uint64_t refused = 0;
    std::uint64_t lopsided = 0;
    std::uint64_t beyond = 0;
    std::uint32_t most_verified = 0;
    std::uint64_t through_llvm = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const Subject subject = program_of(seed + i);
        const Findings found =
            compare_engines(subject, packets, kernel_usable() ? Engines::all : Engines::interpreters, largest);
        beyond += found.instructions > largest ? 1 : 0;
        most_verified = std::max(most_verified, found.verified);
        through_llvm += found.through_llvm;
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
                        "packets, at most {} instructions verified; {} objects made by LLVM",
                        count, refused, beyond, lopsided, most_verified, through_llvm));
    CHECK(refused * 10 <= count);
    CHECK(beyond * 4 <= count);
    CHECK(lopsided * 4 <= count * 3); // else the programs tell nothing
    if (!kernel_usable())
        xdpf::testing::note_skip("the kernel's part needs root; the interpreters were compared");
}
