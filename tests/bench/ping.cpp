// Sends one packet by a raw AF_PACKET socket, waits for it to come back, spinning, and so on. Whoever echoes may change
// the headers: a reply is what carries the number in its payload.
//
//     ping INTERFACE SIZE ROUNDS     the round trips' times as JSON: microseconds
//     ping INTERFACE SIZE first      a packet each 100 us until one comes back: when that was, seconds since 1970
#include "runtime/fd.hpp"
#include "tests/bench/peer.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace {

using namespace xdpf::bench;
using xdpf::runtime::Fd;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint64_t warm_up = 500; // rounds

Fd open_socket(const char *interface)
{
    Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!socket)
        fail("socket(AF_PACKET)", errno);
    for (const int option : {PACKET_IGNORE_OUTGOING, PACKET_QDISC_BYPASS})
        if (const int on = 1; setsockopt(socket.get(), SOL_PACKET, option, &on, sizeof on) != 0)
            fail("setsockopt(SOL_PACKET)", errno);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    if (bind(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        fail("bind", errno);
    return socket;
}

// The time it took, or nothing after `patience`.
std::optional<std::chrono::nanoseconds> round_trip(const Fd &socket, std::vector<std::byte> &packet,
                                                   std::uint64_t number, Clock::duration patience)
{
    std::memcpy(&packet[udp_payload], &number, sizeof number);
    const Clock::time_point started = Clock::now();
    if (send(socket.get(), packet.data(), packet.size(), 0) < 0 && errno != ENOBUFS)
        fail("send", errno);
    std::array<std::byte, 2048> reply{};
    while (stop == 0) {
        const ssize_t got = recv(socket.get(), reply.data(), reply.size(), MSG_DONTWAIT);
        const Clock::time_point now = Clock::now();
        if (got == static_cast<ssize_t>(packet.size()) && std::memcmp(&reply[udp_payload], &number, sizeof number) == 0)
            return now - started;
        if (now - started > patience)
            break;
    }
    return std::nullopt;
}

double microseconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }

void measure(const Fd &socket, std::vector<std::byte> &packet, std::uint64_t rounds)
{
    std::vector<std::chrono::nanoseconds> times;
    std::uint64_t lost = 0;
    for (std::uint64_t number = 0; number < warm_up + rounds && stop == 0; ++number) {
        const auto time = round_trip(socket, packet, number, 20ms);
        if (number < warm_up)
            continue;
        if (time)
            times.push_back(*time);
        else if (++lost > 100)
            break;
    }
    if (times.empty()) {
        fmt::print(stderr, "bench: nothing comes back\n");
        std::exit(1);
    }
    std::ranges::sort(times);
    fmt::print("{{\"p50\":{:.3f},\"p99\":{:.3f},\"lowest\":{:.3f},\"rounds\":{},\"lost\":{}}}\n",
               microseconds(times[times.size() / 2]), microseconds(times[times.size() * 99 / 100]),
               microseconds(times.front()), times.size(), lost);
}

// A reply that is late counts, too: what matters is that one came.
void first(const Fd &socket, std::vector<std::byte> &packet)
{
    fmt::print(stderr, "attached\n");
    while (stop == 0 && !round_trip(socket, packet, 0, 100us)) {
    }
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    fmt::print("{:.6f}\n", std::chrono::duration<double>(now).count());
}

} // namespace

int main(int argc, char **argv)
{
    const auto size = argc == 4 ? number(argv[2]) : std::nullopt;
    const auto rounds = argc == 4 ? number(argv[3]) : std::nullopt;
    const bool only_first = argc == 4 && std::string_view(argv[3]) == "first";
    if (!size || *size < 60 || *size > 2048 || (!rounds && !only_first)) {
        fmt::print(stderr, "ping INTERFACE SIZE ROUNDS|first\n");
        return 2;
    }
    stop_on_sigint();
    const Fd socket = open_socket(argv[1]);
    std::vector<std::byte> packet = udp_packet(*size);
    only_first ? first(socket, packet) : measure(socket, packet, *rounds);
    return 0;
}
