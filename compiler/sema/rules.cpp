#include "compiler/sema/analyzer.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace xdpf::sema {
namespace {

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
    return name.substr(0, longest_kernel_name);
}

} // namespace

void Analyzer::build_programs()
{
    number_programs();
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
            if (program->name.text.size() > longest_kernel_name)
                diagnostics_.report(Kind::bad_name, program->name.span, program->name.text,
                                    fmt::format("the kernel takes {} characters, this has {}", longest_kernel_name,
                                                program->name.text.size()));
            Program made{.name = program->name.text, .span = program->name.span};
            set_place(*program, made);
            set_attributes(*program, module->ast, made);
            place_ = made.place;
            lets_ = 0;
            made.rules = rules(program->rules, scope);
            finish_program(made);
            unit_.programs.push_back(std::move(made));
        }
        if (loose.empty())
            continue;
        if (!implicit.span.valid())
            implicit.span = module->ast.rules[loose.front()].head;
        place_ = ProgramImage::Place::interface;
        lets_ = implicit.lets;
        auto more = rules(loose, scope);
        std::ranges::move(more, std::back_inserter(implicit.rules));
        implicit.lets = lets_;
    }
    if (implicit.span.valid()) {
        const auto same = std::ranges::find(unit_.programs, implicit.name, &Program::name);
        if (same != unit_.programs.end())
            diagnostics_.report(Kind::redefined, same->span, same->name)
                .note(implicit.span, "rules outside a program form one named after the file")
                .suggest("move these rules into a defprogram of their own");
        lets_ = implicit.lets;
        finish_program(implicit);
        unit_.programs.insert(unit_.programs.begin(), std::move(implicit));
    }
    check_license();
}

// defprogram p on devmap { … }
void Analyzer::set_place(const ast::Program &decl, Program &out)
{
    if (!decl.place)
        return;
    if (decl.place->text == "devmap")
        out.place = ProgramImage::Place::devmap;
    else
        out.place = ProgramImage::Place::cpumap; // the grammar knows no other
}

// One for all programs of the object.
void Analyzer::set_license(const std::string &license, Span span)
{
    if (license_span_ && unit_.license != license) {
        diagnostics_.report(Kind::bad_attribute, span, "license", "all programs of an object have one license")
            .note(*license_span_, fmt::format("'{}' here", unit_.license));
        return;
    }
    unit_.license = license;
    license_span_ = span;
}

// The kernel gives what is its own (GPL-compatible licenses, license_is_gpl_compatible of <linux/license.h>) to no
// other program.
void Analyzer::check_license()
{
    static constexpr std::array free{"GPL",          "GPL v2",       "GPL and additional rights",
                                     "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};
    if (!license_span_ || !asks_driver_ || std::ranges::find(free, unit_.license) != free.end())
        return;
    diagnostics_
        .report(Kind::bad_attribute, *license_span_, "license",
                fmt::format("with '{}' the kernel does not let the program ask the driver", unit_.license))
        .note(*asks_driver_, fmt::format("'{}' is asked of it", sources_.text(*asks_driver_)))
        .suggest(fmt::format("a license that goes with it: {}", fmt::join(free, ", ")));
}

void Analyzer::set_attributes(const ast::Program &decl, const ast::File &file, Program &out)
{
    for (const auto &attribute : decl.attributes) {
        const auto &name = attribute.name.text;
        const auto bad = [&](std::string_view why, std::string_view example) {
            diagnostics_.report(Kind::bad_attribute, attribute.name.span, name, why).suggest(std::string(example));
        };
        if (name == "license") {
            const auto *text = attribute.value ? std::get_if<ast::String>(&file.exprs[*attribute.value].node) : nullptr;
            if (text == nullptr || text->value.empty() || text->value.find('\0') != std::string::npos)
                bad("it takes a string", "license = \"GPL\"");
            else
                set_license(text->value, attribute.name.span);
        } else if (name == "frags") {
            out.frags = !attribute.value;
            if (attribute.value)
                bad("it takes no value", "(frags)");
        } else if (name == "priority") {
            const auto number = attribute.value ? constant(*attribute.value, {&file}) : std::nullopt;
            if (!number || *number > INT32_MAX)
                bad("it takes a number", "priority = 50");
            else
                out.priority = static_cast<std::uint32_t>(*number);
        } else if (name == "chain") {
            set_chain(attribute, file, out);
        } else {
            diagnostics_.report(Kind::unknown_attribute, attribute.name.span, name)
                .suggest_near(name, {"license", "frags", "priority", "chain"});
        }
    }
}

// chain = {pass, drop}: after which verdicts libxdp's dispatcher goes on to the next program
void Analyzer::set_chain(const ast::Attribute &attribute, const ast::File &file, Program &out)
{
    static constexpr std::array<std::pair<std::string_view, std::uint32_t>, 5> verdicts{{{"aborted", XDP_ABORTED},
                                                                                         {"dropped", XDP_DROP},
                                                                                         {"passed", XDP_PASS},
                                                                                         {"sent", XDP_TX},
                                                                                         {"redirected", XDP_REDIRECT}}};
    const auto *set = attribute.value ? std::get_if<ast::Set>(&file.exprs[*attribute.value].node) : nullptr;
    std::uint32_t chain = 0;
    bool good = set != nullptr;
    if (set != nullptr)
        for (const auto &element : set->elements) {
            const auto *name = std::get_if<ast::Identifier>(&file.exprs[element.value].node);
            const auto found = name == nullptr ? verdicts.end()
                                               : std::ranges::find(verdicts, name->text,
                                                                   &std::pair<std::string_view, std::uint32_t>::first);
            good = good && found != verdicts.end();
            if (found != verdicts.end())
                chain |= 1U << found->second;
        }
    if (!good)
        diagnostics_.report(Kind::bad_attribute, attribute.name.span, "chain", "it takes what has become of packets")
            .suggest("chain = {passed, dropped}; also aborted, sent, redirected");
    else
        out.chain = chain;
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
        if (!decided && !one->predicate && action != nullptr && always_decides(*action))
            decided = ast.head;
        out.push_back(std::move(*one));
    }
    return out;
}

std::optional<Rule> Analyzer::rule(ast::RuleId id, const Scope &scope)
{
    const ast::Rule &ast = scope.file->rules[id];
    if (ast.from)
        return rules_from(ast, *scope.file);
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
    if (out.goes_on) {
        diagnostics_.report(Kind::after_verdict, ast.span).note(*out.goes_on, "this goes on to the next rule");
        return false;
    }
    if (const auto *list = std::get_if<ast::Block>(&ast.node))
        return block(*list, scope, out);
    if (const auto *redirecting = std::get_if<ast::Redirect>(&ast.node))
        return redirect(*redirecting, ast.span, scope, out);
    if (const auto *redirecting = std::get_if<ast::RedirectTo>(&ast.node))
        return redirect_to(*redirecting, ast.span, scope, out);
    if (const auto *jump = std::get_if<ast::Goto>(&ast.node))
        return go_to(*jump, ast.span, out);
    if (const auto *raw = std::get_if<ast::Asm>(&ast.node))
        return assembly(*raw, ast.span, out);
    if (const auto *use = std::get_if<ast::Use>(&ast.node))
        return use_action(*use, ast.span, scope, out);
    if (!std::holds_alternative<ast::Verdict>(ast.node))
        return step(ast, scope, out);
    const auto verdict = verdict_of(ast);
    if (!verdict)
        out.goes_on = ast.span;
    else if (!may_give(*verdict, ast.span))
        return false;
    else
        out.decision = Decision{.verdict = *verdict, .span = ast.span};
    return true;
}

// dev_map_bpf_prog_run (kernel/bpf/devmap.c) and cpu_map_bpf_prog_run_xdp (kernel/bpf/cpumap.c) drop what is to be
// sent.
bool Analyzer::may_give(std::uint32_t verdict, Span span)
{
    if (verdict != XDP_TX || place_ == ProgramImage::Place::interface)
        return true;
    diagnostics_.report(Kind::not_here, span, "tx",
                        "a program at a map's entry sends nothing back; the kernel drops it");
    return false;
}

// What `let` names is seen by what follows in the same block.
bool Analyzer::block(const ast::Block &block, const Scope &scope, Action &out)
{
    Scope inside = scope;
    bool good = true;
    for (const ast::ActionId id : block.actions) {
        const auto known = let_scopes_.size();
        good = action(id, inside, out) && good;
        const bool names = std::holds_alternative<ast::Let>(scope.file->actions[id].node);
        if (names && let_scopes_.size() > known) {
            let_scopes_.back().outer = inside.lets;
            inside.lets = &let_scopes_.back();
        }
    }
    return good;
}

std::optional<std::uint32_t> Analyzer::fallback(const std::optional<ast::ActionId> &otherwise, const Scope &scope)
{
    if (!otherwise)
        return XDP_PASS;
    const ast::Action &action = scope.file->actions[*otherwise];
    const auto verdict = verdict_of(action);
    if (!verdict)
        diagnostics_.report(Kind::bad_else, action.span)
            .suggest("the kernel takes a plain verdict for an empty slot: xsk else drop");
    return verdict && may_give(*verdict, action.span) ? verdict : std::nullopt;
}

bool Analyzer::redirect(const ast::Redirect &node, Span span, const Scope &scope, Action &out)
{
    const auto verdict = fallback(node.otherwise, scope);
    const auto map = node.map ? map_named(*node.map) : std::optional(default_xskmap(span));
    if (!verdict || !map)
        return false;
    const MapSpec &spec = unit_.maps[*map];
    if (spec.kind != MapKind::xskmap) {
        auto &report = diagnostics_
                           .report(Kind::map_misused, node.map ? node.map->span : span, spec.name,
                                   fmt::format("a map of kind {}", name_of(spec.kind)), "an xskmap")
                           .note(spec.span, "declared here");
        if (has(spec.kind, map_trait::redirect))
            report.suggest(fmt::format("redirect {}[…]", spec.name));
        return false;
    }
    if (place_ != ProgramImage::Place::interface) {
        diagnostics_.report(Kind::not_here, span, "xsk", "a program at a map's entry cannot reach sockets");
        return false;
    }
    Decision decision{.verdict = *verdict, .redirect = *map, .span = span};
    if (node.key) {
        decision.key = number_value(*node.key, scope);
        if (!decision.key || !redirect_key(*decision.key, *map))
            return false;
    }
    out.decision = decision;
    return true;
}

// A constant slot has to exist; those of a hash are any numbers.
bool Analyzer::redirect_key(ExprId key, MapId map)
{
    return unit_.maps[map].kind == MapKind::devmap_hash || exists(key, map);
}

// redirect ports[2] else drop, redirect ports[*], redirect ports[* except iface]
bool Analyzer::redirect_to(const ast::RedirectTo &node, Span span, const Scope &scope, Action &out)
{
    const auto verdict = fallback(node.otherwise, scope);
    const auto map = map_named(node.map);
    if (!verdict || !map)
        return false;
    const MapSpec &spec = unit_.maps[*map];
    if (!has(spec.kind, map_trait::redirect)) {
        if (!spec.value.fields.empty() || has(spec.kind, map_trait::ring))
            diagnostics_
                .report(Kind::map_misused, node.map.span, spec.name,
                        fmt::format("a map of kind {}", name_of(spec.kind)), "a devmap, a devmap_hash or a cpumap")
                .note(spec.span, "declared here");
        return false;
    }
    if (spec.kind == MapKind::xskmap) {
        diagnostics_.report(Kind::map_misused, node.map.span, spec.name, "an xskmap", "a devmap or a cpumap")
            .suggest(fmt::format("xsk {}", spec.name));
        return false;
    }
    if (place_ == ProgramImage::Place::devmap ||
        (place_ == ProgramImage::Place::cpumap && spec.kind == MapKind::cpumap)) {
        diagnostics_.report(Kind::not_here, span, "redirect", "the packet has been redirected already");
        return false;
    }
    Decision decision{.verdict = *verdict, .redirect = *map, .span = span};
    if (!node.key) {
        if (!has(spec.kind, map_trait::broadcast)) {
            diagnostics_.report(Kind::map_misused, node.map.span, spec.name,
                                fmt::format("a map of kind {}", name_of(spec.kind)), "a devmap, to send to all of it");
            return false;
        }
        decision.broadcast = true;
        decision.except_ingress = node.except_ingress;
    } else {
        decision.key = number_value(*node.key, scope);
        if (!decision.key || !redirect_key(*decision.key, *map))
            return false;
    }
    out.decision = decision;
    return true;
}

// By tail call, through a map of all programs.
bool Analyzer::go_to(const ast::Goto &node, Span span, Action &out)
{
    const auto found = program_numbers_.find(node.program.text);
    if (found == program_numbers_.end()) {
        std::vector<std::string> names;
        for (const auto &[name, number] : program_numbers_)
            names.push_back(name);
        diagnostics_.report(Kind::unknown_program, node.program.span, node.program.text)
            .suggest_near(node.program.text, names);
        return false;
    }
    if (!unit_.program_table.valid()) {
        MapSpec spec{.name = free_map_name(unit_.maps, "programs"), .kind = MapKind::prog_array, .span = span};
        spec.key = spec.value = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
        spec.max_entries = static_cast<std::uint32_t>(program_numbers_.size());
        unit_.program_table = unit_.maps.add(std::move(spec));
    }
    out.decision = Decision{.go_to = found->second, .span = span};
    return true;
}

bool Analyzer::assembly(const ast::Asm &node, Span span, Action &out)
{
    std::vector<std::pair<std::string, MapId>> maps;
    for (std::size_t i = 0; i < unit_.maps.size(); ++i)
        maps.emplace_back(unit_.maps[MapId(i)].name, MapId(i));
    unit_.assembly.push_back({.text = node.text, .text_span = node.text_span, .place = place_, .span = span});
    out.decision = Decision{.assembly = unit_.assembly.size() - 1, .span = span};
    return true;
}

// Rules with an action are numbered from 1, in source order within their program.
void Analyzer::number_rules(std::vector<Rule> &rules, std::size_t &next) const
{
    for (Rule &rule : rules) {
        if (auto *nested = std::get_if<std::vector<Rule>>(&rule.body))
            number_rules(*nested, next);
        else
            rule.number = next++;
    }
}

namespace {

void put_counts(std::vector<Rule> &rules, MapId counters, IdVector<ExprId, Expr> &exprs)
{
    for (Rule &rule : rules) {
        if (auto *nested = std::get_if<std::vector<Rule>>(&rule.body)) {
            put_counts(*nested, counters, exprs);
            continue;
        }
        const auto index = exprs.add(Expr{ValueType::number, 32, Constant{rule.number - 1}, rule.head});
        auto &steps = std::get<Action>(rule.body).steps;
        steps.insert(steps.begin(), {Count{counters, {index}}, rule.head});
    }
}

} // namespace

void Analyzer::finish_program(Program &program)
{
    std::size_t next = 1;
    number_rules(program.rules, next);
    program.lets = lets_;
    warn_of_shadows(program);
    if (!options_.rule_counters || next == 1)
        return;
    const auto name = free_map_name(unit_.maps, fmt::format("hits_{}", program.name));
    MapSpec spec{.name = name, .kind = MapKind::percpu_array, .span = program.span};
    spec.key = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
    spec.value = {
        "counter", 16, {{"packets", FieldFormat::number, 0, 8, false}, {"bytes", FieldFormat::number, 8, 8, false}}};
    spec.max_entries = static_cast<std::uint32_t>(next - 1);
    program.counters = unit_.maps.add(std::move(spec));
    put_counts(program.rules, program.counters, unit_.exprs);
}

// The programs that `goto` can name, in the order in which build_programs makes them.
void Analyzer::number_programs()
{
    std::vector<std::string> names;
    bool loose = false;
    for (const auto &module : modules_.files)
        for (const auto &decl : module->ast.decls) {
            loose = loose || std::holds_alternative<ast::RuleId>(decl.node);
            if (const auto *program = std::get_if<ast::Program>(&decl.node))
                names.push_back(program->name.text);
        }
    if (loose)
        names.insert(names.begin(), program_name(modules_.name));
    for (std::size_t i = 0; i < names.size(); ++i)
        program_numbers_.try_emplace(names[i], i);
}

} // namespace xdpf::sema
