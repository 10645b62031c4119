#include "runtime/wall_clock.hpp"

#include <cstdlib>
#include <ctime>
#include <limits>

namespace xdpf::runtime {
namespace {

constexpr std::int64_t second = 1'000'000'000;

std::int64_t read_clock(clockid_t clock)
{
    timespec time{};
    (void)clock_gettime(clock, &time);
    return time.tv_sec * second + time.tv_nsec;
}

} // namespace

WallClock::WallClock() { compare(); }

std::uint64_t WallClock::now() { return static_cast<std::uint64_t>(read_clock(CLOCK_REALTIME)); }

std::uint64_t WallClock::of_monotonic(std::uint64_t time)
{
    if (time > compared_ + second)
        compare();
    return time + static_cast<std::uint64_t>(offset_);
}

// Of several comparisons the one that was interrupted least. A difference that is no more than their error is none: the
// times of a capture shall not jitter.
void WallClock::compare()
{
    constexpr int attempts = 5;
    constexpr std::int64_t error = 10'000; // ns
    std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
    std::int64_t offset = 0;
    std::int64_t after = 0;
    for (int i = 0; i < attempts; ++i) {
        const std::int64_t before = read_clock(CLOCK_MONOTONIC);
        const std::int64_t real = read_clock(CLOCK_REALTIME);
        after = read_clock(CLOCK_MONOTONIC);
        if (after - before < shortest) {
            shortest = after - before;
            offset = real - (before + shortest / 2);
        }
    }
    if (std::abs(offset - offset_) > error)
        offset_ = offset;
    compared_ = static_cast<std::uint64_t>(after);
}

} // namespace xdpf::runtime
