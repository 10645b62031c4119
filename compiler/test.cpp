#include "compiler/test.hpp"

#include <linux/bpf.h>

#include <array>

namespace xdpf {
namespace {

std::uint64_t number_at(const LayoutField &field, std::span<const std::byte> bytes)
{
    std::uint64_t value = 0;
    for (std::uint32_t i = 0; i < field.size; ++i) {
        const auto at = field.big_endian ? field.offset + i : field.offset + field.size - 1 - i;
        value = value << 8 | std::to_integer<std::uint64_t>(bytes[at]);
    }
    return value;
}

void judge_packet(const Image &image, const ExpectedVerdict &expected, const TestedPacket &packet,
                  std::string_view which, TestResult &out)
{
    bool holds = packet.verdict == expected.verdict;
    if (holds && expected.verdict == XDP_REDIRECT && packet.target_known) {
        holds = !expected.map.valid() || expected.map == packet.redirect_map;
        holds = holds && (!expected.key || *expected.key == packet.redirect_key);
    }
    if (!holds)
        out.failures.push_back(
            {expected.span, fmt::format("expected {}, got {}{}", expected.text, verdict_text(image, packet), which)});
}

void judge_entry(const ExpectedEntry &expected, const TestLookup &lookup, TestResult &out)
{
    const auto value = lookup(expected.map, expected.key);
    if (value.has_value() != expected.present) {
        out.failures.push_back(
            {expected.span, fmt::format("expected {}, but there is {} entry", expected.text, value ? "an" : "no")});
        return;
    }
    for (const auto &wanted : expected.fields) {
        const auto number = number_at(wanted.field, *value);
        if (number == wanted.value)
            continue;
        const auto what = wanted.field.name.empty() ? "it" : fmt::format("'{}'", wanted.field.name);
        out.failures.push_back({expected.span, fmt::format("expected {}, but {} is {}", expected.text, what, number)});
    }
}

} // namespace

std::string verdict_text(const Image &image, const TestedPacket &packet)
{
    static constexpr std::array<std::string_view, 4> names{"abort", "drop", "pass", "tx"};
    if (packet.verdict < names.size())
        return std::string(names[packet.verdict]);
    if (packet.verdict != XDP_REDIRECT)
        return fmt::format("verdict {}", packet.verdict);
    return packet.target_known
               ? fmt::format("xsk {}[{}]", image.maps[packet.redirect_map.value].name, packet.redirect_key)
               : "xsk";
}

std::string verdict_text(const Image &image, const PacketResult &result)
{
    return verdict_text(
        image, TestedPacket{result.verdict, result.redirect_map.valid(), result.redirect_map, result.redirect_key});
}

TestResult judge(const Image &image, const TestImage &test, std::span<const TestedPacket> packets,
                 const TestLookup &lookup)
{
    TestResult out{.name = test.name};
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const auto which = packets.size() > 1 ? fmt::format(" (packet {})", i + 1) : "";
        for (const auto &expected : test.verdicts)
            judge_packet(image, expected, packets[i], which, out);
    }
    for (const auto &expected : test.expected_entries)
        judge_entry(expected, lookup, out);
    return out;
}

TestResult run_test(const Compilation &compilation, const TestImage &test)
{
    Interpreter interpreter(compilation, test.program);
    const Image &image = compilation.image();
    for (const MapId map : test.cleared)
        interpreter.clear_slots(map);
    for (const auto &entry : test.entries) {
        const MapSpec &spec = image.maps[entry.map.value];
        if (has(spec.kind, map_trait::redirect))
            interpreter.fill_slot(entry.map, static_cast<std::uint32_t>(number_at(spec.key.fields[0], entry.key)));
        else
            interpreter.update(entry.map, entry.key, entry.value);
    }
    std::vector<TestedPacket> packets;
    for (const auto &packet : test.packets) {
        const auto result = interpreter.run(packet, {test.rx_queue, test.ingress_ifindex});
        packets.push_back({result.verdict, result.redirect_map.valid(), result.redirect_map, result.redirect_key});
    }
    return judge(image, test, packets,
                 [&](MapId map, std::span<const std::byte> key) { return interpreter.lookup(map, key); });
}

} // namespace xdpf
