#include "runtime/queue.hpp"

#include "runtime/bind_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#define SO_BUSY_POLL_BUDGET 70
#endif

namespace xdpf::runtime {

namespace {

using namespace std::chrono_literals;
constexpr auto busy_patience = 1s;
constexpr auto busy_pause = 10ms;
constexpr std::uint32_t metadata_room = 64; // before a packet that is sent; a cache line

} // namespace

struct Queue::State {
    std::shared_ptr<Umem> umem;
    Fd own; // none: the socket is the UMEM's
    int fd = -1;
    std::shared_ptr<FrameRings> rings;
    xsk::Consumer rx;
    xsk::Producer tx;
    std::uint32_t index = 0;
    bool zero_copy = false;
    bool multi_buffer = false;
    std::uint32_t put = 0;     // into the TX ring, not shown to the kernel yet
    std::uint32_t batches = 0; // alive
    SendCounts counts;
    std::vector<std::byte> scratch; // of multi_buffer: packets in one piece
    std::array<std::span<std::byte>, Batch::capacity> pieces;
    std::array<std::uint8_t, Batch::capacity + 1> first{}; // packet i has the frames from first[i] to first[i + 1]

    State() = default;
    State(const State &) = delete;
    State &operator=(const State &) = delete;
    ~State()
    {
        assert(batches == 0);
        if (rings != nullptr && std::erase(rings->sockets, fd) != 0 && !rings->sockets.empty())
            leave_frames();
    }

    // To the sockets that go on with the rings: what nobody will receive here.
    void leave_frames()
    {
        std::uint32_t at = 0;
        const std::uint32_t left = xsk_ring_cons__peek(&rx.ring, rx.ring.size, &at);
        for (std::uint32_t i = 0; i < left; ++i)
            umem->give(umem->frame_of(xsk_ring_cons__rx_desc(&rx.ring, at + i)->addr));
        xsk_ring_cons__release(&rx.ring, left);
        rings->held -= left;
    }

    // Drivers that ran out of frames sleep until they are told of new ones.
    void wake_driver()
    {
        if (xsk_ring_prod__needs_wakeup(&rings->fill.ring))
            (void)recvfrom(fd, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
    }

    // Frames that came back to the UMEM go on receiving.
    void top_up()
    {
        const auto wanted = std::min<std::size_t>(rings->target - rings->held, umem->free_frames());
        std::uint32_t at = 0;
        xsk_ring_prod &fill = rings->fill.ring;
        const std::uint32_t got =
            wanted == 0 ? 0 : xsk_ring_prod__reserve(&fill, static_cast<std::uint32_t>(wanted), &at);
        for (std::uint32_t i = 0; i < got; ++i)
            *xsk_ring_prod__fill_addr(&fill, at + i) = umem->take();
        if (got != 0)
            xsk_ring_prod__submit(&fill, got);
        rings->held += got;
    }

    // All or nothing.
    bool put_tx(std::span<const xdp_desc> descriptors)
    {
        std::uint32_t at = 0;
        const auto count = static_cast<std::uint32_t>(descriptors.size());
        if (tx.ring.size == 0 || xsk_ring_prod__reserve(&tx.ring, count, &at) == 0)
            return false;
        for (const xdp_desc &descriptor : descriptors)
            *xsk_ring_prod__tx_desc(&tx.ring, at++) = descriptor;
        put += count;
        return true;
    }

    void complete()
    {
        std::uint32_t at = 0;
        xsk_ring_cons &completion = rings->completion.ring;
        const std::uint32_t done = xsk_ring_cons__peek(&completion, rings->outstanding, &at);
        if (done == 0)
            return;
        for (std::uint32_t i = 0; i < done; ++i)
            umem->give(umem->frame_of(*xsk_ring_cons__comp_addr(&completion, at + i)));
        xsk_ring_cons__release(&completion, done);
        rings->outstanding -= done;
        counts.completed += done;
    }
    // What the kernel has not taken out of the TX ring.
    [[nodiscard]] bool tx_waits() const
    {
        return __atomic_load_n(tx.ring.consumer, __ATOMIC_ACQUIRE) != *tx.ring.producer;
    }

    xsk::Outcome<void> make_rings(const QueueOptions &options, std::uint32_t frames);
    void negotiate(const QueueOptions &options);
};

namespace {

std::uint16_t bind_flags(const QueueOptions &options)
{
    std::uint16_t flags = options.need_wakeup ? XDP_USE_NEED_WAKEUP : 0;
    if (options.copy == CopyMode::copy)
        flags |= XDP_COPY;
    if (options.copy == CopyMode::zero_copy)
        flags |= XDP_ZEROCOPY;
    if (options.multi_buffer)
        flags |= xsk::use_sg;
    return flags; // neither copy nor zero-copy: the kernel tries zero-copy, then copy
}

xsk::Outcome<void> set_busy_poll(int fd, const BusyPoll &busy)
{
    struct Setting {
        int option;
        const char *call;
        std::uint32_t value;
    };
    for (const Setting &one : {Setting{SO_PREFER_BUSY_POLL, "setsockopt(SO_PREFER_BUSY_POLL)", 1},
                               Setting{SO_BUSY_POLL, "setsockopt(SO_BUSY_POLL)", busy.microseconds},
                               Setting{SO_BUSY_POLL_BUDGET, "setsockopt(SO_BUSY_POLL_BUDGET)", busy.budget}})
        if (auto set = xsk::set(fd, SOL_SOCKET, one.option, one.call, static_cast<int>(one.value)); !set)
            return set;
    return {};
}

} // namespace

// The RX ring has room for every frame, so that a burst is lost only when no frame is left; the completion ring for
// everything that the TX ring holds.
xsk::Outcome<void> Queue::State::make_rings(const QueueOptions &options, std::uint32_t frames)
{
    const auto take = [](auto &into, auto made) -> xsk::Outcome<void> {
        if (!made)
            return std::unexpected(made.error());
        into = std::move(*made);
        return {};
    };
    xsk::Outcome<void> made;
    const bool alone = rings == nullptr; // the kernel takes no others where the queue has some
    if (alone) {
        rings = std::make_shared<FrameRings>();
        const auto free = static_cast<std::uint32_t>(umem->free_frames());
        rings->target = frames == 0 ? free : std::min(frames, free);
        made = take(rings->fill, xsk::fill_ring(fd, std::bit_ceil(std::max(rings->target, 1U))));
    }
    if (made && alone)
        made = take(rings->completion, xsk::completion_ring(fd, options.tx_size != 0 ? options.tx_size : 64));
    if (made)
        made = take(rx, xsk::rx_ring(fd, std::bit_ceil(std::max(rings->target, 1U))));
    if (made && options.tx_size != 0)
        made = take(tx, xsk::tx_ring(fd, options.tx_size));
    return made;
}

void Queue::State::negotiate(const QueueOptions &options)
{
    zero_copy = xsk::is_zero_copy(fd);
    multi_buffer = options.multi_buffer;
    if (multi_buffer)
        scratch.resize(std::size_t{Batch::capacity} * umem->options().frame_size);
    // One sendto() then sends all there is; kernels before 6.17 take 32 packets a call.
    if (options.tx_size != 0)
        (void)xsk::set(fd, SOL_XDP, xsk::max_tx_skb_budget, "setsockopt(XDP_MAX_TX_SKB_BUDGET)",
                       static_cast<int>(options.tx_size));
}

Queue::Queue(std::unique_ptr<State> state) : state_(std::move(state)) {}
Queue::Queue(Queue &&) noexcept = default;
Queue &Queue::operator=(Queue &&) noexcept = default;
Queue::~Queue() = default;

// One try. A UMEM of its own is new each time: a socket that was refused leaves it half used.
Result<Queue> Queue::bind(const Interface &interface, std::uint32_t queue, const QueueOptions &options,
                          std::shared_ptr<Umem> memory, std::uint32_t frames)
{
    if (memory == nullptr) {
        Result<std::shared_ptr<Umem>> umem = Umem::create(options.umem);
        if (!umem)
            return std::unexpected(std::move(umem.error()));
        memory = std::move(*umem);
    }
    const auto failed = [&](const xsk::Refusal &refusal) {
        return std::unexpected(not_bound(interface, queue, options, refusal));
    };
    auto state = std::make_unique<State>();
    state->umem = std::move(memory);
    state->index = queue;
    const bool first = !state->umem->has_queue();
    if (!first) {
        auto socket = xsk::open_socket();
        if (!socket)
            return failed(socket.error());
        state->own = std::move(*socket);
    }
    state->fd = first ? state->umem->fd() : state->own.get();
    state->rings = state->umem->rings(interface.index, queue);
    const int shared = state->rings != nullptr ? state->rings->sockets.front() : first ? -1 : state->umem->fd();
    const bool alone = state->rings == nullptr;
    if (auto made = state->make_rings(options, frames); !made)
        return failed(made.error());
    if (options.busy_poll)
        if (auto set = set_busy_poll(state->fd, *options.busy_poll); !set)
            return failed(set.error());
    state->top_up();
    const auto bound = xsk::bind_socket(state->fd, interface.index, queue, bind_flags(options), shared);
    if (!bound)
        return failed(bound.error());
    state->rings->sockets.push_back(state->fd);
    if (alone) {
        state->rings->interface = interface.index;
        state->rings->queue = queue;
        state->umem->keep(state->rings);
    }
    state->umem->set_has_queue();
    state->negotiate(options);
    return Queue(std::move(state));
}

Result<Queue> Queue::open(const Interface &interface, std::uint32_t queue, const QueueOptions &options,
                          const std::shared_ptr<Umem> &memory, std::uint32_t frames)
{
    const auto give_up = std::chrono::steady_clock::now() + busy_patience;
    while (true) {
        Result<Queue> bound = bind(interface, queue, options, memory, frames);
        const bool passes = !bound && (bound.error().code == EBUSY || bound.error().code == ENOBUFS);
        if (!passes || std::chrono::steady_clock::now() >= give_up)
            return bound;
        std::this_thread::sleep_for(busy_pause);
    }
}

Batch Queue::receive(std::uint32_t max) { return {*state_, std::min(max, Batch::capacity)}; }

std::optional<Frame> Queue::frame()
{
    Umem &umem = *state_->umem;
    if (umem.free_frames() == 0)
        state_->complete();
    if (umem.free_frames() == 0)
        return std::nullopt;
    const std::uint64_t start = umem.options().tx_metadata ? metadata_room : 0;
    const std::uint64_t offset = umem.options().unaligned ? start << XSK_UNALIGNED_BUF_OFFSET_SHIFT : start;
    return Frame(umem, umem.take() + offset, 0, umem.options().frame_size - static_cast<std::uint32_t>(start));
}

bool Queue::send(Frame &&frame)
{
    assert(frame.umem_ == state_->umem.get());
    const xdp_desc descriptor{frame.address_, frame.length_, frame.has_metadata_ ? xsk::tx_metadata : 0};
    const bool put = state_->put_tx(std::span(&descriptor, 1));
    if (put)
        frame.umem_ = nullptr;
    return put;
}

bool Queue::send(std::span<const std::byte> packet)
{
    std::optional<Frame> copy = frame();
    if (!copy)
        return false;
    if (packet.size() > copy->room()) {
        copy.reset();
        return state_->multi_buffer && send_pieces(packet);
    }
    copy->resize(static_cast<std::uint32_t>(packet.size()));
    std::memcpy(copy->bytes().data(), packet.data(), packet.size());
    return send(std::move(*copy));
}

bool Queue::send_pieces(std::span<const std::byte> packet)
{
    std::vector<Frame> frames;
    std::vector<xdp_desc> descriptors;
    while (!packet.empty()) {
        std::optional<Frame> piece = frame();
        if (!piece)
            return false;
        const auto size = std::min<std::size_t>(packet.size(), piece->room());
        std::memcpy(piece->umem_->at(piece->address_), packet.data(), size);
        packet = packet.subspan(size);
        descriptors.push_back({piece->address_, static_cast<std::uint32_t>(size), packet.empty() ? 0 : xsk::pkt_contd});
        frames.push_back(std::move(*piece));
    }
    if (!state_->put_tx(descriptors))
        return false;
    for (Frame &frame : frames)
        frame.umem_ = nullptr;
    return true;
}

// In copy mode a call sends a part of the ring and says EAGAIN; EBUSY and ENOBUFS mean that the driver is behind, and
// the next flush goes on.
Result<void> Queue::flush()
{
    State &state = *state_;
    if (state.put != 0) {
        xsk_ring_prod__submit(&state.tx.ring, state.put);
        state.rings->outstanding += state.put;
        state.counts.sent += std::exchange(state.put, 0);
    }
    if (state.rings->outstanding == 0)
        return {};
    state.complete();
    while (xsk_ring_prod__needs_wakeup(&state.tx.ring) && state.tx_waits()) {
        ++state.counts.kicks;
        if (sendto(state.fd, nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0)
            break;
        if (errno == ENOBUFS || errno == EBUSY)
            break;
        if (errno != EAGAIN && errno != EINTR)
            return std::unexpected(not_sent(state.index, errno));
        state.complete();
    }
    state.complete();
    return {};
}

std::uint32_t Queue::unsent() const { return state_->put + state_->rings->outstanding; }
const SendCounts &Queue::sent() const { return state_->counts; }

std::uint32_t Queue::waiting() const
{
    return __atomic_load_n(state_->rx.ring.producer, __ATOMIC_ACQUIRE) - state_->rx.ring.cached_cons;
}
std::uint32_t Queue::index() const { return state_->index; }
int Queue::fd() const { return state_->fd; }
bool Queue::zero_copy() const { return state_->zero_copy; }
const std::shared_ptr<Umem> &Queue::memory() const { return state_->umem; }

void Queue::poll_driver() { (void)recvfrom(state_->fd, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr); }

QueueStatistics queue_statistics(const xdp_statistics &counters)
{
    return {counters.rx_dropped,       counters.rx_invalid_descs,
            counters.rx_ring_full,     counters.rx_fill_ring_empty_descs,
            counters.tx_invalid_descs, counters.tx_ring_empty_descs};
}

Result<QueueStatistics> Queue::statistics() const
{
    const auto counters = xsk::statistics(state_->fd);
    if (!counters)
        return std::unexpected(
            system_error("cannot read a socket's counters", counters.error().call, counters.error().code));
    return queue_statistics(*counters);
}

Batch::Batch(Queue::State &queue, std::uint32_t max) : queue_(queue), umem_(queue.umem.get())
{
    if (queue.rings->held != queue.rings->target)
        queue.top_up();
    std::uint32_t at = 0;
    xsk_ring_cons &rx = queue.rx.ring;
    const std::uint32_t seen = xsk_ring_cons__peek(&rx, queue.multi_buffer ? capacity : max, &at);
    for (std::uint32_t i = 0; i < seen; ++i)
        descriptors_[i] = *xsk_ring_cons__rx_desc(&rx, at + i);
    frames_ = count_ = seen;
    if (queue.multi_buffer) {
        assemble(max);
        xsk_ring_cons__cancel(&rx, seen - frames_); // the next batch's
    }
    if (frames_ != 0)
        xsk_ring_cons__release(&rx, frames_);
    else
        queue.wake_driver();
    ++queue.batches;
}

Batch::~Batch()
{
    --queue_.batches;
    const std::uint32_t back = frames_ - static_cast<std::uint32_t>(std::popcount(gone_));
    if (back == 0)
        return;
    std::uint32_t at = 0;
    xsk_ring_prod &fill = queue_.rings->fill.ring;
    // The ring has room for every frame that receives here, so that giving back cannot fail.
    [[maybe_unused]] const std::uint32_t reserved = xsk_ring_prod__reserve(&fill, back, &at);
    assert(reserved == back);
    for (std::uint32_t i = 0; i < frames_; ++i)
        if ((gone_ >> i & 1) == 0)
            *xsk_ring_prod__fill_addr(&fill, at++) = umem_->frame_of(descriptors_[i].addr);
    xsk_ring_prod__submit(&fill, back);
    queue_.wake_driver();
}

// Whole packets, `max` at most; what is in several frames is copied into one piece.
void Batch::assemble(std::uint32_t max)
{
    assert(queue_.batches == 0);
    const std::uint32_t seen = frames_;
    std::byte *free = queue_.scratch.data();
    frames_ = count_ = 0;
    pieces_ = queue_.pieces.data();
    for (std::uint32_t next = 0; next < seen && count_ < max; ++next) {
        if ((descriptors_[next].options & xsk::pkt_contd) != 0)
            continue;
        std::byte *const begin = free;
        for (std::uint32_t i = frames_; i <= next && next != frames_; ++i) {
            std::memcpy(free, umem_->at(descriptors_[i].addr), descriptors_[i].len);
            free += descriptors_[i].len;
        }
        pieces_[count_] = next == frames_ ? std::span(umem_->at(descriptors_[next].addr), descriptors_[next].len)
                                          : std::span(begin, free);
        queue_.first[count_++] = static_cast<std::uint8_t>(frames_);
        queue_.first[count_] = static_cast<std::uint8_t>(frames_ = next + 1);
    }
}

std::span<const xdp_desc> Batch::frames_of(std::uint32_t i) const
{
    if (pieces_ == nullptr)
        return std::span(descriptors_).subspan(i, 1);
    return std::span(descriptors_).subspan(queue_.first[i], queue_.first[i + 1] - queue_.first[i]);
}

std::uint64_t Batch::bits_of(std::span<const xdp_desc> frames) const
{
    const auto first = static_cast<std::uint32_t>(frames.data() - descriptors_.data());
    return (frames.size() == capacity ? ~0ULL : (1ULL << frames.size()) - 1) << first;
}

std::span<std::byte> Batch::head(std::uint32_t i) const
{
    const xdp_desc &first = frames_of(i).front();
    return {umem_->at(first.addr), first.len};
}

bool Batch::send(std::uint32_t i, Queue &by)
{
    assert(by.state_->umem.get() == umem_);
    const std::span<const xdp_desc> frames = frames_of(i);
    if ((gone_ & bits_of(frames)) != 0 || !by.state_->put_tx(frames))
        return false;
    gone_ |= bits_of(frames);
    queue_.rings->held -= static_cast<std::uint32_t>(frames.size());
    return true;
}

std::optional<Frame> Batch::take(std::uint32_t i)
{
    const std::span<const xdp_desc> frames = frames_of(i);
    if (frames.size() != 1 || (gone_ & bits_of(frames)) != 0)
        return std::nullopt;
    gone_ |= bits_of(frames);
    --queue_.rings->held;
    const xdp_desc &frame = frames.front();
    const auto start = static_cast<std::uint32_t>(umem_->at(frame.addr) - umem_->at(umem_->frame_of(frame.addr)));
    return Frame(*umem_, frame.addr, frame.len, umem_->options().frame_size - start);
}

} // namespace xdpf::runtime
