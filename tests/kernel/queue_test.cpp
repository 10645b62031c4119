// AF_XDP sockets on veth pairs: what is sent arrives, whole and as it was, and every frame comes back.
#include "compiler/compile.hpp"
#include "runtime/consumers.hpp"
#include "runtime/maps.hpp"
#include "runtime/run.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <mutex>
#include <poll.h>
#include <thread>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;
using namespace std::chrono_literals;

namespace {

// What arrives at an interface, through the stack's side door.
class Listener {
public:
    explicit Listener(const char *interface) : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)))
    {
        REQUIRE(fd_);
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
        REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
        const int on = 1;
        REQUIRE(setsockopt(fd_.get(), SOL_PACKET, 23 /* PACKET_IGNORE_OUTGOING */, &on, sizeof on) == 0);
        const int room = 8 << 20;
        (void)setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    }
    // The next frame to UDP, or nothing within a second.
    std::vector<std::byte> next()
    {
        std::vector<std::byte> frame(9000);
        pollfd polled{fd_.get(), POLLIN, 0};
        while (poll(&polled, 1, 1000) == 1) {
            frame.resize(9000);
            const ssize_t got = recv(fd_.get(), frame.data(), frame.size(), 0);
            REQUIRE(got >= 0);
            frame.resize(static_cast<std::size_t>(got));
            if (frame.size() > 23 && frame[12] == std::byte{8} && frame[23] == std::byte{17})
                return frame;
        }
        return {};
    }

private:
    Fd fd_;
};

Interface interface_named(const char *name)
{
    const auto interface = find_interface(name, "");
    REQUIRE(interface);
    return *interface;
}

QueueOptions sending(std::uint32_t frames = 256)
{
    QueueOptions options;
    options.umem = {.frames = frames, .frame_size = 2048};
    options.tx_size = 128;
    return options;
}

Queue open_queue(const char *interface, const QueueOptions &options, const std::shared_ptr<Umem> &memory = nullptr,
                 std::uint32_t frames = 0)
{
    Result<Queue> queue = Queue::open(interface_named(interface), 0, options, memory, frames);
    REQUIRE_MESSAGE(queue.has_value(), to_string(queue.error()));
    return std::move(*queue);
}

Session open_session(const std::string &source, SessionOptions options)
{
    const Compilation compiled = compile(source);
    REQUIRE(compiled.ok());
    Result<Session> session = Session::open(compiled.image(), options);
    REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
    return std::move(*session);
}

void wait_until_completed(Queue &queue)
{
    const auto give_up = std::chrono::steady_clock::now() + 2s;
    while (queue.unsent() != 0 && std::chrono::steady_clock::now() < give_up)
        REQUIRE(queue.flush());
    CHECK(queue.unsent() == 0);
    CHECK(queue.sent().completed == queue.sent().sent);
}

std::uint32_t full_sum(std::span<const std::byte> bytes, std::uint32_t sum = 0)
{
    for (std::size_t i = 0; i < bytes.size(); i += 2)
        sum += std::to_integer<std::uint32_t>(bytes[i]) << 8 |
               (i + 1 < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + 1]) : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

// Of an IPv4 frame without options and tags: pseudo header, header and payload sum to 0xffff (RFC 768).
bool udp_checksum_holds(std::span<const std::byte> frame)
{
    const auto udp =
        frame.subspan(34, std::to_integer<std::size_t>(frame[38]) << 8 | std::to_integer<std::size_t>(frame[39]));
    return full_sum(udp, full_sum(frame.subspan(26, 8), 17 + static_cast<std::uint32_t>(udp.size()))) == 0xffff;
}

} // namespace

TEST_CASE("frames that are sent arrive byte for byte, and all come back")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        for (const bool unaligned : {false, true}) {
            CAPTURE(unaligned);
            QueueOptions options = sending();
            options.umem.unaligned = unaligned;
            options.umem.frame_size = unaligned ? 2999 : 2048;
            Queue queue = open_queue("xdpfrt0", options, nullptr, 1);
            Listener listener("xdpfrt1");
            constexpr std::uint32_t packets = 2000;
            std::uint32_t wrong = 0;
            for (std::uint32_t sent = 0, seen = 0; seen < packets;) {
                while (sent < packets && sent - seen < 100 && queue.send(udp_frame(sent, 17, 60 + sent % 1400)))
                    ++sent;
                REQUIRE(queue.flush());
                wrong += listener.next() == udp_frame(seen, 17, 60 + seen % 1400) ? 0 : 1;
                ++seen;
            }
            CHECK(wrong == 0);
            wait_until_completed(queue);
            CHECK(queue.memory()->free_frames() == 255); // one receives
        }
    });
}

TEST_CASE("a frame that is not sent goes back, and one that its holder keeps is not used meanwhile")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Queue queue = open_queue("xdpfrt0", sending(4), nullptr, 1);
        std::vector<Frame> kept;
        while (auto frame = queue.frame())
            kept.push_back(std::move(*frame));
        CHECK(kept.size() == 3);
        CHECK_FALSE(queue.send(udp_frame(1)));
        kept.clear();
        CHECK(queue.memory()->free_frames() == 3);
        CHECK(queue.send(udp_frame(1)));
        REQUIRE(queue.flush());
        wait_until_completed(queue);
        CHECK(queue.memory()->free_frames() == 3);
    });
}

TEST_CASE("an echo comes back with its addresses exchanged, and a partial checksum completed")
{
    XDPF_NEEDS_ROOT();
    for (const Mode mode : {Mode::native, Mode::skb})
        with_veth(1, [mode] {
            SessionOptions options{.interface = "xdpfrt0", .mode = mode};
            options.socket.tx_size = 64;
            options.socket.umem.frames = 64;
            Session session = open_session("match udp -> xsk", options);
            Sender sender("xdpfrt1");
            Listener listener("xdpfrt1");
            Echo echo;
            for (std::uint32_t number = 0; number < 1000; ++number) {
                std::vector<std::byte> frame = udp_frame(number);
                const std::uint32_t pseudo = full_sum(std::span(frame).subspan(26, 8), 17 + 30);
                frame[40] = static_cast<std::byte>(number % 2 == 0 ? pseudo >> 8 : 0);
                frame[41] = static_cast<std::byte>(number % 2 == 0 ? pseudo : 0); // 0: none
                sender.send(frame);
                for (bool received = false; !received;) {
                    REQUIRE(session.wait(1s));
                    Queue &queue = session.queues()[0];
                    Batch batch = queue.receive();
                    received = !batch.empty();
                    REQUIRE(echo(queue, batch));
                }
                const std::vector<std::byte> back = listener.next();
                REQUIRE(back.size() == frame.size());
                CHECK(std::ranges::equal(std::span(back).first(6), std::span(frame).subspan(6, 6)));
                CHECK(std::ranges::equal(std::span(back).subspan(26, 4), std::span(frame).subspan(30, 4)));
                CHECK(std::ranges::equal(std::span(back).subspan(34, 2), std::span(frame).subspan(36, 2)));
                CHECK(std::ranges::equal(std::span(back).subspan(42), std::span(frame).subspan(42)));
                if (number % 2 == 0)
                    CHECK(udp_checksum_holds(back));
                else
                    CHECK(back[40] == std::byte{0});
            }
            CHECK(echo.not_sent() == 0);
            wait_until_completed(session.queues()[0]);
        });
}

TEST_CASE("packets are forwarded between interfaces that share memory, both ways")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        REQUIRE(make_veth({.name = "xdpfrt2", .peer = "xdpfrt3"}));
        std::vector<Session> sessions;
        SessionOptions options{.interface = "xdpfrt0", .mode = Mode::native};
        options.socket.tx_size = 128;
        options.socket.umem.frames = 256;
        options.frames_of_memory = 128;
        sessions.push_back(open_session("match udp -> xsk", options));
        options.interface = "xdpfrt2";
        options.memory = {sessions[0].queues()[0].memory()};
        sessions.push_back(open_session("match udp -> xsk", options));
        Forward forward(sessions);
        const RunCallbacks callbacks{
            .batch = [&](std::size_t session, Queue &queue, Batch &batch) { return forward(session, queue, batch); }};
        std::vector<Summary> summaries;
        std::thread runner([&] { summaries = run(sessions, {}, {}, callbacks); });
        for (const auto &[from, to] : {std::pair("xdpfrt1", "xdpfrt3"), std::pair("xdpfrt3", "xdpfrt1")}) {
            Sender sender(from);
            Listener listener(to);
            std::uint32_t wrong = 0;
            for (std::uint32_t number = 0; number < 2000; ++number) {
                sender.send(udp_frame(number));
                wrong += listener.next() == udp_frame(number) ? 0 : 1;
            }
            CHECK(wrong == 0);
        }
        sessions[1].stop();
        runner.join();
        for (const Summary &summary : summaries) {
            CHECK(summary.packets == 2000);
            CHECK(summary.sent == 2000);
            CHECK(summary.lost == 0);
        }
        CHECK(forward.not_sent() == 0);
        CHECK(sessions[0].queues()[0].memory()->free_frames() == 0); // all receive again
    });
}

TEST_CASE("sockets on one queue share its frames, and get what is for their slots")
{
    XDPF_NEEDS_ROOT();
    for (const Mode mode : {Mode::native, Mode::skb})
        with_veth(1, [mode] {
            SessionOptions options{.interface = "xdpfrt0", .mode = mode, .sockets = {{0, 7}, {0, 9}, {0, 8}}};
            options.socket.tx_size = 64;
            options.socket.umem.frames = 32;
            Session session =
                open_session("defmap sockets : xskmap[16]  match udp -> xsk sockets[7 + udp.payload[0] % 3]", options);
            REQUIRE(session.queues().size() == 3);
            Sender sender("xdpfrt1");
            Listener listener("xdpfrt1");
            constexpr std::array<std::uint32_t, 3> remainders{0, 2, 1}; // of the sockets' packets
            std::uint32_t wrong = 0;
            for (std::uint32_t number = 0; number < 1500; ++number) {
                sender.send(udp_frame(number));
                REQUIRE(session.wait(1s) == Session::Wake::packets);
                for (std::size_t i = 0; i < 3; ++i) {
                    Queue &queue = session.queues()[i];
                    Batch batch = queue.receive();
                    wrong += batch.empty() || (number & 0xff) % 3 == remainders[i] ? 0 : 1;
                    for (std::uint32_t packet = 0; packet < batch.size(); ++packet)
                        REQUIRE(batch.send(packet, queue));
                    REQUIRE(queue.flush());
                }
                wrong += listener.next() == udp_frame(number) ? 0 : 1;
            }
            CHECK(wrong == 0);
            std::uint64_t sent = 0;
            std::uint64_t completed = 0;
            for (Queue &queue : session.queues()) {
                REQUIRE(queue.flush());
                sent += queue.sent().sent;
                completed += queue.sent().completed;
            }
            CHECK(sent == 1500);
            CHECK(completed == 1500);
        });
}

TEST_CASE("sockets that share memory have one thread, however many there are")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        SessionOptions options{.interface = "xdpfrt0", .sockets = {{0, 0}, {0, 1}, {0, 2}}};
        options.socket.umem.frames = 1024;
        std::vector<Session> sessions;
        sessions.push_back(open_session("defmap m : xskmap[4]  match udp -> xsk m[udp.payload[0] % 3]", options));
        std::uint32_t taken = 0;
        std::mutex mutex;
        std::vector<std::thread::id> seen;
        const RunCallbacks callbacks{.batch = [&](std::size_t, Queue &, Batch &batch) -> Result<void> {
            const std::scoped_lock lock(mutex);
            seen.push_back(std::this_thread::get_id());
            taken += batch.size();
            return {};
        }};
        std::thread runner([&] {
            (void)run(sessions, {.packets = 300, .duration = 10s}, {.cpus = {0, 1}}, callbacks);
        });
        Sender sender("xdpfrt1");
        for (std::uint32_t number = 0; number < 300; ++number)
            sender.send(udp_frame(number));
        runner.join();
        CHECK(taken == 300);
        CHECK(std::ranges::count(seen, seen.front()) == static_cast<std::ptrdiff_t>(seen.size()));
    });
}

TEST_CASE("a socket that ends leaves its frames to the others on its queue")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Compilation compiled = compile("defmap m : xskmap[4]  match udp -> xsk m[udp.payload[0] % 2]");
        Result<Loaded> program = load(compiled.image());
        REQUIRE(program);
        Queue stays = open_queue("xdpfrt0", sending(16));
        std::optional<Queue> ends = open_queue("xdpfrt0", sending(16), stays.memory());
        for (std::uint32_t slot = 0; slot < 2; ++slot) {
            const int fd = slot == 0 ? stays.fd() : ends->fd();
            REQUIRE(
                map_of(*program, "m")->update(std::as_bytes(std::span(&slot, 1)), std::as_bytes(std::span(&fd, 1))));
        }
        Result<Attachment> attachment = attach(*program, interface_named("xdpfrt0"), Mode::native);
        REQUIRE(attachment);
        Sender sender("xdpfrt1");
        const auto send = [&](std::uint32_t count, std::uint32_t odd) {
            for (std::uint32_t number = 0; number < count; ++number)
                sender.send(udp_frame(2 * number + odd));
        };
        const auto arrives = [](const Queue &queue, std::uint32_t count) {
            const auto give_up = std::chrono::steady_clock::now() + 2s;
            while (queue.waiting() != count && std::chrono::steady_clock::now() < give_up)
                std::this_thread::sleep_for(1ms);
            return queue.waiting() == count;
        };
        send(10, 1);
        CHECK(arrives(*ends, 10)); // of 16 frames
        ends.reset();
        send(16, 0);
        CHECK(arrives(stays, 6));
        CHECK(stays.receive().size() == 6);
        CHECK(stays.receive().empty()); // the ten receive again
        send(16, 0);
        CHECK(arrives(stays, 16));
    });
}

TEST_CASE("packets of several frames arrive whole, and are sent on whole")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        set_mtu("xdpfrt0", 6000);
        set_mtu("xdpfrt1", 6000);
        SessionOptions options{.interface = "xdpfrt0", .mode = Mode::native};
        options.socket.tx_size = 128;
        Session session = open_session("defprogram jumbo (frags) { match udp -> xsk }", options);
        CHECK(session.warnings().empty());
        Sender sender("xdpfrt1");
        Listener listener("xdpfrt1");
        Echo echo;
        for (std::uint32_t number = 0; number < 300; ++number) {
            std::vector<std::byte> frame = udp_frame(number, 17, 60 + number * 19);
            frame[16] = static_cast<std::byte>((frame.size() - 14) >> 8);
            frame[17] = static_cast<std::byte>(frame.size() - 14);
            frame[38] = static_cast<std::byte>((frame.size() - 34) >> 8);
            frame[39] = static_cast<std::byte>(frame.size() - 34);
            sender.send(frame);
            for (bool received = false; !received;) {
                REQUIRE(session.wait(1s));
                Queue &queue = session.queues()[0];
                Batch batch = queue.receive();
                received = !batch.empty();
                if (received) {
                    REQUIRE(batch.size() == 1);
                    REQUIRE(std::ranges::equal(batch[0], frame));
                    REQUIRE(echo(queue, batch));
                }
            }
            const std::vector<std::byte> back = listener.next();
            REQUIRE(back.size() == frame.size());
            CHECK(std::ranges::equal(std::span(back).subspan(42), std::span(frame).subspan(42)));
            CHECK(std::ranges::equal(std::span(back).subspan(34, 2), std::span(frame).subspan(36, 2)));
        }
        const auto statistics = session.queues()[0].statistics();
        REQUIRE(statistics);
        CHECK(statistics->lost() == 0);
        CHECK(statistics->tx_invalid_descs == 0);
    });
}

TEST_CASE("the kernel completes checksums and tells when a packet went")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        QueueOptions options = sending();
        options.umem.tx_metadata = true;
        Queue queue = open_queue("xdpfrt0", options, nullptr, 1);
        Listener listener("xdpfrt1");
        std::vector<std::byte> packet = udp_frame(7);
        const std::uint32_t pseudo = full_sum(std::span(packet).subspan(26, 8), 17 + 30);
        packet[40] = static_cast<std::byte>(pseudo >> 8);
        packet[41] = static_cast<std::byte>(pseudo);
        packet.resize(64);
        std::optional<Frame> frame = queue.frame();
        REQUIRE(frame.has_value());
        frame->resize(64);
        std::ranges::copy(packet, frame->bytes().begin());
        TxMetadata &metadata = frame->metadata();
        metadata = {};
        metadata.flags = TxMetadata::checksum | TxMetadata::timestamp;
        metadata.request = {34, 6, 0};
        REQUIRE(queue.send(std::move(*frame)));
        REQUIRE(queue.flush());
        const std::vector<std::byte> arrived = listener.next();
        REQUIRE(arrived.size() == 64);
        CHECK(std::ranges::equal(std::span(arrived).subspan(42), std::span(packet).subspan(42)));
        wait_until_completed(queue);
        timespec now{};
        clock_gettime(CLOCK_TAI, &now);
        const std::uint64_t tai =
            static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
        CHECK(metadata.completion <= tai);
        CHECK(metadata.completion > tai - 10'000'000'000);
    });
}

TEST_CASE("threads that spin, or sleep after a while, take all there is")
{
    XDPF_NEEDS_ROOT();
    for (const Waiting waiting : {Waiting::spin, Waiting::adaptive, Waiting::block})
        with_veth(2, [waiting] {
            Session session = open_session("match udp -> xsk", {.interface = "xdpfrt0", .mode = Mode::native});
            const SteerByPriority steering("xdpfrt1");
            std::array<Sender, 2> senders{Sender("xdpfrt1", 0), Sender("xdpfrt1", 1)};
            std::vector<Summary> summaries;
            std::thread runner([&] {
                summaries = run(std::span(&session, 1), {.packets = 2000}, {.waiting = waiting, .cpus = {0, 0}}, {});
            });
            for (std::uint32_t number = 0; number < 1000; ++number)
                for (Sender &sender : senders)
                    sender.send(udp_frame(number));
            runner.join();
            REQUIRE_FALSE(summaries.front().ended_by.has_value());
            CHECK(summaries.front().packets == 2000);
            CHECK(summaries.front().lost == 0);
            for (const QueueSummary &queue : summaries.front().queues)
                CHECK(queue.received.packets == 1000);
        });
}

TEST_CASE("packets that come fast are let gather, where that is wanted")
{
    XDPF_NEEDS_ROOT();
    for (const bool threads : {false, true})
        with_veth(1, [threads] {
            Session session = open_session("match udp -> xsk", {.interface = "xdpfrt0", .mode = Mode::native});
            constexpr std::uint32_t packets = 120;
            std::uint32_t batches = 0;
            RunPlan plan{.gather = 200ms}; // about fifty of them
            if (threads)
                plan.cpus = {0};
            std::vector<Summary> summaries;
            std::thread runner([&] {
                RunCallbacks callbacks;
                callbacks.batch = [&](std::size_t, Queue &, Batch &) {
                    ++batches;
                    return Result<void>();
                };
                summaries = run(std::span(&session, 1), {.packets = packets}, plan, callbacks);
            });
            Sender sender("xdpfrt1", 0);
            for (std::uint32_t number = 0; number < packets; ++number) {
                sender.send(udp_frame(number));
                std::this_thread::sleep_for(4ms);
            }
            runner.join();
            REQUIRE_FALSE(summaries.front().ended_by.has_value());
            CHECK(summaries.front().packets == packets);
            CHECK(summaries.front().lost == 0);
            CHECK(batches < packets / 3);
        });
}
