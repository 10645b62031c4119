// generate INTERFACE SIZE PACKETS: sends UDP packets of SIZE bytes out of INTERFACE, as fast as the kernel makes them:
// one BPF_PROG_TEST_RUN with live frames, which bounces each off an XDP_TX. The seconds it took go to standard output.
#include "compiler/bpf/insn.hpp"
#include "runtime/fd.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

namespace {

using xdpf::runtime::Fd;

Fd answer(std::int32_t verdict)
{
    const std::array program{xdpf::bpf::mov(xdpf::bpf::r0, verdict), xdpf::bpf::exit()};
    return Fd(bpf_prog_load(BPF_PROG_TYPE_XDP, "generate", "GPL", reinterpret_cast<const bpf_insn *>(program.data()),
                            program.size(), nullptr));
}

// Ethernet, IPv4 10.9.0.2 to 10.9.0.1, UDP 4096 to 8192; lengths as the size says.
std::vector<std::byte> udp_packet(std::size_t size)
{
    constexpr std::array<std::uint8_t, 42> headers{2,    0, 0,  0, 0, 1, 2,    0, 0,    0,  0, 2, 8,  0,
                                                   0x45, 0, 0,  0, 0, 0, 0,    0, 64,   17, 0, 0, 10, 9,
                                                   0,    2, 10, 9, 0, 1, 0x10, 0, 0x20, 0,  0, 0, 0,  0};
    std::vector<std::byte> packet(size);
    std::memcpy(packet.data(), headers.data(), headers.size());
    const auto put = [&](std::size_t at, std::size_t value) {
        packet[at] = static_cast<std::byte>(value >> 8);
        packet[at + 1] = static_cast<std::byte>(value);
    };
    put(16, size - 14);
    put(38, size - 34);
    return packet;
}

std::optional<std::uint32_t> number(std::string_view text)
{
    std::uint32_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

int fail(const char *call)
{
    fmt::print(stderr, "generate: {}: {}\n", call, std::strerror(errno));
    return 1;
}

} // namespace

int main(int argc, char **argv)
{
    const auto size = argc == 4 ? number(argv[2]) : std::nullopt;
    const auto packets = argc == 4 ? number(argv[3]) : std::nullopt;
    if (!size || !packets || *size < 60 || *size > 3000) {
        fmt::print(stderr, "generate INTERFACE SIZE PACKETS   (SIZE 60 to 3000)\n");
        return 2;
    }
    const unsigned index = if_nametoindex(argv[1]);
    if (index == 0)
        return fail("if_nametoindex");
    // A program on the interface itself makes veth register the receive queue that the test run names as its origin.
    const Fd passes = answer(XDP_PASS);
    LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
    const Fd link(bpf_link_create(passes.get(), static_cast<int>(index), BPF_XDP, &native));
    if (!link)
        return fail("bpf_link_create");
    const Fd bounces = answer(XDP_TX);
    if (!bounces)
        return fail("bpf_prog_load");

    const std::vector<std::byte> packet = udp_packet(*size);
    xdp_md context{};
    context.data_end = *size;
    context.ingress_ifindex = index;
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = *size;
    options.ctx_in = &context;
    options.ctx_size_in = sizeof context;
    options.repeat = static_cast<int>(*packets);
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    options.batch_size = 64;
    const auto started = std::chrono::steady_clock::now();
    if (bpf_prog_test_run_opts(bounces.get(), &options) != 0)
        return fail("BPF_PROG_TEST_RUN");
    fmt::print("{:.6f}\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    return 0;
}
