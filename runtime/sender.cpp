#include "runtime/sender.hpp"

#include "runtime/live_frames.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <thread>

namespace xdpf::runtime {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint32_t least_packet = 14; // an Ethernet header

std::size_t longest(std::span<const OutgoingPacket> packets)
{
    std::size_t most = 0;
    for (const OutgoingPacket &packet : packets)
        most = std::max(most, packet.bytes.size());
    return most;
}

Result<void> check_sizes(std::span<const OutgoingPacket> packets, const Interface &interface)
{
    const std::size_t most = interface.mtu + 14 + 4; // Ethernet and one tag
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const std::size_t size = packets[i].bytes.size();
        if (size >= least_packet && size <= most)
            continue;
        Error error;
        error.stage = fmt::format("cannot send packet {} by '{}'", i + 1, interface.name);
        error.message = fmt::format("it has {} bytes", size);
        error.cause = size < least_packet
                          ? "that is less than an Ethernet header (14 bytes)"
                          : fmt::format("the interface's MTU of {} allows for {} with the Ethernet header and a tag",
                                        interface.mtu, most);
        if (size > most)
            error.remedy = fmt::format("ip link set dev {} mtu {}", interface.name, size - 14);
        return std::unexpected(std::move(error));
    }
    return {};
}

// When the next packet is due.
class Pace {
public:
    explicit Pace(const SendOptions &options) : options_(options) {}

    [[nodiscard]] bool timed() const { return options_.timed || options_.rate > 0; }
    void next(const OutgoingPacket &packet)
    {
        if (options_.timed)
            due_ += packet.since_last;
        else if (options_.rate > 0)
            due_ = started_ + std::chrono::nanoseconds(
                                  static_cast<std::int64_t>(static_cast<double>(++paced_) * 1e9 / options_.rate));
    }
    [[nodiscard]] Clock::time_point due() const { return due_; }

private:
    const SendOptions &options_;
    Clock::time_point started_ = Clock::now();
    Clock::time_point due_ = started_;
    std::uint64_t paced_ = 0;
};

class Sender {
public:
    Sender(Queue queue, std::span<const OutgoingPacket> packets, const SendOptions &options)
        : queue_(std::move(queue)), packets_(packets), options_(options),
          content_(queue_.memory()->options().frames, std::numeric_limits<std::size_t>::max())
    {
        left_ = options.count.value_or(options.duration ? std::numeric_limits<std::uint64_t>::max() : packets.size());
        if (options.duration)
            end_ = started_ + *options.duration;
    }

    Result<SendSummary> run(const std::function<bool()> &stop)
    {
        Pace pace(options_);
        while (left_ != 0 && !stop() && Clock::now() < end_) {
            if (pace.timed() && !wait_for(pace.due()))
                continue;
            bool any = false;
            for (std::uint32_t i = 0; i < options_.burst && left_ != 0; ++i) {
                if ((pace.timed() && Clock::now() < pace.due()) || !put())
                    break;
                any = true;
                --left_;
                pace.next(packets_[next_ = (next_ + 1) % packets_.size()]);
            }
            if (Result<void> sent = queue_.flush(); !sent)
                return std::unexpected(std::move(sent.error()));
            if (!any && queue_.unsent() != 0)
                std::this_thread::yield();
        }
        return end();
    }

private:
    // True: it is due. Sleeps no longer than until the next look at the rest.
    static bool wait_for(Clock::time_point due)
    {
        const auto left = due - Clock::now();
        if (left > std::chrono::microseconds(100))
            std::this_thread::sleep_for(
                std::min<Clock::duration>(left - std::chrono::microseconds(60), std::chrono::milliseconds(50)));
        return Clock::now() >= due;
    }

    // A frame that has carried the same packet before has it still.
    bool put()
    {
        const std::vector<std::byte> &bytes = packets_[next_].bytes;
        std::optional<Frame> frame = queue_.frame();
        if (!frame)
            return false;
        if (bytes.size() > frame->room()) {
            frame.reset();
            std::ranges::fill(content_, std::numeric_limits<std::size_t>::max());
            if (!queue_.send(bytes))
                return false;
        } else {
            frame->resize(static_cast<std::uint32_t>(bytes.size()));
            std::size_t &content = content_[frame->index()];
            if (content != next_)
                std::memcpy(frame->bytes().data(), bytes.data(), bytes.size());
            content = next_;
            if (!queue_.send(std::move(*frame)))
                return false;
        }
        ++summary_.packets;
        summary_.bytes += bytes.size();
        return true;
    }

    Result<SendSummary> end()
    {
        const Clock::time_point patience = Clock::now() + std::chrono::seconds(1);
        while (queue_.unsent() != 0 && Clock::now() < patience)
            if (Result<void> sent = queue_.flush(); !sent)
                return std::unexpected(std::move(sent.error()));
        summary_.elapsed = Clock::now() - started_;
        summary_.completed = queue_.sent().completed;
        summary_.kicks = queue_.sent().kicks;
        if (const auto statistics = queue_.statistics())
            summary_.refused = statistics->tx_invalid_descs;
        return summary_;
    }

    Queue queue_;
    std::span<const OutgoingPacket> packets_;
    const SendOptions &options_;
    std::vector<std::size_t> content_; // of each frame: which packet
    std::size_t next_ = 0;
    std::uint64_t left_ = 0;
    Clock::time_point started_ = Clock::now();
    Clock::time_point end_ = Clock::time_point::max();
    SendSummary summary_;
};

Result<SendSummary> send_by_socket(std::span<const OutgoingPacket> packets, const Interface &interface,
                                   const SendOptions &options, const std::function<bool()> &stop)
{
    QueueOptions socket = options.socket;
    if (socket.tx_size == 0)
        socket.tx_size = 2048;
    const std::size_t most = longest(packets);
    if (socket.umem.frame_size == 0)
        socket.umem.frame_size = most <= 2048 ? 2048 : 4096;
    socket.multi_buffer = most > socket.umem.frame_size;
    Result<Queue> queue = Queue::open(interface, options.queue, socket, nullptr, 1);
    if (!queue)
        return std::unexpected(std::move(queue.error()));
    return Sender(std::move(*queue), packets, options).run(stop);
}

} // namespace

Result<SendSummary> send(std::span<const OutgoingPacket> packets, const SendOptions &options,
                         const std::function<bool()> &stop)
{
    const std::string stage = fmt::format("cannot send by '{}'", options.interface);
    Result<Interface> before = find_interface(options.interface, stage);
    if (!before)
        return std::unexpected(std::move(before.error()));
    if (!before->up) {
        Error error = system_error(stage, "sendto(AF_XDP)", ENETDOWN);
        error.cause = "the interface is down";
        error.remedy = fmt::format("ip link set dev {} up", options.interface);
        return std::unexpected(std::move(error));
    }
    if (Result<void> fit = check_sizes(packets, *before); !fit)
        return std::unexpected(std::move(fit.error()));
    Result<SendSummary> summary = options.live_frames ? send_live_frames(packets, *before, options, stop)
                                                      : send_by_socket(packets, *before, options, stop);
    if (!summary)
        return summary;
    if (const Result<Interface> after = find_interface(before->index, stage))
        summary->interface = after->counters - before->counters;
    if (options.live_frames && summary->interface) // only the interface knows what it took
        summary->completed = std::min(summary->packets, summary->interface->tx_packets);
    return summary;
}

} // namespace xdpf::runtime
