#include "compiler/lower/alternatives.hpp"

#include <algorithm>
#include <optional>

namespace xdpf::lowering {
namespace {

constexpr std::size_t most_alternatives = 16; // of one rule

using Intervals = std::vector<sema::Interval>;

// The fields that the test is about, the first one that the packet has: one, or those of a union, all of one type.
std::vector<const sema::FieldValue *> fields_of(const sema::Unit &unit, const sema::InSet &set)
{
    const sema::Expr &value = unit.exprs[set.value];
    if (const auto *field = std::get_if<sema::FieldValue>(&value.node))
        return {field};
    std::vector<const sema::FieldValue *> all;
    if (const auto *either = std::get_if<sema::Either>(&value.node))
        for (const sema::ExprId one : either->alternatives) {
            const auto *field = std::get_if<sema::FieldValue>(&unit.exprs[one].node);
            if (field == nullptr || unit.exprs[one].type != value.type)
                return {};
            all.push_back(field);
        }
    return all;
}

Intervals complement(const Intervals &intervals, sema::u128 largest)
{
    Intervals out;
    sema::u128 next = 0;
    for (const auto &[first, last] : intervals) {
        if (first > next)
            out.push_back({next, first - 1});
        if (last >= largest)
            return out;
        next = last + 1;
    }
    out.push_back({next, largest});
    return out;
}

Intervals intervals_of(const sema::Field &field, const sema::InSet &set, bool negated)
{
    return negated ? complement(set.intervals, sema::u128(-1) >> (128 - field.bits)) : set.intervals;
}

struct Counter {
    const sema::Unit &unit;
    const Facts &facts;

    std::optional<std::size_t> count(sema::PredId id, bool negated) const
    {
        const auto &node = unit.preds[id].node;
        if (const auto *both = std::get_if<sema::And>(&node))
            return count_two(both->left, both->right, negated, !negated);
        if (const auto *either = std::get_if<sema::Or>(&node))
            return count_two(either->left, either->right, negated, negated);
        if (const auto *inner = std::get_if<sema::Not>(&node))
            return count(inner->operand, !negated);
        if (const auto *has = std::get_if<sema::Present>(&node))
            return facts.is_item(has->header.header) ? std::nullopt : std::optional<std::size_t>(1);
        if (const auto *set = std::get_if<sema::InSet>(&node))
            return count_set(*set, negated);
        return std::nullopt;
    }

    std::optional<std::size_t> count_two(sema::PredId one, sema::PredId other, bool negated, bool each_with_each) const
    {
        const auto left = count(one, negated);
        const auto right = left ? count(other, negated) : std::nullopt;
        if (!right)
            return std::nullopt;
        const auto all = each_with_each ? *left * *right : *left + *right;
        return all <= most_alternatives ? std::optional(all) : std::nullopt;
    }

    std::optional<std::size_t> count_set(const sema::InSet &set, bool negated) const
    {
        const auto fields = fields_of(unit, set);
        std::size_t all = negated ? 1 : 0;
        for (const auto *of : fields) {
            const sema::Field &field = unit.headers[of->header.header].fields[of->field];
            if (field.floating() || facts.is_item(of->header.header))
                return std::nullopt;
            all += intervals_of(field, set, negated).empty() ? 0 : 1;
        }
        return fields.empty() ? std::nullopt : std::optional(all);
    }
};

class Expander {
public:
    Expander(const sema::Unit &unit, Facts &facts) : unit_(unit), facts_(facts) {}

    // Each of the list with each alternative of the predicate.
    std::vector<RunRule> expand(sema::PredId id, bool negated, std::vector<RunRule> list)
    {
        const auto &node = unit_.preds[id].node;
        if (const auto *both = std::get_if<sema::And>(&node))
            return expand_two(both->left, both->right, negated, !negated, std::move(list));
        if (const auto *either = std::get_if<sema::Or>(&node))
            return expand_two(either->left, either->right, negated, negated, std::move(list));
        if (const auto *inner = std::get_if<sema::Not>(&node))
            return expand(inner->operand, !negated, std::move(list));
        if (const auto *has = std::get_if<sema::Present>(&node)) {
            for (RunRule &rule : list)
                add(negated ? rule.absents : rule.presents, facts_.present(has->header));
            return list;
        }
        return expand_set(id, std::get<sema::InSet>(node), negated, list);
    }

private:
    std::vector<RunRule> expand_two(sema::PredId left, sema::PredId right, bool negated, bool each_with_each,
                                    std::vector<RunRule> list)
    {
        if (each_with_each)
            return expand(right, negated, expand(left, negated, std::move(list)));
        auto first = expand(left, negated, list);
        std::ranges::move(expand(right, negated, std::move(list)), std::back_inserter(first));
        return first;
    }

    std::vector<RunRule> expand_set(sema::PredId id, const sema::InSet &set, bool negated,
                                    const std::vector<RunRule> &list)
    {
        std::vector<RunRule> out;
        std::vector<FactId> before; // headers of alternatives that would be taken first
        for (const sema::FieldValue *of : fields_of(unit_, set)) {
            const sema::Field &field = unit_.headers[of->header.header].fields[of->field];
            const auto intervals = intervals_of(field, set, negated);
            const auto present = facts_.present(of->header);
            for (const RunRule &one : list) {
                if (intervals.empty())
                    break;
                RunRule &rule = out.emplace_back(one);
                add(rule.presents, present);
                for (const FactId other : before)
                    add(rule.absents, other);
                rule.tests.push_back({id, negated, *of, intervals});
            }
            before.push_back(present);
        }
        if (negated) // true, too, of a packet that has none of the headers
            for (const RunRule &one : list) {
                RunRule &rule = out.emplace_back(one);
                for (const FactId other : before)
                    add(rule.absents, other);
            }
        return out;
    }

    static void add(std::vector<FactId> &list, FactId fact)
    {
        if (std::ranges::find(list, fact) == list.end())
            list.push_back(fact);
    }

    const sema::Unit &unit_;
    Facts &facts_;
};

} // namespace

bool has_alternatives(const sema::Unit &unit, const Facts &facts, sema::PredId id)
{
    return Counter{unit, facts}.count(id, false).has_value();
}

std::vector<RunRule> alternatives_of(const sema::Unit &unit, Facts &facts, sema::PredId id)
{
    auto list = Expander(unit, facts).expand(id, false, std::vector<RunRule>(1));
    std::erase_if(list, [](const RunRule &rule) {
        return std::ranges::any_of(
            rule.absents, [&](FactId fact) { return std::ranges::find(rule.presents, fact) != rule.presents.end(); });
    });
    return list;
}

} // namespace xdpf::lowering
