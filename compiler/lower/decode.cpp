#include "compiler/lower/emitter.hpp"

#include <algorithm>

namespace xdpf::lowering {
namespace {

const sema::InSet *set_test(const sema::Unit &unit, sema::PredId id)
{
    return std::get_if<sema::InSet>(&unit.preds[id].node);
}

// Both conditions look at the same selector.
bool same_selector(const sema::Unit &unit, const sema::InSet &a, const sema::InSet &b)
{
    const auto &left = unit.exprs[a.value].node;
    const auto &right = unit.exprs[b.value].node;
    if (const auto *field = std::get_if<sema::FieldValue>(&left)) {
        const auto *other = std::get_if<sema::FieldValue>(&right);
        return other != nullptr && other->header == field->header && other->field == field->field;
    }
    const auto *end = std::get_if<sema::ChainEnd>(&left);
    const auto *other = std::get_if<sema::ChainEnd>(&right);
    return end != nullptr && other != nullptr && end->base == other->base;
}

} // namespace

bool disjoint(const std::vector<sema::Interval> &a, const std::vector<sema::Interval> &b)
{
    return std::ranges::none_of(a, [&](const auto &x) {
        return std::ranges::any_of(b, [&](const auto &y) { return x.first <= y.last && y.first <= x.last; });
    });
}

const std::vector<sema::Interval> &Emitter::intervals_of(sema::HeaderId header, std::size_t way) const
{
    return set_test(unit_, unit_.headers[header].ways[way].condition)->intervals;
}

// What can stand behind the chain of a header, is asked for by a look at what names it, and rules each other out.
std::vector<std::pair<sema::HeaderId, std::size_t>> Emitter::first_behind(sema::HeaderId base, NodeId node,
                                                                          const Knowledge &known) const
{
    const FactSet asked = wanted_by(node, known);
    for (std::size_t i = 0; i < facts_.size(); ++i) {
        const Fact &fact = facts_[FactId(i)];
        if (fact.kind != Fact::Kind::present || known[FactId(i)] != Truth::unknown || !asked.contains(FactId(i)) ||
            unit_.headers[fact.header].is_link())
            continue;
        const auto &ways = unit_.headers[fact.header].ways;
        for (std::size_t way = 0; way < ways.size(); ++way) {
            const auto open = facts_.find({Fact::Kind::way_open, fact.header, static_cast<unsigned>(way)});
            if (ways[way].through_chain && ways[way].parent == base && known[open] == Truth::unknown &&
                set_test(unit_, ways[way].condition) != nullptr)
                return siblings(fact.header, way, node, known);
        }
    }
    return {};
}

// What else can stand at the same place, is still asked for, and rules each other out: found by one look at the
// selector, so that a packet that is one of them is known not to be the others.
std::vector<std::pair<sema::HeaderId, std::size_t>> Emitter::siblings(sema::HeaderId wanted, std::size_t way,
                                                                      NodeId node, const Knowledge &known) const
{
    const sema::Way &at = unit_.headers[wanted].ways[way];
    std::vector<std::pair<sema::HeaderId, std::size_t>> out{{wanted, way}};
    const auto *selector = set_test(unit_, unit_.headers[wanted].ways[way].condition);
    if (selector == nullptr)
        return out;
    const FactSet asked = wanted_by(node, known);
    for (std::size_t i = 0; i < facts_.size(); ++i) {
        const Fact &fact = facts_[FactId(i)];
        const sema::Header &header = unit_.headers[fact.header];
        if (fact.kind != Fact::Kind::present || header.is_link() || fact.header == wanted ||
            !asked.contains(FactId(i)) || known[FactId(i)] != Truth::unknown)
            continue;
        for (std::size_t w = 0; w < header.ways.size(); ++w) {
            const auto open = facts_.find({Fact::Kind::way_open, fact.header, static_cast<unsigned>(w)});
            const auto *other = set_test(unit_, header.ways[w].condition);
            if (header.ways[w].in_front() != at.in_front() || header.ways[w].through_chain != at.through_chain ||
                known[open] == Truth::no || other == nullptr)
                continue;
            const bool exclusive =
                same_selector(unit_, *selector, *other) && std::ranges::all_of(out, [&](const auto &known_sibling) {
                    return disjoint(intervals_of(known_sibling.first, known_sibling.second), other->intervals);
                });
            if (exclusive) {
                out.emplace_back(fact.header, w);
                break;
            }
        }
    }
    return out;
}

void Emitter::decode_site(sema::HeaderId wanted, std::size_t way, NodeId node, const Knowledge &known)
{
    const sema::Way &at = unit_.headers[wanted].ways[way];
    const Entry &entry = known.entry(facts_.find(at.through_chain ? Fact{Fact::Kind::chain_end, at.parent}
                                                                  : Fact{Fact::Kind::present, at.parent, at.link}));
    const Place place = at.through_chain ? entry.start : entry.end;
    const sema::Header &header = unit_.headers[at.parent];
    if (header.payload_when && !at.through_chain) {
        Knowledge closed = known;
        close_ways(at, closed);
        const auto holds = new_block();
        test(*header.payload_when, {.known = &known, .self = at.parent, .self_start = entry.start}, to(holds),
             go(node, closed));
        start(holds);
    }
    const auto group = siblings(wanted, way, node, known);
    Knowledge none = known;
    for (const auto &[id, w] : group)
        none.deny(facts_.find({Fact::Kind::way_open, id, static_cast<unsigned>(w)}));
    const Env env{
        .known = &known, .chain = at.through_chain ? at.parent : sema::HeaderId(), .selector = entry.selector};
    for (std::size_t i = 0; i < group.size(); ++i) {
        const auto &[id, w] = group[i];
        const auto matches = new_block();
        const bool last = i + 1 == group.size();
        const auto next = last ? ir::BlockId() : new_block();
        test(unit_.headers[id].ways[w].condition, env, to(matches), last ? go(node, none) : to(next));
        start(matches);
        decode_header(id, w, place, node, none);
        if (!last)
            start(next);
    }
}

// Nothing stands behind the header that `from` comes from: every way from there is closed.
void Emitter::close_ways(const sema::Way &from, Knowledge &known) const
{
    for (std::size_t i = 0; i < facts_.size(); ++i) {
        const Fact &fact = facts_[FactId(i)];
        if (fact.kind != Fact::Kind::way_open)
            continue;
        if (unit_.headers[fact.header].ways[fact.number].in_front() == from.in_front())
            known.deny(FactId(i));
    }
}

// The selector has named the header; `known` says so for its siblings. Ends the block.
void Emitter::decode_header(sema::HeaderId id, std::size_t way, Place place, NodeId node, const Knowledge &known)
{
    Knowledge absent = known;
    if (unit_.headers[id].ways.empty())
        absent.deny(facts_.find({Fact::Kind::present, id}));
    else
        absent.deny(facts_.find({Fact::Kind::way_open, id, static_cast<unsigned>(way)}));
    // However far in a tunnel begins: what it carries is followed once.
    if (unit_.headers[id].clamp_position)
        place = within(place, unit_.headers[id].max_position, go(node, absent));
    else if (!unit_.headers[id].ways.empty() && unit_.headers[id].ways[way].carried)
        place = rebased(place, unit_.headers[id].max_position);
    const Place end = check_header(id, place, known, go(node, absent));
    Knowledge present = known;
    affirm_header(id, way, place, end, present);
    jump(go(node, present));
}

// Goes on only where the place lies at most so many bytes from the packet's start: a pointer of which no more is known.
Place Emitter::within(Place place, std::uint32_t most, const ir::Edge &farther)
{
    place = materialised(place);
    ir::Inst &made = inst(ir::Op::distance);
    made.a = place.base;
    made.b = packet_start_;
    const auto distance = number(made, program_.values[place.base].max);
    const auto near = new_block();
    branch(ir::Cond::le, distance, most, to(near), farther);
    start(near);
    return {offset({packet_start_}, distance, most), 0};
}

// Two headers that could stand at the same place, told apart by what their first bits say: IPv4 and IPv6 behind MPLS.
bool Emitter::tell_apart(sema::HeaderId one, sema::HeaderId other) const
{
    const sema::Header &a = unit_.headers[one];
    const sema::Header &b = unit_.headers[other];
    const auto conditions = [&](const sema::Header &header) {
        std::vector<sema::PredId> open;
        std::vector<const sema::InSet *> sets;
        if (header.where)
            open.push_back(*header.where);
        while (!open.empty()) {
            const auto id = open.back();
            open.pop_back();
            if (const auto *both = std::get_if<sema::And>(&unit_.preds[id].node))
                open.insert(open.end(), {both->left, both->right});
            else if (const auto *set = set_test(unit_, id))
                sets.push_back(set);
        }
        return sets;
    };
    const auto bits = [&](const sema::Header &header, const sema::InSet &set) {
        const auto *of = std::get_if<sema::FieldValue>(&unit_.exprs[set.value].node);
        const auto *field = of != nullptr ? &header.fields[of->field] : nullptr;
        return field != nullptr && !field->floating() ? std::pair(field->bit_offset, field->bits) : std::pair(0U, 0U);
    };
    for (const auto *left : conditions(a))
        for (const auto *right : conditions(b))
            if (bits(a, *left) == bits(b, *right) && bits(a, *left).second != 0 &&
                disjoint(left->intervals, right->intervals))
                return true;
    return false;
}

void Emitter::affirm_header(sema::HeaderId id, std::size_t way, Place first, Place end, Knowledge &known) const
{
    const auto fact = facts_.find({Fact::Kind::present, id});
    known.entry(fact) = {Truth::yes, first, end, {}};
    for (std::size_t i = 0; i < facts_.size() && !unit_.headers[id].ways.empty(); ++i) {
        const Fact &open = facts_[FactId(i)];
        if (open.kind != Fact::Kind::way_open || open.header == id || known[FactId(i)] != Truth::unknown)
            continue;
        const sema::Way &there = unit_.headers[open.header].ways[open.number];
        const sema::Way &here = unit_.headers[id].ways[way];
        if (there.in_front() == here.in_front() && there.through_chain == here.through_chain &&
            tell_apart(id, open.header))
            known.deny(FactId(i));
    }
    for (std::size_t w = 0; w < unit_.headers[id].ways.size(); ++w) {
        const auto reached = facts_.find({Fact::Kind::reached_by, id, static_cast<unsigned>(w)});
        if (!reached.valid())
            continue;
        if (w == way)
            known.affirm(reached);
        else
            known.deny(reached);
    }
}

// Guards the header, asks its condition, computes its size. Goes on in a block where all of it is there; returns the
// place behind it.
Place Emitter::check_header(sema::HeaderId id, Place place, const Knowledge &known, const ir::Edge &absent)
{
    const sema::Header &header = unit_.headers[id];
    const Env env{.known = &known, .self = id, .self_start = place};
    const auto enough = new_block();
    guard(place, header.fixed_size, to(enough), absent);
    start(enough);
    if (header.where) {
        const auto valid = new_block();
        test(*header.where, env, to(valid), absent);
        start(valid);
    }
    if (!header.size)
        return place.plus(header.fixed_size);
    const auto size = value(*header.size, env, absent);
    if (header.check_size) {
        const auto large_enough = new_block();
        branch(ir::Cond::ge, size, header.fixed_size, to(large_enough), absent);
        start(large_enough);
    }
    if (header.clamp_size) {
        const auto small_enough = new_block();
        branch(ir::Cond::le, size, header.max_size, to(small_enough), absent);
        start(small_enough);
    }
    // A pointer of its own, so that ways through other headers come to what stands behind with the same kind of place.
    const Place end{offset(materialised(place), size, header.max_size), 0};
    const auto whole = new_block();
    guard(end, 0, to(whole), absent);
    start(whole);
    return end;
}

} // namespace xdpf::lowering
