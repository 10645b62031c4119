#include "compiler/passes/byte_tests.hpp"

#include "compiler/ir/traits.hpp"

#include <array>
#include <bit>

namespace xdpf::passes {

using namespace ir;

namespace {

constexpr unsigned deepest = 6; // operations between a load and its test

} // namespace

std::optional<Masked> masked(const Bytes &bytes)
{
    if (bytes.count() == 1)
        return Masked{0xff, static_cast<std::uint8_t>(bytes._Find_first())};
    unsigned all = 0xff;
    unsigned any = 0;
    for (unsigned i = 0; i < bytes.size(); ++i)
        if (bytes[i]) {
            all &= i;
            any |= i;
        }
    const unsigned free = any & ~all;
    if (bytes.none() || bytes.count() != std::size_t{1} << std::popcount(free))
        return std::nullopt;
    return Masked{static_cast<std::uint8_t>(~free), static_cast<std::uint8_t>(all)};
}

std::optional<Interval> interval(const Bytes &bytes)
{
    if (bytes.none())
        return std::nullopt;
    const auto least = static_cast<unsigned>(bytes._Find_first());
    unsigned most = least;
    while (most < 255 && bytes[most + 1])
        ++most;
    return most - least + 1 == bytes.count() ? std::optional(Interval{least, most}) : std::nullopt;
}

ByteTests::ByteTests(const Program &program)
{
    definitions_.resize(program.values.size(), nullptr);
    for (const Block &block : program.blocks)
        for (const Inst &inst : block.insts)
            if (inst.result.valid())
                definitions_[inst.result] = &inst;
}

const Inst *ByteTests::definition(ValueId value) const
{
    return value.valid() && value.value < definitions_.size() ? definitions_[value] : nullptr;
}

// The load that a value is computed of with constants alone.
ByteTests::Source ByteTests::source(ValueId value) const
{
    Source out;
    for (unsigned depth = 0; depth < deepest; ++depth) {
        const Inst *const inst = definition(value);
        if (inst == nullptr)
            return out;
        if (inst->op == Op::load) {
            out.load = inst;
            return out;
        }
        const Inst *const by = shape_of(inst->op) == Shape::binary ? definition(inst->b) : nullptr;
        if (by == nullptr || by->op != Op::constant)
            return out;
        if (inst->op == Op::bit_and)
            out.mask &= by->imm;
        else
            out.masked_only = false;
        ++out.cost;
        value = inst->a;
    }
    return out;
}

// The bytes with which a value that is computed of them compares so.
Bytes ByteTests::passing(ValueId value, const Inst *load, Cond cond, std::uint64_t imm) const
{
    std::array<const Inst *, deepest> steps{}; // from the value to the load
    std::size_t count = 0;
    for (const Inst *inst = definition(value); inst != load; inst = definition(inst->a))
        steps[count++] = inst;
    Bytes out;
    for (unsigned byte = 0; byte < out.size(); ++byte) {
        std::uint64_t number = byte;
        for (std::size_t i = count; i-- > 0;)
            number = evaluate(steps[i]->op, number, definition(steps[i]->b)->imm);
        out[byte] = evaluate(cond, number, imm);
    }
    return out;
}

const Inst *ByteTests::load(const Terminator &end) const
{
    return end.kind == Terminator::Kind::branch && !end.b.valid() ? source(end.a).load : nullptr;
}

unsigned ByteTests::cost(const Terminator &end) const { return source(end.a).cost + 1; }

std::optional<ByteTest> ByteTests::read(const Terminator &end, std::size_t pass) const
{
    if (end.kind != Terminator::Kind::branch || end.b.valid())
        return std::nullopt;
    const Source of = source(end.a);
    if (of.load == nullptr)
        return std::nullopt;
    ByteTest out{of.load->a, {}, of.cost + 1};
    const Cond cond = pass == 0 ? end.cond : inverse(end.cond);
    if (of.load->width == 1) {
        Bytes &bytes = out.bytes[of.load->imm];
        if (cond == Cond::eq && end.a == of.load->result && end.imm <= 0xff) {
            bytes.set(end.imm);
            return out;
        }
        bytes = passing(end.a, of.load, cond, end.imm);
        return out;
    }
    std::uint64_t mask = of.mask & max_of_width(of.load->width);
    std::uint64_t value = end.imm;
    if (cond == Cond::clear || (cond == Cond::set && std::has_single_bit(end.imm & mask))) {
        mask &= end.imm;
        value = cond == Cond::clear ? 0 : mask;
    } else if (cond != Cond::eq) {
        return std::nullopt;
    }
    if (!of.masked_only || (value & ~mask) != 0)
        return std::nullopt;
    if (of.load->order == Order::big) {
        mask = swap_bytes(mask, of.load->width);
        value = swap_bytes(value, of.load->width);
    }
    for (unsigned i = 0; i < of.load->width; ++i) {
        const auto byte_mask = static_cast<unsigned>(mask >> 8 * i & 0xff);
        if (byte_mask == 0)
            continue;
        Bytes &bytes = out.bytes[of.load->imm + i];
        if (byte_mask == 0xff) {
            bytes.set(value >> 8 * i & 0xff);
            continue;
        }
        for (unsigned number = 0; number < bytes.size(); ++number)
            bytes[number] = (number & byte_mask) == (value >> 8 * i & 0xff);
    }
    return out;
}

} // namespace xdpf::passes
