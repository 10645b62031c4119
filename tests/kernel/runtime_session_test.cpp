// Sessions on veth pairs: packets arrive, and what goes wrong is said and leaves nothing behind.
#include "compiler/compile.hpp"
#include "runtime/attached.hpp"
#include "runtime/run.hpp"
#include "runtime/session.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/kernel/runtime_programs.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;
using namespace std::chrono_literals;

namespace {

SessionOptions on_veth(Mode mode = Mode::native)
{
    SessionOptions options;
    options.interface = "xdpfrt0";
    options.mode = mode;
    return options;
}

std::uint32_t attached_id()
{
    const auto interface = find_interface("xdpfrt0", "");
    REQUIRE(interface);
    return find_attached(*interface).id;
}

// Sends in portions that the rings hold, other protocols in between, and checks every frame's bytes.
void send_and_compare(Session &session, std::uint32_t packets)
{
    Sender sender("xdpfrt1");
    std::uint32_t next = 0;
    std::uint32_t wrong = 0;
    for (std::uint32_t sent = 0; sent < packets;) {
        for (int i = 0; i < 500 && sent < packets; ++i)
            sender.send(udp_frame(sent++));
        sender.send(udp_frame(sent, 6));
        const auto give_up = std::chrono::steady_clock::now() + 2s;
        while (next < sent && std::chrono::steady_clock::now() < give_up) {
            REQUIRE(session.wait(100ms));
            session.receive([&](std::uint32_t, std::span<std::byte> packet) {
                wrong += std::ranges::equal(packet, udp_frame(next++)) ? 0 : 1;
            });
        }
    }
    CHECK(next == packets);
    CHECK(wrong == 0);
    const auto statistics = session.queues()[0].statistics();
    REQUIRE(statistics);
    CHECK(statistics->lost() == 0);
}

struct BatchOf {
    BatchOf(Queue &queue, std::uint32_t max) : batch(queue.receive(max)) {}
    Batch batch;
};

Error failure(const Image &image, const SessionOptions &options)
{
    const Result<Session> session = Session::open(image, options);
    REQUIRE_FALSE(session.has_value());
    return session.error();
}

} // namespace

TEST_CASE("100,000 UDP packets arrive byte for byte, in native and in skb mode")
{
    XDPF_NEEDS_ROOT();
    for (const Mode mode : {Mode::native, Mode::skb})
        with_veth(1, [mode] {
            CAPTURE(name_of(mode));
            const Compilation compiled = compile_file(XDPF_SOURCE_DIR "/examples/udp_to_xsk.xdpf");
            REQUIRE(compiled.ok());
            Result<Session> session = Session::open(compiled.image(), on_veth(mode));
            REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
            CHECK(session->attachment().mode() == mode);
            CHECK_FALSE(session->queues()[0].zero_copy());
            CHECK(attached_id() == session->program().program_id());
            send_and_compare(*session, 100'000);
            CHECK(session->close().has_value());
            CHECK(attached_id() == 0);
        });
}

TEST_CASE("what is steered to a queue arrives in the socket of that queue")
{
    XDPF_NEEDS_ROOT();
    with_veth(2, [] {
        const Compilation compiled = compile("match udp -> xsk");
        REQUIRE(compiled.ok());
        Result<Session> session = Session::open(compiled.image(), on_veth());
        REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
        REQUIRE(session->queues().size() == 2);
        const SteerByPriority steering("xdpfrt1");
        constexpr std::array<std::uint32_t, 2> sent{300, 200};
        std::array<Sender, 2> senders{Sender("xdpfrt1", 0), Sender("xdpfrt1", 1)};
        for (std::uint32_t queue = 0; queue < sent.size(); ++queue)
            for (std::uint32_t i = 0; i < sent[queue]; ++i)
                senders[queue].send(udp_frame(i * 2 + queue));
        std::array<std::uint32_t, 2> arrived{};
        while (arrived != sent && session->wait(500ms).value_or(Session::Wake::timeout) != Session::Wake::timeout)
            session->receive([&](std::uint32_t queue, std::span<std::byte> packet) {
                arrived[queue] += std::ranges::equal(packet, udp_frame(arrived[queue] * 2 + queue)) ? 1 : 0;
            });
        CHECK(arrived == sent);
    });
}

TEST_CASE("batches may overlap and end in any order; all frames come back")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        SessionOptions options = on_veth();
        options.socket.umem.frames = 64;
        Result<Session> session = Session::open(udp_to_xsk(), options);
        REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
        Sender sender("xdpfrt1");
        Queue &queue = session->queues()[0];
        for (std::uint32_t round = 0; round < 20; ++round) {
            for (std::uint32_t i = 0; i < 32; ++i)
                sender.send(udp_frame(round * 32 + i));
            // The storage of an optional lets the first end before the second.
            std::optional<BatchOf> first(std::in_place, queue, 8U);
            const Batch second = queue.receive(64);
            REQUIRE(first->batch.size() == 8);
            REQUIRE(second.size() == 24);
            CHECK(std::ranges::equal(first->batch[7], udp_frame(round * 32 + 7)));
            first.reset();
            CHECK(std::ranges::equal(second[0], udp_frame(round * 32 + 8)));
            CHECK(queue.receive().empty());
        }
    });
}

TEST_CASE("what the frames do not hold is counted as lost, once")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        SessionOptions options = on_veth();
        options.socket.umem.frames = 64;
        Result<Session> session = Session::open(udp_to_xsk(), options);
        REQUIRE(session);
        Sender sender("xdpfrt1");
        for (std::uint32_t i = 0; i < 200; ++i)
            sender.send(udp_frame(i));
        const Summary summary = run(*session, {.packets = {}, .duration = 100ms});
        CHECK(summary.packets == 64);
        CHECK(summary.lost == 136);
        sender.send(udp_frame(0));
        CHECK(run(*session, {.packets = 1, .duration = 2s}).packets == 1);
    });
}

TEST_CASE("a queue that was closed a moment ago is waited for")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        for (int i = 0; i < 3; ++i) {
            const Result<Session> session = Session::open(udp_to_xsk(), on_veth());
            REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
        }
        CHECK(attached_id() == 0);
    });
}

TEST_CASE("a killed process leaves nothing")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const Result<Session> session = Session::open(udp_to_xsk(), on_veth());
            pause();
            _exit(session ? 0 : 1);
        }
        for (int i = 0; i < 200 && attached_id() == 0; ++i)
            std::this_thread::sleep_for(10ms);
        CHECK(attached_id() != 0);
        const Error error = failure(udp_to_xsk(), on_veth());
        CHECK(error.code == EBUSY);
        CHECK(error.cause.find(std::to_string(child)) != std::string::npos);
        CHECK(error.remedy.starts_with("kill " + std::to_string(child)));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        const Result<Session> again = Session::open(udp_to_xsk(), on_veth());
        CHECK_MESSAGE(again.has_value(), (again ? std::string() : to_string(again.error())));
    });
}

TEST_CASE("what the environment refuses is said with call, errno, cause and remedy, and nothing is left")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        SessionOptions options = on_veth();
        options.interface = "eth9";
        Error error = failure(udp_to_xsk(), options);
        CHECK(to_string(error) == "error: cannot attach to 'eth9': rtnetlink RTM_GETLINK: No such device (ENODEV)\n"
                                  "  cause: there is no interface of that name in this network namespace\n"
                                  "  try:   ip link show");
        options = on_veth();
        options.queues = {0, 3};
        CHECK(failure(udp_to_xsk(), options).message == "the interface has only queue 0");

        options = on_veth();
        options.socket.copy = CopyMode::zero_copy;
        CHECK(failure(udp_to_xsk(), options).code == EOPNOTSUPP);

        set_mtu("xdpfrt0", 9000);
        set_mtu("xdpfrt1", 9000);
        error = failure(udp_to_xsk(), on_veth());
        CHECK(error.code == ERANGE);
        CHECK(error.cause.find("MTU") != std::string::npos);
        {
            const Result<Session> fallen_back = Session::open(udp_to_xsk(), on_veth(Mode::automatic));
            REQUIRE(fallen_back);
            CHECK(fallen_back->attachment().mode() == Mode::skb);
            CHECK(fallen_back->attachment().fallback().find("ERANGE") != std::string::npos);
            CHECK(fallen_back->warnings().size() == 2);
        }
        CHECK(attached_id() == 0);
    });
}

TEST_CASE("a map that is too small for the queue is named")
{
    XDPF_NEEDS_ROOT();
    with_veth(2, [] {
        const Error error = failure(redirect_all(1), on_veth());
        CHECK(error.code == E2BIG);
        CHECK(error.remedy == "the same command with --queues 0   (or, in the source: defmap xsks : xskmap[2])");
        CHECK(attached_id() == 0);
    });
}

TEST_CASE("another program on the interface is named, with what removes it")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Result<Session> first = Session::open(count_all(MapKind::array), on_veth(Mode::skb));
        REQUIRE(first);
        const Error error = failure(udp_to_xsk(), on_veth());
        CHECK(error.code == EEXIST);
        CHECK(error.cause.find("'count_all'") != std::string::npos);
        CHECK(error.cause.find("skb mode") != std::string::npos);
        CHECK(error.remedy.starts_with("kill "));
    });
}

TEST_CASE("the verifier's rejection points at the source line")
{
    XDPF_NEEDS_ROOT();
    const Result<Loaded> loaded = load(unchecked_read());
    REQUIRE_FALSE(loaded.has_value());
    const Error &error = loaded.error();
    CHECK(error.code == EACCES);
    CHECK(error.place.file == "hand.xdpf");
    CHECK(error.place.line == 7);
    CHECK(error.place.text == "match udp -> xsk");
    CHECK(error.message.find("invalid access to packet") != std::string::npos);
    CHECK(error.log.find("R2") != std::string::npos);
}

TEST_CASE("a wait ends with a stop, an interface that goes down, and an error when it is gone")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Result<Session> session = Session::open(udp_to_xsk(), on_veth());
        REQUIRE(session);
        CHECK(session->wait(0ms) == Session::Wake::timeout);
        session->stop();
        CHECK(session->wait(-1ms) == Session::Wake::stop);
        CHECK(session->wait(0ms) == Session::Wake::timeout);
        const auto wait_for_change = [&] {
            Result<Session::Wake> wake = session->wait(2s);
            while (wake == Session::Wake::timeout || wake == Session::Wake::packets)
                wake = session->wait(2s);
            return wake;
        };
        set_up("xdpfrt0", false);
        CHECK(wait_for_change() == Session::Wake::down);
        set_up("xdpfrt0", true);
        CHECK(wait_for_change() == Session::Wake::up);
        remove_interface("xdpfrt0");
        Result<Session::Wake> gone = wait_for_change();
        while (gone == Session::Wake::down)
            gone = wait_for_change();
        REQUIRE_FALSE(gone.has_value());
        CHECK(gone.error().code == ENODEV);
        CHECK(session->close().has_value());
    });
}

TEST_CASE("the run loop stops at its limits and counts by queue")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Result<Session> session = Session::open(udp_to_xsk(), on_veth());
        REQUIRE(session);
        Sender sender("xdpfrt1");
        for (std::uint32_t i = 0; i < 100; ++i)
            sender.send(udp_frame(i));
        const Summary counted = run(*session, {.packets = 100, .duration = 5s});
        CHECK(counted.packets == 100);
        CHECK(counted.bytes == 6400);
        CHECK(counted.elapsed < 4s);
        CHECK_FALSE(counted.ended_by);
        REQUIRE(counted.interface);
        CHECK(counted.interface->rx_packets >= 100);
        int ticks = 0;
        RunCallbacks callbacks;
        callbacks.tick = [&](auto, auto) { ++ticks; };
        callbacks.tick_every = 50ms;
        const Summary idle = run(*session, {.packets = {}, .duration = 200ms}, callbacks);
        CHECK(idle.packets == 0);
        CHECK(idle.elapsed >= 200ms);
        CHECK(ticks >= 2);
    });
}

TEST_CASE("a program without an XSKMAP is attached without sockets")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Result<Session> session = Session::open(count_all(MapKind::array), on_veth());
        REQUIRE(session);
        CHECK(session->queues().empty());
        CHECK(attached_id() == session->program().program_id());
        CHECK(session->wait(10ms).has_value());
    });
}

TEST_CASE("a program that takes another's place brings sockets where it may; what the old one's rules met is known")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Compilation dropping = compile("match udp -> drop", "a", {.rule_counters = true});
        const Compilation redirecting = compile("match udp -> xsk", "a", {.rule_counters = true});
        SessionOptions options = on_veth();
        Result<Session> session = Session::open(dropping.image(), options);
        REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
        CHECK(session->queues().empty());
        const auto refused = session->replace(redirecting.image(), options);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().cause == "it redirects into sockets, and the old one had none");
        CHECK(session->queues().empty());
        Sender sender("xdpfrt1");
        for (std::uint32_t i = 0; i < 3; ++i)
            sender.send(udp_frame(i));
        const auto give_up = std::chrono::steady_clock::now() + 2s;
        while (session->program().rule_counts()->at(0).packets < 3 && std::chrono::steady_clock::now() < give_up)
            std::this_thread::sleep_for(1ms);
        options.late_sockets = true;
        const auto kept = session->replace(redirecting.image(), options);
        REQUIRE_MESSAGE(kept.has_value(), to_string(kept.error()));
        REQUIRE(session->replaced_rule_counts().size() == 1);
        CHECK(session->replaced_rule_counts()[0].packets == 3);
        CHECK(session->queues().size() == 1);
        send_and_compare(*session, 1000);
    });
}

TEST_CASE("the dispatcher is refused with a reason where the kernel has no extension programs")
{
    XDPF_NEEDS_ROOT();
    const Result<void> possible = dispatcher_possible();
    if (possible)
        XDPF_SKIP("this kernel takes extension programs");
    with_veth(1, [&] {
        SessionOptions options = on_veth();
        options.dispatcher = true;
        const Error error = failure(udp_to_xsk(), options);
        CHECK(error.code == possible.error().code);
        CHECK_FALSE(error.cause.empty());
        CHECK(attached_id() == 0);
    });
}

TEST_CASE("exactly so many are taken; what lies there when all is detached is taken, too")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Result<Session> session = Session::open(udp_to_xsk(), on_veth());
        REQUIRE(session);
        Sender sender("xdpfrt1");
        for (std::uint32_t i = 0; i < 100; ++i)
            sender.send(udp_frame(i));
        const Summary some = run(*session, {.packets = 70, .duration = std::chrono::milliseconds::max()});
        CHECK(some.packets == 70);
        CHECK(some.not_taken == 30);
        CHECK(some.lost == 0);
        session->stop(); // before it looks at any queue
        const Summary rest = run(*session, {.packets = {}, .duration = {}, .detach = true});
        CHECK(rest.packets == 30);
        CHECK(rest.not_taken == 0);
        CHECK(rest.detached.has_value());
        CHECK(attached_id() == 0);
        session->stop();
        CHECK(session->wait(std::chrono::hours(10'000'000)) == Session::Wake::stop);
    });
}
