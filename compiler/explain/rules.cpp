#include "compiler/explain/evaluation.hpp"

#include <linux/bpf.h>

#include <cassert>
#include <utility>

namespace xdpf::explain {
Evaluation::Evaluation(const sema::Unit &unit, const Sources &sources, std::size_t program)
    : unit_(unit), sources_(sources), program_(unit.programs[program])
{
    nodes_ = nodes(program_.rules);
    links_.resize(unit.headers.size());
    found_.resize(unit.headers.size());
    walked_.resize(unit.headers.size());
    for (std::size_t i = 0; i < unit.headers.size(); ++i)
        if (unit.headers[HeaderId(i)].is_link())
            links_[unit.headers[HeaderId(i)].ways[0].parent].push_back(HeaderId(i));
}

std::vector<Evaluation::Node> Evaluation::nodes(const std::vector<sema::Rule> &rules)
{
    std::vector<Node> out;
    for (const sema::Rule &rule : rules) {
        Node node{.rule = &rule, .first = rules_.size()};
        if (const auto *inner = std::get_if<std::vector<sema::Rule>>(&rule.body))
            node.inner = nodes(*inner);
        else
            rules_.push_back({rules_.size() + 1, rule.head});
        node.last = rules_.size();
        out.push_back(std::move(node));
    }
    return out;
}

void Evaluation::begin(const Arrival &arrival, Maps &maps, Detail detail)
{
    ++run_;
    arrival_ = arrival;
    packet_ = arrival.packet;
    maps_ = &maps;
    detail_ = detail;
    has_changed_ = false;
    grown_ = 0;
    goes_on_ = false;
    lets_.assign(program_.lets, std::nullopt);
    kept_.clear();
    asked_.clear();
    outcome_ = {.verdict = XDP_PASS};
}

Outcome Evaluation::run(const Arrival &arrival, Maps &maps, Detail detail)
{
    begin(arrival, maps, detail);
    (void)run(nodes_);
    if (outcome_.certain)
        outcome_.sure = outcome_.tried.size();
    return std::move(outcome_);
}

// From here on another engine may know better.
void Evaluation::doubt()
{
    if (std::exchange(outcome_.certain, false))
        outcome_.sure = outcome_.tried.size();
}

bool Evaluation::run(const std::vector<Node> &nodes)
{
    for (const Node &node : nodes) {
        if (node.rule->predicate && !holds(*node.rule->predicate)) {
            not_matched(node);
            continue;
        }
        const auto *action = std::get_if<sema::Action>(&node.rule->body);
        if (action == nullptr) {
            if (run(node.inner))
                return true;
            continue;
        }
        if (act(*action) && !std::exchange(goes_on_, false)) {
            outcome_.rule = node.first;
            return true;
        }
        if (detail_ == Detail::reasons)
            outcome_.tried.push_back({node.first, true, {}});
    }
    return false;
}

void Evaluation::not_matched(const Node &node)
{
    if (detail_ != Detail::reasons)
        return;
    const std::string why = reason(*node.rule->predicate, false);
    for (std::size_t leaf = node.first; leaf < node.last; ++leaf)
        outcome_.tried.push_back({leaf, false, why});
}

// Steps, then a verdict or `continue`: whether there is one of them.
bool Evaluation::act(const sema::Action &action)
{
    for (const sema::Step &step : action.steps) {
        const bool decided = std::visit(
            [&](const auto &node) {
                if constexpr (requires { this->perform(node); })
                    return perform(node);
                doubt();
                return false;
            },
            step.node);
        if (decided)
            return true;
    }
    if (action.decision)
        decide(*action.decision);
    goes_on_ = action.goes_on.has_value();
    return action.decision || action.goes_on;
}

// __bpf_xdp_redirect_map (include/linux/filter.h): an index is cut to 32 bits; where nothing is in the slot, the
// fallback decides.
void Evaluation::decide(const sema::Decision &decision)
{
    outcome_.verdict = decision.verdict;
    if (decision.go_to || decision.assembly || decision.broadcast)
        doubt();
    if (!decision.redirect.valid() || decision.broadcast)
        return;
    const auto slot = decision.key ? number(*decision.key) : std::optional<std::uint64_t>(arrival_.rx_queue);
    if (!slot || !maps_->is_filled(decision.redirect, static_cast<std::uint32_t>(*slot)))
        return;
    outcome_.verdict = XDP_REDIRECT;
    outcome_.redirect_map = decision.redirect;
    outcome_.redirect_key = static_cast<std::uint32_t>(*slot);
}

bool Evaluation::perform(const sema::If &step)
{
    const auto &branch = holds(step.predicate) ? step.then : step.otherwise;
    return !branch.empty() && act(branch.front());
}

// ---- The public face -----------------------------------------------------------------------------------------------

Evaluator::Evaluator(const sema::Unit &unit, const Sources &sources, std::size_t program)
    : evaluation_(std::make_unique<Evaluation>(unit, sources, program))
{
    assert(program < unit.programs.size());
}
Evaluator::Evaluator(Evaluator &&) noexcept = default;
Evaluator &Evaluator::operator=(Evaluator &&) noexcept = default;
Evaluator::~Evaluator() = default;

const std::vector<RuleInfo> &Evaluator::rules() const { return evaluation_->rules(); }

std::span<const std::byte> Evaluator::packet() const { return evaluation_->packet(); }

Outcome Evaluator::run(const Arrival &arrival, Maps &maps, Detail detail)
{
    return evaluation_->run(arrival, maps, detail);
}

} // namespace xdpf::explain
