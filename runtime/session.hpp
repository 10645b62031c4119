// A program at work on an interface: loaded, sockets bound and in its XSKMAPs, attached. Destroying it undoes all that.
#pragma once

#include "runtime/attach.hpp"
#include "runtime/load.hpp"
#include "runtime/queue.hpp"
#include "runtime/records.hpp"
#include "runtime/registry.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xdpf::runtime {

// A socket on a queue of the interface, in a slot of the program's XSKMAPs.
struct SocketPlace {
    std::uint32_t queue = 0;
    std::uint32_t slot = 0;
};

struct SessionOptions {
    std::string interface = "";
    std::string program = ""; // its name; empty: the image's first
    Mode mode = Mode::automatic;
    bool dispatcher = false;             // share the interface through libxdp's dispatcher
    std::vector<std::uint32_t> queues{}; // empty: all the interface has
    // In place of `queues`, which have a socket each, in the slot of their number: sockets wherever the program sends
    // packets. Several on one queue share its frames. Session::queues() has them in this order. They are not published.
    std::vector<SocketPlace> sockets{};
    // Of each socket. Frame sizes that are 0 fit the MTU; packets of several frames come where the program has `frags`.
    QueueOptions socket{};
    // UMEMs to use in place of new ones, in order of the queues, and again from the first where there are fewer; and
    // how many of their frames receive for each socket. Interfaces that packets are forwarded between share them.
    std::vector<std::shared_ptr<Umem>> memory{};
    std::uint32_t frames_of_memory = 0; // 0: all that are free
    bool verifier_log = false;
    std::map<std::string, std::string> parameters{};     // as LoadOptions
    std::map<std::string, std::string> entry_programs{}; // as LoadOptions
    std::optional<Origin> publish{};                     // so that other processes can look at it: runtime/registry.hpp
    std::function<void(const std::string &)> step{};     // hears of each step that is done; optional
    // replace() binds sockets where there were none and the new program wants some. Nobody receives meanwhile.
    bool late_sockets = false;
};

class Session {
public:
    // In this order: load, bind the sockets, put them into the maps, attach. A program without an XSKMAP gets no
    // sockets. Without a ring buffer there are no records.
    [[nodiscard]] static Result<Session> open(const Image &image, const SessionOptions &options);

    [[nodiscard]] const Interface &interface() const { return interface_; } // as it was when opened, but its name
    [[nodiscard]] Loaded &program() { return program_; }
    [[nodiscard]] const Loaded &program() const { return program_; }
    [[nodiscard]] const Attachment &attachment() const { return *attachment_; }
    [[nodiscard]] std::span<Queue> queues() { return queues_; }
    [[nodiscard]] std::span<const Queue> queues() const { return queues_; }
    // What a user should know although nothing failed: the interface is down, packets that will not fit, ...
    [[nodiscard]] const std::vector<std::string> &warnings() const { return warnings_; }

    enum class Wake : std::uint8_t {
        packets, // at least one queue has some; there may be records, too
        records, // ring buffers have some
        stop,    // stop() was called
        timeout,
        down,    // the interface was set down; packets come again when it is up
        up,      // and here it is
        renamed, // interface() has its new name
    };
    // Waits for one of these; a negative timeout waits for ever. Errors: the interface is gone, or somebody else
    // detached or replaced the program. About once a second it looks after that, and after its sockets in the XSKMAPs,
    // which it puts back (restored()).
    [[nodiscard]] Result<Wake> wait(std::chrono::milliseconds timeout);
    // Readable, for poll and epoll, when wait() would not wait. It does not hear of programs that others detach: call
    // wait() now and then.
    [[nodiscard]] int fd() const { return events_.get(); }
    // From here on wait() is not about packets: other threads look after the queues.
    void leave_queues_to_others();
    void take_queues_back();
    // How many sockets were missing in XSKMAPs and were put back.
    [[nodiscard]] std::uint64_t restored() const { return restored_; }

    // Ends a wait, now or the next one. Safe in signal handlers and from other threads.
    void stop() const;
    [[nodiscard]] int stop_fd() const { return stop_.get(); } // an eventfd; writing 8 bytes to it is a stop

    // Hands every packet that is there to `on_packet(queue index, packet)`, without waiting; how many there were.
    template <std::invocable<std::uint32_t, std::span<std::byte>> OnPacket> std::uint64_t receive(OnPacket &&on_packet)
    {
        std::uint64_t packets = 0;
        for (Queue &queue : queues_) {
            const Batch batch = queue.receive(Batch::capacity);
            for (const std::span<std::byte> packet : batch)
                on_packet(queue.index(), packet);
            packets += batch.size();
        }
        return packets;
    }

    [[nodiscard]] bool has_records() const { return records_.has_value(); }
    // Hands over the records that are there, without waiting; how many there were.
    std::uint64_t receive_records(const std::function<void(const Record &)> &on_record)
    {
        return records_ ? records_->read(on_record) : 0;
    }

    // Puts another program in place of the one at work, from one packet to the next (bpf_link_update). Sockets stay.
    // Maps that both sources declare alike keep what they hold; devmaps, cpumaps and parameters begin anew. Of the
    // options only those of load() and `publish` count. The names of the kept maps, or an error, and all is as it was.
    [[nodiscard]] Result<std::vector<std::string>> replace(const Image &image, const SessionOptions &options);
    // Of all programs that were at work, one after the other; nothing where verdicts are not counted.
    [[nodiscard]] Result<std::optional<VerdictCounts>> verdict_counts() const;
    // What the rules of the program that the last replace() took away had met in the end.
    [[nodiscard]] const std::vector<RuleCount> &replaced_rule_counts() const { return replaced_rules_; }

    // Nothing comes any more; what lies in the sockets can still be received.
    [[nodiscard]] Result<void> detach();
    // Detaches and closes the sockets, and tells of failures, which destroying would swallow.
    [[nodiscard]] Result<void> close();

private:
    enum : std::uint32_t { has_packet = 1, has_record = 2, link_changed = 4, stopped = 8 }; // what woke a wait

    Session() = default;
    [[nodiscard]] Result<void> bind_queues(const Loaded &program, const SessionOptions &options);
    [[nodiscard]] Result<Queue> bind_queue(const SessionOptions &options, std::uint32_t queue) const;
    [[nodiscard]] Result<void> bind_late(const Loaded &now, SessionOptions options);
    [[nodiscard]] Result<void> fill_maps();
    [[nodiscard]] Result<void> check();
    [[nodiscard]] Result<void> restore_sockets();
    [[nodiscard]] Result<void> attach_program(const SessionOptions &options);
    [[nodiscard]] Result<void> start_waiting();
    [[nodiscard]] Result<void> listen_to_records();
    [[nodiscard]] Result<void> listen(int fd, std::uint32_t tag);
    [[nodiscard]] std::optional<Result<Wake>> link_news();
    [[nodiscard]] Result<Wake> woken(std::uint32_t tags);
    void publish(const SessionOptions &options);
    template <class F> void tell(F text) const
    {
        if (step_)
            step_(text());
    }
    [[nodiscard]] Result<Loaded> load_program(const Image &image, const SessionOptions &options,
                                              std::map<std::string, int> kept) const;
    [[nodiscard]] Result<void> swap_programs(Loaded &now);
    void choose_frame_size(QueueOptions &socket);
    void warn_of_link();

    Interface interface_;
    Loaded program_;
    std::optional<RecordReader> records_;
    std::vector<Queue> queues_;
    std::vector<std::uint32_t> slots_;     // of each queue, in XSKMAPs
    std::optional<Attachment> attachment_; // after the sockets: detached first
    std::optional<Registration> registration_;
    Fd stop_;
    LinkWatch watch_;
    LinkWatch::State link_ = LinkWatch::State::up;
    Fd events_; // an epoll over the queues, the records, stop_ and watch_
    std::chrono::steady_clock::time_point checked_{};
    std::uint64_t restored_ = 0;
    std::optional<VerdictCounts> earlier_; // of programs that were replaced
    std::vector<RuleCount> replaced_rules_;
    std::vector<std::string> warnings_;
    std::function<void(const std::string &)> step_;
};

} // namespace xdpf::runtime
