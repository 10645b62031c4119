// A rebase makes one of several constant distances from the packet's start, so that the kernel's verifier walks what
// follows once. That takes three instructions of every packet, and every byte behind must be guarded anew; so it moves
// to where the ways that need the pointer have parted, and is left out of those that are short.
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/graph.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>

namespace xdpf::passes {
namespace {

using namespace ir;

constexpr std::uint64_t budget = 192; // operations that may be walked more than once

bool is_rebase(const Inst &inst) { return inst.op == Op::rebase; }

// About as many instructions as the verifier walks through in each block, on one way through all rounds of its loops.
IdVector<BlockId, std::uint64_t> weigh(const Program &program)
{
    const auto in_loops = blocks_in_loops(program);
    IdVector<BlockId, std::uint64_t> weights;
    for (const Block &block : program.blocks)
        weights.add(1 + static_cast<std::uint64_t>(std::ranges::count_if(
                            block.insts, [](const Inst &inst) { return inst.op != Op::constant; })));
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        const Terminator &end = program.blocks[BlockId(i)].end;
        if (end.kind != Terminator::Kind::again)
            continue;
        const BlockId head = end.edges[0].target;
        for (std::size_t inside = head.value; inside <= i; ++inside)
            if (in_loops.contains(BlockId(inside)))
                weights[BlockId(inside)] =
                    std::max(weights[BlockId(inside)], std::uint64_t{program.blocks[head].rounds} * 2);
    }
    return weights;
}

// How often the verifier walks what is behind a rebase without it, less one: for each of the distances that a loop
// makes.
std::uint64_t ways(const Program &program, const IdVector<ValueId, BlockId> &loops, const Inst &rebase)
{
    const BlockId head = loops[rebase.a];
    return head.valid() ? program.blocks[head].rounds : UINT64_MAX;
}

// By parameter of the head of a loop: that head.
IdVector<ValueId, BlockId> find_loops(const Program &program)
{
    IdVector<ValueId, BlockId> loops;
    loops.resize(program.values.size());
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (program.blocks[BlockId(i)].is_loop())
            for (const ValueId param : program.blocks[BlockId(i)].params)
                loops[param] = BlockId(i);
    return loops;
}

// The weight of all that comes behind, up to other rebases; no more than a little above the budget.
std::uint64_t weight_behind(const Program &program, BlockId from, const IdVector<BlockId, std::uint64_t> &weights)
{
    IdSet<BlockId> seen(program.blocks.size());
    std::vector<BlockId> open{from};
    seen.insert(from);
    std::uint64_t sum = 0;
    while (!open.empty() && sum <= budget) {
        const BlockId at = open.back();
        open.pop_back();
        sum += weights[at];
        if (at != from && std::ranges::any_of(program.blocks[at].insts, is_rebase))
            continue;
        for_each_edge(program.blocks[at].end, [&](const Edge &edge) {
            if (seen.insert(edge.target))
                open.push_back(edge.target);
        });
    }
    return sum;
}

// Removes the rebases of which `unwanted` says so: their operands stand for them.
template <class Unwanted> void remove(Program &program, Unwanted unwanted)
{
    Replacements replacements(program);
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        std::erase_if(program.blocks[BlockId(i)].insts, [&](const Inst &inst) {
            if (!is_rebase(inst) || !unwanted(inst, BlockId(i)))
                return false;
            replacements.replace(inst.result, inst.a);
            return true;
        });
    replacements.apply(program);
}

// Moves rebases out of blocks that do not need them into those behind, one for each.
class Sinking {
public:
    explicit Sinking(Program &program) : program_(program), dominators_(program), incoming_(count_incoming(program))
    {
        users_.resize(program.values.size());
        IdSet<ValueId> rebased(program.values.size());
        for (const Block &block : program.blocks)
            for (const Inst &inst : block.insts)
                if (is_rebase(inst))
                    rebased.insert(inst.result);
        for (std::size_t i = 0; i < program.blocks.size(); ++i) {
            const auto use = [&](ValueId value) {
                if (rebased.contains(value))
                    users_[value].push_back(BlockId(i));
            };
            for (const Inst &inst : program.blocks[BlockId(i)].insts)
                for_each_use(inst, use);
            for_each_use(program.blocks[BlockId(i)].end, use);
        }
    }

    void run()
    {
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            std::erase_if(program_.blocks[BlockId(i)].insts,
                          [&](const Inst &inst) { return is_rebase(inst) && moved(inst, BlockId(i)); });
    }

private:
    bool moved(const Inst &inst, BlockId from)
    {
        const Terminator &end = program_.blocks[from].end;
        const auto goes_to = [&](BlockId user, const Edge &edge) {
            return incoming_[edge.target] == 1 && dominators_.dominates(edge.target, user);
        };
        if (!has_two_edges(end))
            return false;
        const std::vector<BlockId> users = users_[inst.result];
        if (!std::ranges::all_of(
                users, [&](BlockId user) { return goes_to(user, end.edges[0]) || goes_to(user, end.edges[1]); }))
            return false;
        for (const Edge &edge : end.edges) {
            const auto here = [&](BlockId user) { return goes_to(user, edge); };
            if (std::ranges::any_of(users, here))
                copy(inst, edge.target, users, here);
        }
        return true;
    }

    template <class Here> void copy(Inst inst, BlockId to, const std::vector<BlockId> &users, Here here)
    {
        const ValueId old = inst.result;
        const ValueInfo info = program_.values[old];
        inst.result = program_.add_value(info.kind, info.max);
        users_.add({});
        Replacements replacements(program_);
        replacements.replace(old, inst.result);
        for (const BlockId user : users) {
            if (!here(user))
                continue;
            for (Inst &using_it : program_.blocks[user].insts)
                replacements.apply(using_it);
            replacements.apply(program_.blocks[user].end);
            users_[inst.result].push_back(user);
        }
        users_[inst.a].push_back(to);
        program_.blocks[to].insts.insert(program_.blocks[to].insts.begin(), inst);
    }

    Program &program_;
    Dominators dominators_;
    IdVector<BlockId, std::uint32_t> incoming_;
    IdVector<ValueId, std::vector<BlockId>> users_;
};

} // namespace

void drop_rebases(Program &program)
{
    if (std::ranges::none_of(program.blocks,
                             [](const Block &block) { return std::ranges::any_of(block.insts, is_rebase); }))
        return;
    Sinking(program).run();
    IdSet<ValueId> rebased(program.values.size());
    remove(program, [&](const Inst &inst, BlockId) {
        rebased.insert(inst.result);
        return rebased.contains(inst.a);
    });
    const auto loops = find_loops(program);
    const auto weights = weigh(program);
    remove(program, [&](const Inst &inst, BlockId at) {
        const std::uint64_t times = ways(program, loops, inst);
        return times <= budget && weight_behind(program, at, weights) * times <= budget;
    });
    settle_packet_bounds(program); // a pointer may be farther in than its rebase
}

} // namespace xdpf::passes
