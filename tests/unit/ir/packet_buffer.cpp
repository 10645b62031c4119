#include "compiler/ir/packet_buffer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

using namespace xdpf::ir;

namespace {

using Bytes = std::vector<std::byte>;

std::uint64_t back(std::uint64_t bytes) { return 0 - bytes; }

Bytes counted(std::size_t size)
{
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = std::byte(i + 1);
    return bytes;
}

Bytes contents(const PacketBuffer &packet) { return {packet.bytes().begin(), packet.bytes().end()}; }

} // namespace

TEST_CASE("the start moves both ways, within the headroom and fourteen bytes")
{
    PacketBuffer packet(counted(20));
    CHECK(packet.adjust_head(6) == 0);
    CHECK(packet.bytes().size() == 14);
    CHECK(packet.bytes()[0] == std::byte(7));
    CHECK(packet.adjust_head(1) == -EINVAL);
    CHECK(packet.bytes().size() == 14);
    CHECK(packet.adjust_head(back(6)) == 0);
    CHECK(contents(packet) == counted(20)); // nothing was written in between
    CHECK(packet.adjust_head(back(216)) == 0);
    CHECK(packet.bytes().size() == 236);
    CHECK(packet.bytes()[0] == std::byte(0));
    CHECK(packet.bytes()[216] == std::byte(1));
    CHECK(packet.adjust_head(back(1)) == -EINVAL); // struct xdp_frame is there
    // The helper takes an int.
    CHECK(packet.adjust_head(0x1'0000'0000) == 0);
    CHECK(packet.bytes().size() == 236);
}

TEST_CASE("the end moves both ways; what is new there is zero")
{
    PacketBuffer packet(counted(20));
    CHECK(packet.adjust_tail(back(6)) == 0);
    CHECK(contents(packet) == counted(14));
    CHECK(packet.adjust_tail(back(1)) == -EINVAL);
    CHECK(packet.adjust_tail(6) == 0);
    Bytes expected = counted(14);
    expected.resize(20);
    CHECK(contents(packet) == expected);
    CHECK(packet.adjust_tail(3501) == -EINVAL);
    CHECK(packet.adjust_tail(3500) == 0);
    CHECK(packet.bytes().size() == 3520);
    PacketBuffer large(counted(4000));
    CHECK(large.adjust_tail(1) == -EINVAL);
    CHECK(large.bytes().size() == 4000);
}

TEST_CASE("metadata is in words, of limited size, and moves with the start")
{
    PacketBuffer packet(counted(20));
    CHECK(packet.metadata().empty());
    CHECK(packet.adjust_meta(4) == -EINVAL);
    CHECK(packet.adjust_meta(back(6)) == -EACCES);
    CHECK(packet.adjust_meta(back(256)) == -EINVAL);
    CHECK(packet.adjust_meta(back(216)) == 0);
    CHECK(packet.adjust_meta(208) == 0);
    CHECK(packet.metadata().size() == 8);
    std::ranges::fill(packet.metadata(), std::byte(9));
    CHECK(packet.adjust_head(back(4)) == 0);
    CHECK(Bytes(packet.metadata().begin(), packet.metadata().end()) == Bytes(8, std::byte(9)));
    CHECK(packet.meta_at() + 8 == packet.start_at());
    CHECK(packet.adjust_head(6) == 0);
    CHECK(Bytes(packet.metadata().begin(), packet.metadata().end()) == Bytes(8, std::byte(9)));
    CHECK(packet.adjust_head(back(211)) == -EINVAL); // the metadata needs its room, too
    CHECK(packet.adjust_head(back(210)) == 0);
    CHECK(packet.adjust_meta(8) == 0);
    CHECK(packet.metadata().empty());
}

TEST_CASE("another packet finds nothing of the last one")
{
    PacketBuffer packet(counted(20));
    CHECK(packet.adjust_meta(back(8)) == 0);
    std::ranges::fill(packet.metadata(), std::byte(9));
    packet.assign(counted(15));
    CHECK(packet.metadata().empty());
    CHECK(contents(packet) == counted(15));
    CHECK(packet.adjust_head(back(8)) == 0);
    CHECK(std::ranges::count(packet.bytes().first(8), std::byte(0)) == 8);
}
