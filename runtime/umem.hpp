// The memory that the packets of AF_XDP sockets lie in, shared with the kernel: frames of one size
// (Documentation/networking/af_xdp.rst).
#pragma once

#include "runtime/error.hpp"
#include "runtime/fd.hpp"
#include "runtime/xsk.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xdpf::runtime {

enum class HugePages : std::uint8_t {
    never,
    attempt, // where there are some; Umem::huge_pages() says what it came to
    require,
};

struct UmemOptions {
    std::uint32_t frames = 4096;  // a power of two
    std::uint32_t frame_size = 0; // bytes, 2048 or 4096; 0: the smaller one that holds the interface's MTU
    std::uint32_t headroom = 64;  // bytes before a packet on top of XDP's own; some drivers want it for zero-copy
    bool unaligned = false;       // frames of any size from 2048 bytes to a page (XDP_UMEM_UNALIGNED_CHUNK_FLAG)
    HugePages huge_pages = HugePages::never;
    // Room before each packet that is sent for what the kernel or the card shall do with it (TxMetadata; kernel 6.8).
    bool tx_metadata = false;
};

// What of a frame of this size is left for a packet: the kernel keeps XDP_PACKET_HEADROOM (256) and the headroom.
[[nodiscard]] constexpr std::uint32_t frame_room(std::uint32_t frame_size, std::uint32_t headroom)
{
    return frame_size - 256 - headroom;
}

// struct xsk_tx_metadata of the kernel's <linux/if_xdp.h> (6.8), which stands right before a packet that is sent.
struct TxMetadata {
    static constexpr std::uint64_t timestamp = 1 << 0; // write `completion`
    static constexpr std::uint64_t checksum = 1 << 1;  // complete the checksum at csum_start + csum_offset

    std::uint64_t flags = 0;
    union {
        struct {
            std::uint16_t csum_start;  // bytes from the packet's beginning: where summing begins
            std::uint16_t csum_offset; // bytes from there: where the checksum stands
            std::uint32_t reserved;
        } request;
        std::uint64_t completion; // ns (CLOCK_TAI, or the card's clock), once the frame came back
    };
    std::uint64_t launch_time = 0; // 6.14
};
static_assert(sizeof(TxMetadata) == 24);

// Of ENOBUFS: how much `sockets` of them lock together, how much may be locked, and what helps.
void explain_locked_memory(Error &error, const UmemOptions &options, std::size_t sockets);

// The rings in which frames go to the kernel and come back. The kernel has one of each for a UMEM on a queue, whatever
// the number of sockets there.
struct FrameRings {
    xsk::Producer fill;
    xsk::Consumer completion;
    int interface = 0; // index
    std::uint32_t queue = 0;
    std::uint32_t target = 0;      // so many frames receive
    std::uint32_t held = 0;        // so many do: in the fill ring, in RX rings, in batches
    std::uint32_t outstanding = 0; // shown to the kernel for sending, not completed
    std::vector<int> sockets;      // those that are bound
};

// Owns the memory and the socket that registers it. The frames that no ring and no user has are kept here. A UMEM and
// all its queues belong to one thread at a time.
class Umem {
public:
    [[nodiscard]] static Result<std::shared_ptr<Umem>> create(const UmemOptions &options);
    Umem(const Umem &) = delete;
    Umem &operator=(const Umem &) = delete;

    [[nodiscard]] const UmemOptions &options() const { return options_; }
    [[nodiscard]] bool huge_pages() const { return huge_pages_; }
    // Why there are none, where they were to be tried; empty otherwise.
    [[nodiscard]] const std::string &no_huge_pages() const { return no_huge_pages_; }

    // The socket that registered the memory. It is to be the first queue's: the others bind to it.
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool has_queue() const { return has_queue_; }
    void set_has_queue() { has_queue_ = true; }
    // Those of a queue that sockets of this memory are bound to; nullptr: there are none.
    [[nodiscard]] std::shared_ptr<FrameRings> rings(int interface, std::uint32_t queue);
    void keep(const std::shared_ptr<FrameRings> &rings) { rings_.push_back(rings); }

    [[nodiscard]] std::byte *area() const { return area_.data(); }
    // What a descriptor's address means: in unaligned mode the upper 16 bits are an offset.
    [[nodiscard]] std::byte *at(std::uint64_t address) const { return area() + xsk_umem__add_offset_to_addr(address); }
    // The address a frame is given back by, from any address inside it.
    [[nodiscard]] std::uint64_t frame_of(std::uint64_t address) const
    {
        return options_.unaligned ? xsk_umem__extract_addr(address) : address & ~(options_.frame_size - 1ULL);
    }

    [[nodiscard]] std::size_t free_frames() const { return free_.size(); }
    // Of free_frames() > 0.
    [[nodiscard]] std::uint64_t take()
    {
        const std::uint64_t frame = free_.back();
        free_.pop_back();
        return frame;
    }
    void give(std::uint64_t frame) { free_.push_back(frame); } // never more than were taken: it does not allocate

private:
    Umem() = default;
    [[nodiscard]] xsk::Outcome<void> map(std::size_t size);

    UmemOptions options_;
    xsk::Mapping area_;
    bool huge_pages_ = false;
    std::string no_huge_pages_;
    Fd fd_; // before area_ in its end: the kernel holds the pages as long as it needs them
    bool has_queue_ = false;
    std::vector<std::weak_ptr<FrameRings>> rings_;
    std::vector<std::uint64_t> free_;
};

} // namespace xdpf::runtime
