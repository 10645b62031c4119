// Times of the kernel's records, as people and capture files have them.
#pragma once

#include <cstdint>

namespace xdpf::runtime {

// Nanoseconds of CLOCK_MONOTONIC (bpf_ktime_get_ns()) as nanoseconds since 1970. The two clocks are compared when this
// is made, and again for times that are more than a second later than the last comparison: clocks are set now and then.
class WallClock {
public:
    WallClock();
    [[nodiscard]] std::uint64_t of_monotonic(std::uint64_t time);
    [[nodiscard]] static std::uint64_t now();

private:
    void compare();

    std::int64_t offset_ = 0;    // ns: CLOCK_REALTIME is later by that
    std::uint64_t compared_ = 0; // ns of CLOCK_MONOTONIC
};

} // namespace xdpf::runtime
