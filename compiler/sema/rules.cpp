#include "compiler/sema/analyzer.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <cassert>

namespace xdpf::sema {
namespace {

constexpr std::size_t longest_program_name = 15;

std::optional<std::uint32_t> verdict_of(const ast::Action &action)
{
    const auto *verdict = std::get_if<ast::Verdict>(&action.node);
    if (verdict == nullptr)
        return std::nullopt;
    switch (verdict->kind) {
    case ast::Verdict::Kind::pass: return XDP_PASS;
    case ast::Verdict::Kind::drop: return XDP_DROP;
    case ast::Verdict::Kind::abort: return XDP_ABORTED;
    case ast::Verdict::Kind::tx: return XDP_TX;
    case ast::Verdict::Kind::next: return std::nullopt;
    }
    return std::nullopt;
}

// `continue`, alone or in a block.
bool goes_on(const ast::File &file, ast::ActionId id)
{
    const ast::Action &action = file.actions[id];
    if (const auto *block = std::get_if<ast::Block>(&action.node))
        return std::ranges::any_of(block->actions, [&](ast::ActionId inner) { return goes_on(file, inner); });
    const auto *verdict = std::get_if<ast::Verdict>(&action.node);
    return verdict != nullptr && verdict->kind == ast::Verdict::Kind::next;
}

// A file's name made into what the kernel takes: udp-to-xsk becomes udp_to_xsk.
std::string program_name(std::string name)
{
    if (name.starts_with('<')) // <command line>, <standard input>
        return "filter";
    for (char &c : name)
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9'))
            c = '_';
    if (name.empty() || (name[0] >= '0' && name[0] <= '9'))
        name = fmt::format("_{}", name);
    return name.substr(0, longest_program_name);
}

} // namespace

void Analyzer::build_programs()
{
    Program implicit{.name = program_name(modules_.name)};
    for (const auto &module : modules_.files) {
        const Scope scope{&module->ast};
        std::vector<ast::RuleId> loose;
        for (const auto &decl : module->ast.decls) {
            if (const auto *rule = std::get_if<ast::RuleId>(&decl.node))
                loose.push_back(*rule);
            const auto *program = std::get_if<ast::Program>(&decl.node);
            if (program == nullptr)
                continue;
            const auto same = std::ranges::find(unit_.programs, program->name.text, &Program::name);
            if (same != unit_.programs.end())
                diagnostics_.report(Kind::redefined, program->name.span, program->name.text)
                    .note(same->span, "first here");
            if (program->name.text.size() > longest_program_name)
                diagnostics_.report(Kind::bad_name, program->name.span, program->name.text,
                                    fmt::format("the kernel takes {} characters, this has {}", longest_program_name,
                                                program->name.text.size()));
            set_attributes(*program, module->ast);
            unit_.programs.push_back({program->name.text, program->name.span, rules(program->rules, scope)});
        }
        if (loose.empty())
            continue;
        if (!implicit.span.valid())
            implicit.span = module->ast.rules[loose.front()].head;
        auto more = rules(loose, scope);
        std::ranges::move(more, std::back_inserter(implicit.rules));
    }
    if (implicit.span.valid()) {
        const auto same = std::ranges::find(unit_.programs, implicit.name, &Program::name);
        if (same != unit_.programs.end())
            diagnostics_.report(Kind::redefined, same->span, same->name)
                .note(implicit.span, "rules outside a program form one named after the file")
                .suggest("move these rules into a defprogram of their own");
        unit_.programs.insert(unit_.programs.begin(), std::move(implicit));
    }
}

void Analyzer::set_attributes(const ast::Program &decl, const ast::File &file)
{
    for (const auto &attribute : decl.attributes) {
        if (attribute.name.text != "license") {
            diagnostics_.report(Kind::unknown_attribute, attribute.name.span, attribute.name.text)
                .suggest(did_you_mean(attribute.name.text, {"license"}));
            continue;
        }
        const auto *text = attribute.value ? std::get_if<ast::String>(&file.exprs[*attribute.value].node) : nullptr;
        if (text == nullptr || text->value.empty() || text->value.find('\0') != std::string::npos)
            diagnostics_.report(Kind::bad_attribute, attribute.name.span, attribute.name.text, "it takes a string")
                .suggest("license = \"GPL\"");
        else
            unit_.license = text->value;
    }
}

std::vector<Rule> Analyzer::rules(const std::vector<ast::RuleId> &ids, const Scope &scope)
{
    std::vector<Rule> out;
    std::optional<Span> decided;
    for (const auto id : ids) {
        const ast::Rule &ast = scope.file->rules[id];
        if (decided)
            diagnostics_.report(Kind::unreachable_rule, ast.head)
                .note(*decided, "this decides every packet that gets here");
        auto one = rule(id, scope);
        if (!one) {
            assert(diagnostics_.has_errors() || !scope.file->damaged.empty());
            continue;
        }
        const auto *action = std::get_if<Action>(&one->body);
        if (!decided && !one->predicate && action != nullptr && action->decision)
            decided = ast.head;
        out.push_back(std::move(*one));
    }
    return out;
}

std::optional<Rule> Analyzer::rule(ast::RuleId id, const Scope &scope)
{
    const ast::Rule &ast = scope.file->rules[id];
    Rule out{.head = ast.head};
    bool good = true;
    if (ast.predicate) {
        out.predicate = predicate(*ast.predicate, scope);
        good = out.predicate.has_value();
    }
    if (const auto *nested = std::get_if<std::vector<ast::RuleId>>(&ast.body)) {
        out.body = rules(*nested, scope);
    } else {
        Action made;
        good = action(std::get<ast::ActionId>(ast.body), scope, made) && good;
        out.body = std::move(made);
    }
    return good ? std::optional(std::move(out)) : std::nullopt;
}

bool Analyzer::action(ast::ActionId id, const Scope &scope, Action &out)
{
    const ast::Action &ast = scope.file->actions[id];
    if (out.decision) {
        diagnostics_.report(Kind::after_verdict, ast.span).note(out.decision->span, "this decides already");
        return false;
    }
    if (const auto *block = std::get_if<ast::Block>(&ast.node)) {
        bool good = true;
        for (std::size_t i = 0; i < block->actions.size(); ++i) {
            if (goes_on(*scope.file, block->actions[i]) && i + 1 != block->actions.size()) {
                diagnostics_.report(Kind::after_verdict, scope.file->actions[block->actions[i + 1]].span)
                    .note(scope.file->actions[block->actions[i]].span, "this goes on to the next rule");
                return false;
            }
            good = action(block->actions[i], scope, out) && good;
        }
        return good;
    }
    if (const auto *counting = std::get_if<ast::Count>(&ast.node))
        return count(*counting, ast.span, scope, out);
    if (const auto *redirecting = std::get_if<ast::Redirect>(&ast.node))
        return redirect(*redirecting, ast.span, scope, out);
    if (const auto verdict = verdict_of(ast))
        out.decision = Decision{.verdict = *verdict, .span = ast.span};
    return true;
}

bool Analyzer::redirect(const ast::Redirect &node, Span span, const Scope &scope, Action &out)
{
    Decision decision{.verdict = XDP_PASS, .span = span};
    if (node.otherwise) {
        const ast::Action &otherwise = scope.file->actions[*node.otherwise];
        const auto verdict = verdict_of(otherwise);
        if (!verdict) {
            diagnostics_.report(Kind::bad_else, otherwise.span)
                .suggest("the kernel takes a plain verdict for an empty slot: xsk else drop");
            return false;
        }
        decision.verdict = *verdict;
    }
    const auto map = node.map ? map_named(*node.map) : std::optional(default_xskmap(span));
    if (!map)
        return false;
    const MapSpec &spec = unit_.maps[*map];
    if (spec.kind != MapKind::xskmap) {
        diagnostics_
            .report(Kind::map_misused, node.map ? node.map->span : span, spec.name,
                    fmt::format("a map of kind {}", name_of(spec.kind)), "an xskmap")
            .note(spec.span, "declared here");
        return false;
    }
    decision.redirect = *map;
    if (node.key) {
        decision.key = number_value(*node.key, scope);
        if (!decision.key)
            return false;
        const auto constant = constant_of(*decision.key);
        if (constant && spec.max_entries != 0 && *constant >= spec.max_entries) {
            diagnostics_
                .report(Kind::bad_map, unit_.exprs[*decision.key].span, spec.name,
                        fmt::format("its slots go from 0 to {}", spec.max_entries - 1))
                .note(spec.span, "declared here");
            return false;
        }
    }
    out.decision = decision;
    return true;
}

bool Analyzer::count(const ast::Count &node, Span span, const Scope &scope, Action &out)
{
    const auto map = map_named(node.map);
    if (!map)
        return false;
    const MapSpec &spec = unit_.maps[*map];
    const bool countable = !has(spec.kind, map_trait::redirect | map_trait::prefix) && !spec.value.fields.empty();
    const bool counter =
        countable &&
        (spec.value.name == "counter" ||
         (spec.value.fields.size() == 1 && spec.value.fields[0].format == FieldFormat::number && spec.value.size >= 4));
    if (!counter) {
        if (!spec.value.fields.empty())
            diagnostics_
                .report(Kind::map_misused, node.map.span, spec.name,
                        fmt::format("a map of kind {}", name_of(spec.kind)), "a map of counters, u64 or u32")
                .note(spec.span, "declared here")
                .suggest(fmt::format("defmap {} : percpu_hash<ipv4.src -> counter>[65_536]", spec.name));
        return false;
    }
    Count step{.map = *map};
    if (node.key.size() > 1) {
        diagnostics_.report(Kind::key_mismatch, span, spec.name, "one value",
                            fmt::format("{} values", node.key.size()));
        return false;
    }
    if (!node.key.empty()) {
        const auto key = value(node.key[0], scope);
        if (!key || !check_key(*key, *map))
            return false;
        step.key.push_back(*key);
    } else if (!has(spec.kind, map_trait::array)) {
        diagnostics_
            .report(Kind::map_misused, node.map.span, spec.name, fmt::format("a map of kind {}", name_of(spec.kind)),
                    "a key")
            .suggest(fmt::format("count {}[ipv4.src]", spec.name));
        return false;
    }
    out.steps.push_back({step, span});
    return true;
}

} // namespace xdpf::sema
