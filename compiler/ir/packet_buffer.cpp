#include "compiler/ir/packet_buffer.hpp"

#include <algorithm>
#include <cerrno>

namespace xdpf::ir {
namespace {

// The place `by` bytes further on. Helpers take an int.
std::ptrdiff_t moved(std::size_t at, std::uint64_t by)
{
    return static_cast<std::ptrdiff_t>(at) + static_cast<std::int32_t>(by);
}

} // namespace

void PacketBuffer::assign(std::span<const std::byte> packet)
{
    memory_.resize(headroom + std::max(room, packet.size()));
    std::fill_n(memory_.begin(), headroom, std::byte{0});
    std::ranges::copy(packet, memory_.begin() + headroom);
    meta_ = start_ = headroom;
    end_ = headroom + packet.size();
}

int PacketBuffer::adjust_head(std::uint64_t by)
{
    const std::size_t metadata = start_ - meta_;
    const std::ptrdiff_t to = moved(start_, by);
    if (to < static_cast<std::ptrdiff_t>(frame_header + metadata) ||
        to + static_cast<std::ptrdiff_t>(least_packet) > static_cast<std::ptrdiff_t>(end_))
        return -EINVAL;
    const auto target = static_cast<std::size_t>(to);
    const std::vector<std::byte> kept(memory_.begin() + static_cast<std::ptrdiff_t>(meta_),
                                      memory_.begin() + static_cast<std::ptrdiff_t>(start_));
    std::ranges::copy(kept, memory_.begin() + (to - static_cast<std::ptrdiff_t>(metadata)));
    meta_ = target - metadata;
    start_ = target;
    return 0;
}

int PacketBuffer::adjust_tail(std::uint64_t by)
{
    const std::ptrdiff_t to = moved(end_, by);
    if (to > static_cast<std::ptrdiff_t>(memory_.size()) || to < static_cast<std::ptrdiff_t>(start_ + least_packet))
        return -EINVAL;
    const auto target = static_cast<std::size_t>(to);
    if (target > end_)
        std::fill_n(memory_.begin() + static_cast<std::ptrdiff_t>(end_), target - end_, std::byte{0});
    end_ = target;
    return 0;
}

int PacketBuffer::adjust_meta(std::uint64_t by)
{
    const std::ptrdiff_t to = moved(meta_, by);
    if (to < static_cast<std::ptrdiff_t>(frame_header) || to > static_cast<std::ptrdiff_t>(start_))
        return -EINVAL;
    const std::size_t metadata = start_ - static_cast<std::size_t>(to);
    if (metadata % 4 != 0 || metadata > most_metadata)
        return -EACCES;
    meta_ = static_cast<std::size_t>(to);
    return 0;
}

} // namespace xdpf::ir
