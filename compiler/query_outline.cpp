// What a file declares, and what it imports.
#include "compiler/query_comments.hpp"
#include "compiler/query_names.hpp"

#include <algorithm>
#include <filesystem>

namespace xdpf::query {
namespace {

constexpr std::size_t longest_name = 100; // bytes

class Outliner {
public:
    explicit Outliner(const Names &names) : file_(*names.main()), sources_(names.sources()) {}

    void add(const ast::Decl &decl, std::vector<Declared> &out) const
    {
        if (const auto *rule = std::get_if<ast::RuleId>(&decl.node)) {
            out.push_back(one(file_.rules[*rule]));
            return;
        }
        if (const auto *test = std::get_if<ast::Test>(&decl.node)) {
            out.push_back({test->name, Role::test, {}, decl.span, test->name_span, {}});
            return;
        }
        if (const auto *import = std::get_if<ast::Import>(&decl.node)) {
            out.push_back({import->path, Role::module, {}, decl.span, import->path_span, {}});
            return;
        }
        const auto &name = *query::name_of(decl);
        Declared made{name.text, role_of(decl), {}, decl.span, name.span, {}};
        if (const auto *header = std::get_if<ast::Header>(&decl.node))
            for (const auto &field : header->fields)
                made.inner.push_back({field.name.text,
                                      Role::field,
                                      field.type ? std::string(sources_.text(field.type->span)) : "",
                                      field.type ? join(field.name.span, field.type->span) : field.name.span,
                                      field.name.span,
                                      {}});
        if (const auto *program = std::get_if<ast::Program>(&decl.node))
            for (const auto id : program->rules)
                made.inner.push_back(one(file_.rules[id]));
        if (const auto *map = std::get_if<ast::Map>(&decl.node))
            made.detail = map->kind.text;
        if (const auto *param = std::get_if<ast::Param>(&decl.node))
            made.detail = sources_.text(param->type.span);
        out.push_back(std::move(made));
    }

private:
    [[nodiscard]] Declared one(const ast::Rule &rule) const
    {
        Declared out{excerpt(sources_.text(rule.head), 1, longest_name), Role::rule, {}, rule.span, rule.head, {}};
        if (const auto *nested = std::get_if<std::vector<ast::RuleId>>(&rule.body))
            for (const auto id : *nested)
                out.inner.push_back(one(file_.rules[id]));
        return out;
    }

    static Role role_of(const ast::Decl &decl)
    {
        if (std::holds_alternative<ast::Header>(decl.node) || std::holds_alternative<ast::Union>(decl.node))
            return Role::header;
        if (std::holds_alternative<ast::Map>(decl.node))
            return Role::map;
        if (std::holds_alternative<ast::Const>(decl.node))
            return Role::constant;
        if (std::holds_alternative<ast::Param>(decl.node))
            return Role::parameter;
        return std::holds_alternative<ast::Program>(decl.node) ? Role::program : Role::definition;
    }

    const ast::File &file_;
    const Sources &sources_;
};

} // namespace

std::vector<Declared> outline(const Compilation &compilation)
{
    const Names names(compilation);
    std::vector<Declared> out;
    if (names.main() != nullptr)
        for (const auto &decl : names.main()->decls)
            Outliner(names).add(decl, out);
    return out;
}

std::vector<Import> imports(const Compilation &compilation)
{
    std::vector<Import> out;
    const Names names(compilation);
    for (const auto &import : names.modules().imports)
        if (names.main() != nullptr && import.path.file == names.main()->file)
            out.push_back({import.path, import.file});
    return out;
}

Span brought_in_by(const Compilation &compilation, FileId file)
{
    const Names names(compilation);
    if (names.main() == nullptr || file == names.main()->file)
        return {};
    const auto &modules = names.modules().files;
    if (std::ranges::any_of(modules, [&](const auto &module) { return module->ast.file == file; })) {
        // What a module imports was read behind it, and in front of what is imported next to it.
        Import best;
        for (const auto &import : imports(compilation))
            if (import.file <= file && (!best.file.valid() || import.file > best.file))
                best = import;
        return best.span;
    }
    const std::filesystem::path folder = std::filesystem::path(names.sources().name(names.main()->file)).parent_path();
    const auto is_it = [&](const std::optional<ast::String> &from) {
        return from && (folder / from->value).lexically_normal() ==
                           std::filesystem::path(names.sources().name(file)).lexically_normal();
    };
    for (const auto &decl : names.main()->decls)
        if (const auto *map = std::get_if<ast::Map>(&decl.node); map != nullptr && is_it(map->from))
            return map->from_span;
    for (const auto &rule : names.main()->rules)
        if (is_it(rule.from))
            return rule.from_span;
    return {};
}

bool is_built_in(const Compilation &compilation, FileId file)
{
    return compilation.sources().name(file).starts_with(sema::stdlib_prefix);
}

} // namespace xdpf::query
