#include "compiler/bpf/pointer_uses.hpp"

#include <algorithm>

namespace xdpf::bpf {

using namespace ir;

PointerUses::PointerUses(const Program &program, const Layout &layout)
{
    uses_.resize(program.values.size());
    // Of blocks that nothing leads to there is no place.
    for (auto node = layout.order().rbegin(); node != layout.order().rend(); ++node) {
        const BlockId block = node->block.valid() ? node->block : node->from;
        const auto place = static_cast<std::uint32_t>(layout.order().rend() - node - 1);
        const auto use = [&](ValueId value) {
            if (program.values[value].kind != ValueKind::packet)
                return;
            if (auto &uses = uses_[value]; uses.empty() || uses.back() != Use{block, place})
                uses.push_back({block, place});
        };
        const Terminator &end = program.blocks[block].end;
        if (!node->block.valid()) {
            std::ranges::for_each(end.edges[node->edge].args, use);
            continue;
        }
        for (const Inst &inst : program.blocks[block].insts)
            for_each_use(inst, use);
        for_each_use(end, use);
        if (end.kind == Terminator::Kind::again) // sets them as they are at the loop's head
            std::ranges::for_each(program.blocks[end.edges[0].target].params, use);
    }
}

std::span<const PointerUses::Use> PointerUses::from(std::uint32_t place, ValueId pointer)
{
    auto &uses = uses_[pointer];
    while (!uses.empty() && uses.back().place < place)
        uses.pop_back();
    return uses;
}

} // namespace xdpf::bpf
