#include "compiler/cut.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace xdpf {
namespace {

// ---- What rules need -------------------------------------------------------------------------------------------

constexpr double in_a_run = 0.1; // of a test that may become a part of a tree or a table

double tests_of(const sema::Unit &unit, sema::PredId id)
{
    const auto &node = unit.preds[id].node;
    if (const auto *both = std::get_if<sema::And>(&node))
        return tests_of(unit, both->left) + tests_of(unit, both->right);
    if (const auto *either = std::get_if<sema::Or>(&node))
        return tests_of(unit, either->left) + tests_of(unit, either->right);
    if (const auto *negated = std::get_if<sema::Not>(&node))
        return tests_of(unit, negated->operand);
    if (const auto *set = std::get_if<sema::InSet>(&node))
        return std::holds_alternative<sema::FieldValue>(unit.exprs[set->value].node)
                   ? in_a_run
                   : static_cast<double>(set->intervals.size());
    return std::holds_alternative<sema::Present>(node) || std::holds_alternative<sema::Truth>(node) ? in_a_run : 1;
}

double needs_of(const sema::Unit &unit, const sema::Action &action)
{
    double out = in_a_run;
    for (const sema::Step &step : action.steps) {
        out += 1;
        const auto *fork = std::get_if<sema::If>(&step.node);
        if (fork == nullptr)
            continue;
        out += tests_of(unit, fork->predicate);
        for (const auto *branch : {&fork->then, &fork->otherwise})
            for (const sema::Action &inner : *branch)
                out += needs_of(unit, inner);
    }
    return out;
}

const std::vector<sema::Rule> *nested_of(const sema::Rule &rule)
{
    return rule.table ? nullptr : std::get_if<std::vector<sema::Rule>>(&rule.body);
}

void guess(const sema::Unit &unit, const std::vector<sema::Rule> &rules, double in_front, std::vector<double> &out)
{
    for (const sema::Rule &rule : rules) {
        double needs = std::exchange(in_front, 0);
        if (rule.predicate)
            needs += tests_of(unit, *rule.predicate);
        if (const auto *nested = nested_of(rule))
            guess(unit, *nested, needs, out);
        else if (const auto *action = std::get_if<sema::Action>(&rule.body))
            out.push_back(needs + needs_of(unit, *action));
        else
            out.push_back(needs + 1);
    }
}

std::size_t leaves_of(const sema::Rule &rule)
{
    const auto *nested = nested_of(rule);
    if (nested == nullptr)
        return 1;
    std::size_t count = 0;
    for (const sema::Rule &inner : *nested)
        count += leaves_of(inner);
    return count;
}

// ---- Cutting ---------------------------------------------------------------------------------------------------

// Fills pieces one after the other. A match around rules that is cut itself has its first rules in the piece that it
// begins in; the others follow in pieces that only packets come to that it matches. What stands behind it begins a
// piece of its own: all packets come there.
class Cutter {
public:
    Cutter(const sema::Program &program, std::span<const double> weights, std::size_t parts, std::size_t first_slot)
        : weights_(weights),
          first_slot_(first_slot), nowhere_{program.span.file, program.span.begin, program.span.begin}
    {
        const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
        target_ = sum / static_cast<double>(std::max<std::size_t>(parts, 2));
        boundary_ = target_;
        pieces_.emplace_back();
    }

    std::vector<RulesPiece> cut(const std::vector<sema::Rule> &rules)
    {
        place(rules);
        pieces_.back().end = leaf_;
        return std::move(pieces_);
    }

private:
    void place(std::span<const sema::Rule> rules)
    {
        for (const sema::Rule &rule : rules) {
            if (ended_)
                open();
            if (is_cut(rule)) {
                divide(rule);
                continue;
            }
            if (!fits(weight_of(rule)) && leaf_ > pieces_.back().begin)
                open();
            take(rule, pieces_.back().rules);
        }
    }

    void divide(const sema::Rule &rule)
    {
        const auto &nested = *nested_of(rule);
        std::vector<sema::Rule> here;
        std::size_t inside = 0;
        while (inside + 1 < nested.size() && !is_cut(nested[inside]) && fits(weight_of(nested[inside])))
            take(nested[inside++], here);
        const std::vector<std::size_t> outer = std::exchange(open_ends_, {});
        go_on_with(pieces_.size(), here);
        sema::Rule &head = pieces_.back().rules.emplace_back();
        head.predicate = rule.predicate;
        head.body.emplace<std::vector<sema::Rule>>(std::move(here));
        head.head = rule.head;
        head.number = rule.number;
        open();
        place(std::span(nested).subspan(inside));
        open_ends_.insert(open_ends_.end(), outer.begin(), outer.end());
        ended_ = true;
    }

    // The next piece is what the open ones go on with.
    void open()
    {
        const std::size_t next = pieces_.size();
        for (const std::size_t end : open_ends_)
            go_on_with(next, pieces_[end].rules);
        open_ends_ = {next};
        ended_ = false;
        pieces_.back().end = leaf_;
        pieces_.emplace_back().begin = leaf_;
        while (boundary_ < weight_ + target_ / 4)
            boundary_ += target_;
    }

    void take(const sema::Rule &rule, std::vector<sema::Rule> &into)
    {
        weight_ += weight_of(rule);
        leaf_ += leaves_of(rule);
        into.push_back(rule);
    }

    // Where it is the next one.
    [[nodiscard]] double weight_of(const sema::Rule &rule) const
    {
        const auto own = weights_.subspan(leaf_, leaves_of(rule));
        return std::accumulate(own.begin(), own.end(), 0.0);
    }
    [[nodiscard]] bool fits(double weight) const { return weight_ + weight / 2 <= boundary_; }
    [[nodiscard]] bool is_cut(const sema::Rule &rule) const
    {
        const double weight = nested_of(rule) != nullptr && leaves_of(rule) > 1 ? weight_of(rule) : 0;
        return weight > target_ / 4 && weight_ + weight > boundary_;
    }

    // At no place that is a rule's.
    void go_on_with(std::size_t piece, std::vector<sema::Rule> &behind) const
    {
        sema::Rule &rule = behind.emplace_back();
        rule.head = nowhere_;
        sema::Decision &decision = rule.body.emplace<sema::Action>().decision.emplace();
        decision.go_to = first_slot_ + piece - 1;
        decision.span = nowhere_;
    }

    std::span<const double> weights_;
    std::size_t first_slot_;
    Span nowhere_;
    double target_ = 0;   // weight of a piece
    double boundary_ = 0; // where the piece that is being filled ends
    double weight_ = 0;   // of all rules that have been placed
    std::size_t leaf_ = 0;
    std::vector<RulesPiece> pieces_;
    std::vector<std::size_t> open_ends_{0}; // pieces that go on with the next
    bool ended_ = false;                    // what comes next needs a piece of its own
};

} // namespace

std::vector<double> guessed_weights(const sema::Unit &unit, const std::vector<sema::Rule> &rules)
{
    std::vector<double> out;
    guess(unit, rules, 0, out);
    return out;
}

std::vector<std::pair<std::size_t, std::size_t>> numbers_of_leaves(const std::vector<sema::Rule> &rules)
{
    std::vector<std::pair<std::size_t, std::size_t>> out;
    for (const sema::Rule &rule : rules) {
        if (const auto *nested = nested_of(rule)) {
            const auto inner = numbers_of_leaves(*nested);
            out.insert(out.end(), inner.begin(), inner.end());
        } else if (const auto *table = std::get_if<std::vector<sema::Rule>>(&rule.body); table && !table->empty()) {
            out.emplace_back(table->front().number, table->back().number);
        } else {
            out.emplace_back(rule.number, rule.number);
        }
    }
    return out;
}

std::vector<RulesPiece> cut_rules(const sema::Program &program, std::span<const double> weights, std::size_t parts,
                                  std::size_t first_slot)
{
    return Cutter(program, weights, parts, first_slot).cut(program.rules);
}

} // namespace xdpf
