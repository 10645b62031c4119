// Rules that never decide, because every packet they match is decided by one before: found where both are conjunctions
// of tests of the packet, each of the earlier one's tests following from one of the later's.
//
// Each rule that can take others' packets is kept under its rarest test. Where a later rule has tests, those that
// follow from them are found by a tree over their intervals, and the rules there are compared with it: of n different
// rules few.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/dependence.hpp"
#include "compiler/sema/shadow_tests.hpp"

#include <algorithm>
#include <array>

namespace xdpf::sema {
namespace {

bool within(const std::vector<ShadowInterval> &inner, const std::vector<ShadowInterval> &outer)
{
    auto at = outer.begin();
    return std::ranges::all_of(inner, [&](const ShadowInterval &one) {
        while (at != outer.end() && at->last < one.last)
            ++at;
        return at != outer.end() && at->first <= one.first;
    });
}

// Tests of one value, by where their intervals begin; a node knows how far those under it reach.
class Reach {
public:
    void add(std::size_t test) { tests_.push_back(test); }

    void build(const std::vector<ShadowTest> &all)
    {
        std::ranges::sort(tests_, {}, [&](std::size_t test) { return all[test].intervals.front().first; });
        for (leaves_ = 1; leaves_ < tests_.size();)
            leaves_ *= 2;
        ends_.assign(2 * leaves_, std::nullopt);
    }

    // From here on the test is found.
    void put(const std::vector<ShadowTest> &all, std::size_t test)
    {
        const auto begin = [&](std::size_t one) { return all[one].intervals.front().first; };
        auto at = std::ranges::lower_bound(tests_, begin(test), {}, begin);
        at = std::find(at, tests_.end(), test);
        const auto end = all[test].intervals.back().last;
        for (auto node = leaves_ + static_cast<std::size_t>(at - tests_.begin()); node > 0; node /= 2)
            ends_[node] = std::max(ends_[node], std::optional(end));
    }

    // Calls visit(test) for those that begin before the interval does and end behind it, until it says true.
    template <class F> bool find(const std::vector<ShadowTest> &all, const ShadowInterval &inner, F visit) const
    {
        const auto begin = [&](std::size_t one) { return all[one].intervals.front().first; };
        const auto past =
            static_cast<std::size_t>(std::ranges::upper_bound(tests_, inner.first, {}, begin) - tests_.begin());
        return past > 0 && find(1, 0, leaves_, past, inner.last, visit);
    }

private:
    template <class F> bool find(std::size_t node, std::size_t low, std::size_t high, std::size_t past,
                                 const ShadowValue &end, F &visit) const
    {
        if (low >= past || !ends_[node] || *ends_[node] < end)
            return false;
        if (high - low == 1)
            return visit(tests_[low]);
        const auto middle = (low + high) / 2;
        return find(2 * node, low, middle, past, end, visit) || find(2 * node + 1, middle, high, past, end, visit);
    }

    std::vector<std::size_t> tests_;
    std::size_t leaves_ = 1;
    std::vector<std::optional<ShadowValue>> ends_;
};

// What rules that go on change of the packet. A rule behind such a one sees another packet than a rule before it.
class Changes {
public:
    explicit Changes(const Unit &unit) : unit_(unit) {}

    void add(const Action &action, std::size_t rule)
    {
        for (const Step &step : action.steps)
            add(step, rule);
    }

    // Whether a rule in between changes what the test reads.
    bool between(const ShadowTest &test, std::size_t number, std::size_t earlier, std::size_t later)
    {
        return std::ranges::any_of(changed_, [&](Changed &one) {
            const auto next = std::ranges::upper_bound(one.rules, earlier);
            if (next == one.rules.end() || *next >= later)
                return false;
            const auto [known, is_new] = one.touched.try_emplace(number, false);
            if (is_new)
                known->second = touches(one, test);
            return known->second;
        });
    }

private:
    struct Changed {
        std::optional<std::pair<HeaderId, std::size_t>> field; // none: where everything lies
        std::vector<std::size_t> rules;                        // that change it, in order
        std::unordered_map<std::size_t, bool> touched = {};    // tests by number
    };

    void add(const Step &step, std::size_t rule)
    {
        if (const auto *set = std::get_if<SetField>(&step.node)) {
            add(*set, rule);
        } else if (const auto *swap = std::get_if<Swap>(&step.node)) {
            add(swap->left, rule);
            add(swap->right, rule);
        } else if (const auto *fork = std::get_if<If>(&step.node)) {
            for (const auto *branch : {&fork->then, &fork->otherwise})
                for (const Action &action : *branch)
                    add(action, rule);
        } else if (std::holds_alternative<Push>(step.node) || std::holds_alternative<Pop>(step.node) ||
                   std::holds_alternative<Encap>(step.node) || std::holds_alternative<Decap>(step.node)) {
            add(std::nullopt, rule);
        }
    }

    void add(const SetField &set, std::size_t rule)
    {
        add(std::pair(set.header.header, set.field), rule);
        for (const auto &sum : set.checksums)
            add(std::pair(sum.header.header, unit_.headers[sum.header.header].checksum->field), rule);
    }

    void add(std::optional<std::pair<HeaderId, std::size_t>> field, std::size_t rule)
    {
        auto found = std::ranges::find(changed_, field, &Changed::field);
        if (found == changed_.end())
            found = changed_.insert(found, {field, {}});
        if (found->rules.empty() || found->rules.back() != rule)
            found->rules.push_back(rule);
    }

    [[nodiscard]] bool touches(const Changed &change, const ShadowTest &test) const
    {
        if (!change.field || std::holds_alternative<Pcap>(unit_.preds[test.pred].node))
            return true;
        const auto &[header, number] = *change.field;
        const Field &field = unit_.headers[header].fields[number];
        if (reads_field(unit_, test.pred, header, field))
            return true;
        const Dependents others = dependents_of(unit_, header, field);
        return std::ranges::any_of(test.headers,
                                   [&](HeaderId one) { return others.headers[one.value] || others.chains[one.value]; });
    }

    const Unit &unit_;
    std::vector<Changed> changed_;
};

class Shadows {
public:
    Shadows(const Unit &unit, Diagnostics &diagnostics) : diagnostics_(diagnostics), tests_(unit), changes_(unit) {}

    void collect(const std::vector<Rule> &rules, const Conjunction &around)
    {
        for (const Rule &rule : rules) {
            Conjunction here = around;
            if (rule.predicate)
                tests_.add(*rule.predicate, here);
            if (const auto *nested = std::get_if<std::vector<Rule>>(&rule.body)) {
                collect(*nested, here);
                continue;
            }
            const auto &action = std::get<Action>(rule.body);
            const bool always = always_decides(action);
            if (!always)
                changes_.add(action, found_.size());
            found_.push_back({std::move(here), rule.head, action.decision.has_value(), always});
        }
    }

    void report()
    {
        prepare();
        for (std::size_t rule = 0; rule < found_.size(); ++rule) {
            const One &one = found_[rule];
            if (one.tests.tests.empty())
                continue;
            if (const auto by = one.decides ? covering(rule) : std::nullopt)
                diagnostics_.report(Kind::shadowed_rule, one.head).note(found_[*by].head, "by this rule");
            if (one.always && one.tests.fixed)
                keep(rule);
        }
    }

private:
    struct One {
        Conjunction tests;
        Span head;
        bool decides; // some packet
        bool always;  // every packet that it matches
    };

    void prepare()
    {
        const auto &all = tests_.all();
        uses_.resize(all.size());
        kept_.resize(all.size());
        by_value_.resize(tests_.values());
        for (const One &one : found_)
            for (const std::size_t test : one.tests.tests)
                ++uses_[test];
        for (std::size_t test = 0; test < all.size(); ++test)
            by_value_[all[test].what].add(test);
        for (Reach &reach : by_value_)
            reach.build(all);
    }

    void keep(std::size_t rule)
    {
        const auto &tests = found_[rule].tests.tests;
        const auto rarest = *std::ranges::min_element(tests, {}, [&](std::size_t test) { return uses_[test]; });
        if (kept_[rarest].empty())
            by_value_[tests_.all()[rarest].what].put(tests_.all(), rarest);
        kept_[rarest].push_back(rule);
    }

    std::optional<std::size_t> covering(std::size_t later)
    {
        std::optional<std::size_t> out;
        for (const auto *list : {&found_[later].tests.tests, &found_[later].tests.implied})
            for (const std::size_t test : *list) {
                const auto &inner = tests_.all()[test].intervals;
                by_value_[tests_.all()[test].what].find(
                    tests_.all(), {inner.front().first, inner.back().last}, [&](std::size_t outer) {
                        const auto &rules = kept_[outer];
                        const auto found = std::ranges::find_if(rules, [&](std::size_t earlier) {
                            return (out && earlier >= *out) || covers(earlier, later);
                        });
                        if (found != rules.end() && (!out || *found < *out))
                            out = *found;
                        return false;
                    });
            }
        return out;
    }

    bool covers(std::size_t earlier, std::size_t later)
    {
        return std::ranges::all_of(found_[earlier].tests.tests, [&](std::size_t test) {
            return follows(test, found_[later].tests) && !changes_.between(tests_.all()[test], test, earlier, later);
        });
    }

    [[nodiscard]] bool follows(std::size_t test, const Conjunction &from) const
    {
        const auto &all = tests_.all();
        return std::ranges::any_of(std::array{&from.tests, &from.implied}, [&](const auto *list) {
            return std::ranges::any_of(*list, [&](std::size_t other) {
                return other == test ||
                       (all[other].what == all[test].what && within(all[other].intervals, all[test].intervals));
            });
        });
    }

    Diagnostics &diagnostics_;
    ShadowTests tests_;
    Changes changes_;
    std::vector<One> found_;
    std::vector<std::size_t> uses_;              // by test: how many rules have it
    std::vector<std::vector<std::size_t>> kept_; // by test: the rules whose rarest it is
    std::vector<Reach> by_value_;                // by ShadowTest::what
};

} // namespace

void Analyzer::warn_of_shadows(const Program &program)
{
    Shadows shadows(unit_, diagnostics_);
    shadows.collect(program.rules, {});
    shadows.report();
}

} // namespace xdpf::sema
