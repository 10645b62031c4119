// AF_XDP as the field's examples do it: one socket on libxdp's xsk API, queue 0, batches of 64, and the plain loops.
//
//     xsk_peer rxdrop INTERFACE native|skb poll|spin OBJECT     receives and drops
//     xsk_peer l2fwd INTERFACE native|skb poll|spin OBJECT      sends back, with the MAC addresses exchanged
//     xsk_peer txonly INTERFACE SIZE                            sends as fast as it goes
//
// OBJECT is loaded as it is and redirects into its XSKMAP, so that against `xdpf run` only the loop differs. Until
// SIGINT; then the number of packets as JSON.
#include "runtime/fd.hpp"
#include "tests/bench/peer.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace {

using namespace xdpf::bench;

constexpr std::uint32_t frames = 4096;
constexpr std::uint32_t frame_size = XSK_UMEM__DEFAULT_FRAME_SIZE;
constexpr std::uint32_t batch = 64;

struct Peer {
    xsk_umem *umem = nullptr;
    xsk_socket *socket = nullptr;
    xsk_ring_prod fill{};
    xsk_ring_cons completion{};
    xsk_ring_cons rx{};
    xsk_ring_prod tx{};
    char *area = nullptr;
    bool polls = false;
    std::uint32_t outstanding = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;

    [[nodiscard]] int fd() const { return xsk_socket__fd(socket); }
};

void open_socket(Peer &peer, const char *interface, bool receives, bool sends)
{
    const std::size_t size = static_cast<std::size_t>(frames) * frame_size;
    void *area = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        fail("mmap", errno);
    peer.area = static_cast<char *>(area);
    xsk_umem_config memory{};
    memory.fill_size = frames;
    memory.comp_size = XSK_RING_CONS__DEFAULT_NUM_DESCS;
    memory.frame_size = frame_size;
    int result = xsk_umem__create(&peer.umem, area, size, &peer.fill, &peer.completion, &memory);
    if (result != 0)
        fail("xsk_umem__create", result);
    xsk_socket_config config{};
    config.rx_size = XSK_RING_CONS__DEFAULT_NUM_DESCS;
    config.tx_size = XSK_RING_PROD__DEFAULT_NUM_DESCS;
    config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
    config.bind_flags = XDP_USE_NEED_WAKEUP | XDP_COPY;
    result = xsk_socket__create(&peer.socket, interface, 0, peer.umem, receives ? &peer.rx : nullptr,
                                sends ? &peer.tx : nullptr, &config);
    if (result != 0)
        fail("xsk_socket__create", result);
    std::uint32_t at = 0;
    xsk_ring_prod__reserve(&peer.fill, frames, &at);
    for (std::uint64_t frame = 0; frame < frames; ++frame)
        *xsk_ring_prod__fill_addr(&peer.fill, at++) = frame * frame_size;
    xsk_ring_prod__submit(&peer.fill, frames);
}

int load(const char *path, const xsk_socket *socket)
{
    bpf_object *object = bpf_object__open_file(path, nullptr);
    if (object == nullptr)
        fail("bpf_object__open_file", errno);
    if (const int result = bpf_object__load(object); result != 0)
        fail("bpf_object__load", result);
    bpf_map *map = nullptr;
    bpf_object__for_each_map(map, object)
    {
        const std::uint32_t key = 0;
        const int fd = xsk_socket__fd(socket);
        if (bpf_map__type(map) == BPF_MAP_TYPE_XSKMAP)
            if (const int result = bpf_map_update_elem(bpf_map__fd(map), &key, &fd, BPF_ANY); result != 0)
                fail("bpf_map_update_elem", result);
    }
    return bpf_program__fd(bpf_object__next_program(object, nullptr));
}

void wake_driver(Peer &peer)
{
    if (xsk_ring_prod__needs_wakeup(&peer.fill))
        (void)recvfrom(peer.fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
}

void kick(Peer &peer)
{
    if (sendto(peer.fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) < 0 && errno != EAGAIN && errno != EBUSY &&
        errno != ENOBUFS)
        fail("sendto", errno);
}

std::uint32_t reserve_fill(Peer &peer, std::uint32_t count)
{
    std::uint32_t at = 0;
    while (xsk_ring_prod__reserve(&peer.fill, count, &at) != count)
        wake_driver(peer);
    return at;
}

// Packets, from `from` on in the RX ring; with polling they are waited for.
std::uint32_t receive(Peer &peer, std::uint32_t &from)
{
    pollfd polled{peer.fd(), POLLIN, 0};
    if (peer.polls && poll(&polled, 1, peer.outstanding == 0 ? 1000 : 0) <= 0)
        return 0;
    const std::uint32_t got = xsk_ring_cons__peek(&peer.rx, batch, &from);
    if (got == 0)
        wake_driver(peer);
    return got;
}

void rxdrop(Peer &peer)
{
    std::uint32_t from = 0;
    const std::uint32_t got = receive(peer, from);
    if (got == 0)
        return;
    const std::uint32_t to = reserve_fill(peer, got);
    for (std::uint32_t i = 0; i < got; ++i) {
        const xdp_desc &descriptor = *xsk_ring_cons__rx_desc(&peer.rx, from + i);
        peer.bytes += descriptor.len;
        *xsk_ring_prod__fill_addr(&peer.fill, to + i) = xsk_umem__extract_addr(descriptor.addr);
    }
    xsk_ring_prod__submit(&peer.fill, got);
    xsk_ring_cons__release(&peer.rx, got);
    peer.packets += got;
}

// Lets the kernel send, and gives the frames that it is done with back to the fill ring.
void complete(Peer &peer)
{
    if (peer.outstanding == 0)
        return;
    kick(peer);
    std::uint32_t from = 0;
    const std::uint32_t done = xsk_ring_cons__peek(&peer.completion, batch, &from);
    if (done == 0)
        return;
    const std::uint32_t to = reserve_fill(peer, done);
    for (std::uint32_t i = 0; i < done; ++i)
        *xsk_ring_prod__fill_addr(&peer.fill, to + i) = *xsk_ring_cons__comp_addr(&peer.completion, from + i);
    xsk_ring_prod__submit(&peer.fill, done);
    xsk_ring_cons__release(&peer.completion, done);
    peer.outstanding -= done;
}

void l2fwd(Peer &peer)
{
    complete(peer);
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    const std::uint32_t got = receive(peer, from);
    if (got == 0)
        return;
    while (xsk_ring_prod__reserve(&peer.tx, got, &to) != got)
        complete(peer);
    for (std::uint32_t i = 0; i < got; ++i) {
        const xdp_desc &descriptor = *xsk_ring_cons__rx_desc(&peer.rx, from + i);
        char *packet = peer.area + descriptor.addr;
        std::swap_ranges(packet, packet + 6, packet + 6);
        peer.bytes += descriptor.len;
        *xsk_ring_prod__tx_desc(&peer.tx, to + i) = descriptor;
    }
    xsk_ring_prod__submit(&peer.tx, got);
    xsk_ring_cons__release(&peer.rx, got);
    peer.outstanding += got;
    peer.packets += got;
}

void txonly(Peer &peer, std::uint32_t size, std::uint32_t &frame)
{
    std::uint32_t to = 0;
    while (stop == 0 && xsk_ring_prod__reserve(&peer.tx, batch, &to) != batch) {
        if (xsk_ring_prod__needs_wakeup(&peer.tx))
            kick(peer);
        std::uint32_t from = 0;
        const std::uint32_t done = xsk_ring_cons__peek(&peer.completion, batch, &from);
        xsk_ring_cons__release(&peer.completion, done);
        peer.outstanding -= done;
    }
    if (stop != 0)
        return;
    for (std::uint32_t i = 0; i < batch; ++i, frame = (frame + 1) % frames)
        *xsk_ring_prod__tx_desc(&peer.tx, to + i) = {std::uint64_t{frame} * frame_size, size, 0};
    xsk_ring_prod__submit(&peer.tx, batch);
    peer.outstanding += batch;
    peer.packets += batch;
    peer.bytes += std::uint64_t{batch} * size;
}

void send_all(Peer &peer, const char *interface, std::uint32_t size)
{
    open_socket(peer, interface, false, true);
    const std::vector<std::byte> packet = udp_packet(size);
    for (std::size_t frame = 0; frame < frames; ++frame)
        std::memcpy(peer.area + frame * frame_size, packet.data(), packet.size());
    fmt::print(stderr, "attached\n");
    for (std::uint32_t frame = 0; stop == 0;)
        txonly(peer, size, frame);
}

void receive_all(Peer &peer, char **argv)
{
    const bool forwards = std::string_view(argv[1]) == "l2fwd";
    peer.polls = std::string_view(argv[4]) == "poll";
    open_socket(peer, argv[2], true, forwards);
    const int program = load(argv[5], peer.socket);
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.flags = std::string_view(argv[3]) == "skb" ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
    const xdpf::runtime::Fd link(
        bpf_link_create(program, static_cast<int>(if_nametoindex(argv[2])), BPF_XDP, &options));
    if (!link)
        fail("bpf_link_create", errno);
    fmt::print(stderr, "attached\n");
    while (stop == 0)
        forwards ? l2fwd(peer) : rxdrop(peer);
}

} // namespace

int main(int argc, char **argv)
{
    const std::string_view what = argc > 1 ? argv[1] : "";
    const std::uint32_t size = argc == 4 ? number(argv[3]).value_or(0) : 0;
    const bool sends = what == "txonly" && size >= 60 && size <= frame_size;
    if (!sends && (argc != 6 || (what != "rxdrop" && what != "l2fwd"))) {
        fmt::print(stderr, "xsk_peer rxdrop|l2fwd INTERFACE native|skb poll|spin OBJECT, or txonly INTERFACE SIZE\n");
        return 2;
    }
    stop_on_sigint();
    Peer peer;
    sends ? send_all(peer, argv[2], size) : receive_all(peer, argv);
    fmt::print("{{\"packets\":{},\"bytes\":{}}}\n", peer.packets, peer.bytes);
    xsk_socket__delete(peer.socket);
    xsk_umem__delete(peer.umem);
    return 0;
}
