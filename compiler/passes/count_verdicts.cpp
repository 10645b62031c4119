#include "compiler/passes/count_verdicts.hpp"

#include "compiler/passes/rewrite.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::passes {
namespace {

constexpr std::uint32_t verdicts = 5; // XDP_ABORTED to XDP_REDIRECT

class Exit {
public:
    Exit(ir::Program &program, MapId counters) : program_(program), counters_(counters) {}

    //     look(verdict): if there is an entry ? add() : end()
    //     add(): one more
    //     end(): return verdict
    ir::BlockId build()
    {
        const ir::BlockId look = program_.blocks.add({});
        const ir::BlockId add = program_.blocks.add({});
        const ir::BlockId end = program_.blocks.add({});
        const ir::ValueId verdict = program_.add_value(ir::ValueKind::number);
        program_.blocks[look].params.push_back(verdict);
        const ir::ValueId entry = find(program_.blocks[look], verdict);
        finish(program_.blocks[look], {.kind = ir::Terminator::Kind::branch,
                                       .cond = ir::Cond::ne,
                                       .a = entry,
                                       .edges = {ir::Edge{add, {}}, ir::Edge{end, {}}}});
        increment(program_.blocks[add], entry);
        finish(program_.blocks[add], {.kind = ir::Terminator::Kind::jump, .edges = {ir::Edge{end, {}}}});
        finish(program_.blocks[end], {.kind = ir::Terminator::Kind::return_, .a = verdict});
        return look;
    }

private:
    ir::Inst &inst(ir::Block &block, ir::Op op) const
    {
        ir::Inst &made = block.insts.emplace_back();
        made.op = op;
        made.span = program_.span;
        return made;
    }

    void finish(ir::Block &block, ir::Terminator end) const
    {
        block.end = std::move(end);
        block.end.span = program_.span;
    }

    ir::ValueId find(ir::Block &block, ir::ValueId verdict)
    {
        const ir::SlotId key = program_.slots.add({4});
        ir::Inst &store = inst(block, ir::Op::store_slot);
        store.key = key;
        store.width = 4;
        store.a = verdict;
        ir::Inst &lookup = inst(block, ir::Op::lookup);
        lookup.map = counters_;
        lookup.key = key;
        return lookup.result = program_.add_value(ir::ValueKind::map_value);
    }

    void increment(ir::Block &block, ir::ValueId entry)
    {
        const ir::ValueId before = program_.add_value(ir::ValueKind::number);
        const ir::ValueId one = program_.add_value(ir::ValueKind::number, 1);
        const ir::ValueId after = program_.add_value(ir::ValueKind::number);
        ir::Inst &load = inst(block, ir::Op::load_map);
        load.a = entry;
        load.result = before;
        block.insts.push_back(make_constant(one, 1, program_.span));
        ir::Inst &sum = inst(block, ir::Op::add);
        sum.a = before;
        sum.b = one;
        sum.result = after;
        ir::Inst &store = inst(block, ir::Op::store_map);
        store.a = entry;
        store.b = after;
    }

    ir::Program &program_;
    MapId counters_;
};

} // namespace

MapSpec verdict_counters(const std::vector<MapSpec> &others)
{
    MapSpec spec{.name = free_map_name(others, "verdicts"), .kind = MapKind::percpu_array, .max_entries = verdicts};
    spec.key = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
    spec.value = {"", 8, {{"", FieldFormat::number, 0, 8, false}}};
    return spec;
}

void count_verdicts(ir::Program &program, MapId counters)
{
    std::vector<ir::BlockId> exits;
    for (std::size_t i = 0; i < program.blocks.size(); ++i)
        if (program.blocks[ir::BlockId(i)].end.kind == ir::Terminator::Kind::return_)
            exits.emplace_back(i);
    if (exits.empty())
        return;
    const ir::BlockId counting = Exit(program, counters).build();
    for (const ir::BlockId id : exits) {
        ir::Block &block = program.blocks[id];
        const Span span = block.end.span;
        ir::ValueId verdict = block.end.a;
        if (!verdict.valid()) {
            verdict = program.add_value(ir::ValueKind::number, block.end.imm);
            block.insts.push_back(make_constant(verdict, block.end.imm, span));
        }
        block.end = {.kind = ir::Terminator::Kind::jump, .edges = {ir::Edge{counting, {verdict}}}, .span = span};
    }
}

} // namespace xdpf::passes
