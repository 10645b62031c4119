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
        for (const ValueId param : block.params) // grows with the arguments, where all of them come before
            bounds[param] = block.is_loop() ? program.values[param].max : 0;
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

namespace {

std::uint64_t plus(std::uint64_t a, std::uint64_t b) { return a > unbounded - b ? unbounded : a + b; }

// One sweep. `growth`: by how much each parameter of a loop's head grows in a round; `seen` takes what it is here.
Bounds follow_reaches(const Program &program, const Bounds &growth, Bounds &seen)
{
    Bounds reaches;
    reaches.resize(program.values.size(), 0);
    for (const Block &block : program.blocks) {
        for (const ValueId param : block.params)
            for (std::uint32_t round = 0; round < block.rounds; ++round)
                reaches[param] = plus(reaches[param], growth[param]);
        for (const Inst &inst : block.insts)
            if (shape_of(inst.op) == Shape::offset && inst.a.valid() && inst.result.valid())
                reaches[inst.result] =
                    plus(reaches[inst.a], inst.op == Op::rebase ? 0 : std::min(inst.imm, program.values[inst.b].max));
        for_each_way(block.end, [&](const Edge &edge) {
            const auto &params = program.blocks[edge.target].params;
            for (std::size_t i = 0; i < std::min(params.size(), edge.args.size()); ++i) {
                const std::uint64_t there = reaches[edge.args[i]];
                std::uint64_t &reach = reaches[params[i]];
                if (block.end.kind == Terminator::Kind::again)
                    seen[params[i]] = std::max(seen[params[i]], there - std::min(there, reach));
                else
                    reach = std::max(reach, there);
            }
        });
    }
    return reaches;
}

} // namespace

IdVector<ValueId, std::uint64_t> packet_reaches(const Program &program)
{
    Bounds none;
    none.resize(program.values.size(), 0);
    Bounds growth = none;
    Bounds reaches = follow_reaches(program, none, growth);
    if (std::ranges::none_of(program.blocks, &Block::is_loop))
        return reaches;
    Bounds again = none;
    return follow_reaches(program, growth, again);
}

IdVector<ValueId, std::uint64_t> nearest_places(const Program &program)
{
    Bounds places;
    places.resize(program.values.size(), 0);
    Bounds constants = places;
    IdSet<ValueId> seen(program.values.size());
    for (const Block &block : program.blocks) {
        for (const Inst &inst : block.insts)
            if (inst.op == Op::constant)
                constants[inst.result] = inst.imm;
            else if (shape_of(inst.op) == Shape::offset && inst.result.valid())
                places[inst.result] = plus(places[inst.a], inst.op == Op::offset ? constants[inst.b] : 0);
        for_each_edge(block.end, [&](const Edge &edge) { // a loop only leads farther
            const auto &params = program.blocks[edge.target].params;
            for (std::size_t i = 0; i < params.size(); ++i)
                places[params[i]] =
                    seen.insert(params[i]) ? places[edge.args[i]] : std::min(places[params[i]], places[edge.args[i]]);
        });
    }
    return places;
}

void settle_packet_bounds(Program &program)
{
    const auto is_packet = [&](ValueId value) { return program.values[value].kind == ValueKind::packet; };
    for (const Block &block : program.blocks)
        for (const ValueId param : block.params)
            if (is_packet(param) && !block.is_loop())
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
