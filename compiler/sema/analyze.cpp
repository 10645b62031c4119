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
                known->in_use = true;
                const auto before = diagnostics_.errors();
                const auto &expr = module->ast.exprs[constant->value];
                if (std::holds_alternative<ast::String>(expr.node))
                    (void)value(constant->value, {&module->ast});
                else if (!set_value(constant->value, {&module->ast}) && diagnostics_.errors() == before)
                    diagnostics_.report(Kind::not_constant, expr.span);
                known->in_use = false;
            }
}

Unit analyze(const Modules &modules, Sources &sources, Diagnostics &diagnostics)
{
    return Analyzer(modules, sources, diagnostics).run();
}

} // namespace xdpf::sema
