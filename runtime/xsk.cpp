#include "runtime/xsk.hpp"

#include <cerrno>
#include <sys/mman.h>
#include <sys/socket.h>

namespace xdpf::runtime::xsk {
namespace {

std::unexpected<Refusal> refused(const char *call) { return std::unexpected(Refusal{call, errno}); }

Outcome<xdp_mmap_offsets> offsets_of(int fd)
{
    xdp_mmap_offsets offsets{};
    socklen_t size = sizeof offsets;
    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) != 0)
        return refused("getsockopt(XDP_MMAP_OFFSETS)");
    return offsets;
}

struct RingKind {
    int option;
    const char *call;
    std::uint64_t page_offset;
    xdp_ring_offset xdp_mmap_offsets::*place;
    std::size_t entry;
};
constexpr RingKind fill{XDP_UMEM_FILL_RING, "setsockopt(XDP_UMEM_FILL_RING)", XDP_UMEM_PGOFF_FILL_RING,
                        &xdp_mmap_offsets::fr, sizeof(std::uint64_t)};
constexpr RingKind completion{XDP_UMEM_COMPLETION_RING, "setsockopt(XDP_UMEM_COMPLETION_RING)",
                              XDP_UMEM_PGOFF_COMPLETION_RING, &xdp_mmap_offsets::cr, sizeof(std::uint64_t)};
constexpr RingKind rx{XDP_RX_RING, "setsockopt(XDP_RX_RING)", XDP_PGOFF_RX_RING, &xdp_mmap_offsets::rx,
                      sizeof(xdp_desc)};
constexpr RingKind tx{XDP_TX_RING, "setsockopt(XDP_TX_RING)", XDP_PGOFF_TX_RING, &xdp_mmap_offsets::tx,
                      sizeof(xdp_desc)};

template <class Ring> Outcome<MappedRing<Ring>> map_ring(int fd, const RingKind &kind, std::uint32_t size)
{
    if (setsockopt(fd, SOL_XDP, kind.option, &size, sizeof size) != 0)
        return refused(kind.call);
    const Outcome<xdp_mmap_offsets> offsets = offsets_of(fd);
    if (!offsets)
        return std::unexpected(offsets.error());
    const xdp_ring_offset &place = (*offsets).*(kind.place);
    const std::size_t bytes = place.desc + size * kind.entry;
    void *address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                         static_cast<off_t>(kind.page_offset));
    if (address == MAP_FAILED)
        return refused("mmap of a ring");
    MappedRing<Ring> out{{}, Mapping(address, bytes)};
    out.ring.mask = size - 1;
    out.ring.size = size;
    const auto at = [&](std::uint64_t offset) { return static_cast<void *>(out.memory.data() + offset); };
    out.ring.producer = static_cast<std::uint32_t *>(at(place.producer));
    out.ring.consumer = static_cast<std::uint32_t *>(at(place.consumer));
    out.ring.flags = static_cast<std::uint32_t *>(at(place.flags));
    out.ring.ring = at(place.desc);
    return out;
}

// libxdp's reserve() counts free entries from `cached_cons` = consumer + size.
Outcome<Producer> map_producer(int fd, const RingKind &kind, std::uint32_t size)
{
    Outcome<Producer> out = map_ring<xsk_ring_prod>(fd, kind, size);
    if (out)
        out->ring.cached_cons = size;
    return out;
}

// The indices stand in front of the descriptors. The consumer's is read first: between the two reads the ring may go
// on, and would look less than empty the other way round.
Outcome<Indices> indices_of(int fd, const RingKind &kind)
{
    const Outcome<xdp_mmap_offsets> offsets = offsets_of(fd);
    if (!offsets)
        return std::unexpected(offsets.error());
    const xdp_ring_offset &place = (*offsets).*(kind.place);
    void *address = mmap(nullptr, place.desc, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(kind.page_offset));
    if (address == MAP_FAILED)
        return refused("mmap of a ring");
    const Mapping memory(address, place.desc);
    const auto read = [&](std::uint64_t offset) {
        return __atomic_load_n(reinterpret_cast<const std::uint32_t *>(memory.data() + offset), __ATOMIC_ACQUIRE);
    };
    const std::uint32_t consumer = read(place.consumer);
    return Indices{read(place.producer), consumer};
}

} // namespace

Mapping::~Mapping()
{
    if (address_ != nullptr)
        munmap(address_, size_);
}

Outcome<Fd> open_socket()
{
    Fd fd(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
    return fd ? Outcome<Fd>(std::move(fd)) : refused("socket(AF_XDP)");
}

// Kernels before 6.8 have padding where the length of the metadata is.
Outcome<void> register_memory(int fd, Registration registration)
{
    if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) != 0)
        return refused("setsockopt(XDP_UMEM_REG)");
    return {};
}

Outcome<Producer> fill_ring(int fd, std::uint32_t size) { return map_producer(fd, fill, size); }
Outcome<Consumer> completion_ring(int fd, std::uint32_t size) { return map_ring<xsk_ring_cons>(fd, completion, size); }
Outcome<Consumer> rx_ring(int fd, std::uint32_t size) { return map_ring<xsk_ring_cons>(fd, rx, size); }
Outcome<Producer> tx_ring(int fd, std::uint32_t size) { return map_producer(fd, tx, size); }

Outcome<void> bind_socket(int fd, int interface, std::uint32_t queue, std::uint16_t flags, int shared)
{
    sockaddr_xdp address{};
    address.sxdp_family = AF_XDP;
    address.sxdp_ifindex = static_cast<std::uint32_t>(interface);
    address.sxdp_queue_id = queue;
    // With a shared UMEM the kernel takes no other flags: they are those of the first socket.
    address.sxdp_flags = shared >= 0 ? XDP_SHARED_UMEM : flags;
    address.sxdp_shared_umem_fd = shared >= 0 ? static_cast<std::uint32_t>(shared) : 0;
    if (bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        return refused("bind(AF_XDP)");
    return {};
}

Outcome<xdp_statistics> statistics(int fd)
{
    xdp_statistics counters{};
    socklen_t size = sizeof counters;
    if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &counters, &size) != 0)
        return refused("getsockopt(XDP_STATISTICS)");
    return counters;
}

Outcome<Indices> fill_indices(int fd) { return indices_of(fd, fill); }
Outcome<Indices> completion_indices(int fd) { return indices_of(fd, completion); }
Outcome<Indices> rx_indices(int fd) { return indices_of(fd, rx); }
Outcome<Indices> tx_indices(int fd) { return indices_of(fd, tx); }

bool is_zero_copy(int fd)
{
    xdp_options options{};
    socklen_t size = sizeof options;
    return getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &size) == 0 && (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

Outcome<void> set(int fd, int level, int option, const char *name, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof value) != 0)
        return refused(name);
    return {};
}

} // namespace xdpf::runtime::xsk
