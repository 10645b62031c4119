// For an outcome (a block without parameters, mostly one that returns a verdict) and a place in the program: how many
// bytes from each pointer on the packet must have, or it surely ends in that outcome with nothing done on the way.
// Found backwards; where ways part it is the smaller number, in a loop the largest that is consistent.
//
//   b0: guard %1 + 14 ? b1 : out          b0: guard %1 + 42 ? b1 : out
//   b1: %2 = load.u8 %1 + 14 …       →    b1: …
//       %3 = offset %1 + 34
//       guard %3 + 8 ? b2 : out               jump b2
//
// Guards that this answers are dropped, and so are tests and loops whose ways all end in one outcome.
#include "compiler/base/limits.hpp"
#include "compiler/ir/facts.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>
#include <map>
#include <ranges>

namespace xdpf::passes {
namespace {

using namespace ir;

constexpr std::size_t most_outcomes = 8; // looked at in one program

bool is_guard(const Terminator &end) { return end.kind == Terminator::Kind::guard; }

// What holds in one place.
struct Needs {
    struct Bytes {
        ValueId pointer;
        std::uint64_t count = 0;
        bool operator==(const Bytes &) const = default;
    };
    bool surely = false;      // ends in the outcome whatever the packet's length
    std::vector<Bytes> bytes; // in order of pointer

    [[nodiscard]] std::uint64_t of(ValueId pointer) const
    {
        const auto at = std::ranges::find(bytes, pointer, &Bytes::pointer);
        return at == bytes.end() ? 0 : at->count;
    }
    void want(ValueId pointer, std::uint64_t count)
    {
        const auto at = std::ranges::lower_bound(bytes, pointer, {}, &Bytes::pointer);
        if (at == bytes.end() || at->pointer != pointer)
            bytes.insert(at, {pointer, count});
        else
            at->count = std::max(at->count, count);
    }
    // How many bytes it was.
    std::uint64_t take(ValueId pointer)
    {
        const auto at = std::ranges::find(bytes, pointer, &Bytes::pointer);
        if (at == bytes.end())
            return 0;
        const std::uint64_t count = at->count;
        bytes.erase(at);
        return count;
    }
    bool operator==(const Needs &) const = default;
};

Needs meet(Needs a, const Needs &b)
{
    if (a.surely || b.surely)
        return a.surely ? b : a;
    for (auto &[pointer, count] : a.bytes)
        count = std::min(count, b.of(pointer));
    std::erase_if(a.bytes, [](const Needs::Bytes &entry) { return entry.count == 0; });
    return a;
}

class Anticipation {
public:
    Anticipation(const Program &program, const Dominators &dominators, BlockId outcome)
        : program_(program), dominators_(dominators), outcome_(outcome)
    {
        constants_.resize(program.values.size(), nullptr);
        needs_.resize(program.blocks.size(), Needs{true, {}});
        for (const Block &block : program.blocks)
            for (const Inst &inst : block.insts)
                if (inst.op == Op::constant)
                    constants_[inst.result] = &inst;
        while (sweep())
            continue;
    }

    // At the end of a block, what its guard asks included.
    [[nodiscard]] Needs at_end(BlockId id) const
    {
        const Terminator &end = program_.blocks[id].end;
        if (end.kind == Terminator::Kind::again && changes_in(end.edges[0].target))
            return {};
        if (end.kind == Terminator::Kind::jump || end.kind == Terminator::Kind::again)
            return along(end.edges[0]);
        if (!has_two_edges(end))
            return {};
        Needs yes = along(end.edges[0]);
        const Needs no = along(end.edges[1]);
        if (!is_guard(end) || !no.surely || yes.surely)
            return meet(std::move(yes), no);
        yes.want(end.a, end.imm);
        return yes;
    }
    [[nodiscard]] const Needs &at_begin(BlockId id) const { return needs_[id]; }

private:
    // Whether the outcome may depend on what a loop changes from round to round.
    bool changes_in(BlockId head) const
    {
        const Block &outcome = program_.blocks[outcome_];
        const bool constant =
            outcome.insts.empty() && outcome.end.kind == Terminator::Kind::return_ && !outcome.end.a.valid();
        return !constant && dominators_.dominates(head, outcome_);
    }

    // Whether something has changed, as it does as long as loops are not consistent.
    bool sweep()
    {
        bool changed = false;
        for (std::size_t i = program_.blocks.size(); i-- > 0;) {
            const BlockId id(i);
            Needs now = id == outcome_ ? Needs{true, {}} : before(program_.blocks[id], at_end(id));
            if (now != needs_[id]) {
                needs_[id] = std::move(now);
                changed = program_.blocks[id].is_loop() || changed;
            }
        }
        return changed;
    }

    Needs along(const Edge &edge) const
    {
        Needs there = needs_[edge.target];
        const auto &params = program_.blocks[edge.target].params;
        Needs here{there.surely, {}};
        for (const auto &[pointer, count] : there.bytes) {
            const auto at = std::ranges::find(params, pointer);
            here.want(at == params.end() ? pointer : edge.args[static_cast<std::size_t>(at - params.begin())], count);
        }
        return here;
    }

    // What holds at the end of a block, at its beginning.
    Needs before(const Block &block, Needs needs) const
    {
        if (std::ranges::any_of(block.insts, [](const Inst &inst) { return !is_droppable(inst.op); }))
            return {};
        for (const Inst &inst : block.insts | std::views::reverse) {
            const std::uint64_t count = inst.result.valid() ? needs.take(inst.result) : 0;
            if (count == 0)
                continue;
            if (inst.op == Op::rebase)
                needs.want(inst.a, count);
            else if (inst.op == Op::offset)
                needs.want(inst.a, count + (constants_[inst.b] != nullptr ? constants_[inst.b]->imm : 0));
            else if (inst.op == Op::packet_start)
                needs.want(inst.result, count); // there is one alone, and for the entry it is of use
        }
        return needs;
    }

    const Program &program_;
    const Dominators &dominators_;
    BlockId outcome_;
    IdVector<ValueId, const Inst *> constants_;
    IdVector<BlockId, Needs> needs_;
};

// The blocks that most guards fail to.
std::vector<BlockId> outcomes_of(const Program &program)
{
    std::map<BlockId, std::size_t> failing;
    for (const Block &block : program.blocks)
        if (is_guard(block.end) && block.end.edges[1].args.empty())
            ++failing[block.end.edges[1].target];
    std::vector<std::pair<std::size_t, BlockId>> order;
    for (const auto &[block, count] : failing)
        order.emplace_back(count, block);
    std::ranges::stable_sort(order, std::greater<>(), &std::pair<std::size_t, BlockId>::first);
    std::vector<BlockId> out;
    for (const auto &[count, block] : order | std::views::take(most_outcomes))
        out.push_back(block);
    return out;
}

bool is_possible(const Program &program, ValueId pointer, std::uint64_t bytes)
{
    return program.values[pointer].kind == ValueKind::packet && program.values[pointer].max <= max_packet_offset &&
           bytes <= max_packet_offset - program.values[pointer].max;
}

// Guards that lead to one outcome, with what each asked at first and could ask.
class Widening {
public:
    Widening(Program &program, BlockId outcome) : program_(program), distances_(program)
    {
        const Dominators dominators(program);
        const Anticipation anticipated(program, dominators, outcome);
        guards_.resize(program.blocks.size());
        for (std::size_t i = 0; i < program.blocks.size(); ++i) {
            Terminator &end = program.blocks[BlockId(i)].end;
            if (!is_guard(end) || end.edges[1].target != outcome)
                continue;
            const std::uint64_t bytes = anticipated.at_end(BlockId(i)).of(end.a);
            guards_[BlockId(i)] = {.asked = end.imm,
                                   .wide = is_possible(program, end.a, bytes) ? std::max(bytes, end.imm) : end.imm,
                                   .state = State::open};
            end.imm = guards_[BlockId(i)].wide;
        }
    }

    void run()
    {
        while (sweep())
            continue;
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            if (guards_[BlockId(i)].state == State::dropped)
                decide(program_.blocks[BlockId(i)].end, 0);
    }

private:
    enum class State : std::uint8_t { none, open, dropped, kept };
    struct Guard {
        std::uint64_t asked = 0;
        std::uint64_t wide = 0;
        State state = State::none;
    };

    // Drops guards that are answered by others as wide as they can be. What a loop's first round learns from a guard
    // that is dropped is not known in the next: so until nothing changes, and what was dropped in error comes back.
    bool sweep()
    {
        bool changed = false;
        walk_facts(program_, distances_, find_loop_facts(program_, distances_), [&](BlockId id, const Facts &known) {
            Guard &guard = guards_[id];
            if (guard.state == State::none)
                return;
            Terminator &end = program_.blocks[id].end;
            const std::uint64_t present = known.present(end.a);
            const bool answered = present > 0 && guard.asked <= present;
            if (guard.state == State::open && answered)
                guard.state = State::dropped;
            else if (guard.state == State::dropped && !answered)
                guard.state = State::kept;
            else
                return;
            end.imm = guard.state == State::dropped ? 0 : guard.wide; // which shows nothing
            changed = true;
        });
        return changed;
    }

    Program &program_;
    Distances distances_; // which guards do not change
    IdVector<BlockId, Guard> guards_;
};

// Goes to the outcome at once where that is sure, and all is there that it uses.
void cut_short(Program &program, BlockId outcome)
{
    const Dominators dominators(program);
    const Anticipation anticipated(program, dominators, outcome);
    const BlockId above = dominators.parent(outcome);
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        if (!above.valid() || !dominators.dominates(above, BlockId(i)))
            continue;
        for_each_edge(program.blocks[BlockId(i)].end, [&](Edge &edge) {
            if (edge.target != outcome && anticipated.at_begin(edge.target).surely)
                edge = {outcome, {}};
        });
    }
}

} // namespace

void anticipate_guards(Program &program)
{
    for (const BlockId outcome : outcomes_of(program)) {
        cut_short(program, outcome);
        Widening(program, outcome).run();
    }
}

} // namespace xdpf::passes
