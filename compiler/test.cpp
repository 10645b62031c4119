#include "compiler/test.hpp"

#include <linux/bpf.h>

#include <cstring>

namespace xdpf {
namespace {

TestedPacket tested(const PacketResult &result)
{
    return {.verdict = result.verdict,
            .target_known = result.redirect_map.valid(),
            .redirect_map = result.redirect_map,
            .redirect_key = result.redirect_key,
            .broadcast = result.broadcast,
            .exclude_ingress = result.exclude_ingress,
            .decided_by = result.gone_on_by.empty() ? result.decided_by : result.gone_on_by.front()};
}

std::uint32_t slot_of(std::span<const std::byte> key)
{
    std::uint32_t slot = 0;
    std::memcpy(&slot, key.data(), std::min(sizeof slot, key.size()));
    return slot;
}

} // namespace

void apply(const TestSurroundings &surroundings, PacketContext &context)
{
    const auto take = [](const auto &from, auto &to) {
        if (from)
            to = from.value(); // NOLINT(bugprone-optional-value-conversion): some of them are optional there, too
    };
    take(surroundings.rx_queue, context.rx_queue);
    take(surroundings.ingress_ifindex, context.ingress_ifindex);
    take(surroundings.egress_ifindex, context.egress_ifindex);
    take(surroundings.cpu, context.cpu);
    take(surroundings.now, context.now);
    take(surroundings.rx_hash, context.rx_hash);
    take(surroundings.rx_timestamp, context.rx_timestamp);
    take(surroundings.rx_vlan, context.rx_vlan);
}

void set_up(Interpreter &interpreter, const Image &image, const TestGroup &group)
{
    for (const TestContents &contents : group.contents) {
        interpreter.clear(contents.map);
        const bool slots = has(image.maps[contents.map.value].kind, map_trait::redirect);
        for (const MapContent &entry : contents.entries) {
            if (slots)
                interpreter.fill_slot(contents.map, slot_of(entry.key));
            else
                interpreter.update(contents.map, entry.key, entry.value);
        }
    }
    for (const TestParameter &one : group.parameters)
        (void)interpreter.set_parameter(image.parameters[one.parameter].name, one.value);
}

TestedGroup run_group(Interpreter &interpreter, const TestGroup &group, PacketContext &context,
                      const std::function<void(const TestPacket &, const PacketResult &)> &each)
{
    TestedGroup out;
    apply(group.surroundings, context);
    for (const TestPacket &packet : group.packets)
        for (std::uint32_t time = 0; time < packet.times; ++time) {
            auto result = interpreter.run(packet.bytes, context);
            if (each)
                each(packet, result);
            out.packets.push_back(tested(result));
            for (auto &record : result.records) {
                interpreter.clear_records(record.map);
                out.records.push_back(std::move(record));
            }
            out.last = std::move(result.bytes);
            // Every packet has random numbers of its own.
            context.seed += 0x10001;
        }
    out.context = context;
    return out;
}

TestResult run_test(const Compilation &compilation, const TestImage &test, const TestEngine &engine)
{
    TestResult out{.name = test.name};
    for (const TestGroup &group : test.groups) {
        const auto tested = engine.run(group);
        if (!tested)
            break;
        for (auto &failure : judge(compilation, test.program, group, *tested, engine))
            out.failures.push_back(std::move(failure));
    }
    return out;
}

TestResult run_test(const Compilation &compilation, const TestImage &test, PacketContext context)
{
    Interpreter interpreter(compilation, test.program);
    const TestEngine engine{
        .run = [&](const TestGroup &group) -> std::optional<TestedGroup> {
            set_up(interpreter, compilation.image(), group);
            return run_group(interpreter, group, context);
        },
        .lookup = [&](MapId map, std::span<const std::byte> key) { return interpreter.lookup(map, key); }};
    return run_test(compilation, test, engine);
}

std::string verdict_text(const Image &image, const PacketResult &result) { return verdict_text(image, tested(result)); }

} // namespace xdpf
