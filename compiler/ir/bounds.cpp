#include "compiler/ir/bounds.hpp"
#include "compiler/ir/graph.hpp"
#include "compiler/ir/traits.hpp"

#include <algorithm>
#include <bit>

namespace xdpf::ir {
namespace {

constexpr std::uint64_t unbounded = UINT64_MAX;

using Bounds = IdVector<ValueId, std::uint64_t>;

// All bits that a number up to this bound can have.
std::uint64_t bits_below(std::uint64_t bound)
{
    const int width = std::bit_width(bound);
    return width == 64 ? unbounded : (std::uint64_t{1} << width) - 1;
}

std::uint64_t bound_of(const Inst &inst, const Bounds &bounds, const IdSet<ValueId> &constants)
{
    const std::uint64_t a = inst.a.valid() ? bounds[inst.a] : unbounded;
    const std::uint64_t b = inst.b.valid() ? bounds[inst.b] : unbounded;
    const bool constant_b = inst.b.valid() && constants.contains(inst.b);
    switch (inst.op) {
    case Op::constant: return inst.imm;
    case Op::context: return UINT32_MAX;
    case Op::load:
    case Op::load_slot:
    case Op::load_map: return inst.order == Order::big && inst.width > 1 ? unbounded : max_of_width(inst.width);
    case Op::add: return a > unbounded - b ? unbounded : a + b;
    case Op::mul: return a <= UINT32_MAX && b <= UINT32_MAX ? a * b : unbounded;
    case Op::bit_and: return std::min(a, b);
    case Op::bit_or:
    case Op::bit_xor: return bits_below(a | b);
    case Op::shl: return constant_b && b < 64 && std::bit_width(a) + b < 64 ? a << b : unbounded;
    case Op::shr: return constant_b && b < 64 ? a >> b : a;
    default: return unbounded;
    }
}

} // namespace

IdVector<ValueId, std::uint64_t> upper_bounds(const Program &program)
{
    Bounds bounds;
    bounds.resize(program.values.size(), unbounded);
    IdSet<ValueId> constants(program.values.size());
    for (const Block &block : program.blocks)
        for (const ValueId param : block.params)
            bounds[param] = 0; // grows with the arguments, all of which come before
    for (const Block &block : program.blocks) {
        for (const Inst &inst : block.insts) {
            if (!inst.result.valid() || program.values[inst.result].kind != ValueKind::number)
                continue;
            if (inst.op == Op::constant)
                constants.insert(inst.result);
            bounds[inst.result] = bound_of(inst, bounds, constants);
        }
        for_each_edge(block.end, [&](const Edge &edge) {
            const auto &params = program.blocks[edge.target].params;
            for (std::size_t i = 0; i < params.size(); ++i)
                bounds[params[i]] = std::max(bounds[params[i]], bounds[edge.args[i]]);
        });
    }
    return bounds;
}

IdVector<ValueId, std::uint64_t> packet_reaches(const Program &program)
{
    Bounds reaches;
    reaches.resize(program.values.size(), 0);
    for (const Block &block : program.blocks) {
        for (const Inst &inst : block.insts) {
            if ((inst.op != Op::offset && inst.op != Op::rebase) || !inst.a.valid() || !inst.result.valid())
                continue;
            const std::uint64_t base = reaches[inst.a];
            const std::uint64_t distance = inst.op == Op::rebase ? 0 : inst.imm;
            reaches[inst.result] = base > unbounded - distance ? unbounded : base + distance;
        }
        for_each_edge(block.end, [&](const Edge &edge) {
            const auto &params = program.blocks[edge.target].params;
            for (std::size_t i = 0; i < std::min(params.size(), edge.args.size()); ++i)
                reaches[params[i]] = std::max(reaches[params[i]], reaches[edge.args[i]]);
        });
    }
    return reaches;
}

void settle_packet_bounds(Program &program)
{
    const auto is_packet = [&](ValueId value) { return program.values[value].kind == ValueKind::packet; };
    for (const Block &block : program.blocks)
        for (const ValueId param : block.params)
            if (is_packet(param))
                program.values[param].max = 0;
    for (const Block &block : program.blocks) {
        for (const Inst &inst : block.insts)
            if (inst.result.valid() && is_packet(inst.result))
                program.values[inst.result].max = natural_max(program, inst);
        for_each_edge(block.end, [&](const Edge &edge) {
            const auto &params = program.blocks[edge.target].params;
            for (std::size_t i = 0; i < params.size(); ++i)
                if (is_packet(params[i]))
                    program.values[params[i]].max =
                        std::max(program.values[params[i]].max, program.values[edge.args[i]].max);
        });
    }
}

} // namespace xdpf::ir
