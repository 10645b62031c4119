// `def`: named predicates, expressions, sets and actions, expanded where they are used. A definition sees its
// parameters and what the file declares; what a parameter stands for is looked at in the scope of the use.
#include "compiler/sema/nested.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

constexpr std::size_t most_expansions = 100'000;

} // namespace

// What a name stands for while a definition is expanded, and in which scope that is written. A definition of several
// values, def flow = (ip.src, ip.dst), stands for those wherever they can stand.
std::pair<ast::ExprId, const Scope *> Analyzer::unbound(ast::ExprId id, const Scope &scope) const
{
    const Scope *where = &scope;
    while (where->bindings != nullptr) {
        const auto *name = std::get_if<ast::Identifier>(&(*where)[id].node);
        if (name == nullptr)
            break;
        const auto &parameters = where->bindings->def->parameters;
        const auto found = std::ranges::find(parameters, name->text, &ast::Name::text);
        if (found == parameters.end())
            break;
        id = (*where->bindings->arguments)[static_cast<std::size_t>(found - parameters.begin())].value;
        where = where->bindings->caller;
    }
    const auto *name = std::get_if<ast::Identifier>(&(*where)[id].node);
    const auto symbol = name != nullptr ? symbols_.find(name->text) : symbols_.end();
    const auto *def = symbol != symbols_.end() ? std::get_if<DefSymbol>(&symbol->second.what) : nullptr;
    const auto *body = def != nullptr ? std::get_if<ast::ExprId>(&def->decl->body) : nullptr;
    if (body != nullptr && def->decl->parameters.empty() &&
        std::holds_alternative<ast::Tuple>(def->file->exprs[*body].node))
        return {*body, &def->scope};
    return {id, where};
}

const DefSymbol *Analyzer::def_named(std::string_view name)
{
    const Symbol *symbol = find(name);
    return symbol != nullptr ? std::get_if<DefSymbol>(&symbol->what) : nullptr;
}

// Whether the expression is the use of a definition: its name, alone or with arguments. What `let` names hides one of
// the standard library.
std::optional<Analyzer::DefUse> Analyzer::use_of_def(ast::ExprId id, const Scope &scope)
{
    static const std::vector<ast::Argument> none;
    const ast::Expr &expr = scope[id];
    if (const auto *name = std::get_if<ast::Identifier>(&expr.node); name != nullptr && def_named(name->text)) {
        for (const LetScope *let = scope.lets; let != nullptr; let = let->outer)
            if (let->name == name->text)
                return std::nullopt;
        return DefUse{name->text, expr.span, &none};
    }
    if (const auto *call = std::get_if<ast::Call>(&expr.node); call != nullptr && def_named(call->callee.text))
        return DefUse{call->callee.text, expr.span, &call->arguments};
    return std::nullopt;
}

bool Analyzer::may_expand(const DefSymbol &def, const DefUse &use, const Scope &scope)
{
    const auto wanted = def.decl->parameters.size();
    if (use.arguments->size() != wanted) {
        diagnostics_
            .report(Kind::argument_count, use.span, use.name, counted(wanted, "argument"),
                    std::to_string(use.arguments->size()))
            .note(def.decl->name.span, "defined here");
        return false;
    }
    for (const auto &argument : *use.arguments)
        if (argument.name) {
            diagnostics_.report(Kind::bad_argument, argument.name->span, use.name, "its arguments have no names here");
            return false;
        }
    for (const Bindings *around = scope.bindings; around != nullptr; around = around->caller->bindings)
        if (around->def == def.decl) {
            diagnostics_.report(Kind::def_cycle, use.span, use.name).note(def.decl->name.span, "defined here");
            return false;
        }
    if (++expansions_ > most_expansions) {
        if (expansions_ == most_expansions + 1)
            diagnostics_.report(Kind::def_too_large, use.span, most_expansions);
        return false;
    }
    return true;
}

template <class F> bool Analyzer::expand(const DefSymbol &def, const DefUse &use, const Scope &scope, F body)
{
    const Nested level(*this);
    if (level.too_deep())
        (void)too_deep(use.span);
    if (level.too_deep() || !may_expand(def, use, scope))
        return false;
    const Bindings bindings{def.decl, use.arguments, &scope};
    Scope inside{.file = def.file};
    inside.bindings = &bindings;
    inside.any_index = scope.any_index;
    inside.any_header = scope.any_header;
    const auto before = diagnostics_.all().size();
    body(inside);
    diagnostics_.settle(before, use.span, fmt::format("in this use of '{}'", use.name));
    return true;
}

// Calls body with the values of a tuple, or with the one value that this is. Definitions are expanded around the call.
void Analyzer::with_parts(ast::ExprId written, const Scope &outer, const std::function<void(const Parts &)> &body)
{
    const auto [id, where] = unbound(written, outer);
    if (const auto use = use_of_def(id, *where)) {
        const DefSymbol def = *def_named(use->name);
        if (const auto *inner = std::get_if<ast::ExprId>(&def.decl->body)) {
            expand(def, *use, *where, [&](const Scope &inside) { with_parts(*inner, inside, body); });
            return;
        }
    }
    Parts parts;
    if (const auto *tuple = std::get_if<ast::Tuple>(&(*where)[id].node))
        for (const auto element : tuple->elements)
            parts.emplace_back(element, where);
    else
        parts.emplace_back(id, where);
    body(parts);
}

std::optional<ExprId> Analyzer::def_value(const DefUse &use, const Scope &scope)
{
    const DefSymbol def = *def_named(use.name);
    std::optional<ExprId> out;
    expand(def, use, scope, [&](const Scope &inside) {
        if (const auto *body = std::get_if<ast::ExprId>(&def.decl->body))
            out = value(*body, inside);
        else
            diagnostics_.report(Kind::def_misused, use.span, use.name, "an action", "a value");
    });
    return out;
}

std::optional<PredId> Analyzer::def_predicate(const DefUse &use, const Scope &scope)
{
    const DefSymbol def = *def_named(use.name);
    std::optional<PredId> out;
    expand(def, use, scope, [&](const Scope &inside) {
        if (const auto *body = std::get_if<ast::ExprId>(&def.decl->body))
            out = predicate(*body, inside);
        else
            diagnostics_.report(Kind::def_misused, use.span, use.name, "an action", "a condition");
    });
    return out;
}

std::optional<SetValue> Analyzer::def_set(const DefUse &use, const Scope &scope)
{
    const DefSymbol def = *def_named(use.name);
    std::optional<SetValue> out;
    expand(def, use, scope, [&](const Scope &inside) {
        if (const auto *body = std::get_if<ast::ExprId>(&def.decl->body))
            out = set_value(*body, inside);
        else
            diagnostics_.report(Kind::def_misused, use.span, use.name, "an action", "a set");
    });
    return out;
}

bool Analyzer::use_action(const ast::Use &node, Span span, const Scope &scope, Action &out)
{
    const DefSymbol *symbol = def_named(node.callee.text);
    if (symbol == nullptr) {
        if (damaged(node.callee.text))
            return false;
        std::vector<std::string> actions{"pass", "drop", "abort", "tx", "xsk", "count", "continue", "redirect", "set"};
        for (const auto &[name, one] : symbols_)
            if (std::holds_alternative<DefSymbol>(one.what))
                actions.push_back(name);
        diagnostics_.report(Kind::unknown_action, node.callee.span, node.callee.text)
            .suggest_near(node.callee.text, actions);
        return false;
    }
    return def_action({node.callee.text, span, &node.arguments}, scope, out);
}

// def leave = { count hits[1]; drop }, or def bye = leave
bool Analyzer::def_action(const DefUse &use, const Scope &scope, Action &out)
{
    const DefSymbol def = *def_named(use.name);
    bool good = false;
    expand(def, use, scope, [&](const Scope &inside) {
        if (const auto *body = std::get_if<ast::ActionId>(&def.decl->body))
            good = action(*body, inside, out);
        else if (const auto other = use_of_def(std::get<ast::ExprId>(def.decl->body), inside))
            good = def_action(*other, inside, out);
        else
            diagnostics_.report(Kind::def_misused, use.span, use.name, "a condition or a value", "an action");
    });
    return good;
}

// m[key], or the use of a definition that stands for it: is_entry() says whether it is either.
std::optional<Analyzer::Entry> Analyzer::entry(ast::ExprId written, const Scope &outer)
{
    const auto [id, where] = unbound(written, outer);
    const Scope &scope = *where;
    std::optional<Entry> out;
    if (const auto use = use_of_def(id, scope)) {
        const DefSymbol def = *def_named(use->name);
        expand(def, *use, scope,
               [&](const Scope &inside) { out = entry(std::get<ast::ExprId>(def.decl->body), inside); });
        return out;
    }
    const auto &index = std::get<ast::Index>(scope[id].node);
    const MapId map = std::get<MapId>(find(std::get<ast::Identifier>(scope[index.base].node).text)->what);
    if (broken(map))
        return std::nullopt;
    const MapSpec &spec = unit_.maps[map];
    if (has(spec.kind, map_trait::redirect | map_trait::keyless | map_trait::ring)) {
        diagnostics_
            .report(Kind::map_misused, scope[index.base].span, spec.name,
                    fmt::format("a map of kind {}", name_of(spec.kind)), "a map that holds values under keys")
            .note(spec.span, "declared here");
        return std::nullopt;
    }
    if (auto key = key_of(map, index.indices, scope[id].span, scope))
        out = Entry{map, std::move(*key)};
    return out;
}

} // namespace xdpf::sema
