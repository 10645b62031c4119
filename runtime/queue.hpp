// One AF_XDP socket on one queue of an interface: packets come, and packets go.
#pragma once

#include "runtime/interface.hpp"
#include "runtime/umem.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace xdpf::runtime {

// Whether packets are copied into the UMEM, or the driver writes them there itself.
enum class CopyMode : std::uint8_t { automatic, copy, zero_copy };

// Preferred busy polling (kernel 5.11): the thread that waits does the driver's work, in place of interrupts.
struct BusyPoll {
    std::uint32_t microseconds = 20; // SO_BUSY_POLL
    std::uint32_t budget = 64;       // packets a round, SO_BUSY_POLL_BUDGET
};

struct QueueOptions {
    CopyMode copy = CopyMode::automatic; // automatic: zero-copy where the driver has it
    UmemOptions umem{};                  // frame_size must be set
    std::uint32_t tx_size = 0;           // entries of the TX ring, a power of two; 0: nothing is sent
    bool need_wakeup = true;             // the kernel says when it wants to be woken (XDP_USE_NEED_WAKEUP)
    bool multi_buffer = false;           // packets of several frames (XDP_USE_SG, kernel 6.6)
    std::optional<BusyPoll> busy_poll{};
};

// The kernel's counters of a socket, getsockopt(XDP_STATISTICS), since it was bound (struct xdp_statistics).
struct QueueStatistics {
    std::uint64_t rx_dropped = 0;       // packets: no frame was free, or the packet was longer than one
    std::uint64_t rx_invalid_descs = 0; // addresses in the fill ring that are none
    std::uint64_t rx_ring_full = 0;     // packets: user space did not keep up
    std::uint64_t fill_ring_empty = 0;  // how often no frame was free; when copying, in rx_dropped as well
    std::uint64_t tx_invalid_descs = 0; // packets that the kernel refused to send
    std::uint64_t tx_ring_empty = 0;    // how often the kernel found nothing to send

    [[nodiscard]] std::uint64_t lost() const { return rx_dropped + rx_ring_full; }
    // Why they were not received, where no ring was full; the two together are rx_dropped.
    [[nodiscard]] std::uint64_t no_free_frame() const { return std::min(rx_dropped, fill_ring_empty); }
    [[nodiscard]] std::uint64_t other() const { return rx_dropped - no_free_frame(); }
};
[[nodiscard]] QueueStatistics queue_statistics(const xdp_statistics &counters);

// What user space did with a socket.
struct SendCounts {
    std::uint64_t sent = 0;      // packets put into the TX ring
    std::uint64_t completed = 0; // what the kernel is done with; sockets on one queue find each other's
    std::uint64_t kicks = 0;     // sendto() calls
};

class Batch;

// A frame of a UMEM that belongs to its holder. What is not sent goes back to the UMEM.
class Frame {
public:
    Frame(Frame &&other) noexcept
        : umem_(std::exchange(other.umem_, nullptr)), address_(other.address_), length_(other.length_),
          room_(other.room_), has_metadata_(other.has_metadata_)
    {
    }
    Frame &operator=(Frame &&other) noexcept
    {
        std::swap(umem_, other.umem_);
        std::swap(address_, other.address_);
        std::swap(length_, other.length_);
        std::swap(room_, other.room_);
        std::swap(has_metadata_, other.has_metadata_);
        return *this;
    }
    ~Frame()
    {
        if (umem_ != nullptr)
            umem_->give(umem_->frame_of(address_));
    }

    // The packet from its Ethernet header on.
    [[nodiscard]] std::span<std::byte> bytes() const { return {umem_->at(address_), length_}; }
    [[nodiscard]] std::uint32_t room() const { return room_; } // bytes that a packet here may have
    // Which of the UMEM's frames it is.
    [[nodiscard]] std::uint32_t index() const
    {
        return static_cast<std::uint32_t>(umem_->frame_of(address_) / umem_->options().frame_size);
    }
    void resize(std::uint32_t length) { length_ = std::min(length, room_); }
    // Of a UMEM with tx_metadata: what shall be done with the packet. Good until the frame comes back to the UMEM.
    [[nodiscard]] TxMetadata &metadata()
    {
        has_metadata_ = true;
        return *reinterpret_cast<TxMetadata *>(umem_->at(address_) - sizeof(TxMetadata));
    }

private:
    friend class Queue;
    friend class Batch;
    Frame(Umem &umem, std::uint64_t address, std::uint32_t length, std::uint32_t room)
        : umem_(&umem), address_(address), length_(length), room_(room)
    {
    }

    Umem *umem_;
    std::uint64_t address_;
    std::uint32_t length_;
    std::uint32_t room_ = 0;
    bool has_metadata_ = false;
};

class Queue {
public:
    // Binds. A queue whose previous socket was closed a moment ago is still busy, and its memory still locked; that is
    // waited for, up to a second. With `memory` the socket uses that UMEM together with its other queues, on the same
    // or another interface (kernel 5.10), and `frames` of it receive (0: all that are free). Several sockets on one
    // queue share these frames, as the first of them said, which is to live as long as the others.
    [[nodiscard]] static Result<Queue> open(const Interface &interface, std::uint32_t queue,
                                            const QueueOptions &options, const std::shared_ptr<Umem> &memory = nullptr,
                                            std::uint32_t frames = 0);
    Queue(Queue &&) noexcept;
    Queue &operator=(Queue &&) noexcept;
    ~Queue();

    // The packets that are there, at most `max` of them (and Batch::capacity), without waiting. The batch's frames are
    // the caller's until it goes out of scope; the queue must outlive it. With multi_buffer one batch at a time.
    [[nodiscard]] Batch receive(std::uint32_t max = 64);

    // An empty frame to write a packet into; nothing: all are on their way.
    [[nodiscard]] std::optional<Frame> frame();
    // Puts it into the TX ring, where flush() finds it; false: the ring is full, and the frame stays with the caller.
    // The frame must be of this queue's UMEM.
    [[nodiscard]] bool send(Frame &&frame);
    // A copy of the bytes in a frame of its own, with multi_buffer in several. False: no ring or frame has room, or the
    // packet is longer than may be.
    [[nodiscard]] bool send(std::span<const std::byte> packet);
    // Lets the kernel send what is in the ring, and takes finished frames back. Does nothing where nothing is to be
    // done. Errors: the interface is down or gone.
    [[nodiscard]] Result<void> flush();
    [[nodiscard]] std::uint32_t unsent() const; // packets that are not completed, of all sockets on this queue
    [[nodiscard]] const SendCounts &sent() const;

    [[nodiscard]] std::uint32_t waiting() const; // how many packets are there
    [[nodiscard]] std::uint32_t index() const;
    [[nodiscard]] int fd() const; // readable, for poll and epoll, when packets are there
    [[nodiscard]] bool zero_copy() const;
    [[nodiscard]] const std::shared_ptr<Umem> &memory() const;
    [[nodiscard]] Result<QueueStatistics> statistics() const;
    // One round of the driver's work in this thread, for busy polling.
    void poll_driver();

private:
    friend class Batch;
    struct State;
    explicit Queue(std::unique_ptr<State> state);
    [[nodiscard]] static Result<Queue> bind(const Interface &interface, std::uint32_t queue,
                                            const QueueOptions &options, std::shared_ptr<Umem> memory,
                                            std::uint32_t frames);

    [[nodiscard]] bool send_pieces(std::span<const std::byte> packet);

    std::unique_ptr<State> state_;
};

// Received packets. Descriptors are copied out, so that batches of one queue may overlap and end in any order. What was
// not sent on goes back to the queue's fill ring at the end.
class Batch {
public:
    static constexpr std::uint32_t capacity = 64;

    class iterator {
    public:
        using value_type = std::span<std::byte>;
        using difference_type = std::ptrdiff_t;

        iterator() = default;
        value_type operator*() const { return (*batch_)[index_]; }
        iterator &operator++()
        {
            ++index_;
            return *this;
        }
        iterator operator++(int)
        {
            iterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const iterator &other) const { return index_ == other.index_; }

    private:
        friend class Batch;
        iterator(const Batch *batch, std::uint32_t index) : batch_(batch), index_(index) {}
        const Batch *batch_ = nullptr;
        std::uint32_t index_ = 0;
    };

    Batch(const Batch &) = delete;
    Batch &operator=(const Batch &) = delete;
    ~Batch();

    [[nodiscard]] std::uint32_t size() const { return count_; } // packets
    [[nodiscard]] bool empty() const { return count_ == 0; }
    // A packet from its Ethernet header on; the caller may write to it. Of a packet in several frames a copy in one
    // piece, good as long as the batch.
    [[nodiscard]] std::span<std::byte> operator[](std::uint32_t i) const
    {
        if (pieces_ != nullptr)
            return pieces_[i];
        return {umem_->at(descriptors_[i].addr), descriptors_[i].len};
    }
    [[nodiscard]] iterator begin() const { return {this, 0}; }
    [[nodiscard]] iterator end() const { return {this, count_}; }

    // The first frame of packet i, which send() sends: of a packet in several frames what is written to operator[] is
    // not sent.
    [[nodiscard]] std::span<std::byte> head(std::uint32_t i) const;

    // Sends packet i on as it lies there, by a queue of the same UMEM; flush() that queue afterwards. False: its TX
    // ring is full, and the packet stays here, or it was sent or taken already.
    [[nodiscard]] bool send(std::uint32_t i, Queue &by);
    // Takes packet i out of the batch, to keep it longer; nothing: it is gone already, or in several frames.
    [[nodiscard]] std::optional<Frame> take(std::uint32_t i);

private:
    friend class Queue;
    Batch(Queue::State &queue, std::uint32_t max);
    void assemble(std::uint32_t max);
    [[nodiscard]] std::span<const xdp_desc> frames_of(std::uint32_t i) const;
    [[nodiscard]] std::uint64_t bits_of(std::span<const xdp_desc> frames) const;

    Queue::State &queue_;
    Umem *umem_;
    std::uint32_t count_ = 0;
    std::uint32_t frames_ = 0;                   // descriptors; with several frames a packet more than count_
    std::uint64_t gone_ = 0;                     // bit i: frame i was sent or taken
    std::span<std::byte> *pieces_ = nullptr;     // of multi_buffer
    std::array<xdp_desc, capacity> descriptors_; // uninitialised beyond frames_
};
static_assert(std::forward_iterator<Batch::iterator>);
static_assert(Batch::capacity <= 64, "gone_ has a bit for each");

} // namespace xdpf::runtime
