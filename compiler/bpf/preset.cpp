#include "compiler/bpf/machine.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace xdpf::bpf {
namespace {

constexpr std::size_t short_program = 128; // blocks; in longer ones a register is worth more than an instruction

bool writes_r0(const MachineInst &inst) { return is_call(inst) || (access_of(inst).writes_dst && inst.dst == 0); }

// The verdict of a block that only returns one.
std::optional<std::uint64_t> returned(const MachineBlock &block)
{
    if (block.end.kind != MachineEnd::Kind::exit || block.insts.size() != 1)
        return std::nullopt;
    const MachineInst &inst = block.insts[0];
    return inst.dst == 0 && inst.code == (BPF_ALU64 | BPF_MOV | BPF_K) ? std::optional(inst.imm) : std::nullopt;
}

} // namespace

void preset_verdict(MachineProgram &program)
{
    auto &blocks = program.blocks;
    if (blocks.size() > short_program || blocks.size() < 2 || blocks.back().end.kind != MachineEnd::Kind::exit)
        return;
    // The last block of all returns a verdict: where that stands in r0 from the beginning, the one in front falls
    // through.
    const auto verdict = returned(blocks.back());
    const MachineBlock &in_front = blocks[blocks.size() - 2];
    if (!verdict || in_front.end.kind != MachineEnd::Kind::exit)
        return;
    std::vector<bool> written(blocks.size());
    for (std::uint32_t i = 0; i + 1 < blocks.size(); ++i) {
        const bool now = written[i] || std::ranges::any_of(blocks[i].insts, writes_r0);
        for_each_target(blocks[i].end, [&](std::uint32_t target) {
            if (target > i)
                written[target] = written[target] || now;
            else if (now)
                written.back() = true; // comes around with something else
        });
    }
    if (written.back())
        return;
    MachineInst preset = blocks.back().insts[0];
    preset.span = {}; // of no rule yet
    blocks.back().insts.clear();
    blocks[0].insts.insert(blocks[0].insts.begin(), preset);
    MachineEnd &end = blocks[blocks.size() - 2].end;
    end.kind = MachineEnd::Kind::jump;
    end.yes = end.no = static_cast<std::uint32_t>(blocks.size()) - 1;
}

} // namespace xdpf::bpf
