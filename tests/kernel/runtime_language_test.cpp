// What a source says beside its rules, on veth pairs with real packets: parameters, contents, pins, other programs,
// redirects, records, counters, metadata.
#include "compiler/compile.hpp"
#include "runtime/maps.hpp"
#include "runtime/run.hpp"
#include "runtime/session.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <unistd.h>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;
using namespace std::chrono_literals;

namespace {

Compilation compiled(const std::string &source, const CompileOptions &options = {})
{
    Compilation compilation = compile(source, "test.xdpf", options);
    std::string said;
    for (const Diagnostic &diagnostic : compilation.diagnostics().all())
        said += diagnostic.message + "\n";
    REQUIRE_MESSAGE(compilation.ok(), said);
    return compilation;
}

SessionOptions native(const std::string &interface = "xdpfrt0")
{
    SessionOptions options;
    options.interface = interface;
    options.mode = Mode::native;
    return options;
}

Session open(const Compilation &compilation, const SessionOptions &options = native())
{
    Result<Session> session = Session::open(compilation.image(), options);
    REQUIRE_MESSAGE(session.has_value(), to_string(session.error()));
    return std::move(*session);
}

Error failure(const Compilation &compilation, const SessionOptions &options = native())
{
    const Result<Session> session = Session::open(compilation.image(), options);
    REQUIRE_FALSE(session.has_value());
    return session.error();
}

void send(std::uint32_t packets, std::size_t size = 64)
{
    Sender sender("xdpfrt1");
    for (std::uint32_t i = 0; i < packets; ++i)
        sender.send(udp_frame(i, 17, size));
}

std::string entry(Session &session, std::string_view map_name, std::string_view key)
{
    const Result<Map> map = map_of(session.program(), map_name);
    REQUIRE(map);
    const Result<Bytes> bytes = map->key(key);
    REQUIRE(bytes);
    const Result<std::optional<Bytes>> value = map->lookup(*bytes);
    REQUIRE_MESSAGE(value.has_value(), to_string(value.error()));
    return *value ? layout_text(map->spec().value, **value) : "none";
}

// Waits until the entry is as it should be: what comes through another processor or interface takes a moment.
bool becomes(Session &session, std::string_view map, std::string_view key, std::string_view value)
{
    for (int i = 0; i < 200; ++i, std::this_thread::sleep_for(10ms))
        if (entry(session, map, key) == value)
            return true;
    MESSAGE(map << '[' << key << "] is " << entry(session, map, key));
    return false;
}

// Counts the UDP frames that arrive at an interface.
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
    }
    // Up to `wanted`, or as many as came before half a second went without one.
    std::uint32_t frames(std::uint32_t wanted)
    {
        std::uint32_t got = 0;
        pollfd entry{fd_.get(), POLLIN, 0};
        while (got < wanted && poll(&entry, 1, 500) == 1) {
            std::array<std::byte, 2048> frame{};
            sockaddr_ll from{};
            socklen_t length = sizeof from;
            const ssize_t size =
                recvfrom(fd_.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr *>(&from), &length);
            got += size >= 42 && frame[23] == std::byte{17} && from.sll_pkttype != PACKET_OUTGOING ? 1 : 0;
        }
        return got;
    }

private:
    Fd fd_;
};

struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / fmt::format("xdpf-language-{}", getpid());
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    void write(const char *name, std::string_view text) const { std::ofstream(path / name) << text; }
};

// udp_frame goes from 10.9.0.2 to 10.9.0.1, port 8192.
constexpr const char *counted = "defmap hits : percpu_array<counter>[4]\n";

} // namespace

TEST_CASE("parameters: when loading, and while the program runs")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Compilation source = compiled(
            std::string(counted) + "param port : u16 = 53 in 1..9000\n"
                                   "param from : ipv4.src = 10.0.0.1\n"
                                   "param big : u64 = 1\n"
                                   "match udp.dport == port and ipv4.src == from -> { count hits[0]; drop }\n");
        SessionOptions options = native();
        options.parameters = {{"from", "10.9.0.2"}};
        Session session = open(source, options);
        Loaded &program = session.program();
        CHECK(program.parameter("from").value_or("") == "10.9.0.2");
        CHECK(program.parameter("port").value_or("") == "53");
        send(3);
        CHECK(entry(session, "hits", "0") == "{packets = 0, bytes = 0}");
        REQUIRE(program.set_parameter("port", 8192));
        CHECK(program.parameter("port").value_or("") == "8192");
        CHECK(program.parameter("from").value_or("") == "10.9.0.2");
        send(3);
        CHECK(becomes(session, "hits", "0", "{packets = 3, bytes = 192}"));
        REQUIRE(program.set_parameter("from", "10.9.0.3"));
        send(3);
        CHECK(entry(session, "hits", "0") == "{packets = 3, bytes = 192}");
        REQUIRE(program.set_parameter("big", "0xffff_ffff_ffff_ffff"));
        CHECK(program.parameter("big").value_or("") == "18446744073709551615");

        const auto why = [&](std::string_view name, std::string_view value) {
            const Result<void> set = program.set_parameter(name, value);
            REQUIRE_FALSE(set.has_value());
            return to_string(set.error());
        };
        CHECK(why("port", "9001").find("1..9000") != std::string::npos);
        CHECK(why("port", "70000").find("does not fit into 16 bits") != std::string::npos);
        CHECK(why("from", "10.9.0").find("no IPv4 address") != std::string::npos);
        CHECK(why("prt", "1").find("port") != std::string::npos);
        CHECK(program.parameter("port").value_or("") == "8192");
    });
}

TEST_CASE("a parameter that is wrong ends the loading")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        SessionOptions options = native();
        options.parameters = {{"port", "0"}};
        CHECK(to_string(failure(compiled("param port : u16 = 5 in 1..9\nmatch udp.dport == port -> drop"), options))
                  .find("out of its bounds") != std::string::npos);
        CHECK(to_string(failure(compiled("match udp -> drop"), options)).find("declares none") != std::string::npos);
    });
}

TEST_CASE("maps have their contents from the source and from a file")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Folder folder;
        folder.write("list.txt", "# senders\n192.0.2.0/24\n10.9.0.0/30  # here\n");
        folder.write("contents.xdpf",
                     std::string(counted) +
                         "defmap listed : lpm_trie<ipv4.src>[100] from \"list.txt\"\n"
                         "defmap ports : hash<udp.dport -> u32>[8] = {53 -> 1, 8192 -> 7}\n"
                         "match ipv4.src in listed and udp.dport in ports -> { count hits[0]; drop }\n");
        const Compilation source = compile_file(folder.path / "contents.xdpf");
        REQUIRE(source.ok());
        Session session = open(source);
        CHECK(entry(session, "ports", "8192") == "7");
        send(5);
        CHECK(becomes(session, "hits", "0", "{packets = 5, bytes = 320}"));

        const Result<Map> listed = map_of(session.program(), "listed");
        REQUIRE(listed);
        const auto entries = listed->entries();
        REQUIRE(entries);
        CHECK(entries->size() == 2);
        CHECK(entry(session, "listed", "10.9.0.0/30") != "none");
        CHECK(entry(session, "listed", "10.9.0.0/31") == "none"); // only what is there, not what it would match
        REQUIRE(listed->erase(listed->key("10.9.0.0/30").value()).value_or(false));
        CHECK_FALSE(listed->erase(listed->key("10.9.0.0/30").value()).value_or(true));
        send(1);
        CHECK(entry(session, "hits", "0") == "{packets = 5, bytes = 320}");
        const Result<Map> ports = map_of(session.program(), "ports");
        REQUIRE(ports->update(ports->key("80").value(), ports->value("3").value()));
        CHECK_FALSE(ports->update(ports->key("80").value(), ports->value("3").value(), BPF_NOEXIST).has_value());
        CHECK(ports->text({ports->key("80").value(), ports->value("3").value()}) == "80 -> 3");
        CHECK_FALSE(map_of(session.program(), "prts").has_value());
    });
}

TEST_CASE("a pinned map outlives the program, and another kind of map under its name is refused")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const std::string name = fmt::format("pin{}", getpid());
        const std::filesystem::path file = fmt::format("/sys/fs/bpf/xdpf/{}", name);
        struct Unpin {
            std::filesystem::path file;
            ~Unpin() { std::filesystem::remove(file); }
        } unpin{file};
        const std::string rule = fmt::format("match udp -> {{ count {}[0]; drop }}\n", name);
        const Compilation source = compiled(fmt::format(
            "defmap {} : array<counter>[2] (pinned) = {{0 -> {{packets = 100, bytes = 0}}}}\n{}", name, rule));
        {
            Session session = open(source);
            CHECK(entry(session, name, "0") == "{packets = 100, bytes = 0}");
            send(4);
            CHECK(becomes(session, name, "0", "{packets = 104, bytes = 256}"));
        }
        REQUIRE(std::filesystem::exists(file));
        {
            Session session = open(source);
            CHECK(entry(session, name, "0") == "{packets = 104, bytes = 256}");
        }
        const std::string refused =
            to_string(failure(compiled(fmt::format("defmap {} : array<counter>[3] (pinned)\n{}", name, rule))));
        CHECK_MESSAGE(refused.find("of another kind or other sizes") != std::string::npos, refused);
        CHECK_MESSAGE(refused.find(fmt::format("rm {}", file.string())) != std::string::npos, refused);
    });
}

TEST_CASE("goto goes on with another program")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Compilation source =
            compiled(std::string(counted) + "defprogram first { match udp -> goto second }\n"
                                            "defprogram second { match udp.dport == 8192 -> goto third }\n"
                                            "defprogram third { match ipv4 -> { count hits[2]; drop } }\n");
        Session session = open(source);
        CHECK(session.program().programs().size() == 3);
        send(6);
        CHECK(becomes(session, "hits", "2", "{packets = 6, bytes = 384}"));
    });
}

TEST_CASE("redirect through a devmap: one entry, all of them except the one it came by, a program at the entry")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        REQUIRE(make_veth({.name = "xdpfrt2", .peer = "xdpfrt3"}));
        const Compilation pass = compiled("match udp -> pass");
        Session napi = open(pass, native("xdpfrt3")); // what veth redirects to needs it
        Session napi_back = open(pass, native("xdpfrt1"));
        const std::string ports =
            std::string(counted) + "defmap ports : devmap[4] = {0 -> \"xdpfrt0\", 2 -> \"xdpfrt2\"}\n";
        const std::string out = "defprogram out on devmap { match udp -> { count hits[3]; pass } }\n";
        {
            Session session =
                open(compiled(ports + "defprogram main { match udp -> redirect ports[2] else drop }\n" + out));
            Listener there("xdpfrt3");
            send(10);
            CHECK(there.frames(10) == 10);
            CHECK(becomes(session, "hits", "3", "{packets = 10, bytes = 640}"));
        }
        {
            SessionOptions options = native();
            options.entry_programs = {{"ports", ""}};
            Session session = open(
                compiled(ports + "defprogram main { match udp -> redirect ports[* except iface] else drop }\n" + out),
                options);
            Listener there("xdpfrt3");
            Listener back("xdpfrt1");
            send(10);
            CHECK(there.frames(10) == 10);
            CHECK(back.frames(1) == 0);
            CHECK(entry(session, "hits", "3") == "{packets = 0, bytes = 0}");
        }
        {
            Session session = open(compiled(ports + "match udp -> redirect ports[*] else drop\n"));
            Listener there("xdpfrt3");
            Listener back("xdpfrt1");
            send(10);
            CHECK(there.frames(10) == 10);
            CHECK(back.frames(10) == 10);
        }
        const std::string two = out + "defprogram other on devmap { match udp -> drop }\n";
        const std::string which = to_string(
            failure(compiled(ports + "defprogram main { match udp -> redirect ports[2] else drop }\n" + two)));
        CHECK_MESSAGE(which.find("--entry-program ports=out") != std::string::npos, which);
        const std::string none = to_string(failure(
            compiled("defmap ports : devmap[1] = {0 -> \"xdpfrt9\"}\nmatch udp -> redirect ports[0] else drop")));
        CHECK_MESSAGE(none.find("xdpfrt9") != std::string::npos, none);
    });
}

TEST_CASE("redirect to another processor, with a program there")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session =
            open(compiled(std::string(counted) +
                          "defmap cpus : cpumap[2] = {0 -> 192, 1 -> 192}\n"
                          "defprogram main { match udp -> redirect cpus[1] else drop }\n"
                          "defprogram there on cpumap { match udp.dport == 8192 -> { count hits[1]; drop } }\n"));
        send(10);
        CHECK(becomes(session, "hits", "1", "{packets = 10, bytes = 640}"));
    });
}

TEST_CASE("records: emitted fields and sampled bytes")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session =
            open(compiled("defmap events : ringbuf[65536]\n"
                          "defmap samples : ringbuf[65536]\n"
                          "match udp -> { emit events {src = ipv4.src, dport = udp.dport, mac = ethernet.src};"
                          " sample samples[48]; drop }\n"));
        REQUIRE(session.has_records());
        CHECK(session.queues().empty());
        send(200);
        std::uint32_t emitted = 0;
        std::uint32_t sampled = 0;
        std::uint32_t wrong = 0;
        std::string last;
        std::uint64_t time = 0;
        while (session.wait(1s).value_or(Session::Wake::timeout) == Session::Wake::records && emitted + sampled < 400)
            session.receive_records([&](const Record &record) {
                if (!record.type->sample) {
                    ++emitted;
                    wrong += record.time < time ? 1 : 0;
                    time = record.time;
                    const std::string text = to_text(record);
                    last = text.substr(text.find(' ') + 1);
                    return;
                }
                auto frame = udp_frame(sampled++);
                frame.resize(48);
                wrong += std::ranges::equal(record.packet, frame) ? 0 : 1;
                wrong += record.fields[1].number() == 64 && record.fields[2].number() == 0 ? 0 : 1;
            });
        CHECK(emitted == 200);
        CHECK(sampled == 200);
        CHECK(wrong == 0);
        CHECK(last == "events src = 10.9.0.2, dport = 8192, mac = 02:00:00:00:00:02");
        CHECK(time > 0);
    });
}

TEST_CASE("rules count what they meet")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = open(compiled("match tcp -> drop\nmatch udp.dport == 8192 -> drop\nmatch udp -> drop\n",
                                        {.rule_counters = true}));
        send(7);
        std::vector<std::uint64_t> packets;
        for (int i = 0; i < 100 && (packets.empty() || packets[1] < 7); ++i, std::this_thread::sleep_for(10ms)) {
            const auto counts = session.program().rule_counts();
            REQUIRE(counts);
            packets.clear();
            for (const RuleCount &count : *counts)
                packets.push_back(count.packets);
        }
        CHECK(packets == std::vector<std::uint64_t>{0, 7, 0});
        CHECK(session.program().rule_counts()->at(1).bytes == 7 * 64);
    });
}

TEST_CASE("metadata lies right in front of the packet that a socket gets")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = open(compiled("match udp -> { metadata {port = udp.dport, mark = 0x11223344}; xsk }"));
        send(5);
        std::uint32_t packets = 0;
        std::uint32_t wrong = 0;
        while (packets < 5 && session.wait(500ms).value_or(Session::Wake::timeout) == Session::Wake::packets)
            session.receive([&](std::uint32_t, std::span<std::byte> packet) {
                std::array<std::uint32_t, 2> area{};
                std::memcpy(area.data(), packet.data() - sizeof area, sizeof area);
                wrong += area == std::array<std::uint32_t, 2>{8192, 0x11223344} ? 0 : 1;
                wrong += std::ranges::equal(packet, udp_frame(packets++)) ? 0 : 1;
            });
        CHECK(packets == 5);
        CHECK(wrong == 0);
    });
}

TEST_CASE("receive metadata of veth; where the driver has none, that is said")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Compilation source = compiled("defmap events : ringbuf[65536]\n"
                                            "match udp -> { emit events {hash = rx_hash, at = rx_timestamp}; drop }\n");
        {
            Session session = open(source);
            send(5);
            std::vector<std::uint64_t> hashes;
            while (hashes.size() < 5 && session.wait(1s).value_or(Session::Wake::timeout) == Session::Wake::records)
                session.receive_records([&](const Record &record) { hashes.push_back(record.fields[0].number()); });
            REQUIRE(hashes.size() == 5);
            CHECK(hashes[0] != 0);
        }
        SessionOptions skb = native();
        skb.mode = Mode::skb;
        CHECK(failure(source, skb).code != 0);
        const std::string refused = to_string(failure(source, native("lo")));
        CHECK_MESSAGE(refused.find("receive metadata") != std::string::npos, refused);
    });
}

TEST_CASE("a program with frags takes packets longer than a page")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        set_mtu("xdpfrt0", 9000);
        set_mtu("xdpfrt1", 9000);
        const std::string map = "defmap long : percpu_array<u64>[1]\n";
        const std::string body = "{ match udp.dport == 8192 and packet.length > 8000 -> { count long[0]; drop } }\n";
        CHECK(failure(compiled(map + "defprogram big " + body)).code == ERANGE);
        Session session = open(compiled(map + "defprogram big (frags) " + body));
        send(3, 9000);
        CHECK(becomes(session, "long", "0", "3"));
    });
}

TEST_CASE("what no goto leads to is not loaded with a program")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = open(compiled("defmap hits : array<u64>[1]\n"
                                        "defprogram first { match udp -> goto second }\n"
                                        "defprogram pieces (frags) { match udp -> drop }\n"
                                        "defprogram bound { match udp and rx_hash > 0 -> drop }\n"
                                        "defprogram second { match udp -> goto third }\n"
                                        "defprogram third { match udp -> { count hits[0]; drop } }\n"));
        CHECK(session.program().programs().size() == 3);
        send(2);
        CHECK(becomes(session, "hits", "0", "2"));
    });
}

TEST_CASE("queues and per-processor values from outside")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        Session session = open(compiled("defmap ids : queue<u32>[8] = {7, 8}\n"
                                        "defmap sums : percpu_hash<udp.dport -> u64>[8] = {53 -> 5}\n"
                                        "match udp -> { add 9 to ids; drop }\n"));
        send(1);
        const Result<Map> ids = map_of(session.program(), "ids");
        REQUIRE(ids);
        for (const char *wanted : {"7", "8", "9"}) {
            CHECK(layout_text(ids->spec().value, ids->lookup({}).value().value()) == wanted);
            CHECK(layout_text(ids->spec().value, ids->pop().value().value()) == wanted);
        }
        CHECK_FALSE(ids->pop().value().has_value());
        CHECK_FALSE(ids->entries().has_value());

        const Result<Map> sums = map_of(session.program(), "sums");
        REQUIRE(sums);
        const auto each = sums->lookup_each(sums->key("53").value());
        REQUIRE(each);
        CHECK(each->size() == static_cast<std::size_t>(libbpf_num_possible_cpus()));
        CHECK(number_of(sums->spec().value.fields[0], each->back()) == 5);
        CHECK(entry(session, "sums", "53") == fmt::format("{}", 5 * each->size()));
        CHECK(entry(session, "sums", "54") == "none");
    });
}

TEST_CASE("a program for the entries of a map is not attached to an interface")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        SessionOptions options = native();
        options.program = "out";
        const Compilation source =
            compiled("defprogram out on devmap { match udp -> drop }\ndefprogram main { match udp -> pass }\n");
        CHECK(failure(source, options).message == "it is a program on devmap");
        CHECK(open(source).program().name() == "main");
    });
}
