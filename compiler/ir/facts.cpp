#include "compiler/ir/facts.hpp"

#include <algorithm>

namespace xdpf::ir {
namespace {

bool before(const Fact &fact, ValueId pointer) { return fact.pointer < pointer; }

bool checks_null(const Program &program, const Terminator &end)
{
    return end.kind == Terminator::Kind::branch && !end.b.valid() && end.imm == 0 &&
           (end.cond == Cond::eq || end.cond == Cond::ne) && program.values[end.a].kind == ValueKind::map_value;
}

} // namespace

Fact Facts::about(ValueId pointer) const
{
    const auto at = std::lower_bound(facts_.begin(), facts_.end(), pointer, before);
    return at != facts_.end() && at->pointer == pointer ? *at : Fact{pointer};
}

Fact &Facts::entry(ValueId pointer)
{
    const auto at = std::lower_bound(facts_.begin(), facts_.end(), pointer, before);
    if (at != facts_.end() && at->pointer == pointer)
        return *at;
    return *facts_.insert(at, Fact{pointer});
}

void Facts::learn_present(ValueId pointer, std::uint64_t present)
{
    Fact &fact = entry(pointer);
    fact.present = std::max(fact.present, present);
}

void Facts::learn_missing(ValueId pointer, std::uint64_t missing)
{
    Fact &fact = entry(pointer);
    fact.missing = std::min(fact.missing, missing);
}

void Facts::meet(const Facts &other)
{
    for (Fact &fact : facts_) {
        const Fact there = other.about(fact.pointer);
        fact.present = std::min(fact.present, there.present);
        fact.missing = std::max(fact.missing, there.missing);
    }
    std::erase_if(facts_, [](const Fact &fact) { return fact == Fact{fact.pointer}; });
}

void learn_inside(const Block &block, Facts &known)
{
    for (const Inst &inst : block.insts)
        if (inst.op == Op::map_value || inst.op == Op::element)
            known.learn_present(inst.result, 1);
}

LoopFacts find_loop_facts(const Program &program, const Distances &distances)
{
    constexpr unsigned enough = 4; // sweeps; what still shrinks then is not known
    LoopFacts loops;
    loops.resize(program.values.size(), UINT64_MAX);
    std::size_t count = 0; // of blocks up to the end of the last loop
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (program.blocks[BlockId(i)].end.kind == Terminator::Kind::again)
            count = i + 1;
    bool changed = count > 0;
    for (unsigned sweeps = 0; changed; ++sweeps) {
        changed = false;
        walk_facts(program, distances, loops, count, [&](BlockId id, const Facts &known) {
            const Terminator &end = program.blocks[id].end;
            if (end.kind != Terminator::Kind::again)
                return;
            const auto &params = program.blocks[end.edges[0].target].params;
            for (std::size_t i = 0; i < params.size(); ++i) {
                const std::uint64_t there = known.present(end.edges[0].args[i]);
                if (there >= loops[params[i]])
                    continue;
                loops[params[i]] = sweeps < enough ? there : 0;
                changed = true;
            }
        });
    }
    return loops;
}

Facts facts_along(const Program &program, const Terminator &end, std::size_t which, const Facts &known,
                  const LoopFacts &loops)
{
    Facts facts = known;
    if (end.kind == Terminator::Kind::guard && which == 0)
        facts.learn_present(end.a, end.imm);
    else if (end.kind == Terminator::Kind::guard)
        facts.learn_missing(end.a, end.imm);
    else if (checks_null(program, end) && which == (end.cond == Cond::eq ? 1U : 0U))
        facts.learn_present(end.a, 1);

    const Edge &edge = end.edges[which];
    const bool loop = program.blocks[edge.target].is_loop();
    const auto &params = program.blocks[edge.target].params;
    for (std::size_t i = 0; i < params.size(); ++i) {
        const std::uint64_t present = std::min(facts.present(edge.args[i]), loop ? loops[params[i]] : UINT64_MAX);
        const std::uint64_t missing = facts.about(edge.args[i]).missing;
        if (present != 0)
            facts.learn_present(params[i], present);
        if (missing != UINT64_MAX && !loop) // its parameters are others each time
            facts.learn_missing(params[i], missing);
    }
    return facts;
}

} // namespace xdpf::ir
