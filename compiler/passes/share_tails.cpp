// Parts of the program that do the same with different packet pointers become one, with those as parameters.
//
//   b1: … jump b3 b2: … jump b4                          b1: … jump b3(%1) b2: … jump b3(%2)
//   b3: %3 = load.be16 %1 + 2 if %3 == 53 ? b5 : b6  →   b3(%7): %3 = load.be16 %7 + 2 if %3 == 53 ? b5 : b6
//   b4: %4 = load.be16 %2 + 2 if %4 == 53 ? b5 : b6
//
// TCP behind IPv4 and behind IPv6, say. From a part nothing leads to the other, and to all but its first block no way
// leads from outside.
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/id_set.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

namespace xdpf::passes {
namespace {

using namespace ir;

constexpr std::size_t most_steps = 4'000'000; // from block to block, all in all
constexpr std::size_t most_params = 2;        // that a part gets
constexpr std::size_t largest = 128;          // part, in blocks
constexpr std::size_t enough = 8;             // alike blocks that are looked at

// Two parts that do the same: how the second's blocks and values are called in the first.
struct Match {
    std::map<BlockId, BlockId> blocks;
    std::map<ValueId, ValueId> made;    // inside
    std::map<ValueId, ValueId> outside; // those that differ
    std::set<ValueId> both;             // outside, too, and the same
    std::size_t size = 0;               // instructions of one of them, about
};

class Tails {
public:
    explicit Tails(Program &program) : program_(program), incoming_(count_incoming(program)) {}

    bool run()
    {
        std::map<std::tuple<std::size_t, std::size_t, std::uint64_t, std::uint64_t>, std::vector<BlockId>> alike;
        IdSet<BlockId> gone(program_.blocks.size());
        for (std::size_t i = 1; i < program_.blocks.size(); ++i) {
            const BlockId id(i);
            const Block &block = program_.blocks[id];
            if (gone.contains(id) || block.is_loop() || (block.insts.empty() && !has_two_edges(block.end)))
                continue;
            auto &others = alike[{block.insts.size(), block.params.size(), block.end.imm, first_of(block)}];
            const bool shared = std::ranges::any_of(others, [&](BlockId other) { return share(other, id, gone); });
            if (!shared && others.size() < enough)
                others.push_back(id);
            changed_ = changed_ || shared;
        }
        return changed_;
    }

private:
    static std::uint64_t first_of(const Block &block)
    {
        if (block.insts.empty())
            return 0;
        const Inst &inst = block.insts[0];
        return std::uint64_t(inst.op) << 32 | std::uint64_t(inst.width) << 24 | (inst.imm & 0xffffff);
    }

    // Whether the second part is the first from now on.
    bool share(BlockId kept, BlockId other, IdSet<BlockId> &gone)
    {
        Match match;
        if (gone.contains(kept) || !match_blocks(kept, other, match) || match.outside.size() > most_params ||
            match.size < 3 + match.outside.size() || leads_to(kept, other) || leads_to(other, kept))
            return false;
        for (const auto &[second, first] : match.blocks)
            gone.insert(second);
        incoming_[kept] += incoming_[other];
        Block &first = program_.blocks[kept];
        std::vector<ValueId> given_kept;
        std::vector<ValueId> given_other;
        Replacements inside(program_);
        for (const auto &[second, value] : match.outside) {
            const ValueInfo &a = program_.values[value];
            const ValueInfo &b = program_.values[second];
            const ValueId param = program_.add_value(a.kind, std::max(a.max, b.max));
            given_kept.push_back(value);
            given_other.push_back(second);
            first.params.push_back(param);
            inside.replace(value, param);
        }
        for (const auto &[second, block] : match.blocks) {
            for (Inst &inst : program_.blocks[block].insts)
                inside.apply(inst);
            inside.apply(program_.blocks[block].end);
        }
        steps_ += program_.blocks.size();
        for (Block &block : program_.blocks)
            for_each_edge(block.end, [&](Edge &edge) {
                if (edge.target != kept && edge.target != other)
                    return;
                const auto &given = edge.target == kept ? given_kept : given_other;
                edge.args.insert(edge.args.end(), given.begin(), given.end());
                edge.target = kept;
            });
        return true;
    }

    bool match_blocks(BlockId a, BlockId b, Match &match)
    {
        const Block &one = program_.blocks[a];
        const Block &other = program_.blocks[b];
        if (++steps_ > most_steps || match.blocks.size() == largest || a == b || match.blocks.contains(b) ||
            one.is_loop() || other.is_loop() || one.params.size() != other.params.size() ||
            one.insts.size() != other.insts.size())
            return false;
        match.blocks.emplace(b, a);
        for (std::size_t i = 0; i < one.params.size(); ++i)
            if (program_.values[one.params[i]].kind != program_.values[other.params[i]].kind)
                return false;
            else
                match.made.emplace(other.params[i], one.params[i]);
        for (std::size_t i = 0; i < one.insts.size(); ++i)
            if (!match_insts(one.insts[i], other.insts[i], match))
                return false;
        return match_ends(one.end, other.end, match);
    }

    bool match_insts(const Inst &a, const Inst &b, Match &match) const
    {
        const auto facts = [](const Inst &inst) {
            return std::tuple(inst.op, inst.width, inst.order, inst.field, inst.rx, inst.imm, inst.max, inst.map,
                              inst.key, inst.value, inst.result.valid());
        };
        if (facts(a) != facts(b) || !match_values(a.a, b.a, match) || !match_values(a.b, b.b, match))
            return false;
        if (a.result.valid())
            match.made.emplace(b.result, a.result);
        match.size += a.op != Op::constant;
        if (a.op == Op::redirect)
            match.size += 3;
        return true;
    }

    bool match_ends(const Terminator &a, const Terminator &b, Match &match)
    {
        if (a.kind == Terminator::Kind::again || a.kind == Terminator::Kind::asm_ || a.kind != b.kind ||
            a.cond != b.cond || a.imm != b.imm || !match_values(a.a, b.a, match) || !match_values(a.b, b.b, match))
            return false;
        match.size += a.kind == Terminator::Kind::guard ? 3 : 1;
        const std::size_t edges = has_two_edges(a) ? 2 : a.kind == Terminator::Kind::jump ? 1 : 0;
        for (std::size_t i = 0; i < edges; ++i) {
            const Edge &one = a.edges[i];
            const Edge &other = b.edges[i];
            if (one.args.size() != other.args.size())
                return false;
            for (std::size_t k = 0; k < one.args.size(); ++k)
                if (!match_values(one.args[k], other.args[k], match))
                    return false;
            if (one.target == other.target)
                continue;
            if (incoming_[one.target] != 1 || incoming_[other.target] != 1 ||
                !match_blocks(one.target, other.target, match))
                return false;
        }
        return true;
    }

    bool match_values(ValueId a, ValueId b, Match &match) const
    {
        if (!a.valid() || !b.valid())
            return a.valid() == b.valid();
        if (const auto at = match.made.find(b); at != match.made.end())
            return at->second == a;
        if (const auto at = match.outside.find(b); at != match.outside.end())
            return at->second == a;
        const bool differs = std::ranges::any_of(match.outside, [&](const auto &pair) { return pair.second == a; });
        if (a == b) {
            match.both.insert(a);
            return !differs;
        }
        // What is known of others, that an entry is there or a number small, does not go through a parameter.
        if (program_.values[a].kind != ValueKind::packet || program_.values[b].kind != ValueKind::packet || differs ||
            match.both.contains(a) ||
            std::ranges::any_of(match.made, [&](const auto &pair) { return pair.second == a; }))
            return false;
        match.outside.emplace(b, a);
        return true;
    }

    // Or it would take too long to find out.
    bool leads_to(BlockId from, BlockId to)
    {
        IdSet<BlockId> seen(program_.blocks.size());
        std::vector<BlockId> open{from};
        while (!open.empty()) {
            const BlockId at = open.back();
            open.pop_back();
            if (at == to || ++steps_ > most_steps)
                return true;
            for_each_way(program_.blocks[at].end, [&](const Edge &edge) {
                if (!seen.contains(edge.target)) {
                    seen.insert(edge.target);
                    open.push_back(edge.target);
                }
            });
        }
        return false;
    }

    Program &program_;
    IdVector<BlockId, std::uint32_t> incoming_;
    std::size_t steps_ = 0;
    bool changed_ = false;
};

} // namespace

void share_tails(Program &program)
{
    if (program.by_rule || !Tails(program).run())
        return;
    put_in_order(program);
    settle_packet_bounds(program);
}

} // namespace xdpf::passes
