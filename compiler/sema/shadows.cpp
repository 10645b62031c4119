// Rules that never decide, because every packet they match is decided by one before: found where both are conjunctions
// of tests of the packet, each of the earlier one's tests following from one of the later's.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

constexpr std::size_t most_rules = 2000; // compared pair by pair

struct Test {
    std::string what; // the value that is tested, or the whole test
    std::vector<Interval> intervals;
    std::optional<HeaderRef> present; // the header that it says is there
};

struct Conjunction {
    std::vector<Test> tests;
    Span head;
    bool decides = false;
    bool fixed = true; // depends on the packet alone
};

class Shadows {
public:
    Shadows(const Unit &unit, Diagnostics &diagnostics) : unit_(unit), diagnostics_(diagnostics) {}

    void collect(const std::vector<Rule> &rules, const Conjunction &around)
    {
        for (const Rule &rule : rules) {
            Conjunction here = around;
            here.head = rule.head;
            if (rule.predicate)
                add(*rule.predicate, here);
            if (const auto *nested = std::get_if<std::vector<Rule>>(&rule.body)) {
                collect(*nested, here);
                continue;
            }
            const auto &action = std::get<Action>(rule.body);
            here.decides = action.decision.has_value();
            for (const Step &step : action.steps)
                changes_ =
                    changes_ || !(std::holds_alternative<Count>(step.node) || std::holds_alternative<Emit>(step.node) ||
                                  std::holds_alternative<Sample>(step.node));
            found_.push_back(std::move(here));
        }
    }

    void report()
    {
        if (changes_ || found_.size() > most_rules)
            return;
        for (std::size_t later = 1; later < found_.size(); ++later) {
            if (!found_[later].decides || found_[later].tests.empty())
                continue;
            for (std::size_t earlier = 0; earlier < later; ++earlier)
                if (covers(found_[earlier], found_[later])) {
                    diagnostics_.report(Kind::shadowed_rule, found_[later].head)
                        .note(found_[earlier].head, "by this rule");
                    break;
                }
        }
    }

private:
    static bool covers(const Conjunction &earlier, const Conjunction &later)
    {
        return earlier.decides && earlier.fixed && !earlier.tests.empty() &&
               std::ranges::all_of(earlier.tests, [&](const Test &test) {
                   return std::ranges::any_of(later.tests, [&](const Test &other) { return follows(test, other); });
               });
    }

    static bool follows(const Test &test, const Test &from)
    {
        if (test.present && test.what.empty())
            return from.present == test.present;
        return test.what == from.what && std::ranges::all_of(from.intervals, [&](const Interval &one) {
                   return std::ranges::any_of(test.intervals, [&](const Interval &whole) {
                       return whole.first <= one.first && one.last <= whole.last;
                   });
               });
    }

    void add(PredId id, Conjunction &out) const
    {
        const auto &node = unit_.preds[id].node;
        if (const auto *both = std::get_if<And>(&node)) {
            add(both->left, out);
            add(both->right, out);
        } else if (const auto *has = std::get_if<Present>(&node)) {
            out.tests.push_back({{}, {}, has->header});
        } else if (const auto *set = std::get_if<InSet>(&node)) {
            const auto &value = unit_.exprs[set->value].node;
            const auto *field = std::get_if<FieldValue>(&value);
            const auto *end = std::get_if<ChainEnd>(&value);
            if (field != nullptr)
                out.tests.push_back(
                    {fmt::format("{}.{}.{}", field->header.header.value, field->header.index, field->field),
                     set->intervals, field->header});
            else if (end != nullptr)
                out.tests.push_back({fmt::format("{}.end", end->base.value), set->intervals, std::nullopt});
            else
                out.fixed = false;
        } else {
            out.fixed = false; // may be more than it says: maps, rates, alternatives
        }
    }

    const Unit &unit_;
    Diagnostics &diagnostics_;
    std::vector<Conjunction> found_;
    bool changes_ = false;
};

} // namespace

void Analyzer::warn_of_shadows(const Program &program)
{
    Shadows shadows(unit_, diagnostics_);
    shadows.collect(program.rules, {});
    shadows.report();
}

} // namespace xdpf::sema
