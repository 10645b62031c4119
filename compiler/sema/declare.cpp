#include "compiler/sema/analyzer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace xdpf::sema {
namespace {

// Names the language itself gives a meaning to, wherever a value can stand.
constexpr std::array<std::string_view, 15> reserved{"packet",  "rx_queue", "iface",    "payload", "egress_iface",
                                                    "now",     "random",   "cpu",      "rx_hash", "rx_timestamp",
                                                    "rx_vlan", "hash",     "weighted", "one_in",  "exceeds"};

} // namespace

bool Analyzer::is_stdlib(FileId file) const { return sources_.name(file).starts_with(stdlib_prefix); }

bool Analyzer::declare(const ast::Name &name, Symbol symbol)
{
    if (std::ranges::find(reserved, name.text) != reserved.end()) {
        diagnostics_.report(Kind::reserved_name, name.span, name.text);
        return false;
    }
    if (std::holds_alternative<MapId>(symbol.what) && name.text.size() > longest_kernel_name)
        diagnostics_.report(
            Kind::bad_name, name.span, name.text,
            fmt::format("the kernel takes {} characters, this has {}", longest_kernel_name, name.text.size()));
    // host, net and port of the standard library give way to what a program calls so.
    const auto known = symbols_.find(name.text);
    if (known != symbols_.end() && std::holds_alternative<DefSymbol>(known->second.what) &&
        is_stdlib(known->second.span.file) && !is_stdlib(name.span.file))
        symbols_.erase(known);
    const auto [at, added] = symbols_.emplace(name.text, std::move(symbol));
    if (!added)
        diagnostics_.report(Kind::redefined, name.span, name.text).note(at->second.span, "first here");
    return added;
}

// A name that is seen in a part of the file hides none that is seen everywhere.
bool Analyzer::may_be_local(const ast::Name &name)
{
    if (std::ranges::find(reserved, name.text) != reserved.end()) {
        diagnostics_.report(Kind::reserved_name, name.span, name.text);
        return false;
    }
    const Symbol *known = find(name.text);
    if (known == nullptr || (std::holds_alternative<DefSymbol>(known->what) && is_stdlib(known->span.file)))
        return true;
    diagnostics_.report(Kind::redefined, name.span, name.text).note(known->span, "first here");
    return false;
}

void Analyzer::check_parameters(const ast::Def &def)
{
    for (std::size_t i = 0; i < def.parameters.size(); ++i) {
        const ast::Name &name = def.parameters[i];
        const auto end = def.parameters.begin() + static_cast<std::ptrdiff_t>(i);
        const auto first = std::ranges::find(def.parameters.begin(), end, name.text, &ast::Name::text);
        if (first != end)
            diagnostics_.report(Kind::redefined, name.span, name.text).note(first->span, "first here");
        else
            (void)may_be_local(name);
    }
}

void Analyzer::declare_all()
{
    for (const auto &module : modules_.files) {
        for (const auto &name : module->ast.damaged)
            damaged_.insert(name.text);
        for (const auto &decl : module->ast.decls) {
            if (const auto *header = std::get_if<ast::Header>(&decl.node)) {
                if (declare(header->name, {unit_.headers.next(), header->name.span})) {
                    unit_.headers.add({.name = header->name.text, .span = header->name.span});
                    header_sources_.add({&module->ast, header});
                }
            } else if (const auto *map = std::get_if<ast::Map>(&decl.node)) {
                if (declare(map->name, {unit_.maps.next(), map->name.span})) {
                    unit_.maps.add({.name = map->name.text, .span = map->name.span});
                    map_sources_.add({&module->ast, map});
                }
            } else if (const auto *either = std::get_if<ast::Union>(&decl.node)) {
                declare(either->name, {UnionSymbol{&module->ast, either}, either->name.span});
            } else if (const auto *def = std::get_if<ast::Def>(&decl.node)) {
                declare(def->name, {DefSymbol{&module->ast, def}, def->name.span});
            } else if (const auto *param = std::get_if<ast::Param>(&decl.node)) {
                declare(param->name, {ParamSymbol{&module->ast, param}, param->name.span});
            } else if (const auto *constant = std::get_if<ast::Const>(&decl.node)) {
                declare(constant->name, {ConstSymbol{&module->ast, constant}, constant->name.span});
            }
        }
    }
    for (const auto &module : modules_.files)
        for (const auto &decl : module->ast.decls)
            if (const auto *def = std::get_if<ast::Def>(&decl.node); def != nullptr && !is_stdlib(def->name.span.file))
                check_parameters(*def);
}

Symbol *Analyzer::find(std::string_view name)
{
    const auto found = symbols_.find(std::string(name));
    return found == symbols_.end() ? nullptr : &found->second;
}

std::vector<std::string> Analyzer::names() const
{
    std::vector<std::string> out(reserved.begin(), reserved.end());
    for (const auto &[name, symbol] : symbols_)
        if (name.find('.') == std::string::npos)
            out.push_back(name);
    std::ranges::sort(out);
    return out;
}

std::vector<std::string> Analyzer::header_names() const
{
    std::vector<std::string> out;
    for (std::size_t i = 0; i < header_sources_.size(); ++i)
        if (const auto &name = unit_.headers[HeaderId(i)].name; name.find('.') == std::string::npos)
            out.push_back(name);
    std::ranges::sort(out);
    return out;
}

std::vector<std::string> Analyzer::field_names(HeaderId id) const
{
    std::vector<std::string> out;
    for (const auto &field : unit_.headers[id].fields)
        out.push_back(field.name);
    if (unit_.headers[id].chain)
        out.push_back(unit_.headers[id].chain->name);
    return out;
}

} // namespace xdpf::sema
