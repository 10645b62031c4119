// How far into a packet headers can lie.
#include "compiler/base/limits.hpp"
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

// Less room for what is read there.
constexpr std::uint32_t farthest_position = max_packet_offset - 2 * 4096;

// Real packets have a dozen; and decoding one header costs what stands in front of it.
constexpr std::uint32_t most_in_a_row = 256;
// What a tunnel carries begins no farther in. A mask keeps the kernel's verifier from following each way there on its
// own, also for what stands far behind it, behind IPv6 extension headers.
constexpr std::uint32_t farthest_carried = 0x3fff;

enum : std::uint8_t { untouched, open, done };

} // namespace

// A longer chain is an error, and cut, so that nobody walks it. Cycles are found by place().
void Analyzer::limit_rows()
{
    std::vector<std::uint32_t> rows(unit_.headers.size());
    for (std::size_t i = 0; i < unit_.headers.size(); ++i)
        (void)row(HeaderId(i), 0, rows);
}

// How many headers stand in a row up to this one; `behind` so many are being looked at.
std::uint32_t Analyzer::row(HeaderId id, std::uint32_t behind, std::vector<std::uint32_t> &rows)
{
    if (rows[id.value] != 0)
        return rows[id.value];
    rows[id.value] = 1;
    Header &header = unit_.headers[id];
    std::uint32_t longest = 0;
    if (header.list && behind < most_in_a_row)
        longest = row(header.list->container, behind + 1, rows);
    for (std::size_t i = 0; i < header.ways.size() && behind < most_in_a_row; ++i)
        longest = std::max(longest, row(header.ways[i].parent, behind + 1, rows));
    const bool in_front = header.list || !header.ways.empty();
    if (in_front && !header.is_link() && (behind >= most_in_a_row || longest >= most_in_a_row)) {
        if (!long_row_)
            diagnostics_.report(Kind::bad_header, header.span, header.name,
                                fmt::format("more than {} headers stand in a row there", most_in_a_row));
        long_row_ = true;
        header.ways.clear();
        header.list.reset();
        longest = 0;
    }
    return rows[id.value] = longest + 1;
}

void Analyzer::place_headers()
{
    for (std::size_t i = 0; i < unit_.headers.size(); ++i)
        place(HeaderId(i));
    placing_ = true;
}

std::uint32_t Analyzer::place(HeaderId id)
{
    place_state_.resize(std::max(place_state_.size(), unit_.headers.size()));
    Header &header = unit_.headers[id];
    if (place_state_[id.value] == done)
        return header.max_position;
    if (place_state_[id.value] == open) {
        diagnostics_.report(Kind::header_cycle, header.span, header.name);
        return 0;
    }
    place_state_[id.value] = open;
    std::uint32_t position = 0;
    if (header.list) {
        const Header &container = unit_.headers[header.list->container];
        position = place(header.list->container) + (container.size ? container.max_size : farthest_item);
    }
    for (const auto &way : header.ways) {
        const Header &parent = unit_.headers[way.parent];
        std::uint32_t links = 0;
        if (way.through_chain)
            for (const auto &link : unit_.headers)
                if (link.is_link() && link.ways.size() == 1 && link.ways[0].parent == way.parent)
                    links = std::max(links, link.max_size * parent.chain->limit);
        const std::uint32_t before = place(way.parent);
        position = std::max(position, way.through_list ? before : before + parent.max_size + links);
    }
    const bool carried = std::ranges::any_of(header.ways, &Way::carried);
    header.clamp_position = carried && position > farthest_carried;
    if (header.clamp_position)
        position = farthest_carried;
    header.max_position = position;
    place_state_[id.value] = done;
    const bool in_front = std::ranges::any_of(
        header.ways, [&](const Way &way) { return unit_.headers[way.parent].max_position > farthest_position; });
    if (position > farthest_position && !in_front) // once, for the first of them
        diagnostics_.report(
            Kind::bad_header, header.span, header.name,
            fmt::format("it can lie {} bytes into a packet; {} are followed", position, farthest_position));
    return position;
}

} // namespace xdpf::sema
