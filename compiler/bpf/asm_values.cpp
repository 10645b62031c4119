#include "compiler/base/limits.hpp"
#include "compiler/bpf/asm_checker.hpp"
#include "compiler/bpf/asm_ranges.hpp"

#include <utility>

namespace xdpf::bpf {
namespace {

constexpr std::int64_t furthest_in_packet = max_packet_offset;
constexpr std::int64_t furthest_step = 1 << 28; // half of BPF_MAX_VAR_OFF

bool wide(Insn insn) { return class_of(insn) == BPF_ALU64 || class_of(insn) == BPF_JMP; }
bool from_register(Insn insn) { return (insn.code & BPF_X) != 0; }
Alu operation(Insn insn) { return static_cast<Alu>(operation_of(insn)); }

bool of_packet(const Value &value)
{
    return value.is(Holds::packet) || value.is(Holds::packet_end) || value.is(Holds::metadata);
}

bool is_shift(Alu op) { return op == Alu::lsh || op == Alu::rsh || op == Alu::arsh; }
bool is_division(Alu op) { return op == Alu::div || op == Alu::mod; }

} // namespace

// ---- Arithmetic --------------------------------------------------------------------------------------------------

void AsmChecker::arithmetic(Insn insn)
{
    const Alu op = operation(insn);
    if (operation_of(insn) == BPF_END || op == Alu::neg) {
        const Value value = read(insn.dst);
        if (!value.is(Holds::number) && !value.is(Holds::reported))
            report(Kind::asm_type,
                   fmt::format("r{} is {}: its bytes are not for calculating", unsigned{insn.dst}, describe(value)));
        return write(insn.dst, number());
    }
    const Value b = operand(insn);
    const Value a = op == Alu::mov ? number() : read(insn.dst);
    if (!constant_fits(insn) || a.is(Holds::reported) || b.is(Holds::reported))
        return write(insn.dst, unusable(Holds::reported));
    const bool partly = !wide(insn) || insn.off != 0; // a move of less than the whole register
    if (op == Alu::mov && (b.is(Holds::number) || !partly))
        return write(insn.dst, insn.off != 0 ? number() : partly ? low_half(b) : b);
    if (a.is(Holds::number) && b.is(Holds::number))
        return write(insn.dst, insn.off != 0 ? number() : calculate(op, a, b, wide(insn)));
    write(insn.dst, moved_pointer(insn, a, b));
}

Value AsmChecker::operand(Insn insn)
{
    if (from_register(insn))
        return read(insn.src);
    const std::uint64_t imm = wide(insn) ? static_cast<std::uint64_t>(std::int64_t{insn.imm})
                                         : std::uint64_t{static_cast<std::uint32_t>(insn.imm)};
    return number(imm, imm);
}

bool AsmChecker::constant_fits(Insn insn)
{
    if (from_register(insn))
        return true;
    const int width = wide(insn) ? 64 : 32;
    if (is_division(operation(insn)) && insn.imm == 0)
        report(Kind::division_by_zero, "").suggest("by a register that holds 0 it is defined: x / 0 is 0, x % 0 is x");
    else if (is_shift(operation(insn)) && (insn.imm < 0 || insn.imm >= width))
        report(Kind::asm_type, fmt::format("a shift by {} bits; the register has {}", insn.imm, width));
    else
        return true;
    return false;
}

// At least one of the operands is a pointer.
Value AsmChecker::moved_pointer(Insn insn, const Value &a, const Value &b)
{
    const Alu op = operation(insn);
    const unsigned reg = a.is(Holds::number) ? insn.src : insn.dst;
    const Value &moved = a.is(Holds::number) ? b : a;
    const Value &distance = a.is(Holds::number) ? a : b;
    const auto refuse = [&](const std::string &text) {
        report(Kind::asm_type, text);
        return unusable(Holds::reported);
    };
    if (!wide(insn) || insn.off != 0)
        return refuse(fmt::format("r{0} is {1}, which has 64 bits: r{0} and not w{0}", reg, describe(moved)));
    if (op == Alu::sub && of_packet(a) && of_packet(b))
        return number();
    if (op != Alu::add && op != Alu::sub)
        return refuse(
            fmt::format("r{} is {}: only numbers can be added to it or subtracted from it", reg, describe(moved)));
    if (!distance.is(Holds::number) || (op == Alu::sub && a.is(Holds::number)))
        return refuse(
            fmt::format("{} {} {} has no meaning", describe(a), op == Alu::add ? "plus" : "minus", describe(b)));
    const bool movable = moved.is(Holds::packet) || moved.is(Holds::metadata) || moved.is(Holds::stack) ||
                         (moved.is(Holds::value) && value_size(moved) > 0);
    if (moved.is(Holds::maybe_value))
        return refuse(fmt::format("r{0} may be 0 here: `if r{0} == 0 goto …` first", reg));
    if (!movable)
        return refuse(fmt::format("r{} is {}, which cannot be moved", reg, describe(moved)));
    if (op == Alu::sub && moved.is(Holds::stack)) {
        report(Kind::asm_type, "nothing can be subtracted from a pointer to the stack")
            .suggest("add a negative number: `r2 += -8`");
        return unusable(Holds::reported);
    }
    if (!distance.constant()) {
        if (op == Alu::sub)
            return refuse(fmt::format("only a known number can be subtracted from {}", describe(moved)));
        return add_unknown(insn, moved, distance);
    }
    const auto steps = static_cast<std::int64_t>(distance.min);
    if (steps > furthest_step || steps < -furthest_step)
        return refuse(fmt::format("{} is too far from {}", steps, describe(moved)));
    return step_pointer(insn, moved, op == Alu::add ? steps : -steps);
}

Value AsmChecker::step_pointer(Insn insn, Value pointer, std::int64_t distance)
{
    pointer.off += distance;
    if (pointer.is(Holds::stack) && (pointer.off < -stack_size || pointer.off > 0)) {
        report(Kind::asm_memory,
               fmt::format("r{} would leave the stack, which has {} bytes below r10", unsigned{insn.dst}, stack_size));
        return unusable(Holds::reported);
    }
    if (pointer.off > furthest_step || pointer.off < -furthest_step) {
        report(Kind::asm_memory,
               fmt::format("r{} would be {} bytes away from where it began", unsigned{insn.dst}, pointer.off));
        return unusable(Holds::reported);
    }
    return pointer;
}

// A number that is not known adds to the slack; into a packet it makes a new base, with nothing known to be there.
Value AsmChecker::add_unknown(Insn insn, Value pointer, const Value &distance)
{
    const bool in_packet = of_packet(pointer);
    const auto most = static_cast<std::uint64_t>(in_packet ? furthest_in_packet : furthest_step);
    if (pointer.is(Holds::stack) || distance.max > most) {
        Diagnostic &diagnostic = report(
            Kind::asm_type, pointer.is(Holds::stack) ? "only a known number can be added to a pointer to the stack"
                                                     : fmt::format("the number added to r{} may be {}; {} is possible",
                                                                   unsigned{insn.dst}, distance.max, most));
        if (!pointer.is(Holds::stack))
            diagnostic.suggest("bound it first: `r3 &= 0xff`, or `if r3 > 100 goto out`");
        return unusable(Holds::reported);
    }
    pointer.slack += static_cast<std::int64_t>(distance.max);
    if (in_packet) {
        pointer.id = base_id(at_);
        pointer.range = 0;
    }
    if (pointer.slack > furthest_step) {
        report(Kind::asm_memory,
               fmt::format("r{} may be {} bytes away from where it began", unsigned{insn.dst}, pointer.slack));
        return unusable(Holds::reported);
    }
    return pointer;
}

// ---- Comparisons -------------------------------------------------------------------------------------------------

void AsmChecker::compare(Insn insn)
{
    const Value a = read(insn.dst);
    const Value b = operand(insn);
    State taken = state_;
    if (a.is(Holds::number) && b.is(Holds::number))
        compare_numbers(insn, taken);
    else if (!a.is(Holds::reported) && !b.is(Holds::reported) && !compare_with_null(insn, taken) &&
             !compare_with_end(insn, taken)) {
        Diagnostic &diagnostic =
            report(Kind::asm_type, fmt::format("{} cannot be compared with {} like this", describe(a), describe(b)));
        if (of_packet(a) && of_packet(b))
            diagnostic.suggest("a pointer into the packet is compared with xdp_md.data_end, one into the metadata area "
                               "with xdp_md.data, by > >= < <= and in 64 bits");
        else if (a.is(Holds::maybe_value) || b.is(Holds::maybe_value))
            diagnostic.suggest("it can be asked for being there: `if r0 == 0 goto …`, `if r0 != 0 goto …`");
    }
    jump_to(distance_of(insn), taken);
}

// What is known behind the comparison; of 32 bits only where the upper half is zero anyway.
void AsmChecker::compare_numbers(Insn insn, State &taken)
{
    const auto test = static_cast<Test>(operation_of(insn));
    const auto narrow = [&](unsigned reg, Test asked, const Value &limit) {
        const Value value = state_.regs[reg];
        if (!limit.constant() || (!wide(insn) && (value.max > UINT32_MAX || limit.max > UINT32_MAX)))
            return;
        taken.regs[reg] = narrowed(value, asked, limit.min);
        if (asked != Test::set)
            state_.regs[reg] = narrowed(value, inverse(asked), limit.min);
    };
    const Value b = operand(insn);
    const Value a = state_.regs[insn.dst];
    narrow(insn.dst, test, b);
    if (from_register(insn) && insn.src != insn.dst)
        narrow(insn.src, mirrored(test), a);
}

bool AsmChecker::compare_with_null(Insn insn, State &taken)
{
    const Value a = state_.regs[insn.dst];
    const auto test = static_cast<Test>(operation_of(insn));
    if (!a.is(Holds::maybe_value) || from_register(insn) || insn.imm != 0 || !wide(insn) ||
        (test != Test::eq && test != Test::ne))
        return false;
    State &null = test == Test::eq ? taken : state_;
    State &there = test == Test::eq ? state_ : taken;
    const auto same = [&](const Value &value) { return value.is(Holds::maybe_value) && value.id == a.id; };
    null.each([&](Value &value) {
        if (same(value))
            value = number(0, 0);
    });
    there.each([&](Value &value) {
        if (same(value))
            value.holds = Holds::value;
    });
    return true;
}

// find_good_pkt_pointers: where the pointer is not beyond the end, all that share its base have so many bytes. Where it
// is, the kernel forgets what it knew of this one.
bool AsmChecker::compare_with_end(Insn insn, State &taken)
{
    if (!wide(insn) || !from_register(insn))
        return false;
    auto test = static_cast<Test>(operation_of(insn));
    unsigned reg = insn.dst;
    Value limit = state_.regs[insn.src];
    const auto ends = [](const Value &pointer, const Value &end) {
        return (pointer.is(Holds::packet) && end.is(Holds::packet_end)) ||
               (pointer.is(Holds::metadata) && end.is(Holds::packet) && end.id == 0 && end.off == 0);
    };
    if (!ends(state_.regs[reg], limit)) {
        reg = insn.src;
        limit = state_.regs[insn.dst];
        test = mirrored(test);
        if (!ends(state_.regs[reg], limit))
            return false;
    }
    if (test != Test::gt && test != Test::ge && test != Test::lt && test != Test::le)
        return false;
    const bool taken_is_inside = test == Test::lt || test == Test::le;
    const bool before_end = test == Test::lt || test == Test::ge; // the byte it points to is there too
    State &inside = taken_is_inside ? taken : state_;
    State &outside = taken_is_inside ? state_ : taken;
    const Value pointer = inside.regs[reg];
    outside.regs[reg].range = 0;
    if (pointer.off <= 0 || pointer.off + pointer.slack > furthest_in_packet)
        return true;
    const std::int64_t range = std::min(pointer.off + (before_end ? 1 : 0), furthest_in_packet);
    inside.each([&](Value &value) {
        if (value.is(pointer.holds) && value.id == pointer.id)
            value.range = std::max(value.range, range);
    });
    return true;
}

} // namespace xdpf::bpf
