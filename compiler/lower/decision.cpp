#include "compiler/lower/decision.hpp"

#include <map>

namespace xdpf::lowering {
namespace {

constexpr std::size_t many = 8;

// Built from the end: each part knows where it goes on before it is made.
class Builder {
public:
    Builder(const sema::Unit &unit, Facts &facts) : unit_(unit), facts_(facts) {}

    NodeId rules(const std::vector<sema::Rule> &list, NodeId otherwise)
    {
        for (std::size_t i = list.size(); i-- > 0;)
            otherwise = rule(list[i], otherwise);
        return otherwise;
    }

    NodeId add(Node node)
    {
        FactSet needs;
        for (const auto *list : {&node.asked.asks, &node.asked.looks})
            for (const FactId fact : *list)
                needs.insert(fact);
        for (const NodeId next : {node.yes, node.no})
            if (next.valid())
                needs.insert(graph.needs[next.value]);
        graph.needs.push_back(std::move(needs));
        return graph.nodes.add(std::move(node));
    }

    DecisionGraph graph;

private:
    NodeId rule(const sema::Rule &rule, NodeId otherwise)
    {
        NodeId then;
        if (const auto *action = std::get_if<sema::Action>(&rule.body))
            then = this->action(*action, rule.head, otherwise);
        else
            then = rules(std::get<std::vector<sema::Rule>>(rule.body), otherwise);
        return rule.predicate ? test(*rule.predicate, then, otherwise) : then;
    }

    NodeId action(const sema::Action &action, Span head, NodeId otherwise)
    {
        NodeId next = otherwise;
        if (action.decision) {
            Node node{.kind = Node::Kind::decide, .decision = &*action.decision, .span = head};
            if (action.decision->key)
                facts_.asked_by(*action.decision->key, node.asked);
            next = add(std::move(node));
        }
        return steps(action, head, action.steps.size(), next, otherwise);
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
    Facts &facts_;
};

} // namespace

DecisionGraph build_decisions(const sema::Unit &unit, const sema::Program &program, Facts &facts)
{
    Builder builder(unit, facts);
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
