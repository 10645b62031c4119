#include "runtime/umem.hpp"

#include "runtime/library_log.hpp"

#include <fmt/format.h>

#include <bit>
#include <cassert>
#include <cerrno>
#include <sys/mman.h>
#include <sys/resource.h>

namespace xdpf::runtime {
namespace {

Error refused(const UmemOptions &options, std::string call, int code)
{
    Error error = system_error("cannot make the memory of an AF_XDP socket", std::move(call), code);
    if (code == ENOBUFS) {
        explain_locked_memory(error, options, 1);
    } else if (code == ENOMEM) {
        error.cause = fmt::format("{} frames of {} bytes are not to be had", options.frames, options.frame_size);
        error.remedy = "free -m   (or fewer --frames)";
    } else if (code == EINVAL) {
        error.cause = fmt::format("frames: {} (a power of two), of {} bytes (2048 or 4096), headroom {}",
                                  options.frames, options.frame_size, options.headroom);
    }
    return error;
}

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

Result<std::unique_ptr<Umem>> Umem::create(const UmemOptions &options)
{
    const bool sizes_fit = (options.frame_size == 2048 || options.frame_size == 4096) && options.headroom < 1024;
    if (!sizes_fit || !std::has_single_bit(options.frames))
        return std::unexpected(refused(options, "xsk_umem__create", EINVAL));
    std::unique_ptr<Umem> umem(new Umem);
    umem->frames_ = options.frames;
    umem->frame_size_ = options.frame_size;
    umem->size_ = static_cast<std::size_t>(options.frames) * options.frame_size;
    void *area = mmap(nullptr, umem->size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (area == MAP_FAILED)
        return std::unexpected(refused(options, "mmap", errno));
    umem->area_ = static_cast<std::byte *>(area);

    const LibraryLog quiet;
    xsk_umem_config config{};
    config.fill_size = options.frames;
    config.comp_size = XSK_RING_CONS__DEFAULT_NUM_DESCS;
    config.frame_size = options.frame_size;
    config.frame_headroom = options.headroom;
    const int result = xsk_umem__create(&umem->handle_, area, umem->size_, &umem->fill_, &umem->completion_, &config);
    if (result < 0) {
        umem->handle_ = nullptr;
        return std::unexpected(refused(options, "xsk_umem__create", -result));
    }
    return umem;
}

Umem::~Umem()
{
    if (handle_ != nullptr)
        xsk_umem__delete(handle_);
    if (area_ != nullptr)
        munmap(area_, size_);
}

void Umem::fill_all()
{
    std::uint32_t at = 0;
    [[maybe_unused]] const std::uint32_t reserved = xsk_ring_prod__reserve(&fill_, frames_, &at);
    assert(reserved == frames_);
    for (std::uint64_t frame = 0; frame < frames_; ++frame)
        *xsk_ring_prod__fill_addr(&fill_, at++) = frame * frame_size_;
    xsk_ring_prod__submit(&fill_, frames_);
}

} // namespace xdpf::runtime
