// Value numbering in block order. Every value has a number; two values with one number are always equal. Whether the
// later one may be replaced is another question, see may_share() and is_near().
#include "compiler/ir/epochs.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>
#include <unordered_map>

namespace xdpf::passes {
namespace {

using namespace ir;

// What is computed: the operation with its operands' numbers.
struct Key {
    Op op;
    std::uint8_t width;
    Order order;
    ContextField field;
    std::uint32_t a;
    std::uint32_t b;
    std::uint64_t imm;
    std::uint32_t epoch; // of loads: between which writes to the packet; of the packet's ends: between which moves
    std::uint32_t map;
    bool operator==(const Key &) const = default;
};

struct KeyHash {
    std::size_t operator()(const Key &key) const
    {
        std::uint64_t hash = static_cast<std::uint64_t>(key.op) | std::uint64_t{key.width} << 8 |
                             static_cast<std::uint64_t>(key.order) << 16 | static_cast<std::uint64_t>(key.field) << 24;
        for (const std::uint64_t part :
             {std::uint64_t{key.a}, std::uint64_t{key.b}, key.imm, std::uint64_t{key.epoch}, std::uint64_t{key.map}})
            hash = (hash ^ part) * 0x9e3779b97f4a7c15 + (hash >> 29);
        return hash;
    }
};

// So many tests one behind the other may look at one number.
constexpr unsigned near = 4;

// By block: where the only edge to it comes from, if there is one alone.
IdVector<BlockId, BlockId> only_predecessors(const Program &program)
{
    IdVector<BlockId, BlockId> out;
    out.resize(program.blocks.size());
    const auto incoming = count_incoming(program);
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        for_each_way(program.blocks[BlockId(i)].end, [&](const Edge &edge) {
            if (incoming[edge.target] == 1 && !program.blocks[edge.target].is_loop())
                out[edge.target] = BlockId(i);
        });
    return out;
}

class Sharing {
public:
    Sharing(Program &program, unsigned reach)
        : program_(program), reach_(reach), dominators_(program), replacements_(program), bytes_(program.blocks.size()),
          ends_(program.blocks.size())
    {
        if (reach_ > 0)
            above_ = only_predecessors(program);
        numbers_.resize(program.values.size());
        for (std::size_t i = 0; i < program.values.size(); ++i)
            numbers_[ValueId(i)] = static_cast<std::uint32_t>(i);
    }

    void run()
    {
        std::vector<Inst> kept;
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            Block &block = program_.blocks[BlockId(i)];
            bytes_.enter(BlockId(i));
            ends_.enter(BlockId(i));
            kept.clear();
            for (Inst &inst : block.insts) {
                replacements_.apply(inst);
                if (writes_packet(inst.op))
                    bytes_.change();
                if (moves_packet(inst.op))
                    ends_.change();
                if (!is_pure(inst.op) || !shared(inst, BlockId(i)))
                    kept.push_back(inst);
            }
            block.insts.swap(kept);
            replacements_.apply(block.end);
            bytes_.leave(block.end);
            ends_.leave(block.end);
        }
        replacements_.apply(program_);
    }

private:
    struct Leader {
        ValueId value;
        BlockId block;
    };

    // Whether an equal value stands for this one from now on.
    bool shared(const Inst &inst, BlockId block)
    {
        // Of equal values in different branches only the last few are worth a look.
        constexpr std::size_t enough = 8;
        std::vector<Leader> &leaders = leaders_[key_of(inst)];
        const std::size_t first = leaders.size() - std::min(leaders.size(), enough);
        for (std::size_t i = leaders.size(); i-- > first;) {
            if (!dominators_.dominates(leaders[i].block, block))
                continue;
            numbers_[inst.result] = numbers_[leaders[i].value];
            if (!may_share(leaders[i], inst, block))
                break;
            replacements_.replace(inst.result, leaders[i].value);
            return true;
        }
        leaders.push_back({inst.result, block});
        return false;
    }

    bool may_share(const Leader &leader, const Inst &inst, BlockId block) const
    {
        const ValueInfo &info = program_.values[inst.result];
        if (info.kind == ValueKind::number || inst.op == Op::map_value) // an address in a map is asked for as cheaply
            return inst.op == Op::constant ? leader.block == block : is_near(leader.block, block);
        return program_.values[leader.value].max <= info.max;
    }

    // No other way leads to the block than from the leader's, past few others.
    bool is_near(BlockId leader, BlockId block) const
    {
        for (unsigned steps = 0; block != leader; ++steps) {
            if (steps == reach_ || !above_[block].valid())
                return false;
            block = above_[block];
        }
        return true;
    }

    Key key_of(const Inst &inst) const
    {
        Key key{inst.op, 0, Order::little, inst.field, number(inst.a), number(inst.b), inst.imm, 0, inst.map.value};
        if (inst.op == Op::load) {
            key.width = inst.width;
            key.order = inst.width == 1 ? Order::little : inst.order;
        }
        if (inst.op == Op::load)
            key.epoch = bytes_.now();
        else if (shape_of(inst.op) == Shape::nullary)
            key.epoch = ends_.now();
        if (is_commutative(inst.op) && key.a > key.b)
            std::swap(key.a, key.b);
        return key;
    }

    std::uint32_t number(ValueId value) const { return value.valid() ? numbers_[value] : ValueId::none; }

    Program &program_;
    unsigned reach_;
    IdVector<BlockId, BlockId> above_;
    Dominators dominators_;
    Replacements replacements_;
    IdVector<ValueId, std::uint32_t> numbers_;
    std::unordered_map<Key, std::vector<Leader>, KeyHash> leaders_;
    Epochs bytes_; // of the packet
    Epochs ends_;
};

} // namespace

void share_values(Program &program) { Sharing(program, 0).run(); }
void share_values_nearby(Program &program) { Sharing(program, near).run(); }

} // namespace xdpf::passes
