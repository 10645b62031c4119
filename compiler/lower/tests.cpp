#include "compiler/lower/emitter.hpp"
#include "compiler/lower/pcap.hpp"

#include <algorithm>
#include <bit>

namespace xdpf::lowering {
namespace {

constexpr std::uint64_t low(sema::u128 value) { return static_cast<std::uint64_t>(value); }
constexpr std::uint64_t high(sema::u128 value) { return static_cast<std::uint64_t>(value >> 64); }

constexpr std::size_t few = 4; // so many tests in a row; more become a bit mask or a search

// An aligned block of a power of two addresses: the mask of the bits they share, or nothing.
std::optional<std::uint64_t> common_mask(std::uint64_t first, std::uint64_t last)
{
    const std::uint64_t differ = first ^ last;
    const bool aligned = (differ & (differ + 1)) == 0 && (first & differ) == 0 && (last & differ) == differ;
    return aligned ? std::optional(~differ) : std::nullopt;
}

ir::Cond cond_of(sema::Comparison op)
{
    switch (op) {
    case sema::Comparison::equal: return ir::Cond::eq;
    case sema::Comparison::not_equal: return ir::Cond::ne;
    case sema::Comparison::less: return ir::Cond::lt;
    case sema::Comparison::less_equal: return ir::Cond::le;
    case sema::Comparison::greater: return ir::Cond::gt;
    case sema::Comparison::greater_equal: return ir::Cond::ge;
    }
    return ir::Cond::eq;
}

} // namespace

// Ends the block with the outcome of a test; fields it reads are there.
void Emitter::test(sema::PredId id, const Env &env, const ir::Edge &yes, const ir::Edge &no)
{
    const auto &node = unit_.preds[id].node;
    if (const auto *both = std::get_if<sema::And>(&node)) {
        const auto second = new_block();
        test(both->left, env, to(second), no);
        start(second);
        return test(both->right, env, yes, no);
    }
    if (const auto *either = std::get_if<sema::Or>(&node)) {
        const auto second = new_block();
        test(either->left, env, yes, to(second));
        start(second);
        return test(either->right, env, yes, no);
    }
    if (const auto *negated = std::get_if<sema::Not>(&node))
        return test(negated->operand, env, no, yes);
    if (const auto *set = std::get_if<sema::InSet>(&node))
        return test_set(*set, env, yes, no);
    if (const auto *two = std::get_if<sema::Compare>(&node))
        return compare(*two, env, yes, no);
    if (const auto *map = std::get_if<sema::InMap>(&node))
        return test_map(*map, env, yes, no);
    if (const auto *expression = std::get_if<sema::Pcap>(&node))
        return lower_pcap(expression->program, {program_, block_, packet_start_, packet_end_, length_op(), span_}, yes,
                          no);
    if (const auto *rate = std::get_if<sema::Exceeds>(&node))
        return test_rate(*rate, env, yes, no);
    if (const auto *one = std::get_if<sema::OneIn>(&node)) {
        const auto drawn = number(inst(ir::Op::random), UINT32_MAX);
        return branch(ir::Cond::eq, binary(ir::Op::mod, drawn, one->n), 0, yes, no);
    }
    jump(yes); // the header in front is there: that is why its condition is asked
}

void Emitter::test_set(const sema::InSet &set, const Env &env, const ir::Edge &yes, const ir::Edge &no)
{
    if (set.intervals.empty())
        return jump(no);
    const sema::Expr &expr = unit_.exprs[set.value];
    if (expr.type == sema::ValueType::ipv6)
        return test_wide(wide_value(set.value, env, no), set.intervals, yes, no);
    if (test_field_in_place(set, env, yes, no))
        return;
    const auto most = expr.bits >= 64 ? UINT64_MAX : (std::uint64_t(1) << expr.bits) - 1;
    test_intervals(value(set.value, env, no), set.intervals, most, yes, no);
}

// One value of a field that fills no load by itself: masked and compared where it stands, not shifted.
bool Emitter::test_field_in_place(const sema::InSet &set, const Env &env, const ir::Edge &yes, const ir::Edge &no)
{
    const auto *of = std::get_if<sema::FieldValue>(&unit_.exprs[set.value].node);
    if (of == nullptr || set.intervals.size() != 1 || set.intervals[0].first != set.intervals[0].last)
        return false;
    const sema::Header &header = unit_.headers[of->header.header];
    const sema::Field &field = header.fields[of->field];
    const auto window = field.little_endian || field.floating()
                            ? std::nullopt
                            : window_of(field.bit_offset, field.bits, header.fixed_size);
    if (!window || (window->shift == 0 && window->width * 8U == field.bits))
        return false;
    const auto whole = load(start_of(of->header, env), window->offset, window->width, ir::Order::big);
    const std::uint64_t mask = ((std::uint64_t(1) << field.bits) - 1) << window->shift;
    const std::uint64_t wanted = low(set.intervals[0].first) << window->shift;
    if (field.bits == 1)
        branch(wanted != 0 ? ir::Cond::set : ir::Cond::clear, whole, mask, yes, no);
    else
        branch(ir::Cond::eq, binary(ir::Op::bit_and, whole, mask, mask), wanted, yes, no);
    return true;
}

// A number of at most `most` against sorted intervals.
void Emitter::test_intervals(ir::ValueId value, std::span<const sema::Interval> intervals, std::uint64_t most,
                             const ir::Edge &yes, const ir::Edge &no)
{
    const auto &first = intervals.front();
    const auto &last = intervals.back();
    // All but one value: the other way round.
    if (intervals.size() == 2 && low(first.first) == 0 && low(last.last) == most &&
        low(first.last) + 2 == low(last.first))
        return branch(ir::Cond::ne, value, low(first.last) + 1, yes, no);
    if (intervals.size() == 1)
        return test_interval(value, first, most, yes, no);
    const auto differ = low(first.first) ^ low(last.first);
    const bool singles = first.first == first.last && last.first == last.last;
    if (intervals.size() == 2 && singles && std::has_single_bit(differ))
        return branch(ir::Cond::eq, binary(ir::Op::bit_and, value, most & ~differ, most), low(first.first), yes, no);
    if (intervals.size() > few && low(last.last) < 64) {
        std::uint64_t mask = 0;
        for (const auto &interval : intervals)
            for (auto bit = low(interval.first); bit <= low(interval.last); ++bit)
                mask |= std::uint64_t(1) << bit;
        const auto small = new_block();
        branch(ir::Cond::le, value, 63, to(small), no);
        start(small);
        const auto shifted = binary(ir::Op::shl, constant(1), value);
        return branch(ir::Cond::set, shifted, constant(mask), yes, no);
    }
    if (intervals.size() <= few) {
        for (std::size_t i = 0; i + 1 < intervals.size(); ++i) {
            const auto next = new_block();
            test_interval(value, intervals[i], most, yes, to(next));
            start(next);
        }
        return test_interval(value, last, most, yes, no);
    }
    const auto half = intervals.size() / 2;
    const auto lower = new_block();
    const auto upper = new_block();
    branch(ir::Cond::lt, value, low(intervals[half].first), to(lower), to(upper));
    start(lower);
    test_intervals(value, intervals.first(half), most, yes, no);
    start(upper);
    test_intervals(value, intervals.subspan(half), most, yes, no);
}

void Emitter::test_interval(ir::ValueId value, sema::Interval interval, std::uint64_t most, const ir::Edge &yes,
                            const ir::Edge &no)
{
    const auto first = low(interval.first);
    const auto last = low(interval.last);
    if (first == 0 && last >= most)
        return jump(yes);
    if (first == last)
        return branch(ir::Cond::eq, value, first, yes, no);
    if (first == 0)
        return branch(ir::Cond::le, value, last, yes, no);
    if (last >= most)
        return branch(ir::Cond::ge, value, first, yes, no);
    if (const auto mask = common_mask(first, last))
        return branch(ir::Cond::eq, binary(ir::Op::bit_and, value, *mask & most, most), first, yes, no);
    branch(ir::Cond::le, binary(ir::Op::sub, value, first), last - first, yes, no);
}

void Emitter::test_wide(Wide value, std::span<const sema::Interval> intervals, const ir::Edge &yes, const ir::Edge &no)
{
    if (intervals.size() <= few) {
        for (std::size_t i = 0; i + 1 < intervals.size(); ++i) {
            const auto next = new_block();
            test_wide_interval(value, intervals[i], yes, to(next));
            start(next);
        }
        return test_wide_interval(value, intervals.back(), yes, no);
    }
    const auto half = intervals.size() / 2;
    const auto pivot = intervals[half].first;
    const auto lower = new_block();
    const auto not_lower = new_block();
    const auto same = new_block();
    const auto upper = new_block();
    branch(ir::Cond::lt, value.high, high(pivot), to(lower), to(not_lower));
    start(not_lower);
    branch(ir::Cond::eq, value.high, high(pivot), to(same), to(upper));
    start(same);
    branch(ir::Cond::lt, value.low, low(pivot), to(lower), to(upper));
    start(lower);
    test_wide(value, intervals.first(half), yes, no);
    start(upper);
    test_wide(value, intervals.subspan(half), yes, no);
}

void Emitter::test_wide_interval(Wide value, sema::Interval interval, const ir::Edge &yes, const ir::Edge &no)
{
    const auto high_mask = common_mask(high(interval.first), high(interval.last));
    const auto low_mask = common_mask(low(interval.first), low(interval.last));
    const bool one_high = high(interval.first) == high(interval.last);
    const bool any_low = low(interval.first) == 0 && low(interval.last) == UINT64_MAX;
    // A prefix: shared bits in the upper half, then in the lower.
    if (high_mask && low_mask && (one_high || any_low)) {
        const auto second = any_low ? ir::BlockId() : new_block();
        const auto then = any_low ? yes : to(second);
        if (*high_mask == 0)
            jump(then);
        else
            branch(ir::Cond::eq,
                   *high_mask == UINT64_MAX ? value.high : binary(ir::Op::bit_and, value.high, *high_mask),
                   constant(high(interval.first)), then, no);
        if (any_low)
            return;
        start(second);
        return branch(ir::Cond::eq, *low_mask == UINT64_MAX ? value.low : binary(ir::Op::bit_and, value.low, *low_mask),
                      constant(low(interval.first)), yes, no);
    }
    const auto at_least = new_block();
    compare_wide(sema::Comparison::greater_equal, value,
                 {constant(high(interval.first)), constant(low(interval.first))}, to(at_least), no);
    start(at_least);
    compare_wide(sema::Comparison::less_equal, value, {constant(high(interval.last)), constant(low(interval.last))},
                 yes, no);
}

void Emitter::compare(const sema::Compare &two, const Env &env, const ir::Edge &yes, const ir::Edge &no)
{
    switch (unit_.exprs[two.left].type) {
    case sema::ValueType::bytes: return compare_bytes(two, env, yes, no);
    case sema::ValueType::ipv6: {
        const auto left = wide_value(two.left, env, no);
        return compare_wide(two.op, left, wide_value(two.right, env, no), yes, no);
    }
    default: break;
    }
    if (unit_.exprs[two.right].type == sema::ValueType::bytes)
        return compare_bytes(two, env, yes, no);
    const auto left = value(two.left, env, no);
    const auto right = value(two.right, env, no);
    branch(cond_of(two.op), left, right, yes, no);
}

void Emitter::compare_wide(sema::Comparison op, Wide left, Wide right, const ir::Edge &yes, const ir::Edge &no)
{
    if (op == sema::Comparison::not_equal)
        return compare_wide(sema::Comparison::equal, left, right, no, yes);
    const auto same = new_block();
    if (op == sema::Comparison::equal) {
        branch(ir::Cond::eq, left.high, right.high, to(same), no);
    } else {
        const bool less = op == sema::Comparison::less || op == sema::Comparison::less_equal;
        const auto differ = new_block();
        branch(ir::Cond::eq, left.high, right.high, to(same), to(differ));
        start(differ);
        branch(less ? ir::Cond::lt : ir::Cond::gt, left.high, right.high, yes, no);
    }
    start(same);
    branch(cond_of(op), left.low, right.low, yes, no);
}

void Emitter::compare_bytes(const sema::Compare &two, const Env &env, const ir::Edge &equal_or_not,
                            const ir::Edge &otherwise)
{
    const bool wanted = two.op == sema::Comparison::equal;
    const ir::Edge &same = wanted ? equal_or_not : otherwise;
    const ir::Edge &different = wanted ? otherwise : equal_or_not;
    const auto *text = std::get_if<sema::BytesConstant>(&unit_.exprs[two.right].node);
    // A slice that the packet does not hold makes the comparison false, whichever it is.
    const Place left = bytes_place(two.left, env, otherwise);
    const Place right = text == nullptr ? bytes_place(two.right, env, otherwise) : Place();
    const auto size = unit_.exprs[two.left].bits / 8;
    for (std::uint32_t done = 0; done < size;) {
        std::uint32_t width = 8;
        while (width > size - done)
            width /= 2;
        const auto piece = load(left, done, static_cast<std::uint8_t>(width), ir::Order::big);
        const auto next = new_block();
        const bool last = done + width == size;
        const ir::Edge on = last ? same : to(next);
        if (text != nullptr) {
            std::uint64_t expected = 0;
            for (std::uint32_t i = 0; i < width; ++i)
                expected = expected << 8 | static_cast<std::uint8_t>(text->value[done + i]);
            branch(ir::Cond::eq, piece, constant(expected), on, different);
        } else {
            branch(ir::Cond::eq, piece, load(right, done, static_cast<std::uint8_t>(width), ir::Order::big), on,
                   different);
        }
        start(next);
        done += width;
    }
}

void Emitter::test_map(const sema::InMap &in, const Env &env, const ir::Edge &yes, const ir::Edge &no)
{
    if (unit_.maps[in.map].kind == MapKind::bloom_filter) {
        const auto slot = value_slot(in.map, in.key, env, no);
        ir::Inst &made = inst(ir::Op::peek);
        made.map = in.map;
        made.value = slot;
        return branch(ir::Cond::eq, number(made), 0, yes, no);
    }
    branch(ir::Cond::ne, lookup(in.map, key_slot(in.map, in.key, env, no)), 0, yes, no);
}

// A token bucket as one number (GCRA, ITU-T I.371): the time when it is full again. What finds it too far ahead is too
// much and leaves it; others move it by one interval. Two CPUs that meet here may count one packet between them.
void Emitter::test_rate(const sema::Exceeds &rate, const Env &env, const ir::Edge &yes, const ir::Edge &no)
{
    const ir::SlotId key = key_slot(rate.map, rate.key, env, no);
    const auto now = number(inst(ir::Op::now));
    const auto pointer = lookup(rate.map, key);
    const auto found = new_block();
    const auto missing = new_block();
    branch(ir::Cond::ne, pointer, 0, to(found), to(missing));
    start(found);
    ir::Inst &made = inst(ir::Op::load_map);
    made.a = pointer;
    const auto full = number(made);
    const auto within = new_block();
    branch(ir::Cond::gt, full, binary(ir::Op::add, now, rate.tolerance), yes, to(within));
    start(within);
    const auto from = new_block();
    const auto later = program_.add_value(ir::ValueKind::number);
    program_.blocks[from].params.push_back(later);
    branch(ir::Cond::gt, full, now, {from, {full}}, {from, {now}});
    start(from);
    const auto moved = binary(ir::Op::add, later, rate.interval);
    store(Sink(pointer), 0, 8, ir::Order::little, moved);
    jump(no);
    start(missing);
    const ir::SlotId fresh = slot_of(SlotUse::value, 8);
    store(fresh, 0, 8, ir::Order::little, binary(ir::Op::add, now, rate.interval));
    update(rate.map, key, fresh);
    jump(no);
}

} // namespace xdpf::lowering
