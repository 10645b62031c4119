#include "compiler/sema/analyze.hpp"

#include "compiler/sema/analyzer.hpp"

namespace xdpf::sema {

Unit Analyzer::run()
{
    unit_.name = modules_.name;
    declare_all();
    build_headers();
    for (std::size_t i = 0; i < map_sources_.size(); ++i)
        build_map(MapId(i), *map_sources_[MapId(i)].file, *map_sources_[MapId(i)].decl);
    build_params();
    for (std::size_t i = 0; i < map_sources_.size(); ++i)
        build_contents(MapId(i), *map_sources_[MapId(i)].file, *map_sources_[MapId(i)].decl);
    check_constants();
    build_programs();
    for (const auto &module : modules_.files)
        for (const auto &decl : module->ast.decls)
            if (const auto *test = std::get_if<ast::Test>(&decl.node))
                build_test(module->ast, *test);
    return std::move(unit_);
}

// A constant that nobody uses is looked at all the same.
void Analyzer::check_constants()
{
    for (const auto &module : modules_.files)
        for (const auto &decl : module->ast.decls)
            if (const auto *constant = std::get_if<ast::Const>(&decl.node)) {
                Symbol *symbol = find(constant->name.text);
                auto *known = symbol != nullptr ? std::get_if<ConstSymbol>(&symbol->what) : nullptr;
                if (known == nullptr || known->decl != constant)
                    continue;
                const auto &expr = module->ast.exprs[constant->value];
                const auto *literal = std::get_if<ast::Literal>(&expr.node);
                const bool rate = literal != nullptr && literal->kind == ast::Literal::Kind::quantity &&
                                  literal->text.ends_with("/s"); // of exceeds(), and no number
                if (known->broken || rate || std::holds_alternative<ast::String>(expr.node))
                    continue;
                known->in_use = true;
                if (may_be_set(expr)) {
                    known->broken = !set_value(constant->value, {&module->ast});
                    known->in_use = false;
                } else {
                    known->in_use = false;
                    (void)constant_value(constant->name.text, *known, constant->name.span);
                }
            }
}

Unit analyze(const Modules &modules, Sources &sources, Diagnostics &diagnostics, const AnalyzeOptions &options)
{
    return Analyzer(modules, sources, diagnostics, options).run();
}

} // namespace xdpf::sema
