// rxdrop INTERFACE native|skb OBJECT: receives from queue 0 and drops, as the field's examples do it: one socket on
// libxdp's xsk API, and the plain loop of poll, peek, refill, release. OBJECT is loaded as it is and redirects into its
// XSKMAP, so that against `xdpf run` only the receiver differs. Until SIGINT; then the number of packets as JSON.
#include "runtime/fd.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr std::uint32_t frames = 4096;
constexpr std::uint32_t frame_size = XSK_UMEM__DEFAULT_FRAME_SIZE;
constexpr std::uint32_t batch = 64;

volatile std::sig_atomic_t stop = 0;

[[noreturn]] void fail(const char *call, int code)
{
    fmt::print(stderr, "rxdrop: {}: {}\n", call, std::strerror(code < 0 ? -code : code));
    std::exit(1);
}

struct Receiver {
    xsk_umem *umem = nullptr;
    xsk_socket *socket = nullptr;
    xsk_ring_prod fill{};
    xsk_ring_cons completion{};
    xsk_ring_cons rx{};
    void *area = nullptr;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

void open_socket(Receiver &receiver, const char *interface)
{
    const std::size_t size = static_cast<std::size_t>(frames) * frame_size;
    receiver.area = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (receiver.area == MAP_FAILED)
        fail("mmap", errno);
    xsk_umem_config memory{};
    memory.fill_size = frames;
    memory.comp_size = XSK_RING_CONS__DEFAULT_NUM_DESCS;
    memory.frame_size = frame_size;
    int result = xsk_umem__create(&receiver.umem, receiver.area, size, &receiver.fill, &receiver.completion, &memory);
    if (result != 0)
        fail("xsk_umem__create", result);
    xsk_socket_config config{};
    config.rx_size = XSK_RING_CONS__DEFAULT_NUM_DESCS;
    config.tx_size = XSK_RING_PROD__DEFAULT_NUM_DESCS;
    config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
    config.bind_flags = XDP_USE_NEED_WAKEUP | XDP_COPY;
    result = xsk_socket__create(&receiver.socket, interface, 0, receiver.umem, &receiver.rx, nullptr, &config);
    if (result != 0)
        fail("xsk_socket__create", result);
    std::uint32_t at = 0;
    xsk_ring_prod__reserve(&receiver.fill, frames, &at);
    for (std::uint64_t frame = 0; frame < frames; ++frame)
        *xsk_ring_prod__fill_addr(&receiver.fill, at++) = frame * frame_size;
    xsk_ring_prod__submit(&receiver.fill, frames);
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

void receive(Receiver &receiver)
{
    pollfd polled{xsk_socket__fd(receiver.socket), POLLIN, 0};
    while (stop == 0) {
        if (poll(&polled, 1, -1) <= 0)
            continue;
        std::uint32_t from = 0;
        std::uint32_t to = 0;
        const std::uint32_t got = xsk_ring_cons__peek(&receiver.rx, batch, &from);
        if (got == 0)
            continue;
        while (xsk_ring_prod__reserve(&receiver.fill, got, &to) != got)
            if (xsk_ring_prod__needs_wakeup(&receiver.fill))
                (void)recvfrom(polled.fd, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
        for (std::uint32_t i = 0; i < got; ++i) {
            const xdp_desc &descriptor = *xsk_ring_cons__rx_desc(&receiver.rx, from + i);
            receiver.bytes += descriptor.len;
            *xsk_ring_prod__fill_addr(&receiver.fill, to + i) = xsk_umem__extract_addr(descriptor.addr);
        }
        xsk_ring_prod__submit(&receiver.fill, got);
        xsk_ring_cons__release(&receiver.rx, got);
        receiver.packets += got;
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        fmt::print(stderr, "rxdrop INTERFACE native|skb OBJECT\n");
        return 2;
    }
    struct sigaction action {};
    action.sa_handler = [](int) { stop = 1; };
    sigaction(SIGINT, &action, nullptr);

    Receiver receiver;
    open_socket(receiver, argv[1]);
    const int program = load(argv[3], receiver.socket);
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.flags = std::string_view(argv[2]) == "skb" ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
    const xdpf::runtime::Fd link(
        bpf_link_create(program, static_cast<int>(if_nametoindex(argv[1])), BPF_XDP, &options));
    if (!link)
        fail("bpf_link_create", errno);
    fmt::print(stderr, "attached\n");
    receive(receiver);
    fmt::print("{{\"packets\":{},\"bytes\":{}}}\n", receiver.packets, receiver.bytes);
    xsk_socket__delete(receiver.socket);
    xsk_umem__delete(receiver.umem);
    return 0;
}
