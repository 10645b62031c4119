#include "compiler/sema/range.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

void narrow(const Unit &unit, PredId id, const FieldValue &field, Range &range)
{
    const auto &node = unit.preds[id].node;
    if (const auto *both = std::get_if<And>(&node)) {
        narrow(unit, both->left, field, range);
        narrow(unit, both->right, field, range);
        return;
    }
    const auto *set = std::get_if<InSet>(&node);
    if (!set || set->intervals.empty())
        return;
    const auto *value = std::get_if<FieldValue>(&unit.exprs[set->value].node);
    if (!value || value->header != field.header || value->field != field.field)
        return;
    range.low = std::max(range.low, static_cast<std::uint64_t>(set->intervals.front().first));
    range.high = std::min(range.high, static_cast<std::uint64_t>(set->intervals.back().last));
}

bool wraps_multiply(std::uint64_t a, std::uint64_t b) { return a != 0 && b > UINT64_MAX / a; }

Range combine(Arithmetic op, Range a, Range b, std::uint32_t bits)
{
    const std::uint64_t most = bits >= 64 ? UINT64_MAX : (std::uint64_t(1) << bits) - 1;
    switch (op) {
    case Arithmetic::add:
        if (a.high > UINT64_MAX - b.high)
            return {};
        return {a.low + b.low, a.high + b.high};
    case Arithmetic::subtract:
        if (a.low < b.high)
            return {};
        return {a.low - b.high, a.high - b.low};
    case Arithmetic::multiply:
        if (wraps_multiply(a.high, b.high))
            return {};
        return {a.low * b.low, a.high * b.high};
    case Arithmetic::shift_left:
        if (b.high > 63 || wraps_multiply(a.high, std::uint64_t(1) << b.high))
            return {};
        return {a.low << b.low, a.high << b.high};
    case Arithmetic::bit_and: return {0, std::min(a.high, b.high)};
    case Arithmetic::divide: return b.low == 0 ? Range{0, a.high} : Range{a.low / b.high, a.high / b.low};
    case Arithmetic::modulo: return {0, a.high};
    case Arithmetic::shift_right: return {0, a.high >> std::min<std::uint64_t>(b.low, 63)};
    default: return {0, most};
    }
}

} // namespace

Range range_of(const Unit &unit, HeaderId self, ExprId id)
{
    const Expr &expr = unit.exprs[id];
    if (const auto *constant = std::get_if<Constant>(&expr.node))
        return {static_cast<std::uint64_t>(constant->value), static_cast<std::uint64_t>(constant->value)};
    Range range{0, expr.bits >= 64 ? UINT64_MAX : (std::uint64_t(1) << expr.bits) - 1};
    if (const auto *field = std::get_if<FieldValue>(&expr.node)) {
        if (field->header.header == self && unit.headers[self].where)
            narrow(unit, *unit.headers[self].where, *field, range);
        return range;
    }
    if (const auto *binary = std::get_if<Binary>(&expr.node))
        return combine(binary->op, range_of(unit, self, binary->left), range_of(unit, self, binary->right), expr.bits);
    return range;
}

} // namespace xdpf::sema
