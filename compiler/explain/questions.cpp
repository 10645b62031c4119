// Questions about a packet that no rule asks: what holds for it, which field a bit belongs to.
#include "compiler/explain/evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace xdpf::explain {

Answer Evaluation::ask(PredId id, const Arrival &arrival, Maps &maps)
{
    begin(arrival, maps, Detail::reasons);
    Answer out{.holds = holds(id)};
    if (!out.holds)
        out.reason = reason(id, false);
    out.certain = outcome_.certain;
    return out;
}

std::string Evaluation::field_at(std::span<const std::byte> packet, std::size_t byte, std::byte bits, Maps &maps)
{
    begin({.packet = packet}, maps, Detail::outcome);
    const std::size_t bit = 8 * byte + static_cast<std::size_t>(std::countl_zero(std::to_integer<std::uint8_t>(bits)));
    std::string name;
    std::size_t behind = 0; // the last header
    for (std::size_t i = 0; i < unit_.headers.size() && name.empty(); ++i) {
        const HeaderId id(i);
        const sema::Header &header = unit_.headers[id];
        if (header.list) // any of several
            continue;
        for (std::uint8_t index = 0; index == 0 || header.is_link(); ++index) {
            const auto extent = extent_of({id, index});
            if (!extent)
                break;
            behind = std::max(behind, extent->end);
            if (byte < extent->begin || byte >= extent->end)
                continue;
            name = index == 0 ? header.name : fmt::format("{}[{}]", header.name, index);
            if (const auto field = field_with(id, bit - 8 * extent->begin); field)
                name += "." + header.fields[*field].name;
            break;
        }
    }
    return name.empty() && byte >= behind && behind != 0 ? "payload" : name;
}

// The smallest: of flags the one, not all of them.
std::optional<std::size_t> Evaluation::field_with(HeaderId id, std::size_t bit) const
{
    const auto &fields = unit_.headers[id].fields;
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < fields.size(); ++i)
        if (!fields[i].floating() && bit >= fields[i].bit_offset && bit < fields[i].bit_offset + fields[i].bits &&
            (!best || fields[i].bits < fields[*best].bits))
            best = i;
    return best;
}

Answer Evaluator::holds(sema::PredId predicate, const Arrival &arrival, Maps &maps)
{
    return evaluation_->ask(predicate, arrival, maps);
}

std::string Evaluator::field_at(std::span<const std::byte> packet, std::size_t byte, std::byte bits)
{
    Overlay nothing([](MapId, std::span<const std::byte>) { return std::nullopt; },
                    [](MapId, std::uint32_t) { return false; });
    return evaluation_->field_at(packet, byte, bits, nothing);
}

} // namespace xdpf::explain
