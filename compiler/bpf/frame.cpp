#include "compiler/bpf/machine.hpp"

#include <algorithm>

namespace xdpf::bpf {
namespace {

// From the first instruction that touches it to the last. Edges go forward, so it is not in use elsewhere.
struct Use {
    std::uint32_t first = UINT32_MAX;
    std::uint32_t last = 0;
};

IdVector<FrameId, Use> uses_of(const MachineProgram &program)
{
    IdVector<FrameId, Use> uses;
    uses.resize(program.frames.size());
    std::vector<FrameId> passed; // by address, to the next call
    std::uint32_t place = 0;
    for (const MachineBlock &block : program.blocks) {
        for (const MachineInst &inst : block.insts) {
            ++place;
            if (inst.frame.valid()) {
                uses[inst.frame].first = std::min(uses[inst.frame].first, place);
                uses[inst.frame].last = place;
                if ((inst.code & 0x07U) == BPF_ALU64)
                    passed.push_back(inst.frame);
            }
            if (is_call(inst)) {
                for (const FrameId frame : passed)
                    uses[frame].last = place;
                passed.clear();
            }
        }
    }
    return uses;
}

} // namespace

std::uint32_t place_frames(MachineProgram &program)
{
    const IdVector<FrameId, Use> uses = uses_of(program);
    std::vector<FrameId> order;
    for (FrameId frame(0); frame.value < uses.size(); ++frame.value)
        if (uses[frame].first != UINT32_MAX)
            order.push_back(frame);
    std::ranges::stable_sort(order, {}, [&](FrameId frame) { return uses[frame].first; });

    IdVector<FrameId, std::int32_t> place; // the first byte's, from r10
    place.resize(uses.size());
    std::vector<std::uint32_t> busy_until; // by unit of 8 bytes below r10
    for (const FrameId frame : order) {
        const std::size_t units = (program.frames[frame] + 7) / 8;
        std::size_t first = 0;
        for (std::size_t at = 0; at < busy_until.size() && at < first + units; ++at)
            if (busy_until[at] >= uses[frame].first)
                first = at + 1;
        busy_until.resize(std::max(busy_until.size(), first + units));
        std::fill_n(busy_until.begin() + static_cast<std::ptrdiff_t>(first), units, uses[frame].last);
        place[frame] = -8 * static_cast<std::int32_t>(first + units);
    }
    for (MachineBlock &block : program.blocks)
        for (MachineInst &inst : block.insts)
            if (inst.frame.valid()) {
                if ((inst.code & 0x07U) == BPF_ALU64)
                    inst.imm += static_cast<std::uint64_t>(std::int64_t{place[inst.frame]});
                else
                    inst.off = static_cast<std::int16_t>(inst.off + place[inst.frame]);
            }
    return static_cast<std::uint32_t>(8 * busy_until.size());
}

} // namespace xdpf::bpf
