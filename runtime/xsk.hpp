// An AF_XDP socket as the kernel has it, one call a function (<linux/if_xdp.h>, Documentation/networking/af_xdp.rst).
// Rings are mapped into libxdp's structures, whose inline functions then work on them. Setting sockets up is not left
// to libxdp, since Debian's registers no UMEM with TX metadata and does not say which call was refused.
#pragma once

#include "runtime/fd.hpp"

#include <linux/if_xdp.h>
#include <xdp/xsk.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <utility>

namespace xdpf::runtime::xsk {

// What newer kernels have and Debian's headers do not name.
inline constexpr std::uint16_t use_sg = 1 << 4;               // XDP_USE_SG, 6.6
inline constexpr std::uint32_t pkt_contd = 1 << 0;            // XDP_PKT_CONTD, 6.6: the packet goes on in the next one
inline constexpr std::uint32_t tx_metadata = 1 << 1;          // XDP_TX_METADATA, 6.8, of descriptors
inline constexpr std::uint32_t umem_tx_sw_csum = 1 << 1;      // XDP_UMEM_TX_SW_CSUM, 6.8
inline constexpr std::uint32_t umem_tx_metadata_len = 1 << 2; // XDP_UMEM_TX_METADATA_LEN, 6.11
inline constexpr int max_tx_skb_budget = 9;                   // XDP_MAX_TX_SKB_BUDGET, 6.17

// A call that the kernel refused.
struct Refusal {
    const char *call;
    int code; // errno value
};
template <class T> using Outcome = std::expected<T, Refusal>;

// Memory of mmap().
class Mapping {
public:
    Mapping() = default;
    Mapping(void *address, std::size_t size) : address_(address), size_(size) {}
    Mapping(Mapping &&other) noexcept
        : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0))
    {
    }
    Mapping &operator=(Mapping &&other) noexcept
    {
        std::swap(address_, other.address_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Mapping();

    [[nodiscard]] std::byte *data() const { return static_cast<std::byte *>(address_); }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    void *address_ = nullptr;
    std::size_t size_ = 0;
};

template <class Ring> struct MappedRing {
    Ring ring{};
    Mapping memory;
};
using Producer = MappedRing<xsk_ring_prod>; // fill and TX
using Consumer = MappedRing<xsk_ring_cons>; // completion and RX

// The kernel's struct xdp_umem_reg as of 6.8.
struct Registration {
    std::uint64_t addr = 0;
    std::uint64_t len = 0;
    std::uint32_t chunk_size = 0;
    std::uint32_t headroom = 0;
    std::uint32_t flags = 0;
    std::uint32_t tx_metadata_len = 0;
};

[[nodiscard]] Outcome<Fd> open_socket();
[[nodiscard]] Outcome<void> register_memory(int fd, Registration registration);
// `size` entries, a power of two.
[[nodiscard]] Outcome<Producer> fill_ring(int fd, std::uint32_t size);
[[nodiscard]] Outcome<Consumer> completion_ring(int fd, std::uint32_t size);
[[nodiscard]] Outcome<Consumer> rx_ring(int fd, std::uint32_t size);
[[nodiscard]] Outcome<Producer> tx_ring(int fd, std::uint32_t size);
// `shared`: a bound socket whose UMEM this one uses, too; -1: its own.
[[nodiscard]] Outcome<void> bind_socket(int fd, int interface, std::uint32_t queue, std::uint16_t flags, int shared);
[[nodiscard]] Outcome<xdp_statistics> statistics(int fd);

// How many entries were ever put into a ring and taken out of it; both wrap.
struct Indices {
    std::uint32_t producer = 0;
    std::uint32_t consumer = 0;

    [[nodiscard]] std::uint32_t level() const { return producer - consumer; }
};
// Of a socket that is set up, also one of another process; the ring is mapped for this call only. EINVAL: there is no
// such ring. Kernels before 6.5 do not map fill and completion rings of bound sockets.
[[nodiscard]] Outcome<Indices> fill_indices(int fd);
[[nodiscard]] Outcome<Indices> completion_indices(int fd);
[[nodiscard]] Outcome<Indices> rx_indices(int fd);
[[nodiscard]] Outcome<Indices> tx_indices(int fd);
[[nodiscard]] bool is_zero_copy(int fd); // XDP_OPTIONS, read back
[[nodiscard]] Outcome<void> set(int fd, int level, int option, const char *name, int value);

} // namespace xdpf::runtime::xsk
