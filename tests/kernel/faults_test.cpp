// What happens to interfaces, programs and maps while a session is at work on them.
#include "compiler/compile.hpp"
#include "runtime/attached.hpp"
#include "runtime/run.hpp"
#include "runtime/session.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <future>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;
using namespace std::chrono_literals;

namespace {

Session udp_session(std::uint32_t frames = 256)
{
    const Compilation compiled = compile("match udp -> xsk");
    REQUIRE(compiled.ok());
    SessionOptions options{.interface = "xdpfrt0", .mode = Mode::native};
    options.socket.umem.frames = frames;
    Result<Session> session = Session::open(compiled.image(), options);
    REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
    return std::move(*session);
}

// Whether a packet that is sent now arrives within `patience`.
bool arrives(Session &session, const char *from, std::chrono::milliseconds patience = 3s)
{
    Sender sender(from);
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < give_up) {
        sender.send(udp_frame(1));
        REQUIRE(session.wait(50ms));
        if (session.receive([](auto, auto) {}) != 0)
            return true;
    }
    return false;
}

// Waits until something other than packets or time comes.
Result<Session::Wake> news(Session &session)
{
    const auto give_up = std::chrono::steady_clock::now() + 5s;
    while (std::chrono::steady_clock::now() < give_up) {
        const Result<Session::Wake> wake = session.wait(100ms);
        if (!wake || (*wake != Session::Wake::timeout && *wake != Session::Wake::packets))
            return wake;
        session.receive([](auto, auto) {});
    }
    return Session::Wake::timeout;
}

void rename_interface(const char *interface, const char *name)
{
    auto fd = netlink::open();
    REQUIRE(fd);
    netlink::Request request(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(if_nametoindex(interface));
    request.add_struct(info);
    request.attribute(IFLA_IFNAME, std::string_view(name));
    REQUIRE(netlink::ask(fd->get(), request) == 0);
}

// A network namespace that lives as long as this.
class OtherNamespace {
public:
    OtherNamespace()
    {
        std::promise<int> made;
        thread_ = std::thread([&made, end = end_.get_future()] {
            const bool entered = unshare(CLONE_NEWNET) == 0;
            made.set_value(entered ? open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC) : -1);
            end.wait();
        });
        fd_ = Fd(made.get_future().get());
    }
    ~OtherNamespace()
    {
        end_.set_value();
        thread_.join();
    }
    void take(const char *interface) const
    {
        auto fd = netlink::open();
        REQUIRE(fd);
        netlink::Request request(RTM_NEWLINK, 0);
        ifinfomsg info{};
        info.ifi_index = static_cast<int>(if_nametoindex(interface));
        request.add_struct(info);
        request.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(fd_.get()));
        REQUIRE(netlink::ask(fd->get(), request) == 0);
    }

private:
    std::promise<void> end_;
    Fd fd_;
    std::thread thread_;
};

std::size_t open_descriptors()
{
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t resident_pages()
{
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident;
}

} // namespace

TEST_CASE("an interface that moves to another network namespace, or whose peer's namespace goes, is gone")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = udp_session();
        REQUIRE(arrives(session, "xdpfrt1"));
        const OtherNamespace other;
        other.take("xdpfrt0");
        const Result<Session::Wake> wake = news(session);
        REQUIRE_FALSE(wake.has_value());
        CHECK(wake.error().code == ENODEV);
        CHECK(wake.error().cause.find("another network namespace") != std::string::npos);
    });
    with_veth(1, [] {
        Session session = udp_session();
        {
            const OtherNamespace other;
            other.take("xdpfrt1");
            CHECK(*news(session) == Session::Wake::timeout); // the far end went, this one stays
        }
        Result<Session::Wake> wake = news(session);
        while (wake && *wake == Session::Wake::down)
            wake = news(session);
        CHECK_FALSE(wake.has_value());
        CHECK(session.close().has_value());
    });
}

TEST_CASE("a renamed interface goes on, under its new name")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = udp_session();
        rename_interface("xdpfrt0", "xdpfrt9");
        Result<Session::Wake> wake = news(session);
        REQUIRE(wake.has_value());
        CHECK(*wake == Session::Wake::renamed);
        CHECK(session.interface().name == "xdpfrt9");
        CHECK(arrives(session, "xdpfrt1"));
        CHECK(session.close().has_value());
        const auto interface = find_interface("xdpfrt9", "");
        REQUIRE(interface);
        CHECK(find_attached(*interface).id == 0);
    });
}

TEST_CASE("down and up again, of either end: packets come again")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = udp_session();
        for (const char *end : {"xdpfrt0", "xdpfrt1"}) {
            set_up(end, false);
            if (std::string_view(end) == "xdpfrt0")
                CHECK(*news(session) == Session::Wake::down);
            set_up(end, true);
            if (std::string_view(end) == "xdpfrt0")
                CHECK(*news(session) == Session::Wake::up);
            CHECK(arrives(session, "xdpfrt1"));
        }
    });
}

TEST_CASE("a program that others detach, or replace, is missed within seconds")
{
    XDPF_NEEDS_ROOT();
    for (const bool replaced : {false, true})
        with_veth(1, [replaced] {
            CAPTURE(replaced);
            Session session = udp_session();
            const auto attached = find_attached(session.interface());
            REQUIRE(attached.link_id != 0);
            const Fd link(bpf_link_get_fd_by_id(attached.link_id));
            REQUIRE(link);
            const std::array<bpf_insn, 2> pass = {
                {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
            LIBBPF_OPTS(bpf_prog_load_opts, place, .expected_attach_type = BPF_XDP);
            const Fd other(bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", pass.data(), pass.size(), &place));
            REQUIRE(other);
            if (replaced)
                REQUIRE(bpf_link_update(link.get(), other.get(), nullptr) == 0);
            else
                REQUIRE(bpf_link_detach(link.get()) == 0);
            const Result<Session::Wake> wake = news(session);
            REQUIRE_FALSE(wake.has_value());
            CHECK(wake.error().message == "the program is no longer attached");
            CHECK(wake.error().cause.find(replaced ? "another program" : "detached") != std::string::npos);
        });
}

TEST_CASE("a socket that somebody takes out of the XSKMAP is put back")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = udp_session();
        REQUIRE(arrives(session, "xdpfrt1"));
        const std::uint32_t slot = 0;
        const MapId map = session.program().used_maps(MapKind::xskmap).front();
        REQUIRE(bpf_map_delete_elem(session.program().map_fd(map), &slot) == 0);
        CHECK_FALSE(arrives(session, "xdpfrt1", 200ms));
        CHECK(arrives(session, "xdpfrt1"));
        CHECK(session.restored() == 1);
    });
}

TEST_CASE("a consumer that is too slow loses exactly what the counters say, and then goes on")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = udp_session(64);
        Queue &queue = session.queues()[0];
        for (int round = 1; round <= 3; ++round) {
            Sender sender("xdpfrt1");
            for (std::uint32_t number = 0; number < 200; ++number)
                sender.send(udp_frame(number));
            CHECK(queue.waiting() == 64);
            CHECK(session.receive([](auto, auto) {}) == 64);
            const auto statistics = queue.statistics();
            REQUIRE(statistics);
            CHECK(statistics->lost() == static_cast<std::uint64_t>(round) * 136);
            CHECK(statistics->rx_ring_full == 0);
        }
    });
}

TEST_CASE("a thousand sessions leave neither descriptors nor memory behind")
{
    XDPF_NEEDS_ROOT();
    with_veth(32, [] { // a queue is free again only a moment after its socket was closed
        const Compilation compiled = compile("match udp -> xsk");
        REQUIRE(compiled.ok());
        const Interface interface = *find_interface("xdpfrt0", "");
        QueueOptions options;
        options.umem = {.frames = 64, .frame_size = 2048};
        options.tx_size = 64;
        const auto cycle = [&](std::uint32_t number, bool whole) {
            if (!whole) {
                REQUIRE(Queue::open(interface, number % 32, options));
                return;
            }
            SessionOptions settings{.interface = "xdpfrt0", .mode = Mode::native};
            settings.queues = {number % 32};
            settings.socket.umem.frames = 64;
            Result<Session> session = Session::open(compiled.image(), settings);
            REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
            REQUIRE(session->close());
        };
        for (std::uint32_t i = 0; i < 10; ++i)
            cycle(i, i % 2 == 0);
        const std::size_t descriptors = open_descriptors();
        const std::size_t pages = resident_pages();
        for (std::uint32_t i = 0; i < 1000; ++i)
            cycle(i, i % 10 == 0);
        CHECK(open_descriptors() == descriptors);
        CHECK(resident_pages() < pages + 512); // 2 MiB; a leak of one UMEM each would be 125 MiB
    });
}
