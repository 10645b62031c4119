#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace xdpf::passes {
namespace {

using namespace ir;

// A branch between two equal edges.
void decide_equal_edges(Program &program)
{
    for (Block &block : program.blocks)
        if (has_two_edges(block.end) && same(block.end.edges[0], block.end.edges[1]))
            decide(block.end, 0);
}

// Whether a block only jumps on, and its parameters only serve that jump.
bool only_jumps(const Block &block, const IdVector<ValueId, std::uint32_t> &uses)
{
    if (!block.insts.empty() || block.end.kind != Terminator::Kind::jump)
        return false;
    for (const ValueId param : block.params) {
        std::uint32_t here = 0;
        for (const ValueId arg : block.end.edges[0].args)
            here += arg == param;
        if (uses[param] != here)
            return false;
    }
    return true;
}

// The edge that has the effect of `edge` followed by `jump`, the end of its target.
Edge follow(const Edge &edge, const std::vector<ValueId> &params, const Edge &jump)
{
    Edge result = jump;
    for (ValueId &arg : result.args)
        for (std::size_t i = 0; i < params.size(); ++i)
            if (arg == params[i]) {
                arg = edge.args[i];
                break;
            }
    return result;
}

// From the last block on, so that a chain of jumps is skipped as a whole.
void skip_jumps(Program &program)
{
    const auto uses = count_uses(program);
    IdSet<BlockId> skipped(program.blocks.size());
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (!program.blocks[BlockId(i)].is_loop() && only_jumps(program.blocks[BlockId(i)], uses))
            skipped.insert(BlockId(i));
    for (std::size_t i = program.blocks.size(); i-- > 0;)
        for_each_edge(program.blocks[BlockId(i)].end, [&](Edge &edge) {
            const Block &target = program.blocks[edge.target];
            if (skipped.contains(edge.target))
                edge = follow(edge, target.params, target.end.edges[0]);
        });
}

// Blocks that only return one verdict, and for one rule where that matters, are one, the last of them. In a very long
// row of rules that would be far from most, and to find what dominates it would take long.
void share_returns(Program &program)
{
    constexpr std::size_t many = 4096;
    if (program.blocks.size() > many)
        return;
    const auto key = [&](const Terminator &end) {
        const Span rule = program.by_rule ? end.span : Span{};
        return std::tuple(end.imm, rule.file, rule.begin, rule.end);
    };
    std::map<decltype(key(Terminator())), BlockId> last;
    for (std::size_t i = program.blocks.size(); i-- > 0;) {
        Block &block = program.blocks[BlockId(i)];
        for_each_edge(block.end, [&](Edge &edge) {
            const Block &target = program.blocks[edge.target];
            if (target.insts.empty() && target.params.empty() && target.end.kind == Terminator::Kind::return_ &&
                !target.end.a.valid())
                edge = {last.try_emplace(key(target.end), edge.target).first->second, {}};
        });
    }
}

// A parameter that gets the same value along every edge is that value. It stands before the block on every path, since
// each argument does.
void drop_uniform_params(Program &program)
{
    if (std::ranges::all_of(program.blocks, [](const Block &block) { return block.params.empty() || block.is_loop(); }))
        return;
    const auto reachable = reachable_blocks(program);
    IdVector<ValueId, ValueId> only; // by parameter: what the edges so far bring
    only.resize(program.values.size());
    IdSet<ValueId> several(program.values.size());
    IdSet<ValueId> dropped(program.values.size());
    Replacements replacements(program);
    const auto arrive = [&](const Edge &edge) {
        const auto &params = program.blocks[edge.target].params;
        for (std::size_t i = 0; i < params.size(); ++i) {
            const ValueId arg = replacements.find(edge.args[i]);
            if (!only[params[i]].valid())
                only[params[i]] = arg;
            else if (only[params[i]] != arg)
                several.insert(params[i]);
        }
    };
    bool any = false;
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        const Block &block = program.blocks[BlockId(i)];
        if (!reachable.contains(BlockId(i)))
            continue;
        for (const ValueId param : block.params) {
            if (block.is_loop() || several.contains(param))
                continue;
            replacements.replace(param, only[param]);
            any = dropped.insert(param);
        }
        for_each_edge(block.end, arrive);
    }
    if (!any)
        return;
    const auto is_dropped = [&](ValueId param) { return dropped.contains(param); };
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        if (!reachable.contains(BlockId(i)))
            continue;
        for_each_edge(program.blocks[BlockId(i)].end, [&](Edge &edge) {
            std::size_t at = 0;
            std::erase_if(edge.args, [&](ValueId) { return is_dropped(program.blocks[edge.target].params[at++]); });
        });
    }
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (reachable.contains(BlockId(i)))
            std::erase_if(program.blocks[BlockId(i)].params, is_dropped);
    replacements.apply(program);
}

// Takes the block behind a jump into the block that jumps, where nobody else goes there. From the last block on, so
// that a long chain is moved a piece at a time, from its end.
void join_blocks(Program &program)
{
    const auto incoming = count_incoming(program);
    Replacements replacements(program);
    for (std::size_t i = program.blocks.size(); i-- > 0;) {
        Block &block = program.blocks[BlockId(i)];
        if (block.end.kind != Terminator::Kind::jump || incoming[block.end.edges[0].target] != 1)
            continue;
        const Edge edge = block.end.edges[0];
        Block &target = program.blocks[edge.target];
        for (std::size_t p = 0; p < target.params.size(); ++p)
            replacements.replace(target.params[p], edge.args[p]);
        block.insts.insert(block.insts.end(), target.insts.begin(), target.insts.end());
        block.end = std::move(target.end);
        target = {};
        target.end.kind = Terminator::Kind::return_; // unreachable from now on
    }
    replacements.apply(program);
}

void remove_unreachable(Program &program)
{
    const auto reachable = reachable_blocks(program);
    bool all = true;
    for (std::size_t i = 0; i < program.blocks.size() && all; ++i)
        all = reachable.contains(BlockId(i));
    if (all)
        return;
    IdVector<BlockId, BlockId> moved;
    moved.resize(program.blocks.size());
    IdVector<BlockId, Block> kept;
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (reachable.contains(BlockId(i)))
            moved[BlockId(i)] = kept.add(std::move(program.blocks[BlockId(i)]));
    for (Block &block : kept)
        for_each_way(block.end, [&](Edge &edge) { edge.target = moved[edge.target]; });
    program.blocks = std::move(kept);
}

} // namespace

void simplify_cfg(Program &program)
{
    for (std::size_t before = 0; before != program.blocks.size();) {
        before = program.blocks.size();
        remove_unreachable(program);
        drop_uniform_params(program);
        skip_jumps(program);
        share_returns(program);
        decide_equal_edges(program);
        remove_unreachable(program);
        drop_uniform_params(program); // the skipped jumps were edges too
        join_blocks(program);
        remove_unreachable(program);
    }
}

} // namespace xdpf::passes
