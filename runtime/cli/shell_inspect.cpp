// `:explain` and `:trace`.
#include "compiler/explain.hpp"
#include "compiler/test.hpp"
#include "runtime/cli/shell_arguments.hpp"
#include "runtime/cli/shell_colour.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/cli/trace_command.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

// Rules of what was typed stand where they were typed, and not in the text that they are put together to. The default
// of a session that has none stands nowhere.
void place(const Session &session, RuleText &rule)
{
    const Image &image = session.compilation().image();
    const Span span = image.programs[rule.program].rules[rule.number - 1];
    const auto entered = session.entered(span);
    if (!entered && span.file == FileId(0))
        rule.number = 0;
    if (!entered)
        return;
    rule.file = entered->source;
    rule.line = entered->line;
    rule.text = entered->text;
}

std::string rule_name(const RuleText &rule) { return fmt::format("line {}: {}", rule.line, rule.text); }

std::string why(Explainer &explainer, const std::vector<RuleText> &rules, const Image &image,
                std::span<const std::byte> packet)
{
    const Explanation found = explainer.run(packet, {}, Detail::reasons);
    const bool by_rule = found.rule && rules[*found.rule].number != 0;
    std::string out = fmt::format("{}, {}{}\n", verdict_text(image, found.result), by_rule ? "by " : "",
                                  by_rule ? rule_name(rules[*found.rule]) : "no rule matches");
    for (const RuleTried &tried : found.tried)
        out += fmt::format("  {}\n    {}\n", rule_name(rules[tried.rule]),
                           tried.matched ? "matched, and went on" : tried.reason);
    return out;
}

} // namespace

CommandResult explain(ShellState &state, const std::string &argument)
{
    const Compilation &compilation = state.session.compilation();
    if (argument.empty())
        return {.output = compilation.explain_forms()};
    const auto packets = state.session.packets(argument);
    if (!packets)
        return {.answer = packets.error()};
    if (packets->empty())
        return failed("there is no packet in that");
    Explainer explainer(compilation);
    auto rules = explainer.rules();
    for (RuleText &rule : rules)
        place(state.session, rule);
    CommandResult result;
    for (const auto &packet : *packets)
        result.output += why(explainer, rules, compilation.image(), packet);
    return result;
}

CommandResult trace_capture(ShellState &state, const std::string &argument)
{
    auto words = words_of(argument);
    TraceOptions options;
    options.capture = words[0];
    for (std::size_t i = 1; i < words.size(); ++i)
        if (words[i] == "why")
            options.why = true;
        else if (words[i] == "summary")
            options.summary = true;
        else
            return failed(fmt::format("'{}' is neither 'why' nor 'summary'", words[i]));
    if (options.capture == "-")
        return failed("standard input is where the shell reads from: :trace FILE");
    options.output = state.output;
    options.errors = state.errors;
    options.ended = [&state] { return state.signals.stops(); };
    options.placed = [&state](RuleText &rule) { place(state.session, rule); };
    std::fflush(state.output);
    const auto done = trace(options, state.session.compilation(), 0);
    std::fflush(state.output);
    return done ? CommandResult{} : failed(done.error());
}

} // namespace xdpf::cli
