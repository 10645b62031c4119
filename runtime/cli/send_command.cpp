#include "runtime/cli/send_command.hpp"

#include "compiler/report.hpp"
#include "runtime/capture_file.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/signals.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/eventfd.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using Json = nlohmann::ordered_json;

// Nothing: there are mistakes, which are shown.
std::optional<std::vector<OutgoingPacket>> written_packets(const std::vector<std::string> &texts)
{
    std::string source = "test \"what is sent\" {\n";
    for (const std::string &text : texts)
        source += fmt::format("packet {}\n", text);
    source += "expect pass\n}\nmatch ethernet -> pass\n";
    const Compilation compilation = compile(source, "<packets>");
    fmt::print(stderr, "{}", to_text(compilation.diagnostics(), compilation.sources(), colour_on(STDERR_FILENO)));
    if (!compilation.ok())
        return std::nullopt;
    std::vector<OutgoingPacket> packets;
    for (const TestGroup &group : compilation.image().tests.front().groups)
        for (const TestPacket &packet : group.packets)
            packets.insert(packets.end(), packet.times, {packet.bytes, {}});
    return packets;
}

Result<std::vector<OutgoingPacket>> captured_packets(const std::string &path)
{
    Result<CaptureFile> file = CaptureFile::open(path);
    if (!file)
        return std::unexpected(std::move(file.error()));
    std::vector<OutgoingPacket> packets;
    std::uint64_t last = 0;
    while (true) {
        const Result<std::optional<CapturedPacket>> next = file->next();
        if (!next)
            return std::unexpected(next.error());
        if (!*next)
            break;
        const CapturedPacket &packet = **next;
        Error cut;
        cut.stage = fmt::format("cannot send packet {} of '{}'", packets.size() + 1, path);
        cut.message = fmt::format("the capture holds {} of its {} bytes", packet.bytes.size(), packet.length);
        cut.cause = "it was captured with a snap length";
        if (packet.bytes.size() < packet.length)
            return std::unexpected(std::move(cut));
        const auto gap = packets.empty() || packet.time < last ? 0 : packet.time - last;
        packets.push_back({{packet.bytes.begin(), packet.bytes.end()}, std::chrono::nanoseconds(gap)});
        last = packet.time;
    }
    if (!packets.empty())
        return packets;
    Error empty;
    empty.stage = fmt::format("cannot send '{}'", path);
    empty.message = "there is no packet in it";
    return std::unexpected(std::move(empty));
}

std::string bits(double per_second)
{
    if (per_second >= 1e9)
        return fmt::format("{:.2f} Gbit/s", per_second / 1e9);
    return per_second >= 1e6 ? fmt::format("{:.1f} Mbit/s", per_second / 1e6)
                             : fmt::format("{:.1f} kbit/s", per_second / 1e3);
}

std::uint64_t lost(const SendSummary &summary) { return summary.packets - summary.completed + summary.refused; }

void show(const SendSummary &summary, const SendCommandOptions &options)
{
    const double seconds = std::max(1e-9, summary.elapsed.count());
    const double packets = static_cast<double>(summary.packets) / seconds;
    const double bits_a_second = static_cast<double>(summary.bytes) * 8 / seconds;
    if (options.json) {
        Json out{
            {"interface", options.send.interface}, {"packets", summary.packets},    {"bytes", summary.bytes},
            {"seconds", summary.elapsed.count()},  {"packets_per_second", packets}, {"bits_per_second", bits_a_second},
            {"completed", summary.completed},      {"refused", summary.refused},    {"system_calls", summary.kicks}};
        out["interface_counters"] = summary.interface ? Json{{"tx_packets", summary.interface->tx_packets},
                                                             {"tx_dropped", summary.interface->tx_dropped}}
                                                      : Json(nullptr);
        fmt::print("{}\n", out.dump(-1, ' ', false, Json::error_handler_t::replace));
        return;
    }
    if (options.quiet)
        return;
    fmt::print("sent       {} packets, {} bytes in {:.3f} s ({}, {})\n", summary.packets, summary.bytes, seconds,
               rate(packets), bits(bits_a_second));
    fmt::print("completed  {}, in {} system calls; refused {}\n", summary.completed, summary.kicks, summary.refused);
    if (summary.interface)
        fmt::print("interface  {} packets sent, {} dropped (its own counters)\n", summary.interface->tx_packets,
                   summary.interface->tx_dropped);
}

// What of it did not get out, and why that may be.
void say_lost(const SendSummary &summary, const SendCommandOptions &options)
{
    if (lost(summary) == 0)
        return;
    fmt::print(stderr, "warning: {} of {} packets were not sent\n", lost(summary), summary.packets);
    if (options.send.live_frames)
        fmt::print(stderr,
                   "  cause: a veth takes live frames only if its peer receives by NAPI, and no more than 256 "
                   "that wait\n"
                   "  try:   at the peer, while it is up: ethtool -K PEER gro off; ethtool -K PEER gro on   (or "
                   "without --live)\n");
}

int failed(const Error &error)
{
    fmt::print(stderr, "{}\n", to_string(error));
    return exit_failure;
}

} // namespace

int send(const SendCommandOptions &options)
{
    std::vector<OutgoingPacket> packets;
    if (!options.packets.empty()) {
        auto written = written_packets(options.packets);
        if (!written)
            return exit_failure;
        packets = std::move(*written);
    } else {
        auto captured = captured_packets(options.capture);
        if (!captured)
            return failed(captured.error());
        packets = std::move(*captured);
    }
    const Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event)
        return failed(system_error("cannot start", "eventfd", errno));
    const StopOnSignal signals(event.get());
    const Result<SendSummary> summary = runtime::send(packets, options.send, [] { return StopOnSignal::seen() != 0; });
    if (!summary)
        return failed(summary.error());
    show(*summary, options);
    say_lost(*summary, options);
    return lost(*summary) == 0 ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
