// One AF_XDP socket on one receive queue, with a UMEM of its own.
#pragma once

#include "runtime/interface.hpp"
#include "runtime/umem.hpp"

#include <array>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string_view>

namespace xdpf::runtime {

// Whether packets are copied into the UMEM, or the driver writes them there itself.
enum class CopyMode : std::uint8_t { automatic, copy, zero_copy };

struct QueueOptions {
    CopyMode copy = CopyMode::automatic; // automatic: zero-copy where the driver has it
    UmemOptions umem;                    // frame_size must be set
};

// The kernel's counters of a socket, getsockopt(XDP_STATISTICS), since it was bound (struct xdp_statistics).
struct QueueStatistics {
    std::uint64_t rx_dropped = 0;       // packets: no frame was free, or the packet was longer than one
    std::uint64_t rx_invalid_descs = 0; // addresses in the fill ring that are none
    std::uint64_t rx_ring_full = 0;     // packets: user space did not keep up
    std::uint64_t fill_ring_empty = 0;  // how often no frame was free; when copying, in rx_dropped as well

    [[nodiscard]] std::uint64_t lost() const { return rx_dropped + rx_ring_full; }
};

class Batch;

class Queue {
public:
    // Binds. A queue whose previous socket was closed a moment ago is still busy, and its memory still locked; that is
    // waited for, up to a second.
    [[nodiscard]] static Result<Queue> open(const Interface &interface, std::uint32_t queue,
                                            const QueueOptions &options);
    Queue(Queue &&) noexcept;
    Queue &operator=(Queue &&) noexcept;
    ~Queue();

    // The packets that are there, at most `max` of them (and Batch::capacity), without waiting. The batch's frames are
    // the caller's until it goes out of scope; the queue must outlive it.
    [[nodiscard]] Batch receive(std::uint32_t max = 64);

    [[nodiscard]] std::uint32_t waiting() const; // how many packets are there
    [[nodiscard]] std::uint32_t index() const;
    [[nodiscard]] int fd() const; // readable, for poll and epoll, when packets are there
    [[nodiscard]] bool zero_copy() const;
    [[nodiscard]] Result<QueueStatistics> statistics() const;

private:
    friend class Batch;
    struct State;
    explicit Queue(std::unique_ptr<State> state);
    [[nodiscard]] static Result<Queue> bind(const Interface &interface, std::uint32_t queue,
                                            const QueueOptions &options);

    std::unique_ptr<State> state_;
};

// Received packets. Descriptors are copied out, so that batches of one queue may overlap and end in any order.
class Batch {
public:
    static constexpr std::uint32_t capacity = 64;

    class iterator {
    public:
        using value_type = std::span<std::byte>;
        using difference_type = std::ptrdiff_t;

        iterator() = default;
        value_type operator*() const { return {area_ + descriptor_->addr, descriptor_->len}; }
        iterator &operator++()
        {
            ++descriptor_;
            return *this;
        }
        iterator operator++(int)
        {
            iterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const iterator &other) const { return descriptor_ == other.descriptor_; }

    private:
        friend class Batch;
        iterator(std::byte *area, const xdp_desc *descriptor) : area_(area), descriptor_(descriptor) {}
        std::byte *area_ = nullptr;
        const xdp_desc *descriptor_ = nullptr;
    };

    Batch(const Batch &) = delete;
    Batch &operator=(const Batch &) = delete;
    ~Batch();

    [[nodiscard]] std::uint32_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    // A packet from its Ethernet header on; the caller may write to it.
    [[nodiscard]] std::span<std::byte> operator[](std::uint32_t i) const
    {
        return {area_ + descriptors_[i].addr, descriptors_[i].len};
    }
    [[nodiscard]] iterator begin() const { return {area_, descriptors_.data()}; }
    [[nodiscard]] iterator end() const { return {area_, descriptors_.data() + count_}; }

private:
    friend class Queue;
    Batch(Queue::State &queue, std::uint32_t max);

    Queue::State &queue_;
    std::byte *area_;
    std::uint32_t count_ = 0;
    std::array<xdp_desc, capacity> descriptors_; // uninitialised beyond count_
};
static_assert(std::forward_iterator<Batch::iterator>);

} // namespace xdpf::runtime
