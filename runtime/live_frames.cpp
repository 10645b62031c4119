#include "runtime/live_frames.hpp"

#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

namespace xdpf::runtime {
namespace {

using Clock = std::chrono::steady_clock;

// Each call waits for a grace period, so calls are long: about a tenth of a second at a few million packets a second.
constexpr std::uint64_t most_a_call = 200'000;
constexpr std::size_t largest_packet = 4096 - 256 - 320; // a page without XDP's headroom and the kernel's own data

// bpf_redirect(interface, 0).
Result<Fd> redirecting_program(const Interface &interface)
{
    const std::array<bpf_insn, 4> program{{{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, interface.index},
                                           {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0},
                                           {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect},
                                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    const LibraryLog quiet;
    Fd fd(bpf_prog_load(BPF_PROG_TYPE_XDP, "xdpf_send", "GPL", program.data(), program.size(), nullptr));
    if (fd)
        return fd;
    return std::unexpected(
        system_error(fmt::format("cannot send by '{}'", interface.name), "bpf(BPF_PROG_LOAD)", errno));
}

Error not_run(const Interface &interface, int code)
{
    Error error = system_error(fmt::format("cannot send by '{}'", interface.name), "bpf(BPF_PROG_TEST_RUN)", code);
    if (code == EINVAL || code == EOPNOTSUPP) {
        error.cause = "this kernel (before 5.18) makes no live frames";
        error.remedy = "the same command without --live";
    }
    return error;
}

Result<void> run_once(int program, const OutgoingPacket &packet, std::uint64_t times, const Interface &interface,
                      std::uint32_t burst)
{
    LIBBPF_OPTS(bpf_test_run_opts, run);
    run.data_in = packet.bytes.data();
    run.data_size_in = static_cast<std::uint32_t>(packet.bytes.size());
    run.repeat = static_cast<int>(times);
    run.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    run.batch_size = std::min<std::uint32_t>(burst, 256);
    const int result = bpf_prog_test_run_opts(program, &run);
    if (result < 0)
        return std::unexpected(not_run(interface, -result));
    return {};
}

Error too_long(std::size_t size, const Interface &interface)
{
    Error error;
    error.stage = fmt::format("cannot send by '{}'", interface.name);
    error.message = fmt::format("a packet has {} bytes", size);
    error.cause = fmt::format("live frames have at most {}", largest_packet);
    error.remedy = "the same command without --live";
    return error;
}

} // namespace

Result<SendSummary> send_live_frames(std::span<const OutgoingPacket> packets, const Interface &interface,
                                     const SendOptions &options, const std::function<bool()> &stop)
{
    for (const OutgoingPacket &packet : packets)
        if (packet.bytes.size() > largest_packet)
            return std::unexpected(too_long(packet.bytes.size(), interface));
    const Result<Fd> program = redirecting_program(interface);
    if (!program)
        return std::unexpected(program.error());
    const Clock::time_point started = Clock::now();
    const Clock::time_point end = options.duration ? started + *options.duration : Clock::time_point::max();
    const std::uint64_t wanted =
        options.count.value_or(options.duration ? std::uint64_t{1} << 62 : std::uint64_t{packets.size()});
    // With a rate, what is due in a tenth of a second.
    const auto a_call = options.rate > 0
                            ? std::clamp<std::uint64_t>(static_cast<std::uint64_t>(options.rate / 10), 1, most_a_call)
                            : most_a_call;
    SendSummary summary;
    const std::uint64_t share = std::max<std::uint64_t>(1, std::min(a_call, wanted / packets.size()));
    for (std::size_t next = 0; summary.packets < wanted && !stop() && Clock::now() < end;
         next = (next + 1) % packets.size()) {
        const std::uint64_t times = std::min(share, wanted - summary.packets);
        if (Result<void> ran = run_once(program->get(), packets[next], times, interface, options.burst); !ran)
            return std::unexpected(std::move(ran.error()));
        summary.packets += times;
        summary.bytes += times * packets[next].bytes.size();
        ++summary.kicks;
        if (options.rate > 0)
            std::this_thread::sleep_until(started + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                                        static_cast<double>(summary.packets) * 1e9 / options.rate)));
    }
    summary.elapsed = Clock::now() - started;
    summary.completed = summary.packets;
    return summary;
}

} // namespace xdpf::runtime
