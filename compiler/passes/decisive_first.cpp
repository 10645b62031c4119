// A chain of tests that all fail alike, with nothing done on the way: those that few packets pass come first.
//
//   b1: if %1 <= 10 ? b2 : out                 b1: if %3 == 17 ? b2 : out
//   b2: guard %2 + 8 ? b3 : out            →   b2: if %1 <= 10 ? b3 : out
//   b3: if %3 == 17 ? b4 : out                 b3: guard %2 + 8 ? b4 : out
//
// Few pass an "equals"; nearly all have a header's version right and the bytes that it needs.
#include "compiler/ir/distances.hpp"
#include "compiler/ir/facts.hpp"
#include "compiler/ir/id_set.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace xdpf::passes {
namespace {

using namespace ir;

// One test of a chain: a block without its place.
struct Link {
    std::vector<Inst> insts;
    Terminator end;
    std::size_t on = 0;             // the edge that leads on
    bool decisive = false;          // few packets go on
    std::vector<ValueId> unguarded; // pointers to bytes that a guard in the chain shows
};

class Chains {
public:
    explicit Chains(Program &program)
        : program_(program), incoming_(count_incoming(program)), done_(blocks_in_loops(program))
    {
    }

    void run()
    {
        std::map<BlockId, std::vector<BlockId>>
            chains; // by their first block; those of loops stay as the verifier likes
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            if (done_.contains(BlockId(i)))
                continue;
            std::vector<BlockId> chain = chain_from(BlockId(i));
            for (const BlockId part : chain)
                done_.insert(part);
            if (chain.size() > 1 && is_out_of_order(chain))
                chains.emplace(BlockId(i), std::move(chain));
        }
        if (chains.empty())
            return;
        dominators_.emplace(program_);
        distances_.emplace(program_);
        find_users();
        walk_facts(program_, *distances_, find_loop_facts(program_, *distances_), [&](BlockId id, const Facts &known) {
            if (const auto chain = chains.find(id); chain != chains.end())
                sort(chain->second, known);
        });
    }

private:
    bool is_quiet(const Block &block) const
    {
        return std::ranges::all_of(block.insts, [](const Inst &inst) { return is_pure(inst.op); });
    }

    // Which edge of a test leads on, where the other leads to `out`.
    static std::optional<std::size_t> way_on(const Terminator &end, const Edge &out)
    {
        if (!has_two_edges(end))
            return std::nullopt;
        if (same(end.edges[1], out))
            return 0;
        return same(end.edges[0], out) ? std::optional<std::size_t>(1) : std::nullopt;
    }

    std::vector<BlockId> chain_from(BlockId first) const
    {
        std::vector<BlockId> chain{first};
        const Terminator &end = program_.blocks[first].end;
        if (!has_two_edges(end) || !is_quiet(program_.blocks[first]))
            return chain;
        // Where a chain leads out is what its first two tests have in common.
        for (const std::size_t out : {1U, 0U}) {
            BlockId at = end.edges[1 - out].target;
            while (continues(at) && way_on(program_.blocks[at].end, end.edges[out])) {
                chain.push_back(at);
                at = program_.blocks[at].end.edges[*way_on(program_.blocks[at].end, end.edges[out])].target;
            }
            if (chain.size() > 1)
                break;
        }
        return chain;
    }
    bool continues(BlockId id) const
    {
        const Block &block = program_.blocks[id];
        return incoming_[id] == 1 && block.params.empty() && !block.is_loop() && is_quiet(block);
    }

    void find_users()
    {
        users_.resize(program_.values.size());
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            const auto use = [&](ValueId value) {
                if (auto &users = users_[value]; users.empty() || users.back() != BlockId(i))
                    users.push_back(BlockId(i));
            };
            for (const Inst &inst : program_.blocks[BlockId(i)].insts)
                for_each_use(inst, use);
            for_each_use(program_.blocks[BlockId(i)].end, use);
        }
    }

    // Few packets go on from there to a chain's next block.
    static bool is_decisive(const Terminator &end, std::size_t on)
    {
        const Cond goes_on = on == 0 ? end.cond : inverse(end.cond);
        return end.kind == Terminator::Kind::branch && goes_on == Cond::eq && !end.b.valid();
    }

    bool is_out_of_order(const std::vector<BlockId> &chain) const
    {
        const Edge out = out_of(chain);
        bool other = false;
        for (const BlockId id : chain) {
            const Terminator &end = program_.blocks[id].end;
            const bool decisive = is_decisive(end, *way_on(end, out));
            if (decisive && other)
                return out.args.empty();
            other = other || !decisive;
        }
        return false;
    }

    // `known`: at the beginning of the chain.
    void sort(const std::vector<BlockId> &chain, const Facts &known)
    {
        const Edge out = out_of(chain);
        std::vector<Link> links;
        for (const BlockId id : chain) {
            Block &block = program_.blocks[id];
            links.push_back({block.insts, block.end, *way_on(block.end, out)});
            Link &link = links.back();
            link.decisive = is_decisive(link.end, link.on);
            for (const Inst &inst : link.insts)
                if (inst.op == Op::load && known.present(inst.a) < inst.imm + inst.width)
                    link.unguarded.push_back(inst.a);
        }
        bool changed = false;
        for (std::size_t i = 1; i < links.size(); ++i)
            for (std::size_t at = i; at > 0 && links[at].decisive && !links[at - 1].decisive &&
                                     !depends(links[at], links[at - 1]) && !is_used_outside(links[at - 1], chain);
                 --at) {
                std::swap(links[at - 1], links[at]);
                changed = true;
            }
        if (changed)
            write(chain, links);
    }

    Edge out_of(const std::vector<BlockId> &chain) const
    {
        const Terminator &first = program_.blocks[chain[0]].end;
        return first.edges[0].target == chain[1] ? first.edges[1] : first.edges[0];
    }

    // Whether a guard of the one pointer may be what shows bytes at the other.
    bool may_show(ValueId guarded, ValueId pointer) const
    {
        const ValueId one = distances_->anchor(guarded);
        const ValueId other = distances_->anchor(pointer);
        return !one.valid() || !other.valid() || one == other;
    }

    // What the other makes, or has shown of what this one uses: a test bounds a number, a guard shows bytes.
    bool depends(const Link &one, const Link &other) const
    {
        if (other.end.kind == Terminator::Kind::guard &&
            std::ranges::any_of(one.unguarded, [&](ValueId pointer) { return may_show(other.end.a, pointer); }))
            return true;
        bool out = false;
        const auto look = [&](ValueId used) {
            out = out || used == other.end.a || used == other.end.b ||
                  std::ranges::find(other.insts, used, &Inst::result) != other.insts.end();
        };
        for (const Inst &inst : one.insts)
            for_each_use(inst, look);
        for (const ValueId used : {one.end.a, one.end.b})
            if (used.valid())
                look(used);
        return out;
    }

    // By what the chain leads out to.
    bool is_used_outside(const Link &link, const std::vector<BlockId> &chain) const
    {
        return std::ranges::any_of(link.insts, [&](const Inst &inst) {
            return std::ranges::any_of(users_[inst.result], [&](BlockId user) {
                return std::ranges::find(chain, user) == chain.end() && !dominators_->dominates(chain.back(), user);
            });
        });
    }

    void write(const std::vector<BlockId> &chain, const std::vector<Link> &links)
    {
        // The last of the chain leads where it led.
        const Terminator &last = program_.blocks[chain.back()].end;
        const Edge behind = last.edges[*way_on(last, out_of(chain))];
        const Edge out = out_of(chain);
        for (std::size_t i = 0; i < chain.size(); ++i) {
            Block &block = program_.blocks[chain[i]];
            block.insts = links[i].insts;
            block.end = links[i].end;
            block.end.edges[links[i].on] = i + 1 < chain.size() ? Edge{chain[i + 1], {}} : behind;
            block.end.edges[1 - links[i].on] = out;
        }
    }

    Program &program_;
    IdVector<BlockId, std::uint32_t> incoming_;
    IdSet<BlockId> done_;
    std::optional<Dominators> dominators_;
    std::optional<Distances> distances_;
    IdVector<ValueId, std::vector<BlockId>> users_;
};

} // namespace

void decisive_first(Program &program) { Chains(program).run(); }

} // namespace xdpf::passes
