#include "compiler/bpf/codegen.hpp"

#include "compiler/bpf/machine.hpp"

#include <algorithm>
#include <cassert>

namespace xdpf::bpf {
namespace {

Reg machine_register(VReg reg) { return reg == no_reg ? r0 : static_cast<Reg>(reg); }

// Writes the blocks down, jumps only where the next block is not the one to go to.
class Writer {
public:
    explicit Writer(const MachineProgram &program) : asms_(program.asms)
    {
        for (std::size_t i = 0; i < program.blocks.size(); ++i)
            labels_.push_back(code_.label());
        for (std::uint32_t i = 0; i < program.blocks.size(); ++i) {
            code_.bind(labels_[i]);
            for (const MachineInst &inst : program.blocks[i].insts)
                write(inst);
            write(program.blocks[i].end, i + 1);
        }
    }

    [[nodiscard]] const Assembler &code() const { return code_; }
    [[nodiscard]] const std::vector<Span> &spans() const { return spans_; }

private:
    void mark(Span span)
    {
        if (!span.valid() || (!spans_.empty() && spans_.back() == span))
            return;
        code_.mark(static_cast<std::uint32_t>(spans_.size()));
        spans_.push_back(span);
    }

    void write(const MachineInst &inst)
    {
        mark(inst.span);
        if (inst.map.valid() && inst.value_offset) {
            code_.ld_map_value(machine_register(inst.dst), inst.map, *inst.value_offset);
        } else if (inst.map.valid()) {
            code_.ld_map(machine_register(inst.dst), inst.map);
        } else if (inst.kfunc) {
            code_.call(*inst.kfunc);
        } else if (inst.code == (BPF_LD | BPF_IMM | BPF_DW)) {
            code_ << ld_imm64(machine_register(inst.dst), inst.imm);
        } else {
            Insn insn;
            insn.code = inst.code;
            insn.dst = static_cast<std::uint8_t>(machine_register(inst.dst)) & 15;
            insn.src = static_cast<std::uint8_t>(machine_register(inst.src)) & 15;
            insn.off = inst.off;
            insn.imm = static_cast<std::int32_t>(inst.imm); // selection has seen to it that nothing is lost
            code_ << insn;
        }
    }

    void jump_if(const MachineEnd &end, Test test, std::uint32_t target)
    {
        const Reg a = machine_register(end.a);
        const Label to = labels_[target];
        if (end.b != no_reg)
            code_.jump_if(test, a, machine_register(end.b), to);
        else if (end.narrow)
            code_.jump32_if(test, a, end.imm, to);
        else
            code_.jump_if(test, a, end.imm, to);
    }

    void write(const MachineEnd &end, std::uint32_t next)
    {
        if (leaves(end) || end.kind == MachineEnd::Kind::branch || end.yes != next)
            mark(end.span);
        if (end.kind == MachineEnd::Kind::exit) {
            code_ << exit();
        } else if (end.kind == MachineEnd::Kind::asm_) {
            write(asms_[end.asm_block]);
        } else if (end.kind == MachineEnd::Kind::jump) {
            if (end.yes != next)
                code_.jump(labels_[end.yes]);
        } else if (end.yes == next && end.test != Test::set) {
            jump_if(end, inverse(end.test), end.no);
        } else {
            jump_if(end, end.test, end.yes);
            if (end.no != next)
                code_.jump(labels_[end.no]);
        }
    }

    // As it was written: its jumps stay inside.
    void write(const ir::AsmBlock &block)
    {
        mark(block.span);
        for (std::uint32_t i = 0; i < block.insns.size(); ++i) {
            const Insn insn = insn_from(block.insns[i]);
            const auto map = std::ranges::find(block.maps, i, &ir::AsmBlock::MapReference::at);
            if (map == block.maps.end()) {
                code_ << insn;
            } else {
                code_.ld_map(static_cast<Reg>(insn.dst), map->map);
                ++i;
            }
        }
    }

    Assembler code_;
    std::span<const ir::AsmBlock> asms_;
    std::vector<Label> labels_;
    std::vector<Span> spans_; // by mark
};

std::vector<LineEntry> lines_of(const Assembly &assembly, const std::vector<Span> &spans, Span whole,
                                const Sources &sources)
{
    std::vector<LineEntry> lines;
    FileId file;
    const auto add = [&](std::uint32_t insn, Span span) {
        const Location at = sources.location(span.file, span.begin);
        if (!lines.empty() && file == span.file && lines.back().line == at.line)
            return;
        if (!lines.empty() && lines.back().insn == insn)
            lines.pop_back();
        file = span.file;
        lines.push_back(
            {insn, std::string(sources.name(file)), at.line, at.column, std::string(sources.line(file, at.line))});
    };
    if (whole.valid())
        add(0, whole);
    for (const Assembly::Mark &mark : assembly.marks)
        add(mark.insn, spans[mark.tag]);
    if (!lines.empty())
        lines.front().insn = 0;
    return lines;
}

// The verifier walks on behind a jump first and keeps its target for later: the jumps not taken on a path are pending.
// Whether there were jumps back, whose targets' numbers are those of the round before.
bool count_pending(const std::vector<Insn> &insns, std::vector<std::uint32_t> &pending)
{
    bool back = false;
    for (std::size_t i = insns.size(); i-- > 0;) {
        const Insn insn = insns[i];
        const auto target = [&] {
            const auto at = static_cast<std::size_t>(static_cast<std::int64_t>(i) + 1 + distance_of(insn));
            back = back || at <= i;
            return pending[at];
        };
        if (is_conditional(insn))
            pending[i] = std::max(pending[i + 1] + 1, target());
        else if (is_jump(insn))
            pending[i] = target();
        else if (insn.code != (BPF_JMP | BPF_EXIT))
            pending[i] = pending[i + 1];
    }
    return back;
}

std::size_t pending_branches(const std::vector<Insn> &insns)
{
    constexpr unsigned most_rounds = 16; // of a loop, and more than any has
    std::vector<std::uint32_t> pending(insns.size() + 1);
    for (unsigned round = 0; count_pending(insns, pending) && round < most_rounds; ++round)
        continue;
    return pending[0];
}

} // namespace

double share_of_verifier(const std::vector<Insn> &insns)
{
    return std::max(static_cast<double>(insns.size()) / max_verified_insns,
                    static_cast<double>(pending_branches(insns)) / (max_pending_branches - 1));
}

std::expected<ProgramImage, CodegenError> generate(const ir::Program &program, const Sources *sources,
                                                   const Options &options)
{
    const auto beyond = [&](CodegenError::Kind kind, std::uint64_t amount, std::uint64_t limit) {
        return std::unexpected(CodegenError{kind, amount, limit, program.name, program.span});
    };
    MachineProgram machine = select(program);
    preset_verdict(machine);
    allocate_registers(machine);
    if (const std::uint32_t stack = place_frames(machine); stack > max_stack)
        return beyond(CodegenError::Kind::stack_too_large, stack, max_stack);
    tidy(machine);

    const Writer writer(machine);
    auto assembly = writer.code().finish(options.far_jumps);
    if (!assembly) {
        assert(assembly.error().kind == AssembleError::Kind::far_jump);
        return beyond(CodegenError::Kind::jump_too_far, static_cast<std::uint64_t>(assembly.error().distance),
                      INT16_MAX);
    }
    return finish(program, std::move(*assembly), writer.spans(), sources);
}

std::expected<ProgramImage, CodegenError> finish(const ir::Program &program, Assembly assembly,
                                                 const std::vector<Span> &spans, const Sources *sources)
{
    const auto beyond = [&](CodegenError::Kind kind, std::uint64_t amount, std::uint64_t limit) {
        return std::unexpected(CodegenError{kind, amount, limit, program.name, program.span});
    };
    if (assembly.insns.size() > max_verified_insns)
        return beyond(CodegenError::Kind::too_many_insns, assembly.insns.size(), max_verified_insns);
    if (const std::size_t pending = pending_branches(assembly.insns); pending >= max_pending_branches)
        return beyond(CodegenError::Kind::too_many_branches, pending, max_pending_branches - 1);

    ProgramImage image;
    image.name = program.name;
    if (sources != nullptr)
        image.lines = lines_of(assembly, spans, program.span, *sources);
    image.insns = std::move(assembly.insns);
    image.map_references = std::move(assembly.map_references);
    image.kfunc_references = std::move(assembly.kfunc_references);
    return image;
}

} // namespace xdpf::bpf
