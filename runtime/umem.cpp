#include "runtime/umem.hpp"

#include <fmt/format.h>

#include <bit>
#include <cerrno>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace xdpf::runtime {
namespace {

Error no_memory(const UmemOptions &options, const xsk::Refusal &refusal)
{
    Error error = system_error("cannot make the memory of an AF_XDP socket", refusal.call, refusal.code);
    if (refusal.code == ENOBUFS) {
        explain_locked_memory(error, options, 1);
    } else if (refusal.code == ENOMEM && options.huge_pages == HugePages::require) {
        error.cause =
            fmt::format("there are no {} bytes of free huge pages", std::uint64_t{options.frames} * options.frame_size);
        error.remedy = "sysctl vm.nr_hugepages=64   (or without --huge-pages=require)";
    } else if (refusal.code == ENOMEM) {
        error.cause = fmt::format("{} frames of {} bytes are not to be had", options.frames, options.frame_size);
        error.remedy = "free -m   (or fewer --frames)";
    } else if (refusal.code == EINVAL && options.tx_metadata) {
        error.cause = "this kernel has no TX metadata for AF_XDP (it came with 6.8, in this form with 6.11)";
        error.remedy = "uname -r";
    } else if (refusal.code == EINVAL) {
        error.cause = fmt::format(
            "frames: {} (a power of two), of {} bytes ({}), headroom {}", options.frames, options.frame_size,
            options.unaligned ? "2048 to a page" : "2048 or 4096, or any with --unaligned", options.headroom);
        error.remedy = "--frames=4096 --frame-size=2048";
    } else if (refusal.code == EAFNOSUPPORT) {
        error.cause = "this kernel is built without CONFIG_XDP_SOCKETS";
        error.remedy = "zgrep XDP_SOCKETS /proc/config.gz /boot/config-$(uname -r)";
    }
    return error;
}

bool sizes_fit(const UmemOptions &options)
{
    const bool frame_fits = options.unaligned ? options.frame_size >= 2048 && options.frame_size <= 4096
                                              : options.frame_size == 2048 || options.frame_size == 4096;
    return frame_fits && options.headroom < 1024 && std::has_single_bit(options.frames) &&
           frame_room(options.frame_size, options.headroom) > 64;
}

// Where a packet that is sent begins in its frame, the metadata is before it.
std::uint32_t metadata_length(const UmemOptions &options) { return options.tx_metadata ? sizeof(TxMetadata) : 0; }

} // namespace

// The limit is about all that the user's processes lock, and not about those with CAP_IPC_LOCK (xdp_umem_account_pages
// of the kernel's net/xdp/xdp_umem.c).
void explain_locked_memory(Error &error, const UmemOptions &options, std::size_t sockets)
{
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    const std::uint64_t needed = std::uint64_t{options.frames} * options.frame_size * sockets / 1024;
    error.cause = fmt::format(
        "{} socket{} with {} frames of {} bytes lock {} KiB of memory, and this user may lock {} KiB", sockets,
        sockets == 1 ? "" : "s", options.frames, options.frame_size, needed, limit.rlim_cur / 1024);
    error.remedy = fmt::format("{}   (or ulimit -l {} as root, fewer --frames, fewer --queues)",
                               how_to_give_capabilities(), needed + 1024);
}

std::shared_ptr<FrameRings> Umem::rings(int interface, std::uint32_t queue)
{
    std::erase_if(rings_, [](const auto &rings) { return rings.expired(); });
    for (const auto &rings : rings_)
        if (auto found = rings.lock(); found && found->interface == interface && found->queue == queue)
            return found;
    return nullptr;
}

xsk::Outcome<void> Umem::map(std::size_t size)
{
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    constexpr std::size_t huge = 2U << 20;
    void *area = MAP_FAILED;
    std::size_t mapped = size;
    if (options_.huge_pages != HugePages::never) {
        mapped = (size + huge - 1) / huge * huge;
        area = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);
        huge_pages_ = area != MAP_FAILED;
        if (!huge_pages_)
            no_huge_pages_ = fmt::format("mmap(MAP_HUGETLB): {}; {} free huge pages of 2 MiB are needed (sysctl "
                                         "vm.nr_hugepages)",
                                         errno_text(errno), mapped / huge);
    }
    if (area == MAP_FAILED && options_.huge_pages != HugePages::require) {
        mapped = size;
        area = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, flags, -1, 0);
    }
    if (area == MAP_FAILED)
        return std::unexpected(xsk::Refusal{"mmap", errno});
    area_ = xsk::Mapping(area, mapped);
    return {};
}

Result<std::shared_ptr<Umem>> Umem::create(const UmemOptions &options)
{
    const auto failed = [&](const xsk::Refusal &refusal) { return std::unexpected(no_memory(options, refusal)); };
    if (!sizes_fit(options))
        return failed({"setsockopt(XDP_UMEM_REG)", EINVAL});
    std::shared_ptr<Umem> umem(new Umem);
    umem->options_ = options;
    const std::size_t size = std::size_t{options.frames} * options.frame_size;
    if (const auto mapped = umem->map(size); !mapped)
        return failed(mapped.error());
    auto socket = xsk::open_socket();
    if (!socket)
        return failed(socket.error());
    umem->fd_ = std::move(*socket);
    const std::uint32_t metadata = metadata_length(options);
    const xsk::Registration registration{.addr = reinterpret_cast<std::uintptr_t>(umem->area()),
                                         .len = size,
                                         .chunk_size = options.frame_size,
                                         .headroom = options.headroom,
                                         .flags = (options.unaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0U) |
                                                  (metadata != 0 ? xsk::umem_tx_metadata_len : 0U),
                                         .tx_metadata_len = metadata};
    if (const auto registered = xsk::register_memory(umem->fd(), registration); !registered)
        return failed(registered.error());
    umem->free_.reserve(options.frames);
    for (std::uint64_t frame = options.frames; frame-- > 0;)
        umem->free_.push_back(frame * options.frame_size);
    return umem;
}

} // namespace xdpf::runtime
