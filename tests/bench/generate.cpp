// generate INTERFACE SIZE PACKETS: sends UDP packets of SIZE bytes out of INTERFACE, as fast as the kernel makes them:
// one BPF_PROG_TEST_RUN with live frames, which bounces each off an XDP_TX. The seconds it took go to standard output.
#include "compiler/bpf/insn.hpp"
#include "runtime/fd.hpp"
#include "tests/bench/peer.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

namespace {

using namespace xdpf::bench;
using xdpf::runtime::Fd;

Fd answer(std::int32_t verdict)
{
    const std::array program{xdpf::bpf::mov(xdpf::bpf::r0, verdict), xdpf::bpf::exit()};
    return Fd(bpf_prog_load(BPF_PROG_TYPE_XDP, "generate", "GPL", reinterpret_cast<const bpf_insn *>(program.data()),
                            program.size(), nullptr));
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
        fail("if_nametoindex", errno);
    // A program on the interface itself makes veth register the receive queue that the test run names as its origin.
    // What comes back is counted by the interface, and goes nowhere.
    const Fd drops = answer(XDP_DROP);
    if (!drops)
        fail("bpf_prog_load", errno);
    LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
    const Fd link(bpf_link_create(drops.get(), static_cast<int>(index), BPF_XDP, &native));
    if (!link)
        fail("bpf_link_create", errno);
    const Fd bounces = answer(XDP_TX);
    if (!bounces)
        fail("bpf_prog_load", errno);

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
        fail("BPF_PROG_TEST_RUN", errno);
    fmt::print("{:.6f}\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    return 0;
}
