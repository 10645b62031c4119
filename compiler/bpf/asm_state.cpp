#include "compiler/bpf/asm_state.hpp"

namespace xdpf::bpf {
namespace {

Value meet_packet(const Value &a, const Value &b, std::uint32_t id)
{
    Value out = a;
    if (a.id == b.id && a.off == b.off) {
        out.range = std::min(a.range, b.range);
        return out;
    }
    if (a.off < 0 || b.off < 0)
        return unusable(Holds::mixed);
    out.id = id;
    out.off = 0;
    out.slack = std::max(a.slack + a.off, b.slack + b.off);
    out.range = std::max<std::int64_t>(0, std::min(a.range - a.off, b.range - b.off));
    return out;
}

Value meet_value(const Value &a, const Value &b, std::uint32_t id)
{
    if (a.map != b.map)
        return unusable(Holds::mixed);
    Value out = a;
    out.id = a.id == b.id ? a.id : id;
    out.off = std::min(a.off, b.off);
    out.slack = std::max(a.off + a.slack, b.off + b.slack) - out.off;
    return out;
}

} // namespace

Value meet(const Value &a, const Value &b, std::uint32_t id)
{
    if (a == b)
        return a;
    for (const Holds worse : {Holds::reported, Holds::moved, Holds::lost, Holds::sometimes})
        if (a.is(worse) || b.is(worse))
            return a.is(worse) ? a : b;
    if (a.is(Holds::nothing) || b.is(Holds::nothing))
        return unusable(Holds::sometimes);
    if (!a.is(b.holds))
        return unusable(Holds::mixed);
    switch (a.holds) {
    case Holds::number: return number(std::min(a.min, b.min), std::max(a.max, b.max));
    case Holds::packet:
    case Holds::metadata: return meet_packet(a, b, id);
    case Holds::maybe_value:
    case Holds::value: return meet_value(a, b, id);
    default: return unusable(Holds::mixed);
    }
}

void meet(State &into, const State &other, std::uint32_t insn)
{
    std::uint32_t id = base_id(insn) + 1;
    for (std::size_t i = 0; i < into.regs.size(); ++i)
        into.regs[i] = meet(into.regs[i], other.regs[i], id++);
    into.written &= other.written;
    for (std::size_t i = 0; i < stack_slots; ++i) {
        Value &slot = into.slots[i];
        const bool pointers = slot.holds > Holds::number || other.slots[i].holds > Holds::number;
        slot = meet(slot, other.slots[i], id++);
        if (slot.holds > Holds::number || (slot.is(Holds::number)))
            continue;
        slot = {};
        if (pointers) // their bytes are not for reading
            for (std::size_t byte = 0; byte < 8; ++byte)
                into.written.reset(i * 8 + byte);
    }
}

} // namespace xdpf::bpf
