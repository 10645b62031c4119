// A packet in memory as an XDP program has it: room before and behind it, and metadata right before it.
//
//   hard start     | headroom            | metadata  | packet           | tailroom | hard end
//                  0        frame header   meta_at()   start_at()         end_at()
//
// Positions are counted in bytes from the hard start. Sizes are those of the kernel for a packet in one page of 4096
// bytes, as in BPF_PROG_TEST_RUN and in drivers that keep one packet a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace xdpf::ir {

class PacketBuffer {
public:
    static constexpr std::size_t headroom = 256;    // XDP_PACKET_HEADROOM
    static constexpr std::size_t frame_header = 40; // sizeof(struct xdp_frame): the part of it that stays the kernel's
    static constexpr std::size_t room = 3520;       // a page without headroom and struct skb_shared_info
    static constexpr std::size_t least_packet = 14; // ETH_HLEN
    static constexpr std::size_t most_metadata = 252;

    PacketBuffer() : PacketBuffer(std::span<const std::byte>{}) {}
    explicit PacketBuffer(std::span<const std::byte> packet) { assign(packet); }

    // Another packet: no metadata, zeros before it. A packet longer than `room` has no tailroom.
    void assign(std::span<const std::byte> packet);

    [[nodiscard]] std::span<std::byte> bytes() { return std::span(memory_).subspan(start_, end_ - start_); }
    [[nodiscard]] std::span<const std::byte> bytes() const { return std::span(memory_).subspan(start_, end_ - start_); }
    [[nodiscard]] std::span<std::byte> metadata() { return std::span(memory_).subspan(meta_, start_ - meta_); }
    [[nodiscard]] std::span<const std::byte> metadata() const
    {
        return std::span(memory_).subspan(meta_, start_ - meta_);
    }
    // All of it, from hard start to hard end.
    [[nodiscard]] std::span<std::byte> memory() { return memory_; }

    [[nodiscard]] std::size_t meta_at() const { return meta_; }
    [[nodiscard]] std::size_t start_at() const { return start_; }
    [[nodiscard]] std::size_t end_at() const { return end_; }

    // As bpf_xdp_adjust_head, _tail and _meta (net/core/filter.c): `by` bytes, of which the low 32 bits count as a
    // signed number. 0 or a negative errno, after which nothing has changed.
    [[nodiscard]] int adjust_head(std::uint64_t by);
    [[nodiscard]] int adjust_tail(std::uint64_t by);
    [[nodiscard]] int adjust_meta(std::uint64_t by);

private:
    std::vector<std::byte> memory_;
    std::size_t meta_ = headroom;
    std::size_t start_ = headroom;
    std::size_t end_ = headroom;
};

} // namespace xdpf::ir
