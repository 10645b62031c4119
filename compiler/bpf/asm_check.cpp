#include "compiler/bpf/asm_check.hpp"

#include "compiler/bpf/asm_checker.hpp"

#include <algorithm>

namespace xdpf::bpf {
namespace {

// The kernel gives up after a million instructions looked at, on all ways together, and after 8192 ways left open
// (BPF_COMPLEXITY_LIMIT_INSNS, BPF_COMPLEXITY_LIMIT_JMP_SEQ). The program around the block has its share of both.
constexpr std::uint64_t most_steps = 250'000;
constexpr std::size_t most_conditions = 1000;

// Instructions on all ways through the block together, as if no two ways met in the same state.
std::uint64_t steps_of(const std::vector<Insn> &insns)
{
    std::vector<std::uint64_t> from(insns.size() + 1);
    for (std::size_t i = insns.size(); i-- > 0;) {
        const Insn insn = insns[i];
        const auto at_target = [&] { return from[i + 1 + static_cast<std::size_t>(distance_of(insn))]; };
        std::uint64_t steps = 1;
        if (is_conditional(insn))
            steps += from[i + 1] + at_target();
        else if (is_jump(insn))
            steps += at_target();
        else if (insn.code != (BPF_JMP | BPF_EXIT))
            steps += from[i + 1];
        from[i] = std::min(steps, most_steps + 1);
    }
    return from[0];
}

} // namespace

bool AsmChecker::run()
{
    check_size();
    state_.regs[1] = pointer(Holds::context);
    state_.regs[10] = pointer(Holds::stack);
    const std::vector<Insn> &insns = block_.insns;
    for (at_ = 0; at_ < insns.size(); at_ += is_wide(insns[at_]) ? 2 : 1) {
        arrive();
        if (reached_)
            step(insns[at_]);
    }
    leave();
    return diagnostics_.errors() == before_;
}

void AsmChecker::check_size()
{
    const auto conditions = static_cast<std::size_t>(std::ranges::count_if(block_.insns, is_conditional));
    Diagnostic *diagnostic = nullptr;
    if (conditions > most_conditions)
        diagnostic = &report(Kind::asm_flow, fmt::format("{} conditional jumps in one block; {} are possible",
                                                         conditions, most_conditions));
    else if (steps_of(block_.insns) > most_steps)
        diagnostic = &report(Kind::asm_flow, "too many ways lead through this block for the kernel to follow each");
    if (diagnostic != nullptr)
        diagnostic->suggest(
            "each condition behind which both ways meet again doubles their number: leave early instead");
}

// Joins the ways that lead to this instruction.
void AsmChecker::arrive()
{
    if (const auto coming = arriving_.find(at_); coming != arriving_.end()) {
        if (reached_)
            meet(state_, coming->second, at_);
        else
            state_ = coming->second;
        reached_ = true;
        arriving_.erase(coming);
    }
    if (!reached_ && !skipping_)
        report(Kind::asm_flow, "this instruction is never reached")
            .suggest("the kernel refuses those: put a label before it and jump there, or leave it out");
    skipping_ = !reached_;
}

void AsmChecker::step(Insn insn)
{
    switch (class_of(insn)) {
    case BPF_ALU:
    case BPF_ALU64: return arithmetic(insn);
    case BPF_LD: return wide_load(insn);
    case BPF_LDX: return load(insn);
    case BPF_ST: return store(insn);
    case BPF_STX: return (insn.code & 0xe0U) == BPF_ATOMIC ? atomic(insn) : store(insn);
    default: break;
    }
    if (insn.code == (BPF_JMP | BPF_CALL)) {
        call(insn);
    } else if (insn.code == (BPF_JMP | BPF_EXIT)) {
        const Value result = read(0);
        if (!result.is(Holds::number) && !result.is(Holds::reported))
            report(Kind::asm_type, fmt::format("r0 must be a number at the exit, and it is {}", describe(result)))
                .suggest("it is the program's verdict: `r0 = XDP_PASS`");
        reached_ = false;
    } else if (is_conditional(insn)) {
        compare(insn);
    } else {
        jump_to(distance_of(insn), state_);
        reached_ = false;
    }
}

void AsmChecker::wide_load(Insn insn)
{
    const auto reference = std::ranges::find(block_.map_references, at_, &MapReference::insn);
    Value value = number();
    if (reference != block_.map_references.end()) {
        value = pointer(Holds::map);
        value.map = reference->map;
    } else {
        value.min = static_cast<std::uint32_t>(insn.imm) |
                    std::uint64_t{static_cast<std::uint32_t>(block_.insns[at_ + 1].imm)} << 32;
        value.max = value.min;
    }
    write(insn.dst, value);
}

void AsmChecker::jump_to(std::int64_t distance, const State &state)
{
    const auto target = static_cast<std::uint32_t>(at_ + 1 + distance);
    jumped_from_.emplace(target, at_);
    const auto [there, first] = arriving_.try_emplace(target, state);
    if (!first)
        meet(there->second, state, target);
}

// Nothing may come out at the block's end.
void AsmChecker::leave()
{
    const auto end = static_cast<std::uint32_t>(block_.insns.size());
    const char *help = "every way ends with `exit`, with the verdict in r0";
    if (arriving_.contains(end)) {
        at_ = jumped_from_[end];
        report(Kind::asm_flow, "this jump leads to the end of the block, where no instruction stands").suggest(help);
    }
    at_ = end - 1;
    if (reached_)
        report(Kind::asm_flow, "the block goes on behind its last instruction").suggest(help);
}

Value AsmChecker::read(unsigned reg)
{
    const Value value = state_.regs[reg];
    if (usable(value.holds))
        return value;
    Diagnostic &diagnostic = report(Kind::asm_type, why_unusable(reg, value));
    switch (value.holds) {
    case Holds::lost:
    case Holds::moved: diagnostic.note(block_.spans[value.id], "the call is here"); break;
    default: break;
    }
    if (value.is(Holds::lost))
        diagnostic.suggest("r6 to r9 keep their values in calls");
    else if (value.is(Holds::moved))
        diagnostic.suggest("read xdp_md.data and xdp_md.data_end again, and compare again");
    else if (reg == 0 && block_.insns[at_].code == (BPF_JMP | BPF_EXIT))
        diagnostic.suggest("it is the program's verdict: `r0 = XDP_PASS`");
    state_.regs[reg] = unusable(Holds::reported);
    return state_.regs[reg];
}

std::string AsmChecker::why_unusable(unsigned reg, const Value &value) const
{
    const auto called = [&] {
        const Helper *helper = find_helper(block_.insns[value.id].imm);
        return helper != nullptr ? helper->name : std::string_view("the call");
    };
    switch (value.holds) {
    case Holds::sometimes: return fmt::format("r{} was not given a value on every way that leads here", reg);
    case Holds::lost:
        return reg == 0 ? fmt::format("{} gives no result in r0", called())
                        : fmt::format("r{} lost its value in the call of {}", reg, called());
    case Holds::moved: return fmt::format("r{} pointed into the packet before {} moved it", reg, called());
    case Holds::mixed: return fmt::format("r{} holds something else on each way that leads here", reg);
    default: return fmt::format("r{} was never given a value here", reg);
    }
}

void AsmChecker::write(unsigned reg, const Value &value)
{
    if (reg == 10)
        report(Kind::asm_type, "r10 is the end of the stack frame and cannot be changed")
            .suggest("copy it: `r2 = r10`, `r2 += -8`");
    else
        state_.regs[reg] = value;
}

std::string AsmChecker::describe(const Value &value) const
{
    switch (value.holds) {
    case Holds::number: return "a number";
    case Holds::context: return "the context";
    case Holds::packet: return "a pointer into the packet";
    case Holds::packet_end: return "the packet's end";
    case Holds::metadata: return "a pointer into the metadata area";
    case Holds::map: return fmt::format("the map '{}'", map_of(value).name);
    case Holds::maybe_value: return fmt::format("an entry of '{}' or 0", map_of(value).name);
    case Holds::value: return fmt::format("a pointer to an entry of '{}'", map_of(value).name);
    case Holds::stack: return "a pointer to the stack";
    default: return "nothing";
    }
}

std::int64_t AsmChecker::value_size(const Value &value) const
{
    const MapSpec &map = map_of(value);
    return bpf_type_of(map.kind) == BPF_MAP_TYPE_XSKMAP ? 0 : map.value.size;
}

bool check_asm(const AsmBlock &block, std::span<const MapSpec> maps, ProgramImage::Place place,
               Diagnostics &diagnostics)
{
    return AsmChecker(block, maps, place, diagnostics).run();
}

std::optional<AsmBlock> assemble_asm(std::string_view text, Span where, const AsmNames &names,
                                     ProgramImage::Place place, Diagnostics &diagnostics)
{
    std::optional<AsmBlock> block = read_asm(text, where, names, diagnostics);
    if (block && !check_asm(*block, names.maps, place, diagnostics))
        return std::nullopt;
    return block;
}

} // namespace xdpf::bpf
