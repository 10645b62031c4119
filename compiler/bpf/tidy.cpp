#include "compiler/bpf/machine.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace xdpf::bpf {
namespace {

std::optional<std::uint64_t> returned_constant(const MachineBlock &block)
{
    if (block.end.kind != MachineEnd::Kind::exit || block.insts.size() != 1)
        return std::nullopt;
    const MachineInst &inst = block.insts[0];
    if (inst.dst != 0 || (inst.code != (BPF_ALU64 | BPF_MOV | BPF_K)))
        return std::nullopt;
    return inst.imm;
}

void leave_out_moves(MachineProgram &program)
{
    for (MachineBlock &block : program.blocks)
        std::erase_if(block.insts, [](const MachineInst &inst) { return is_move(inst) && inst.dst == inst.src; });
}

// Where a jump to each block had better go.
std::vector<std::uint32_t> better_targets(const MachineProgram &program)
{
    std::vector<std::uint32_t> better(program.blocks.size());
    std::map<std::uint64_t, std::uint32_t> returning;
    for (auto i = static_cast<std::uint32_t>(program.blocks.size()); i-- > 0;) {
        const MachineBlock &block = program.blocks[i];
        better[i] = i;
        if (block.insts.empty() && block.end.kind == MachineEnd::Kind::jump && block.end.yes > i)
            better[i] = better[block.end.yes];
        else if (const auto constant = returned_constant(block))
            better[i] = returning.try_emplace(*constant, i).first->second;
    }
    return better;
}

void leave_out_unreachable(MachineProgram &program)
{
    std::vector<bool> reached(program.blocks.size());
    reached[0] = true;
    for (std::uint32_t i = 0; i < program.blocks.size(); ++i)
        if (reached[i])
            for_each_target(program.blocks[i].end, [&](std::uint32_t target) { reached[target] = true; });
    std::vector<std::uint32_t> place(program.blocks.size());
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < program.blocks.size(); ++i) {
        place[i] = count;
        if (reached[i] && count++ != i)
            program.blocks[place[i]] = std::move(program.blocks[i]);
    }
    program.blocks.resize(count);
    for (MachineBlock &block : program.blocks)
        if (!leaves(block.end)) {
            block.end.yes = place[block.end.yes];
            block.end.no = place[block.end.no];
        }
}

} // namespace

void tidy(MachineProgram &program)
{
    leave_out_moves(program);
    const std::vector<std::uint32_t> better = better_targets(program);
    for (MachineBlock &block : program.blocks) {
        if (leaves(block.end))
            continue;
        block.end.yes = better[block.end.yes];
        block.end.no = better[block.end.no];
        if (block.end.yes == block.end.no)
            block.end.kind = MachineEnd::Kind::jump;
    }
    leave_out_unreachable(program);
}

} // namespace xdpf::bpf
