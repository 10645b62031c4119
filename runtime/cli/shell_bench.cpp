// `:bench`: what a packet costs in the kernel (BPF_PROG_TEST_RUN), without an interface.
#include "runtime/cli/shell_colour.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/kernel_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace xdpf::cli {
namespace {

using runtime::KernelProgram;
using runtime::Result;
using Packet = std::vector<std::byte>;

constexpr std::uint64_t round_time = 10'000'000; // ns
constexpr std::size_t rounds = 5;
constexpr std::uint32_t first_runs = 10'000;
constexpr std::uint32_t most_runs = 10'000'000;

// Where no packet was typed.
constexpr std::array<std::string_view, 6> usual_packets{"ethernet / ipv4 / udp(dport = 53) / payload(18)",
                                                        "ethernet / ipv4 / tcp(dport = 443)",
                                                        "ethernet / ipv4 / icmp",
                                                        "ethernet / ipv6 / udp(dport = 53)",
                                                        "ethernet / vlan / ipv4 / udp",
                                                        "ethernet / arp"};

struct BenchPacket {
    std::string name;
    Packet bytes;
};

struct Timing {
    std::uint32_t verdict = 2;
    std::vector<std::uint32_t> times; // ns of a packet, of each round, sorted
};

std::string_view verdict_name(std::uint32_t verdict)
{
    constexpr std::array<std::string_view, 5> names{"abort", "drop", "pass", "tx", "redirect"};
    return names[verdict < names.size() ? verdict : 0]; // others abort
}

// Nothing: Ctrl-C.
Result<std::optional<Timing>> time(KernelProgram &program, const ShellState &state, const Packet &packet)
{
    std::uint32_t runs = first_runs;
    Timing timing;
    while (timing.times.size() < rounds) {
        if (state.signals.stops())
            return std::nullopt;
        const auto once = program.time(packet, runs);
        if (!once && state.signals.stops())
            return std::nullopt;
        if (!once)
            return std::unexpected(once.error());
        timing.verdict = once->verdict;
        const std::uint64_t each = std::max(once->nanoseconds, 1U);
        if (runs == first_runs && each * runs < round_time)
            runs = static_cast<std::uint32_t>(std::min<std::uint64_t>(round_time / each + 1, most_runs));
        else
            timing.times.push_back(once->nanoseconds);
    }
    std::ranges::sort(timing.times);
    return timing;
}

std::string line(std::string_view name, const Timing &timing)
{
    return fmt::format("{:<50} {:<9} {:>8}   ({} to {})\n", name, verdict_name(timing.verdict),
                       timing.times[timing.times.size() / 2], timing.times.front(), timing.times.back());
}

// The packets to run: those of an argument, else those that were typed last, else usual ones.
std::expected<std::vector<BenchPacket>, Answer> chosen(const ShellState &state, const std::string &argument)
{
    std::vector<BenchPacket> out;
    const auto add = [&](std::string_view name, const std::vector<Packet> &packets) {
        for (const Packet &packet : packets)
            out.push_back(
                {packets.size() == 1 ? std::string(name) : fmt::format("{}: packet {}", name, out.size() + 1), packet});
    };
    if (argument.empty() && !state.packets.empty()) {
        add(state.packet_text, state.packets);
        return out;
    }
    const auto texts = argument.empty() ? std::vector<std::string>(usual_packets.begin(), usual_packets.end())
                                        : std::vector<std::string>{argument};
    for (const auto &text : texts) {
        const auto packets = state.session.packets(text);
        if (!packets)
            return std::unexpected(packets.error());
        add(text, *packets);
    }
    return out;
}

// Slots are filled, as for packets that are typed: a redirect is one.
Result<KernelProgram> load(const Image &image)
{
    auto program = KernelProgram::load(image);
    for (std::size_t i = 0; program && i < image.maps.size(); ++i)
        if (image.maps[i].kind == MapKind::xskmap)
            if (auto filled = program->fill_slots(MapId(i)); !filled)
                return std::unexpected(std::move(filled.error()));
    return program;
}

Result<bool> changes_packet(KernelProgram &program, const Packet &packet)
{
    const auto outcomes = program.run_all(std::span(&packet, 1));
    if (!outcomes)
        return std::unexpected(outcomes.error());
    return !std::ranges::equal(outcomes->front().packet(), packet);
}

} // namespace

CommandResult bench(ShellState &state, const std::string &argument)
{
    const auto packets = chosen(state, argument);
    if (!packets)
        return {.answer = packets.error()};
    if (packets->empty())
        return failed("there is no packet in that");
    auto program = load(state.session.compilation().image());
    if (!program)
        return failed(program.error());
    bool changed = false;
    state.print(fmt::format("{:<50} {:<9} {:>8}\n", "", "verdict", "ns each"));
    for (const BenchPacket &packet : *packets) {
        if (const auto why = KernelProgram::cannot_run(packet.bytes.size(), {}); !why.empty()) {
            state.print(fmt::format("{:<50} {}\n", packet.name, why));
            continue;
        }
        const auto alters = changes_packet(*program, packet.bytes);
        if (!alters)
            return failed(alters.error());
        const auto timing = time(*program, state, packet.bytes);
        if (!timing)
            return failed(timing.error());
        if (!*timing)
            return {};
        changed = changed || *alters;
        state.print(line(fmt::format("{}{}", plain_text(packet.name), *alters ? " *" : ""), **timing));
    }
    const Compilation nothing = compile("default -> pass", "nothing");
    auto empty = KernelProgram::load(nothing.image());
    if (!empty)
        return failed(empty.error());
    const auto timing = time(*empty, state, packets->front().bytes);
    if (!timing)
        return failed(timing.error());
    if (*timing)
        state.print(line("a program without rules, for comparison", **timing));
    if (changed)
        state.print("* the program changes this packet: from the second time on it meets what has become of it\n");
    return {};
}

} // namespace xdpf::cli
