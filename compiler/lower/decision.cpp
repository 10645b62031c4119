#include "compiler/lower/decision.hpp"
#include "compiler/lower/alternatives.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <tuple>

namespace xdpf::lowering {
namespace {

constexpr std::size_t many = 8;
constexpr std::size_t shortest_run = 8;  // fewer rules share more with each other as single tests
constexpr std::size_t surely_a_run = 16; // fewer are one if they ask for the same fields again and again
constexpr std::size_t large_set = 24;    // of intervals: a table of them is faster than tests

// Built from the end: each part knows where it goes on before it is made.
class Builder {
public:
    Builder(const sema::Unit &unit, MapId counters, Facts &facts, bool runs)
        : unit_(unit), counters_(counters), facts_(facts), runs_(runs)
    {
    }

    NodeId rules(const std::vector<sema::Rule> &list, NodeId otherwise)
    {
        for (std::size_t end = list.size(); end > 0;) {
            std::size_t begin = end;
            while (runs_ && begin > 0 && is_plain(list[begin - 1]))
                --begin;
            if (is_worth_a_run(std::span(list).subspan(begin, end - begin)))
                otherwise = run(std::span(list).subspan(begin, end - begin), otherwise);
            else
                otherwise = few_rules(std::span(list).first(end), begin == end ? end - 1 : begin, otherwise);
            end = std::min(begin, end - 1);
        }
        return otherwise;
    }

    NodeId add(Node node)
    {
        FactSet needs;
        for (const auto *list : {&node.asked.asks, &node.asked.looks})
            for (const FactId fact : *list)
                needs.insert(fact);
        if (node.kind == Node::Kind::run)
            for (const NodeId target : graph.runs[node.run].targets)
                needs.insert(graph.needs[target.value]);
        for (const NodeId next : {node.yes, node.no})
            if (next.valid())
                needs.insert(graph.needs[next.value]);
        graph.needs.push_back(std::move(needs));
        return graph.nodes.add(std::move(node));
    }

    DecisionGraph graph;

private:
    // From `begin` on. What asks for a large set of numbers is worth a run all the same.
    NodeId few_rules(std::span<const sema::Rule> list, std::size_t begin, NodeId otherwise)
    {
        for (auto end = list.size(); end > begin;) {
            auto first = end;
            while (runs_ && first > begin && is_large_set(list[first - 1]))
                --first;
            if (first < end)
                otherwise = run(list.subspan(first, end - first), otherwise);
            else
                otherwise = rule(list[--first], otherwise);
            end = first;
        }
        return otherwise;
    }

    NodeId rule(const sema::Rule &rule, NodeId otherwise)
    {
        NodeId then;
        if (const auto *action = std::get_if<sema::Action>(&rule.body))
            then = this->action(*action, rule.head, otherwise);
        else
            then = rule.table ? table(rule, otherwise) : rules(std::get<std::vector<sema::Rule>>(rule.body), otherwise);
        return rule.predicate ? test(*rule.predicate, then, otherwise) : then;
    }

    NodeId action(const sema::Action &action, Span head, NodeId otherwise)
    {
        NodeId next = otherwise;
        if (action.decision && in_run_ && action.steps.empty()) {
            next = shared(*action.decision, head);
        } else if (action.decision) {
            Node node{.kind = Node::Kind::decide, .decision = &*action.decision, .span = head};
            if (action.decision->key)
                facts_.asked_by(*action.decision->key, node.asked);
            next = add(std::move(node));
        }
        return steps(action, head, action.steps.size(), next, otherwise);
    }

    // One node for all decisions that say the same.
    NodeId shared(const sema::Decision &decision, Span head)
    {
        Node node{.kind = Node::Kind::decide, .decision = &decision, .span = head};
        if (decision.key || decision.assembly) {
            if (decision.key)
                facts_.asked_by(*decision.key, node.asked);
            return add(std::move(node));
        }
        const auto [at, is_new] = decisions_.try_emplace({decision.verdict, decision.redirect, decision.broadcast,
                                                          decision.except_ingress, decision.go_to.value_or(SIZE_MAX)});
        if (is_new)
            at->second = add(std::move(node));
        return at->second;
    }

    bool is_worth_a_run(std::span<const sema::Rule> list) const
    {
        if (list.size() < shortest_run || list.size() >= surely_a_run)
            return list.size() >= surely_a_run;
        std::set<std::pair<sema::HeaderId, std::size_t>> fields;
        std::size_t tests = 0;
        std::vector<sema::PredId> open;
        for (const sema::Rule &rule : list)
            open.push_back(*rule.predicate);
        while (!open.empty()) {
            const auto &node = unit_.preds[open.back()].node;
            open.pop_back();
            if (const auto *both = std::get_if<sema::And>(&node))
                open.insert(open.end(), {both->left, both->right});
            else if (const auto *either = std::get_if<sema::Or>(&node))
                open.insert(open.end(), {either->left, either->right});
            else if (const auto *negated = std::get_if<sema::Not>(&node))
                open.push_back(negated->operand);
            else if (const auto *set = std::get_if<sema::InSet>(&node))
                if (const auto *field = std::get_if<sema::FieldValue>(&unit_.exprs[set->value].node)) {
                    fields.emplace(field->header.header, field->field);
                    ++tests;
                }
        }
        return tests >= 2 * fields.size();
    }

    // Of numbers of one field that can stand in a table of intervals.
    bool is_large_set(const sema::Rule &rule) const
    {
        if (!rule.predicate)
            return false;
        const auto *node = &unit_.preds[*rule.predicate].node;
        if (const auto *negated = std::get_if<sema::Not>(node))
            node = &unit_.preds[negated->operand].node;
        const auto *set = std::get_if<sema::InSet>(node);
        const auto *value = set != nullptr ? std::get_if<sema::FieldValue>(&unit_.exprs[set->value].node) : nullptr;
        return value != nullptr && set->intervals.size() >= large_set &&
               unit_.headers[value->header.header].fields[value->field].bits <= widest_interval && is_plain(rule);
    }

    // A predicate that a run can hold, and an action that decides.
    bool is_plain(const sema::Rule &rule) const
    {
        const auto *action = std::get_if<sema::Action>(&rule.body);
        return action != nullptr && action->decision && rule.predicate &&
               has_alternatives(unit_, facts_, *rule.predicate) &&
               std::ranges::none_of(action->steps,
                                    [](const sema::Step &step) { return std::holds_alternative<sema::If>(step.node); });
    }
    // Rules out of a file.
    NodeId table(const sema::Rule &rule, NodeId otherwise)
    {
        const auto &list = std::get<std::vector<sema::Rule>>(rule.body);
        if (!runs_ || list.empty() || !std::ranges::all_of(list, [&](const sema::Rule &one) { return is_plain(one); }))
            return rules(list, otherwise);
        return run(list, otherwise, &*rule.table);
    }

    // The entry of the rule counters, where counting there is all that is done before the decision.
    std::optional<std::uint32_t> counted_only(const sema::Action &action) const
    {
        if (action.steps.size() != 1)
            return std::nullopt;
        const auto *count = std::get_if<sema::Count>(&action.steps[0].node);
        if (count == nullptr || !counters_.valid() || count->map != counters_)
            return std::nullopt;
        return static_cast<std::uint32_t>(std::get<sema::Constant>(unit_.exprs[count->key.at(0)].node).value);
    }

    NodeId run(std::span<const sema::Rule> list, NodeId otherwise, const sema::RuleTable *from = nullptr)
    {
        Node node{.kind = Node::Kind::run, .no = otherwise, .run = graph.runs.size(), .span = list.front().head};
        Run made;
        made.table = from;
        FactSet looked_at;
        FactSet targets;
        const auto look_at = [&](FactId fact) {
            if (looked_at.contains(fact))
                return;
            looked_at.insert(fact);
            node.asked.looks.push_back(fact);
        };
        if (from != nullptr) // in one order, whatever the rules are
            for (const sema::HeaderRef header : from->headers)
                look_at(facts_.present(header));
        for (const sema::Rule &rule : list) {
            const auto &does = std::get<sema::Action>(rule.body);
            const auto counted = counted_only(does);
            in_run_ = true;
            const NodeId target = counted ? shared(*does.decision, rule.head) : action(does, rule.head, otherwise);
            in_run_ = false;
            if (const FactId as_fact(target.value); !targets.contains(as_fact)) {
                targets.insert(as_fact);
                made.targets.push_back(target);
            }
            for (RunRule &one : alternatives_of(unit_, facts_, *rule.predicate)) {
                one.target = target;
                one.counted = counted;
                one.head = rule.head;
                std::ranges::for_each(one.presents, look_at);
                std::ranges::for_each(one.absents, look_at);
                made.rules.push_back(std::move(one));
            }
        }
        if (from != nullptr) {
            graph.made.push_back({.redirect = from->xskmap, .span = list.front().head});
            made.xsk = shared(graph.made.back(), list.front().head);
            made.targets.push_back(made.xsk);
        }
        graph.runs.push_back(std::move(made));
        return add(std::move(node));
    }

    // The first `count` steps of an action, then `next`. `otherwise` is what follows the whole rule.
    NodeId steps(const sema::Action &action, Span head, std::size_t count, NodeId next, NodeId otherwise)
    {
        while (count-- > 0) {
            const sema::Step &step = action.steps[count];
            if (const auto *fork = std::get_if<sema::If>(&step.node)) {
                const auto yes = branch(fork->then, head, next, otherwise);
                const auto no = branch(fork->otherwise, head, next, otherwise);
                next = test(fork->predicate, yes, no);
                continue;
            }
            Node node{.kind = Node::Kind::step, .yes = next, .step = &step, .span = step.span};
            facts_.asked_by(step, node.asked);
            next = add(std::move(node));
        }
        return next;
    }

    // A branch of an `if`: decides, leaves the rule, or goes on with `next`.
    NodeId branch(const std::vector<sema::Action> &branch, Span head, NodeId next, NodeId otherwise)
    {
        if (branch.empty())
            return next;
        const sema::Action &action = branch.front();
        if (action.decision || action.goes_on)
            return this->action(action, head, otherwise);
        return steps(action, head, action.steps.size(), next, otherwise);
    }

    NodeId test(sema::PredId id, NodeId yes, NodeId no)
    {
        const sema::Pred &pred = unit_.preds[id];
        if (const auto *both = std::get_if<sema::And>(&pred.node))
            return test(both->left, test(both->right, yes, no), no);
        if (const auto *either = std::get_if<sema::Or>(&pred.node))
            return test(either->left, yes, test(either->right, yes, no));
        if (const auto *negated = std::get_if<sema::Not>(&pred.node))
            return test(negated->operand, no, yes);
        if (const auto *truth = std::get_if<sema::Truth>(&pred.node))
            return truth->value ? yes : no;
        Node node{.kind = Node::Kind::test, .test = id, .yes = yes, .no = no, .span = pred.span};
        facts_.asked_by(pred, node.asked);
        return add(std::move(node));
    }

    const sema::Unit &unit_;
    MapId counters_;
    Facts &facts_;
    bool runs_;
    bool in_run_ = false; // equal decisions are one, whichever rule makes them
    std::map<std::tuple<std::uint32_t, MapId, bool, bool, std::size_t>, NodeId> decisions_;
};

} // namespace

DecisionGraph build_decisions(const sema::Unit &unit, const sema::Program &program, Facts &facts, bool runs)
{
    Builder builder(unit, program.counters, facts, runs);
    // A place of no length, which is no rule's: a program without a name of its own has the span of its first rule.
    const Span nowhere{program.span.file, program.span.begin, program.span.begin};
    const NodeId nothing_matched = builder.add({.kind = Node::Kind::decide, .span = nowhere});
    builder.graph.root = builder.rules(program.rules, nothing_matched);
    std::map<FactId, std::size_t> askers;
    for (const Node &node : builder.graph.nodes)
        for (const FactId fact : node.asked.asks)
            if (++askers[fact] == many && facts[fact].kind == Fact::Kind::present && !facts.is_item(facts[fact].header))
                builder.graph.early.push_back(fact);
    return std::move(builder.graph);
}

} // namespace xdpf::lowering
