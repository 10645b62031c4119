#include "runtime/kernel_test.hpp"

#include <algorithm>
#include <cstring>

namespace xdpf::runtime {
namespace {

Result<void> fill_redirect_maps(KernelProgram &program, const Image &image, const TestImage &test)
{
    for (std::size_t i = 0; i < image.maps.size(); ++i) {
        const MapId map(i);
        const bool cleared = std::ranges::find(test.cleared, map) != test.cleared.end();
        if (image.maps[i].kind != MapKind::xskmap || cleared)
            continue;
        if (Result<void> filled = program.fill_slots(map); !filled)
            return filled;
    }
    return {};
}

Result<void> set_entry(KernelProgram &program, const Image &image, const MapEntry &entry)
{
    if (!has(image.maps[entry.map.value].kind, map_trait::redirect))
        return program.set(entry.map, entry.key, entry.value);
    std::uint32_t slot = 0;
    std::memcpy(&slot, entry.key.data(), std::min(sizeof slot, entry.key.size()));
    return program.fill_slot(entry.map, slot);
}

} // namespace

Result<KernelOutcome> run_in_kernel(const Image &image, const TestImage &test)
{
    Result<KernelProgram> program = KernelProgram::load(image, test.program);
    if (!program)
        return std::unexpected(std::move(program.error()));
    if (Result<void> filled = fill_redirect_maps(*program, image, test); !filled)
        return std::unexpected(std::move(filled.error()));
    for (const MapEntry &entry : test.entries)
        if (Result<void> set = set_entry(*program, image, entry); !set)
            return std::unexpected(std::move(set.error()));

    const Arrival arrival{test.rx_queue, test.ingress_ifindex};
    Result<std::vector<PacketOutcome>> packets = program->run_all(test.packets, arrival);
    if (!packets)
        return std::unexpected(std::move(packets.error()));
    std::uint32_t ifindex = arrival.ingress_ifindex;
    const bool any_run =
        std::ranges::any_of(*packets, [](const PacketOutcome &packet) { return packet.verdict.has_value(); });
    if (any_run)
        ifindex = program->real_ifindex(arrival).value_or(ifindex);
    return KernelOutcome{std::move(*packets), ifindex, std::move(*program)};
}

} // namespace xdpf::runtime
