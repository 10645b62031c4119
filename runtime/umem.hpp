// The memory that an AF_XDP socket's packets land in, shared with the kernel: frames of one size
// (Documentation/networking/af_xdp.rst).
#pragma once

#include "runtime/error.hpp"

#include <xdp/xsk.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace xdpf::runtime {

struct UmemOptions {
    std::uint32_t frames = 4096;  // a power of two; all of them receive
    std::uint32_t frame_size = 0; // bytes, 2048 or 4096; 0: the smaller one that holds the interface's MTU
    std::uint32_t headroom = 64;  // bytes before a packet on top of XDP's own; some drivers want it for zero-copy
};

// What of a frame of this size is left for a packet: the kernel keeps XDP_PACKET_HEADROOM (256) and the headroom.
[[nodiscard]] constexpr std::uint32_t frame_room(std::uint32_t frame_size, std::uint32_t headroom)
{
    return frame_size - 256 - headroom;
}

// Of ENOBUFS: how much `sockets` of them lock together, how much may be locked, and what helps.
void explain_locked_memory(Error &error, const UmemOptions &options, std::size_t sockets);

// Owns the mapping and the kernel's registration of it, with the fill and completion rings. Does not move: libxdp keeps
// pointers to the rings.
class Umem {
public:
    [[nodiscard]] static Result<std::unique_ptr<Umem>> create(const UmemOptions &options);
    Umem(const Umem &) = delete;
    Umem &operator=(const Umem &) = delete;
    ~Umem();

    [[nodiscard]] xsk_umem *handle() const { return handle_; }
    [[nodiscard]] xsk_ring_prod &fill() { return fill_; }
    [[nodiscard]] xsk_ring_cons &completion() { return completion_; }
    [[nodiscard]] std::uint32_t frames() const { return frames_; }
    [[nodiscard]] std::uint32_t frame_size() const { return frame_size_; }
    [[nodiscard]] std::span<std::byte> bytes(std::uint64_t address, std::uint32_t length) const
    {
        return {area_ + address, length};
    }
    // The address a frame is given back by, from any address inside it.
    [[nodiscard]] std::uint64_t frame_of(std::uint64_t address) const { return address & ~(frame_size_ - 1ULL); }

    // Puts every frame into the fill ring; once, before binding.
    void fill_all();

private:
    Umem() = default;

    std::byte *area_ = nullptr;
    std::size_t size_ = 0;
    std::uint32_t frames_ = 0;
    std::uint32_t frame_size_ = 0;
    xsk_umem *handle_ = nullptr;
    xsk_ring_prod fill_{};
    xsk_ring_cons completion_{};
};

} // namespace xdpf::runtime
