// The kernel's other ways of taking and sending packets, each as fast as it is with plain means.
//
//     packet_peers tpacket INTERFACE           AF_PACKET, a TPACKET_V3 ring in shared memory, poll
//     packet_peers recvmmsg                    a UDP socket, recvmmsg, 64 a call; waits in the call
//     packet_peers sendmmsg SIZE               a connected UDP socket, sendmmsg, 64 a call
//     packet_peers packet INTERFACE SIZE       AF_PACKET past the queueing discipline, sendmmsg, 64 a call
//     packet_peers echo block|spin             a UDP socket: recvfrom, sendto
//
// Until SIGINT; then the number of packets and their bytes as JSON.
#include "runtime/fd.hpp"
#include "tests/bench/peer.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>

namespace {

using namespace xdpf::bench;
using xdpf::runtime::Fd;

constexpr unsigned batch = 64;
constexpr std::uint16_t port = 8192;

template <typename Value> void set(const Fd &socket, int level, int option, const Value &value)
{
    if (setsockopt(socket.get(), level, option, &value, sizeof value) != 0)
        fail("setsockopt", errno);
}

void bind_to(const Fd &socket, const auto &address)
{
    if (bind(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        fail("bind", errno);
}

Fd packet_socket(int protocol)
{
    Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(static_cast<std::uint16_t>(protocol))));
    if (!socket)
        fail("socket(AF_PACKET)", errno);
    return socket;
}

sockaddr_ll link_address(const char *interface, int protocol)
{
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(static_cast<std::uint16_t>(protocol));
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    return address;
}

Fd udp_socket()
{
    Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket)
        fail("socket(UDP)", errno);
    return socket;
}

sockaddr_in ip_address(const char *text)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

struct Counts {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

void ready() { fmt::print(stderr, "attached\n"); }

// 64 blocks of 256 KiB, which the kernel hands over when they are full, or after a millisecond.
Counts tpacket(const char *interface)
{
    constexpr std::uint32_t block_size = 1U << 18;
    constexpr std::uint32_t blocks = 64;
    const Fd socket = packet_socket(0);
    set(socket, SOL_PACKET, PACKET_VERSION, int{TPACKET_V3});
    tpacket_req3 request{};
    request.tp_block_size = block_size;
    request.tp_block_nr = blocks;
    request.tp_frame_size = 2048;
    request.tp_frame_nr = blocks * (block_size / request.tp_frame_size);
    request.tp_retire_blk_tov = 1;
    set(socket, SOL_PACKET, PACKET_RX_RING, request);
    set(socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    void *area = mmap(nullptr, std::size_t{block_size} * blocks, PROT_READ | PROT_WRITE, MAP_SHARED, socket.get(), 0);
    if (area == MAP_FAILED)
        fail("mmap", errno);
    bind_to(socket, link_address(interface, ETH_P_ALL));
    ready();
    Counts counts;
    for (std::uint32_t at = 0; stop == 0;) {
        auto *block = reinterpret_cast<tpacket_block_desc *>(static_cast<char *>(area) + std::size_t{at} * block_size);
        if ((__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
            pollfd polled{socket.get(), POLLIN | POLLERR, 0};
            (void)poll(&polled, 1, -1);
            continue;
        }
        const char *packet = reinterpret_cast<const char *>(block) + block->hdr.bh1.offset_to_first_pkt;
        for (std::uint32_t i = 0; i < block->hdr.bh1.num_pkts; ++i) {
            const auto *header = reinterpret_cast<const tpacket3_hdr *>(packet);
            counts.bytes += header->tp_snaplen;
            packet += header->tp_next_offset;
        }
        counts.packets += block->hdr.bh1.num_pkts;
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        at = (at + 1) % blocks;
    }
    return counts;
}

// 64 buffers of a packet's size, and messages over them.
struct Messages {
    std::array<std::array<std::byte, 2048>, batch> buffers{};
    std::array<iovec, batch> pieces{};
    std::array<mmsghdr, batch> headers{};

    explicit Messages(std::size_t size)
    {
        for (unsigned i = 0; i < batch; ++i) {
            pieces[i] = {buffers[i].data(), size};
            headers[i].msg_hdr.msg_iov = &pieces[i];
            headers[i].msg_hdr.msg_iovlen = 1;
        }
    }
};

Counts receive_messages()
{
    const Fd socket = udp_socket();
    set(socket, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20);
    bind_to(socket, ip_address("0.0.0.0"));
    Messages messages(2048);
    ready();
    Counts counts;
    while (stop == 0)
        if (const int got = recvmmsg(socket.get(), messages.headers.data(), batch, MSG_WAITFORONE, nullptr); got > 0)
            for (unsigned i = 0; i < static_cast<unsigned>(got); ++i, ++counts.packets)
                counts.bytes += messages.headers[i].msg_len;
    return counts;
}

Counts send_messages(const Fd &socket, Messages &messages)
{
    ready();
    Counts counts;
    while (stop == 0) {
        const int sent = sendmmsg(socket.get(), messages.headers.data(), batch, 0);
        if (sent < 0 && errno != ENOBUFS && errno != EINTR)
            fail("sendmmsg", errno);
        counts.packets += sent > 0 ? static_cast<unsigned>(sent) : 0;
    }
    counts.bytes = counts.packets * messages.pieces.front().iov_len;
    return counts;
}

Counts send_udp(std::uint32_t size)
{
    const Fd socket = udp_socket();
    const sockaddr_in to = ip_address("10.9.0.2");
    if (connect(socket.get(), reinterpret_cast<const sockaddr *>(&to), sizeof to) != 0)
        fail("connect", errno);
    Messages messages(size - udp_payload);
    return send_messages(socket, messages);
}

Counts send_packets(const char *interface, std::uint32_t size)
{
    const Fd socket = packet_socket(0);
    bind_to(socket, link_address(interface, 0));
    set(socket, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    Messages messages(size);
    const std::vector<std::byte> packet = udp_packet(size);
    for (auto &buffer : messages.buffers)
        std::memcpy(buffer.data(), packet.data(), packet.size());
    return send_messages(socket, messages);
}

Counts echo(bool spins)
{
    const Fd socket = udp_socket();
    bind_to(socket, ip_address("0.0.0.0"));
    ready();
    std::array<std::byte, 2048> buffer{};
    Counts counts;
    while (stop == 0) {
        sockaddr_in from{};
        socklen_t length = sizeof from;
        auto *peer = reinterpret_cast<sockaddr *>(&from);
        const ssize_t got =
            recvfrom(socket.get(), buffer.data(), buffer.size(), spins ? MSG_DONTWAIT : 0, peer, &length);
        if (got < 0)
            continue;
        if (sendto(socket.get(), buffer.data(), static_cast<std::size_t>(got), 0, peer, length) < 0)
            fail("sendto", errno);
        ++counts.packets;
        counts.bytes += static_cast<std::size_t>(got);
    }
    return counts;
}

std::optional<Counts> run(int argc, char **argv)
{
    const std::string what = argc > 1 ? argv[1] : "";
    const auto size = argc > 2 ? number(argv[argc - 1]).value_or(0) : 0;
    const bool sized = size >= 60 && size <= 2048;
    if (what == "tpacket" && argc == 3)
        return tpacket(argv[2]);
    if (what == "recvmmsg" && argc == 2)
        return receive_messages();
    if (what == "sendmmsg" && argc == 3 && sized)
        return send_udp(size);
    if (what == "packet" && argc == 4 && sized)
        return send_packets(argv[2], size);
    if (what == "echo" && argc == 3)
        return echo(std::string_view(argv[2]) == "spin");
    return std::nullopt;
}

} // namespace

int main(int argc, char **argv)
{
    stop_on_sigint();
    const auto counts = run(argc, argv);
    if (!counts) {
        fmt::print(stderr, "packet_peers tpacket INTERFACE, recvmmsg, sendmmsg SIZE, packet INTERFACE SIZE, or "
                           "echo block|spin\n");
        return 2;
    }
    fmt::print("{{\"packets\":{},\"bytes\":{}}}\n", counts->packets, counts->bytes);
    return 0;
}
