#include "runtime/queue.hpp"

#include "runtime/fd.hpp"
#include "runtime/library_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <linux/if_xdp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <utility>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

namespace xdpf::runtime {

struct Queue::State {
    std::unique_ptr<Umem> umem;
    xsk_socket *socket = nullptr;
    xsk_ring_cons rx{};
    int fd = -1; // the socket's, closed by libxdp
    std::uint32_t index = 0;
    bool zero_copy = false;
    std::uint32_t batches = 0; // alive

    State() = default;
    State(const State &) = delete;
    State &operator=(const State &) = delete;
    // The socket goes before the UMEM it is bound to.
    ~State()
    {
        assert(batches == 0);
        if (socket != nullptr)
            xsk_socket__delete(socket);
    }
    // Zero-copy drivers that ran out of frames sleep until they are told of new ones.
    void wake_driver()
    {
        if (xsk_ring_prod__needs_wakeup(&umem->fill()))
            (void)recvfrom(fd, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
    }
};

namespace {

using namespace std::chrono_literals;
constexpr auto busy_patience = 1s;
constexpr auto busy_pause = 10ms;

std::uint16_t bind_flags(CopyMode mode)
{
    std::uint16_t flags = XDP_USE_NEED_WAKEUP;
    if (mode == CopyMode::copy)
        flags |= XDP_COPY;
    if (mode == CopyMode::zero_copy)
        flags |= XDP_ZEROCOPY;
    return flags; // neither: the kernel tries zero-copy, then copy
}

// libxdp finds the interface through a socket of its own, and where it gets none, it gives some older errno.
bool no_file_left()
{
    const Fd one(eventfd(0, EFD_CLOEXEC));
    return !one && errno == EMFILE;
}

Error not_bound(const Interface &interface, std::uint32_t queue, const QueueOptions &options, int code)
{
    if (code != EBUSY && no_file_left())
        code = EMFILE;
    Error error = system_error(fmt::format("cannot bind an AF_XDP socket to queue {} of '{}'", queue, interface.name),
                               "xsk_socket__create", code);
    const bool forced = options.copy == CopyMode::zero_copy;
    if (code == EBUSY) {
        error.cause = "another AF_XDP socket has that queue";
        error.remedy = "ss --xdp --processes   (who it is), or other --queues";
    } else if (forced && (code == EOPNOTSUPP || code == EINVAL)) {
        error.cause = fmt::format("the driver of {} offers no zero-copy{}", interface.name,
                                  code == EINVAL ? " with this UMEM or this virtual machine's settings" : "");
        error.remedy = fmt::format("the same command with --copy; ethtool -i {}   (the driver)", interface.name);
    } else if (code == ENETDOWN) {
        error.cause = fmt::format("{} is down", interface.name);
        error.remedy = fmt::format("ip link set dev {} up", interface.name);
    } else if (code == EINVAL) {
        error.cause = fmt::format("{} has queues 0 to {}", interface.name, interface.receive_queues - 1);
    } else if (code == EAFNOSUPPORT) {
        error.cause = "this kernel is built without CONFIG_XDP_SOCKETS";
    }
    return error;
}

bool bound_zero_copy(int fd)
{
    xdp_options options{};
    socklen_t size = sizeof options;
    return getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &size) == 0 && (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

} // namespace

Queue::Queue(std::unique_ptr<State> state) : state_(std::move(state)) {}
Queue::Queue(Queue &&) noexcept = default;
Queue &Queue::operator=(Queue &&) noexcept = default;
Queue::~Queue() = default;

// One try, with a UMEM of its own: a socket that was refused leaves its UMEM half used.
Result<Queue> Queue::bind(const Interface &interface, std::uint32_t queue, const QueueOptions &options)
{
    Result<std::unique_ptr<Umem>> umem = Umem::create(options.umem);
    if (!umem)
        return std::unexpected(std::move(umem.error()));
    auto state = std::make_unique<State>();
    state->umem = std::move(*umem);
    state->umem->fill_all();
    state->index = queue;
    xsk_socket_config config{};
    config.rx_size = options.umem.frames; // room for every frame, so that a burst is lost only when no frame is left
    config.tx_size = XSK_RING_PROD__DEFAULT_NUM_DESCS;
    config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
    config.bind_flags = bind_flags(options.copy);
    const LibraryLog quiet;
    const int result = xsk_socket__create(&state->socket, interface.name.c_str(), queue, state->umem->handle(),
                                          &state->rx, nullptr, &config);
    if (result < 0) {
        state->socket = nullptr;
        return std::unexpected(not_bound(interface, queue, options, -result));
    }
    state->fd = xsk_socket__fd(state->socket);
    state->zero_copy = bound_zero_copy(state->fd);
    return Queue(std::move(state));
}

Result<Queue> Queue::open(const Interface &interface, std::uint32_t queue, const QueueOptions &options)
{
    const auto give_up = std::chrono::steady_clock::now() + busy_patience;
    while (true) {
        Result<Queue> bound = bind(interface, queue, options);
        const bool passes = !bound && (bound.error().code == EBUSY || bound.error().code == ENOBUFS);
        if (!passes || std::chrono::steady_clock::now() >= give_up)
            return bound;
        std::this_thread::sleep_for(busy_pause);
    }
}

Batch Queue::receive(std::uint32_t max) { return {*state_, std::min(max, Batch::capacity)}; }

std::uint32_t Queue::waiting() const
{
    return __atomic_load_n(state_->rx.producer, __ATOMIC_ACQUIRE) - state_->rx.cached_cons;
}
std::uint32_t Queue::index() const { return state_->index; }
int Queue::fd() const { return state_->fd; }
bool Queue::zero_copy() const { return state_->zero_copy; }

Result<QueueStatistics> Queue::statistics() const
{
    xdp_statistics counters{};
    socklen_t size = sizeof counters;
    if (getsockopt(state_->fd, SOL_XDP, XDP_STATISTICS, &counters, &size) != 0)
        return std::unexpected(system_error("cannot read a socket's counters", "getsockopt(XDP_STATISTICS)", errno));
    return QueueStatistics{counters.rx_dropped, counters.rx_invalid_descs, counters.rx_ring_full,
                           counters.rx_fill_ring_empty_descs};
}

Batch::Batch(Queue::State &queue, std::uint32_t max) : queue_(queue), area_(queue.umem->bytes(0, 0).data())
{
    std::uint32_t at = 0;
    count_ = xsk_ring_cons__peek(&queue.rx, max, &at);
    for (std::uint32_t i = 0; i < count_; ++i)
        descriptors_[i] = *xsk_ring_cons__rx_desc(&queue.rx, at + i);
    if (count_ != 0)
        xsk_ring_cons__release(&queue.rx, count_);
    else
        queue.wake_driver();
    ++queue.batches;
}

// The fill ring has room for every frame of the UMEM, so that giving back cannot fail.
Batch::~Batch()
{
    --queue_.batches;
    if (count_ == 0)
        return;
    Umem &umem = *queue_.umem;
    std::uint32_t at = 0;
    [[maybe_unused]] const std::uint32_t reserved = xsk_ring_prod__reserve(&umem.fill(), count_, &at);
    assert(reserved == count_);
    for (std::uint32_t i = 0; i < count_; ++i)
        *xsk_ring_prod__fill_addr(&umem.fill(), at + i) = umem.frame_of(descriptors_[i].addr);
    xsk_ring_prod__submit(&umem.fill(), count_);
    queue_.wake_driver();
}

} // namespace xdpf::runtime
