#include "compiler/bpf/asm_checker.hpp"

#include <algorithm>

namespace xdpf::bpf {

void AsmChecker::call(Insn insn)
{
    const Helper *helper = find_helper(insn.imm);
    if (helper == nullptr) {
        report(Kind::asm_type, "this helper cannot be called here")
            .suggest(fmt::format("these can: {}", fmt::join(helper_names(), ", ")));
        after_call({});
        return;
    }
    bool right = true;
    for (std::size_t i = 0; i < helper->args.size() && right; ++i)
        right = argument(*helper, i);
    const Value map = state_.regs[1];
    after_call(*helper);
    if (!right)
        state_.regs[0] = unusable(Holds::reported);
    else if (helper->result == Result::maybe_value)
        state_.regs[0].map = map.map;
}

// Registers count from r1.
bool AsmChecker::argument(const Helper &helper, std::size_t index)
{
    const Arg wanted = helper.args[index];
    if (wanted == Arg::none)
        return true;
    const auto reg = static_cast<unsigned>(index + 1);
    const Value value = read(reg);
    if (value.is(Holds::reported))
        return false;
    const auto want = [&](Holds holds, std::string_view what) {
        if (value.is(holds))
            return true;
        report(Kind::asm_type,
               fmt::format("{} wants {} in r{}, and that is {}", helper.name, what, reg, describe(value)));
        return false;
    };
    switch (wanted) {
    case Arg::context: return want(Holds::context, "the context");
    case Arg::map: return want(Holds::map, "a map") && map_argument(helper, reg);
    case Arg::number:
    case Arg::size:
    case Arg::size_or_zero: return want(Holds::number, "a number");
    case Arg::key: return fixed_memory(helper, reg, map_of(state_.regs[1]).key.size);
    case Arg::value: return fixed_memory(helper, reg, map_of(state_.regs[1]).value.size);
    default: return memory_argument(helper, index);
    }
}

bool AsmChecker::map_argument(const Helper &helper, unsigned reg)
{
    const std::string reason = unfit(helper, map_of(state_.regs[reg]));
    if (!reason.empty())
        report(Kind::asm_type, reason);
    return reason.empty();
}

// Memory whose size is in the next register.
bool AsmChecker::memory_argument(const Helper &helper, std::size_t index)
{
    const auto reg = static_cast<unsigned>(index + 1);
    const Arg kind = helper.args[index];
    const Value value = state_.regs[reg];
    const Value size = read(reg + 1);
    if (size.is(Holds::reported))
        return false;
    if (!size.is(Holds::number)) {
        report(Kind::asm_type,
               fmt::format("{} wants a number of bytes in r{}, and that is {}", helper.name, reg + 1, describe(size)));
        return false;
    }
    const bool null = value.constant() && value.min == 0;
    if (kind == Arg::bytes_or_null && null && size.max == 0)
        return true;
    if (helper.args[index + 1] == Arg::size ? size.min == 0 : size.max == 0) {
        report(Kind::asm_type, fmt::format("r{}, the number of bytes for {}, {} 0", reg + 1, helper.name,
                                           size.max == 0 ? "is" : "may be"));
        return false;
    }
    if (size.max > 0xffff) {
        report(Kind::asm_type,
               fmt::format("r{}, the number of bytes for {}, may be {}", reg + 1, helper.name, size.max))
            .suggest(fmt::format("bound it first: `r{0} &= 0x7f`, or `if r{0} > 64 goto out`", reg + 1));
        return false;
    }
    const auto most = static_cast<std::int64_t>(size.max);
    if (kind != Arg::room)
        return fixed_memory(helper, reg, most);
    const Access access{reg, 0, most, true};
    if (!value.is(Holds::stack) && !value.is(Holds::value) && !value.is(Holds::maybe_value)) {
        report(Kind::asm_type, fmt::format("{} fills memory on the stack or in an entry of a map, and r{} is {}",
                                           helper.name, reg, describe(value)));
        return false;
    }
    if (!inside(access))
        return false;
    const std::int64_t place = stack_size + value.off;
    if (value.is(Holds::stack) && (size.constant() || stack_readable(place, most)))
        stack_overwrite(place, most);
    return true;
}

// Memory of which the helper reads so many bytes.
bool AsmChecker::fixed_memory(const Helper &helper, unsigned reg, std::int64_t size)
{
    const Value value = read(reg);
    if (value.is(Holds::reported))
        return false;
    if (value.is(Holds::number) || value.is(Holds::map) || value.is(Holds::context) || value.is(Holds::packet_end)) {
        report(Kind::asm_type, fmt::format("{} wants a pointer to {} bytes in r{}, and that is {}", helper.name, size,
                                           reg, describe(value)));
        return false;
    }
    if ((value.is(Holds::packet) || value.is(Holds::metadata)) && !helper.reads_packet) {
        report(Kind::asm_type, fmt::format("{} cannot read from the packet: copy to the stack first", helper.name));
        return false;
    }
    if (!inside({reg, 0, size}))
        return false;
    return !value.is(Holds::stack) || stack_readable(stack_size + value.off, size);
}

void AsmChecker::after_call(const Helper &helper)
{
    for (unsigned reg = 1; reg <= 5; ++reg)
        state_.regs[reg] = unusable(Holds::lost, at_);
    if (helper.moves_packet) {
        const auto points_there = [](const Value &value) {
            return value.is(Holds::packet) || value.is(Holds::packet_end) || value.is(Holds::metadata);
        };
        for (Value &value : state_.regs)
            if (points_there(value))
                value = unusable(Holds::moved, at_);
        for (std::size_t i = 0; i < stack_slots; ++i)
            if (points_there(state_.slots[i])) {
                state_.slots[i] = {};
                for (std::size_t byte = 0; byte < 8; ++byte)
                    state_.written.reset(8 * i + byte);
            }
    }
    switch (helper.result) {
    case Result::number: state_.regs[0] = number(); break;
    case Result::maybe_value: state_.regs[0] = pointer(Holds::maybe_value, base_id(at_)); break;
    case Result::none: state_.regs[0] = unusable(Holds::lost, at_); break;
    }
}

} // namespace xdpf::bpf
