// Rules that each ask whether one field lies in intervals: a table (classify/intervals.hpp), looked into without a
// helper of the kernel's.
#include "compiler/lower/run_writer.hpp"

#include <algorithm>
#include <bit>

namespace xdpf::lowering {

// False where it cannot be; then nothing has been written.
bool RunWriter::write_intervals()
{
    if (!dimension_of(rules_.front()->tests.front().field))
        return false;
    (void)action_of(otherwise_);
    for (const RunRule *rule : rules_)
        (void)action_of(outcome_of(*rule));
    const auto codes = codes_of_actions();
    if (!codes)
        return false;
    std::vector<classify::Interval> intervals;
    for (const RunRule *rule : rules_)
        for (const auto &[first, last] : rule->tests.front().intervals)
            intervals.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last),
                                 (*codes)[action_of(outcome_of(*rule))]});
    const auto largest = set_.largest.front();
    const auto flat = classify::flatten(intervals, largest, (*codes)[action_of(otherwise_)]);
    const auto table = classify::build_intervals(flat, static_cast<unsigned>(std::bit_width(largest)));
    if (!table)
        return false;
    note({.kind = RunForm::Kind::intervals,
          .rules = written_rules(),
          .fields = 1,
          .depth = table->levels.size(),
          .widest = table->has_leaves() ? table->most_ends() : 0,
          .entries = flat.size(),
          .why = "nothing but one field is asked for"});
    load_fields();
    const auto code = start_decision();
    ask_levels(*table);
    e_.start(decide_);
    dispatch(code);
    return true;
}

// Ends in the decision. The blocks that lead there by a leaf are one.
void RunWriter::ask_levels(const classify::IntervalTable &table)
{
    const auto where = stored(table.bytes);
    ir::BlockId leaf;
    ir::ValueId found;
    if (table.has_leaves()) {
        leaf = e_.new_block();
        found = e_.program_.add_value(ir::ValueKind::number, UINT32_MAX);
        e_.program_.blocks[leaf].params.push_back(found);
    }
    ir::ValueId entry; // of the level before
    for (const auto &level : table.levels) {
        const auto size = static_cast<std::uint8_t>(table.entry_bytes(level));
        auto at = e_.binary(ir::Op::shr, values_[0], level.shift);
        if (entry.valid())
            at = e_.binary(ir::Op::bit_and, at, most_of(level.bits), most_of(level.bits));
        at = e_.binary(ir::Op::shl, at, static_cast<std::uint64_t>(std::countr_zero(size)));
        if (entry.valid())
            at = e_.binary(ir::Op::add, entry, at);
        entry = load_map(inside(where, at), entry.valid() ? classify::to_level : 0, size);
        if (!level.has_levels) {
            e_.jump(level.has_leaves ? ir::Edge{leaf, {entry}} : ir::Edge{decide_, {entry}});
            continue;
        }
        const auto next = e_.new_block();
        const auto end = level.has_leaves ? ir::Edge{leaf, {entry}} : e_.to(e_.new_block());
        e_.branch(ir::Cond::set, entry, 1, e_.to(next), end);
        if (!level.has_leaves) {
            e_.start(end.target);
            e_.jump({decide_, {e_.binary(ir::Op::shr, entry, 1)}});
        }
        e_.start(next);
    }
    if (leaf.valid()) {
        e_.start(leaf);
        e_.jump({decide_, {code_in_leaf(table, inside(where, found))}});
    }
}

// Without a jump: which code it is, is as good as random.
ir::ValueId RunWriter::code_in_leaf(const classify::IntervalTable &table, ir::ValueId leaf)
{
    const auto below = most_of(table.levels.front().shift);
    const auto number = e_.binary(ir::Op::bit_and, values_[0], below, below);
    const auto everywhere = e_.binary(ir::Op::mul, number, e_.constant(classify::each_lane));
    const auto guards = e_.constant(classify::guard_bits);
    ir::ValueId within; // of each end that the number is not beyond, the bit above
    for (std::uint32_t w = 0; w < table.leaf_words; ++w) {
        const auto distance = e_.binary(ir::Op::sub, load_map(leaf, 8 * w, 8), everywhere);
        const auto kept = e_.binary(ir::Op::bit_and, distance, guards);
        within = within.valid() ? e_.binary(ir::Op::add, within, kept) : kept;
    }
    const auto by_lane = e_.binary(ir::Op::shr, within, classify::lane_bits - 1);
    const auto sum = e_.binary(ir::Op::mul, by_lane, e_.constant(classify::each_lane));
    const auto ends = e_.binary(ir::Op::shr, sum, 2 * classify::lane_bits, most_of(64 - 2 * classify::lane_bits));
    const auto size = static_cast<std::uint8_t>(table.code_bytes);
    const auto offset = e_.binary(ir::Op::shl, ends, static_cast<std::uint64_t>(std::countr_zero(size)));
    const auto mask = std::bit_ceil(std::uint64_t{size} * (table.most_ends() + 1)) - 1;
    return load_map(element(leaf, offset, mask), table.codes_at(), size);
}

} // namespace xdpf::lowering
