#include "runtime/socket_view.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace xdpf::runtime;

TEST_CASE("a count goes on where the index of a ring begins anew")
{
    LongCount count;
    CHECK(count.follow(0) == 0);
    CHECK(count.follow(3'000'000'000) == 3'000'000'000);
    CHECK(count.follow(3'000'000'000) == 3'000'000'000);
    CHECK(count.follow(5) == (std::uint64_t{1} << 32) + 5);
    CHECK(count.follow(UINT32_MAX) == (std::uint64_t{1} << 33) - 1);
    CHECK(count.follow(0) == std::uint64_t{1} << 33);
}

TEST_CASE("what an AF_XDP socket lost, by reason")
{
    const QueueStatistics copying{.rx_dropped = 10, .rx_ring_full = 3, .fill_ring_empty = 7};
    CHECK(copying.no_free_frame() == 7);
    CHECK(copying.other() == 3);
    CHECK(copying.no_free_frame() + copying.other() + copying.rx_ring_full == copying.lost());
    const QueueStatistics zero_copy{.fill_ring_empty = 7}; // which counts moments there, not packets
    CHECK(zero_copy.no_free_frame() == 0);
    CHECK(zero_copy.other() == 0);
}
