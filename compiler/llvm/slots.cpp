#include "compiler/llvm/slots.hpp"

#include <algorithm>

namespace xdpf::llvm_backend {
namespace {

using namespace ir;

// From the first instruction that touches it to the last. Edges go forward, so it is not in use elsewhere.
struct Use {
    std::uint32_t first = UINT32_MAX;
    std::uint32_t last = 0;
};

// What is in use in one round of a loop is so in all of them.
void widen_over_loops(const Program &program, const std::vector<std::uint32_t> &begins, IdVector<SlotId, Use> &uses)
{
    for (std::uint32_t at = 0; at < program.blocks.size(); ++at) {
        const Terminator &end = program.blocks[BlockId(at)].end;
        if (end.kind != Terminator::Kind::again)
            continue;
        const Use loop{begins[end.edges[0].target.value], begins[at + 1]};
        for (Use &use : uses)
            if (use.first <= loop.last && use.last >= loop.first)
                use = {std::min(use.first, loop.first), std::max(use.last, loop.last)};
    }
}

IdVector<SlotId, Use> uses_of(const Program &program)
{
    IdVector<SlotId, Use> uses;
    uses.resize(program.slots.size());
    std::vector<std::uint32_t> begins; // of the blocks, and the end
    std::uint32_t at = 0;
    for (const Block &block : program.blocks) {
        begins.push_back(at);
        for (const Inst &inst : block.insts) {
            ++at;
            for (const SlotId slot : {inst.key, inst.value})
                if (slot.valid())
                    uses[slot] = {std::min(uses[slot].first, at), at};
        }
    }
    begins.push_back(at);
    widen_over_loops(program, begins, uses);
    return uses;
}

} // namespace

SlotPlaces place_slots(const Program &program)
{
    const IdVector<SlotId, Use> uses = uses_of(program);
    SlotPlaces out;
    out.place.resize(uses.size());
    std::vector<SlotId> order;
    for (SlotId slot(0); slot.value < uses.size(); ++slot.value)
        if (uses[slot].first != UINT32_MAX)
            order.push_back(slot);
    std::ranges::stable_sort(order, {}, [&](SlotId slot) { return uses[slot].first; });
    std::vector<std::uint32_t> busy_until;
    for (const SlotId slot : order) {
        const std::uint32_t size = (program.slots[slot].size + 7) / 8 * 8;
        std::size_t best = out.sizes.size(); // a free place that has to grow least, of those the smallest
        const auto cost = [&](std::size_t place) {
            return std::pair(size > out.sizes[place] ? size - out.sizes[place] : 0, out.sizes[place]);
        };
        for (std::size_t place = 0; place < out.sizes.size(); ++place)
            if (busy_until[place] < uses[slot].first && (best == out.sizes.size() || cost(place) < cost(best)))
                best = place;
        if (best == out.sizes.size()) {
            out.sizes.push_back(0);
            busy_until.push_back(0);
        }
        out.sizes[best] = std::max(out.sizes[best], size);
        busy_until[best] = uses[slot].last;
        out.place[slot] = best;
    }
    return out;
}

} // namespace xdpf::llvm_backend
