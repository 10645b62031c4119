#include "compiler/base/limits.hpp"
#include "compiler/bpf/asm_checker.hpp"

#include <cstddef>
#include <string_view>

namespace xdpf::bpf {
namespace {

constexpr unsigned memory_signed = 0x80; // BPF_MEMSX, since Linux 6.6

std::int64_t size_of_access(Insn insn) { return bytes_of(static_cast<Size>(insn.code & 0x18U)); }

bool is_pointer(const Value &value) { return value.holds > Holds::number; }

std::string bytes(std::int64_t count) { return fmt::format("{} byte{}", count, count == 1 ? "" : "s"); }

} // namespace

void AsmChecker::load(Insn insn)
{
    const Value base = read(insn.src);
    const Access access{insn.src, insn.off, size_of_access(insn)};
    Value result = unusable(Holds::reported);
    if (base.is(Holds::context))
        result = load_context(insn);
    else if (inside(access))
        result = base.is(Holds::stack) ? load_stack(access)
                                       : number(0, access.size == 8 ? UINT64_MAX : (1ULL << (8 * access.size)) - 1);
    if ((insn.code & 0xe0U) == memory_signed && result.is(Holds::number))
        result = number();
    write(insn.dst, result);
}

Value AsmChecker::load_context(Insn insn)
{
    struct Field {
        std::size_t offset;
        Holds holds;
    };
    static constexpr Field fields[] = {
        {offsetof(xdp_md, data), Holds::packet},           {offsetof(xdp_md, data_end), Holds::packet_end},
        {offsetof(xdp_md, data_meta), Holds::metadata},    {offsetof(xdp_md, ingress_ifindex), Holds::number},
        {offsetof(xdp_md, rx_queue_index), Holds::number}, {offsetof(xdp_md, egress_ifindex), Holds::number},
    };
    const auto *field = std::find_if(std::begin(fields), std::end(fields), [&](const Field &candidate) {
        return static_cast<std::int64_t>(candidate.offset) == insn.off;
    });
    if (field == std::end(fields) || insn.code != (BPF_LDX | BPF_MEM | BPF_W)) {
        report(Kind::asm_memory, fmt::format("the context is read field by field, each of 4 bytes; {} at {:+} is none",
                                             bytes(size_of_access(insn)), insn.off))
            .suggest("e.g. `*(u32 *)(r1 + xdp_md.data)`");
        return unusable(Holds::reported);
    }
    if (field->offset == offsetof(xdp_md, egress_ifindex) && place_ != ProgramImage::Place::devmap) {
        report(Kind::asm_memory, "egress_ifindex is there only in programs on a devmap")
            .suggest("`defprogram … on devmap`");
        return unusable(Holds::reported);
    }
    return field->holds == Holds::number ? number(0, UINT32_MAX) : pointer(field->holds);
}

Value AsmChecker::load_stack(const Access &access)
{
    const std::int64_t place = stack_size + state_.regs[access.reg].off + access.off;
    const Value &slot = state_.slots[static_cast<std::size_t>(place / 8)];
    if (access.size == 8 && usable(slot.holds))
        return slot;
    if (!stack_readable(place, access.size))
        return unusable(Holds::reported);
    return number(0, access.size == 8 ? UINT64_MAX : (1ULL << (8 * access.size)) - 1);
}

void AsmChecker::store(Insn insn)
{
    const bool from_register = class_of(insn) == BPF_STX;
    const Value base = read(insn.dst);
    const Value value = from_register ? read(insn.src) : number();
    const Access access{insn.dst, insn.off, size_of_access(insn), true};
    if (base.is(Holds::context)) {
        report(Kind::asm_memory, "the context cannot be written");
        return;
    }
    if (!inside(access))
        return;
    if (is_pointer(value) && (!base.is(Holds::stack) || access.size != 8))
        report(Kind::asm_type, fmt::format("r{} is {}, which can be stored on the stack only, as u64",
                                           unsigned{insn.src}, describe(value)));
    else if (base.is(Holds::stack))
        store_stack(access, from_register ? value : number());
}

void AsmChecker::store_stack(const Access &access, const Value &value)
{
    const std::int64_t place = stack_size + state_.regs[access.reg].off + access.off;
    stack_overwrite(place, access.size);
    if (access.size == 8)
        state_.slots[static_cast<std::size_t>(place / 8)] = value;
}

void AsmChecker::atomic(Insn insn)
{
    const Value base = read(insn.dst);
    const Value value = read(insn.src);
    const Access access{insn.dst, insn.off, size_of_access(insn), true};
    if (base.is(Holds::reported) || value.is(Holds::reported))
        return;
    if (!base.is(Holds::stack) && !base.is(Holds::value) && !base.is(Holds::maybe_value)) {
        report(Kind::asm_memory, fmt::format("'lock' is for entries of maps and the stack, and r{} is {}",
                                             unsigned{insn.dst}, describe(base)));
        return;
    }
    if (!inside(access))
        return;
    if (!value.is(Holds::number))
        report(Kind::asm_type, fmt::format("r{} is {}, and a number is wanted", unsigned{insn.src}, describe(value)));
    const std::int64_t place = base.off + access.off;
    if (base.slack != 0 || place % access.size != 0) {
        report(Kind::asm_memory, fmt::format("'lock' wants a place that is known and a multiple of {}", access.size));
    } else if (base.is(Holds::stack) && stack_readable(stack_size + place, access.size)) {
        stack_overwrite(stack_size + place, access.size);
    }
}

bool AsmChecker::inside(const Access &access)
{
    const Value pointer = read(access.reg);
    switch (pointer.holds) {
    case Holds::reported: return false;
    case Holds::packet:
    case Holds::metadata: return inside_packet(access, pointer);
    case Holds::value: return inside_value(access, pointer);
    case Holds::stack: return inside_stack(access, pointer);
    case Holds::maybe_value:
        report(Kind::asm_memory,
               fmt::format("r{} may be 0 here: '{}' may have no such entry", access.reg, map_of(pointer).name))
            .suggest(fmt::format("`if r{} == 0 goto …` first", access.reg));
        return false;
    default:
        report(Kind::asm_type, fmt::format("r{} is {}: no bytes can be reached by it", access.reg, describe(pointer)));
        return false;
    }
}

bool AsmChecker::inside_packet(const Access &access, const Value &pointer)
{
    constexpr std::int64_t furthest = max_packet_offset;
    const std::int64_t first = pointer.off + access.off;
    const std::int64_t last = first + access.size;
    const bool packet = pointer.is(Holds::packet);
    if (first >= 0 && last <= pointer.range)
        return true;
    if (first < 0) {
        report(Kind::asm_memory,
               fmt::format("this may lie before the beginning of the {}", packet ? "packet" : "metadata area"));
        return false;
    }
    const std::string_view area = packet ? "packet" : "metadata area";
    if (last + pointer.slack > furthest) {
        report(Kind::asm_memory, fmt::format("this may lie {} behind the beginning of the {}; {} are possible",
                                             bytes(last + pointer.slack), area, furthest))
            .suggest("bound the number that was added: `r3 &= 0xff`");
        return false;
    }
    const std::string where = pointer.id == 0 ? std::string() : " from where the unknown part ends";
    report(Kind::asm_memory, fmt::format("the {} may end before byte {}{} here", area, last, where))
        .suggest(fmt::format("compare r{} + {} with xdp_md.{} first", access.reg, access.off + access.size,
                             packet ? "data_end" : "data"));
    return false;
}

bool AsmChecker::inside_value(const Access &access, const Value &pointer)
{
    const MapSpec &map = map_of(pointer);
    const std::int64_t first = pointer.off + access.off;
    const std::int64_t last = first + pointer.slack + access.size;
    const std::int64_t size = value_size(pointer);
    const std::uint32_t forbidden = access.write ? BPF_F_RDONLY_PROG : BPF_F_WRONLY_PROG;
    if ((map.flags & forbidden) != 0)
        report(Kind::asm_memory,
               fmt::format("entries of '{}' cannot be {} by programs", map.name, access.write ? "written" : "read"));
    else if (size == 0)
        report(Kind::asm_memory, fmt::format("what is in '{}' cannot be looked into", map.name));
    else if (first < 0)
        report(Kind::asm_memory, fmt::format("this lies {} before the entry of '{}'", bytes(-first), map.name));
    else if (last > size)
        report(Kind::asm_memory,
               fmt::format("this {} to byte {}, and values of '{}' have {}",
                           pointer.slack != 0 ? "may reach" : "reaches", last, map.name, bytes(size)));
    else
        return true;
    return false;
}

bool AsmChecker::inside_stack(const Access &access, const Value &pointer)
{
    const std::int64_t place = pointer.off + access.off;
    if (place < -stack_size || place + access.size > 0) {
        report(Kind::asm_memory, fmt::format("{} at r10 {:+} are not on the stack, which is r10 -{} to r10 -1",
                                             bytes(access.size), place, stack_size));
        return false;
    }
    if (access.size <= 8 && place % access.size != 0) {
        report(Kind::asm_memory, fmt::format("r10 {:+} is no multiple of {}, as the stack wants it for u{}", place,
                                             access.size, 8 * access.size));
        return false;
    }
    return true;
}

bool AsmChecker::stack_readable(std::int64_t place, std::int64_t size)
{
    for (std::int64_t byte = place; byte < place + size; ++byte) {
        const Value &slot = state_.slots[static_cast<std::size_t>(byte / 8)];
        if (slot.is(Holds::reported))
            return false;
        if (is_pointer(slot)) {
            report(Kind::asm_type, fmt::format("{} is stored at r10 {:+}: it is read whole, as u64, and not by byte",
                                               describe(slot), byte / 8 * 8 - stack_size));
            return false;
        }
        if (!state_.written[static_cast<std::size_t>(byte)]) {
            report(Kind::asm_memory, fmt::format("the stack at r10 {:+} was never written here", byte - stack_size));
            return false;
        }
    }
    return true;
}

// The bytes become numbers that are not known. What is left of a pointer is nothing.
void AsmChecker::stack_overwrite(std::int64_t place, std::int64_t size)
{
    for (std::int64_t byte = place; byte < place + size; ++byte) {
        Value &slot = state_.slots[static_cast<std::size_t>(byte / 8)];
        if (is_pointer(slot) || slot.is(Holds::reported))
            for (std::int64_t other = byte / 8 * 8; other < byte / 8 * 8 + 8; ++other)
                state_.written.reset(static_cast<std::size_t>(other));
        slot = {};
        state_.written.set(static_cast<std::size_t>(byte));
    }
}

} // namespace xdpf::bpf
