// Conditions, as they are written: a comparison with an absent operand is false, `not` is plain negation.
#include "compiler/explain/evaluation.hpp"

#include <algorithm>

namespace xdpf::explain {
namespace {

template <class T> bool compare(sema::Comparison op, const T &a, const T &b)
{
    switch (op) {
    case sema::Comparison::equal: return a == b;
    case sema::Comparison::not_equal: return a != b;
    case sema::Comparison::less: return a < b;
    case sema::Comparison::less_equal: return a <= b;
    case sema::Comparison::greater: return a > b;
    case sema::Comparison::greater_equal: return a >= b;
    }
    return false;
}

} // namespace

bool Evaluation::holds(PredId id, const Context &context)
{
    return std::visit(
        [&](const auto &node) {
            if constexpr (requires { this->holds(node, context); })
                return holds(node, context);
            doubt();
            return false;
        },
        unit_.preds[id].node);
}

bool Evaluation::holds(const sema::Truth &node, const Context &) { return node.value; }

bool Evaluation::holds(const sema::Not &node, const Context &context) { return !holds(node.operand, context); }

bool Evaluation::holds(const sema::And &node, const Context &context)
{
    return holds(node.left, context) && holds(node.right, context);
}

bool Evaluation::holds(const sema::Or &node, const Context &context)
{
    return holds(node.left, context) || holds(node.right, context);
}

bool Evaluation::holds(const sema::Present &node, const Context &context)
{
    return node.header.header == context.self || extent_of(node.header).has_value();
}

bool Evaluation::holds(const sema::ReachedBy &node, const Context &)
{
    const Found &found = find(node.header);
    return found.present && found.way == node.way;
}

bool Evaluation::holds(const sema::LinkCount &node, const Context &)
{
    const Chain &chain = chain_of(node.base);
    return chain.end == Chain::End::well && chain.links.size() == node.count;
}

bool Evaluation::holds(const sema::LinkIs &node, const Context &)
{
    const Chain &chain = chain_of(node.base);
    return node.position < chain.links.size() && chain.links[node.position].header == node.link;
}

bool Evaluation::holds(const sema::Compare &node, const Context &context)
{
    const auto left = value(node.left, context);
    const auto right = left ? value(node.right, context) : std::nullopt;
    if (!left || !right)
        return false;
    const bool bytes =
        unit_.exprs[node.left].type == sema::ValueType::bytes || unit_.exprs[node.right].type == sema::ValueType::bytes;
    return bytes ? compare(node.op, left->bytes, right->bytes) : compare(node.op, left->number, right->number);
}

bool Evaluation::holds(const sema::InSet &node, const Context &context)
{
    const auto found = value(node.value, context);
    if (!found)
        return false;
    const auto behind = std::ranges::upper_bound(node.intervals, found->number, {}, &sema::Interval::first);
    return behind != node.intervals.begin() && found->number <= (behind - 1)->last;
}

bool Evaluation::holds(const sema::InMap &node, const Context &context)
{
    if (has(unit_.maps[node.map].kind, map_trait::keyless)) { // a Bloom filter, which may err
        doubt();
        return false;
    }
    const auto bytes = key(node.map, node.key, context);
    return bytes && maps_->lookup(node.map, *bytes).has_value();
}

bool Evaluation::holds(const sema::Exceeds &node, const Context &context)
{
    const auto [asked, is_new] = asked_.try_emplace(&node);
    if (is_new)
        asked->second = exceeds(node, context);
    return asked->second;
}

// The generic cell rate algorithm (ITU-T I.371, annex A): the entry is the time when the bucket is full again.
bool Evaluation::exceeds(const sema::Exceeds &node, const Context &context)
{
    const auto where = key(node.map, node.key, context);
    if (!where)
        return false;
    if (!arrival_.now)
        doubt();
    const std::uint64_t now = arrival_.now.value_or(0);
    const LayoutField &field = unit_.maps[node.map].value.fields.front();
    const auto entry = maps_->lookup(node.map, *where);
    const auto full = entry ? static_cast<std::uint64_t>(stored(field, *entry).number) : 0;
    if (full > now + node.tolerance)
        return true;
    Bytes next(unit_.maps[node.map].value.size);
    store(field, {.number = std::max(full, now) + node.interval}, next);
    maps_->update(node.map, *where, next);
    return false;
}

} // namespace xdpf::explain
