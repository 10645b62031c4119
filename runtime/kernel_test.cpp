#include "runtime/kernel_test.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace xdpf::runtime {
namespace {

// A hash has room for some keys of 2^32: for those that are met, if any are. Elsewhere they may lie behind the slots
// that are filled in any case.
Result<void> fill(KernelProgram &program, const MapSpec &spec, MapId map, const std::set<RedirectSlot> &met)
{
    const auto here = [&](const RedirectSlot &slot) { return slot.map == map; };
    if (spec.kind != MapKind::devmap_hash || std::ranges::none_of(met, here))
        if (Result<void> filled = program.fill_slots(map); !filled)
            return filled;
    for (const RedirectSlot &slot : met)
        if (here(slot))
            if (Result<void> filled = program.fill_slot(map, slot.slot); !filled)
                return filled;
    return {};
}

} // namespace

std::string KernelTest::cannot_run(const Image &image, std::size_t program)
{
    // A `goto` leads to any program.
    const bool reads = std::ranges::any_of(image.programs, [&](const ProgramImage &one) {
        return !one.kfunc_references.empty() && (image.program_table.valid() || &one == &image.programs[program]);
    });
    return reads ? "it reads what a device tells of the packet, and there is no device" : "";
}

std::string KernelTest::cannot_fill(const Image &image, const std::set<RedirectSlot> &met)
{
    const auto processors = static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1));
    for (const RedirectSlot &slot : met)
        if (image.maps[slot.map.value].kind == MapKind::cpumap && slot.slot >= processors)
            return fmt::format("it redirects to processor {}, which this machine does not have", slot.slot);
    return {};
}

Result<KernelTest> KernelTest::start(const Image &image, std::size_t program, const std::set<RedirectSlot> &met)
{
    Result<KernelProgram> loaded = KernelProgram::load(image, program);
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    for (std::size_t i = 0; i < image.maps.size(); ++i)
        if (has(image.maps[i].kind, map_trait::redirect))
            if (Result<void> filled = fill(*loaded, image.maps[i], MapId(i), met); !filled)
                return std::unexpected(std::move(filled.error()));
    return KernelTest(image, std::move(*loaded));
}

Result<void> KernelTest::set_contents(const TestContents &contents)
{
    const MapSpec &spec = image_->maps[contents.map.value];
    // A new Bloom filter is empty, and another one never gets empty.
    if (spec.kind != MapKind::bloom_filter || !spec.contents.empty())
        if (Result<void> cleared = program_.clear(contents.map); !cleared)
            return cleared;
    for (const MapContent &entry : contents.entries) {
        Result<void> done;
        if (has(spec.kind, map_trait::redirect)) {
            std::uint32_t slot = 0;
            std::memcpy(&slot, entry.key.data(), std::min(sizeof slot, entry.key.size()));
            done = program_.fill_slot(contents.map, slot);
        } else {
            done = program_.set(contents.map, entry.key, entry.value);
        }
        if (!done)
            return done;
    }
    return {};
}

Result<void> KernelTest::set_parameters(const TestGroup &group)
{
    if (group.parameters.empty())
        return {};
    const std::vector<std::byte> first(sizeof(std::uint32_t));
    auto all = program_.lookup(image_->params, first);
    if (!all)
        return std::unexpected(std::move(all.error()));
    const auto &fields = image_->maps[image_->params.value].value.fields;
    for (const TestParameter &one : group.parameters) {
        const LayoutField &field = fields[image_->parameters[one.parameter].field];
        std::ranges::copy(one.value, (*all)->begin() + field.offset);
    }
    return program_.set(image_->params, first, **all);
}

Result<KernelGroup> KernelTest::run(const TestGroup &group)
{
    for (const TestContents &contents : group.contents)
        if (Result<void> set = set_contents(contents); !set)
            return std::unexpected(std::move(set.error()));
    if (Result<void> set = set_parameters(group); !set)
        return std::unexpected(std::move(set.error()));
    arrival_.rx_queue = group.surroundings.rx_queue.value_or(arrival_.rx_queue);
    arrival_.ingress_ifindex = group.surroundings.ingress_ifindex.value_or(arrival_.ingress_ifindex);
    Result<std::vector<PacketOutcome>> packets = program_.run_all(std::span(group.packets), arrival_);
    if (!packets)
        return std::unexpected(std::move(packets.error()));
    Result<std::vector<KernelRecord>> records = program_.take_records();
    if (!records)
        return std::unexpected(std::move(records.error()));
    KernelGroup out{std::move(*packets), std::move(*records), arrival_};
    const bool any_run =
        std::ranges::any_of(out.packets, [](const PacketOutcome &packet) { return packet.verdict.has_value(); });
    if (any_run)
        out.arrival.ingress_ifindex = program_.real_ifindex(arrival_).value_or(arrival_.ingress_ifindex);
    return out;
}

} // namespace xdpf::runtime
