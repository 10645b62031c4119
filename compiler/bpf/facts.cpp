#include "compiler/bpf/facts.hpp"

#include "compiler/ir/graph.hpp"
#include "compiler/ir/traits.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <ranges>

namespace xdpf::bpf {
namespace {

using namespace ir;

void count_edges(const Program &program, Facts &facts)
{
    facts.edges_in.resize(program.blocks.size());
    for (BlockId at(0); at.value < program.blocks.size(); ++at.value)
        if (at.value == 0 || facts.edges_in[at] > 0)
            for (const Edge &edge : program.blocks[at].end.edges)
                if (edge.target.valid())
                    ++facts.edges_in[edge.target];
}

// From the last block to the first: uses stand behind what they use, so a dead user is known as dead in time.
void count_uses(const Program &program, Facts &facts)
{
    const auto use = [&](ValueId value) { ++facts.values[value].uses; };
    for (std::uint32_t i = static_cast<std::uint32_t>(program.blocks.size()); i-- > 0;) {
        const Block &block = program.blocks[BlockId(i)];
        if (i != 0 && facts.edges_in[BlockId(i)] == 0)
            continue;
        if (block.end.a.valid())
            use(block.end.a);
        if (block.end.b.valid())
            use(block.end.b);
        for (const Edge &edge : block.end.edges)
            if (edge.target.valid())
                for (std::size_t arg = 0; arg < edge.args.size(); ++arg)
                    if (const Block &target = program.blocks[edge.target];
                        target.is_loop() || facts.values[target.params[arg]].uses > 0)
                        use(edge.args[arg]);
        for (const Inst &inst : block.insts | std::views::reverse)
            if (!is_droppable(inst.op) || (inst.result.valid() && facts.values[inst.result].uses > 0))
                for_each_use(inst, use);
    }
}

std::uint64_t all_ones(std::uint64_t bound) { return bound == 0 ? 0 : UINT64_MAX >> std::countl_zero(bound); }

std::uint64_t times(std::uint64_t a, std::uint64_t b)
{
    std::uint64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

std::uint64_t plus(std::uint64_t a, std::uint64_t b)
{
    std::uint64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

// The bound of an operation's result from the bounds of its operands.
std::uint64_t bound(Op op, std::uint64_t a, std::uint64_t b, std::optional<std::uint64_t> shift)
{
    switch (op) {
    case Op::add: return plus(a, b);
    case Op::mul: return times(a, b);
    case Op::div:
    case Op::mod: return a;
    case Op::bit_and: return std::min(a, b);
    case Op::bit_or:
    case Op::bit_xor: return all_ones(a | b);
    case Op::shl: return shift ? times(a, 1ULL << (*shift & 63)) : UINT64_MAX;
    case Op::shr: return shift ? a >> (*shift & 63) : a;
    default: return UINT64_MAX;
    }
}

void bound_result(const Inst &inst, Facts &facts)
{
    ValueFacts &result = facts.values[inst.result];
    const auto at_most = [&](std::uint64_t most) { result.max = std::min(result.max, most); };
    if (inst.op == Op::constant) {
        result.constant = inst.imm;
        at_most(inst.imm);
    } else if (inst.op == Op::context) {
        at_most(UINT32_MAX);
    } else if (is_load(inst.op)) {
        at_most(max_of_width(inst.width));
    } else if (shape_of(inst.op) == Shape::binary) {
        const ValueFacts &a = facts.values[inst.a];
        const ValueFacts &b = facts.values[inst.b];
        at_most(bound(inst.op, a.max, b.max, b.constant));
    }
}

void bound_values(const Program &program, Facts &facts)
{
    for (ValueId value(0); value.value < program.values.size(); ++value.value)
        facts.values[value].max = program.values[value].max;
    for (const Block &block : program.blocks)
        for (const Inst &inst : block.insts)
            if (inst.result.valid())
                bound_result(inst, facts);
}

// Big-endian fields that are only compared for equality, tested by bits or stored again stay as they are, and the
// constants beside them are swapped instead. Values that meet in one operation form a group; one use that needs the
// number spoils its group.
class SwapGroups {
public:
    SwapGroups(const Program &program, Facts &facts)
        : program_(program), facts_(facts), parent_(program.values.size()), width_(program.values.size()),
          spoilt_(program.values.size())
    {
        std::iota(parent_.begin(), parent_.end(), 0U);
    }

    void run()
    {
        for (bool more = true; more;) { // parameters of loops come before what they are made of
            more = false;
            for (const Block &block : program_.blocks) {
                for (const Inst &inst : block.insts)
                    nominate(inst);
                for_each_way(block.end, [&](const Edge &edge) { more = nominate_params(edge) || more; });
            }
        }
        for (const Block &block : program_.blocks) {
            for (const Inst &inst : block.insts)
                judge(inst);
            judge(block.end);
        }
        for (std::uint32_t i = 0; i < width_.size(); ++i)
            if (width_[i] != 0 && !spoilt_[find(i)])
                facts_.values[ValueId(i)].swapped = width_[i];
    }

private:
    std::uint32_t find(std::uint32_t i)
    {
        while (parent_[i] != i)
            i = parent_[i] = parent_[parent_[i]];
        return i;
    }
    void join(ValueId a, ValueId b)
    {
        const std::uint32_t x = find(a.value);
        const std::uint32_t y = find(b.value);
        spoilt_[x] = spoilt_[x] || spoilt_[y];
        parent_[y] = x;
    }
    void spoil(ValueId value) { spoilt_[find(value.value)] = true; }
    std::uint8_t width(ValueId value) const { return value.valid() ? width_[value.value] : 0; }
    bool fits(ValueId value, std::uint8_t bytes) const
    {
        const auto constant = facts_.values[value].constant;
        return width(value) == bytes || (constant && *constant <= max_of_width(bytes));
    }

    void nominate(const Inst &inst)
    {
        if (is_load(inst.op) && inst.order == Order::big && inst.width > 1)
            width_[inst.result.value] = inst.width;
        if (inst.op == Op::bit_and || inst.op == Op::bit_or || inst.op == Op::bit_xor) {
            const std::uint8_t bytes = std::max(width(inst.a), width(inst.b));
            if (bytes != 0 && fits(inst.a, bytes) && fits(inst.b, bytes))
                width_[inst.result.value] = bytes;
        }
    }

    bool nominate_params(const Edge &edge)
    {
        bool more = false;
        for (std::size_t i = 0; i < edge.args.size(); ++i) {
            std::uint8_t &param = width_[program_.blocks[edge.target].params[i].value];
            more = more || (param == 0 && width(edge.args[i]) != 0);
            param = param != 0 ? param : width(edge.args[i]);
        }
        return more;
    }

    void judge(const Inst &inst)
    {
        const auto members = [&](auto &&act) {
            for_each_use(inst, [&](ValueId value) {
                if (width(value) != 0)
                    act(value);
            });
        };
        if (inst.result.valid() && shape_of(inst.op) == Shape::binary && width(inst.result) != 0)
            members([&](ValueId value) { join(inst.result, value); });
        else if (inst.op == Op::store_slot && inst.order == Order::big && width(inst.a) == inst.width)
            return;
        else if ((inst.op == Op::store_map || inst.op == Op::store_packet) && inst.order == Order::big &&
                 width(inst.b) == inst.width)
            return;
        else
            members([&](ValueId value) { spoil(value); });
    }

    void judge(const Terminator &end)
    {
        const std::uint8_t bytes = std::max(width(end.a), width(end.b));
        const bool by_bits = end.kind == Terminator::Kind::branch && (end.cond == Cond::eq || end.cond == Cond::ne ||
                                                                      end.cond == Cond::set || end.cond == Cond::clear);
        const bool fitting = bytes != 0 && by_bits && fits(end.a, bytes) &&
                             (end.b.valid() ? fits(end.b, bytes) : end.imm <= max_of_width(bytes));
        if (fitting && width(end.a) != 0 && width(end.b) != 0)
            join(end.a, end.b);
        const auto needs_number = [&](ValueId value) {
            if (width(value) != 0)
                spoil(value);
        };
        if (!fitting) {
            needs_number(end.a);
            needs_number(end.b);
        }
        for_each_way(end, [&](const Edge &edge) { judge(edge); });
    }

    // A parameter and its arguments are one field in one order.
    void judge(const Edge &edge)
    {
        for (std::size_t i = 0; i < edge.args.size(); ++i) {
            const ValueId arg = edge.args[i];
            const ValueId param = program_.blocks[edge.target].params[i];
            if (width(arg) != 0 && width(arg) == width(param)) {
                join(param, arg);
                continue;
            }
            for (const ValueId value : {arg, param})
                if (width(value) != 0)
                    spoil(value);
        }
    }

    const Program &program_;
    Facts &facts_;
    std::vector<std::uint32_t> parent_;
    std::vector<std::uint8_t> width_;
    std::vector<bool> spoilt_;
};

} // namespace

Facts gather_facts(const Program &program)
{
    Facts facts;
    facts.values.resize(program.values.size());
    count_edges(program, facts);
    count_uses(program, facts);
    bound_values(program, facts);
    SwapGroups(program, facts).run();
    return facts;
}

} // namespace xdpf::bpf
