#include "compiler/explain.hpp"

#include "compiler/explain/evaluator.hpp"
#include "compiler/state.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace xdpf {
namespace {

using SpanKey = std::tuple<FileId, std::uint32_t, std::uint32_t>;

SpanKey key_of(Span span) { return {span.file, span.begin, span.end}; }

// By the head of each rule that is written somewhere: its first line.
std::map<SpanKey, std::string> first_lines(const Compilation::State &state)
{
    std::map<SpanKey, std::string> out;
    for (const auto &module : state.modules.files)
        for (const auto &rule : module->ast.rules) {
            const auto text = state.sources.text(rule.span);
            const auto line = text.substr(0, text.find('\n'));
            out.emplace(key_of(rule.head), line.size() == text.size() ? std::string(line) : fmt::format("{} …", line));
        }
    return out;
}

} // namespace

struct Explainer::State {
    State(const Compilation &from, std::size_t selected)
        : interpreter(from, selected), evaluator(from.state().unit, from.sources(), selected),
          overlay([this](MapId map, std::span<const std::byte> key) { return interpreter.lookup(map, key); },
                  [this](MapId map, std::uint32_t slot) { return interpreter.is_filled(map, slot); })
    {
        const auto &unit = from.state().unit;
        const auto lines = first_lines(from.state());
        for (std::size_t program = 0; program < unit.programs.size(); ++program) {
            if (program == selected)
                first = rules.size();
            const explain::Evaluator of_program(unit, from.sources(), program);
            for (const auto &rule : of_program.rules()) {
                const auto where = from.sources().location(rule.head.file, rule.head.begin);
                by_span.emplace(key_of(rule.head), rules.size());
                const auto written = lines.find(key_of(rule.head));
                rules.push_back(
                    {program, rule.number, std::string(from.sources().name(rule.head.file)), where.line,
                     written != lines.end() ? written->second : std::string(from.sources().text(rule.head))});
            }
        }
    }
    State(const State &) = delete;
    State &operator=(const State &) = delete;

    Interpreter interpreter;
    explain::Evaluator evaluator;
    explain::Overlay overlay; // the evaluation comes first, and leaves the maps as they are
    std::vector<RuleText> rules;
    std::size_t first = 0; // of the program's own rules
    std::map<SpanKey, std::size_t> by_span;
};

Explainer::Explainer(const Compilation &compilation, std::size_t program)
    : state_(std::make_unique<State>(compilation, program))
{
}
Explainer::Explainer(Explainer &&) noexcept = default;
Explainer &Explainer::operator=(Explainer &&) noexcept = default;
Explainer::~Explainer() = default;

const std::vector<RuleText> &Explainer::rules() const { return state_->rules; }

Interpreter &Explainer::interpreter() { return state_->interpreter; }

Explanation Explainer::run(std::span<const std::byte> packet, PacketContext context, Detail detail)
{
    State &state = *state_;
    state.overlay.forget();
    const auto how = detail == Detail::reasons ? explain::Detail::reasons : explain::Detail::outcome;
    auto found =
        state.evaluator.run({packet, context.rx_queue, context.ingress_ifindex, context.now}, state.overlay, how);
    Explanation out{.result = state.interpreter.run(packet, context)};
    const bool agree = found.certain && found.verdict == out.result.verdict &&
                       found.redirect_map == out.result.redirect_map && found.redirect_key == out.result.redirect_key;
    if (!agree) {
        if (const auto rule = state.by_span.find(key_of(out.result.decided_by)); rule != state.by_span.end())
            out.rule = rule->second;
        found.tried.resize(found.certain ? 0 : std::min(found.sure, found.tried.size()));
        if (std::ranges::any_of(found.tried, [&](const auto &one) { return state.first + one.rule == out.rule; }))
            found.tried.clear();
        found.rule.reset();
    }
    if (found.rule)
        out.rule = state.first + *found.rule;
    for (auto &tried : found.tried)
        out.tried.push_back({state.first + tried.rule, tried.matched, std::move(tried.reason)});
    return out;
}

} // namespace xdpf
