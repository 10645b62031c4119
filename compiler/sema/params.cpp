// `param`: constants in the program's data, laid out in the value of one map in the order in which they are first used.
#include "compiler/sema/encode.hpp"
#include "compiler/sema/nested.hpp"

#include <algorithm>

namespace xdpf::sema {

std::optional<ExprId> Analyzer::param_value(const std::string &name, Span span)
{
    auto &param = std::get<ParamSymbol>(find(name)->what);
    if (param.broken)
        return std::nullopt;
    if (param.in_use) {
        diagnostics_.report(Kind::bad_param, span, name, "it is made from itself");
        param.broken = true;
        return std::nullopt;
    }
    if (!param.field) {
        const Nested levels(*this, through_a_name);
        param.in_use = true;
        param.broken = !build_param(param) || param.broken;
        param.in_use = false;
    }
    if (param.broken)
        return std::nullopt;
    const auto &field = unit_.maps[unit_.params].value.fields[*param.field];
    return add(Expr{type_of(field), width_of(field), ParamValue{unit_.params, *param.field}, span});
}

bool Analyzer::build_param(ParamSymbol &param)
{
    const ast::Param &decl = *param.decl;
    const auto laid_out = layout(decl.type, *param.file, "");
    if (!laid_out)
        return false;
    if (laid_out->fields.size() != 1 || laid_out->fields[0].size == 0) {
        diagnostics_.report(Kind::bad_param, decl.type.span, decl.name.text, "it is one number or one address");
        return false;
    }
    LayoutField field = laid_out->fields[0];
    field.name = decl.name.text;
    field.offset = 0;
    std::vector<std::byte> bytes(field.size);
    if (!put_constant(field, decl.value, fmt::format("parameter '{}'", decl.name.text), decl.name.span,
                      {.file = param.file}, bytes))
        return false;
    Parameter made{.name = decl.name.text, .span = decl.name.span};
    if (!param_bounds(param, field, made) || !param_width(param, field, made))
        return false;
    if (!unit_.params.valid()) {
        MapSpec spec{.name = "params", .kind = MapKind::array, .max_entries = 1, .span = decl.name.span};
        spec.key = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
        spec.value.name = "params";
        spec.data = true;
        unit_.params = unit_.maps.add(std::move(spec));
    }
    MapSpec &spec = unit_.maps[unit_.params];
    const auto align = field.format == FieldFormat::number ? field.size : 1;
    field.offset = (spec.value.size + align - 1) / align * align;
    spec.value.size = field.offset + field.size;
    spec.initial.resize(spec.value.size);
    std::ranges::copy(bytes, spec.initial.begin() + field.offset);
    param.field = made.field = spec.value.fields.size();
    spec.value.fields.push_back(field);
    unit_.parameters.push_back(std::move(made));
    return true;
}

// param port : u16 = 53 in {53, 1024..65535}
bool Analyzer::param_bounds(const ParamSymbol &param, const LayoutField &field, Parameter &out)
{
    const ast::Param &decl = *param.decl;
    if (!decl.bounds)
        return true;
    if (field.format != FieldFormat::number) {
        diagnostics_.report(Kind::bad_param, decl.type.span, decl.name.text, "only numbers have bounds");
        return false;
    }
    const Scope scope{.file = param.file};
    const auto set = set_value(*decl.bounds, scope);
    if (!set)
        return false;
    const auto most = largest(field.size * 8);
    for (const auto &interval : normalised(set->intervals)) {
        if (set->type != ValueType::number || interval.last > most) {
            diagnostics_.report(Kind::bad_param, scope[*decl.bounds].span, decl.name.text,
                                fmt::format("its bounds lie between 0 and {}", static_cast<std::uint64_t>(most)));
            return false;
        }
        out.bounds.emplace_back(static_cast<std::uint64_t>(interval.first), static_cast<std::uint64_t>(interval.last));
    }
    const auto value = constant(decl.value, scope);
    const bool inside = value && std::ranges::any_of(out.bounds, [&](const auto &bound) {
                            return bound.first <= *value && *value <= bound.second;
                        });
    if (value && !inside)
        diagnostics_.report(Kind::bad_param, scope[decl.value].span, decl.name.text, "its value lies out of its bounds")
            .note(scope[*decl.bounds].span, "these");
    return inside;
}

// param tag : vlan.id = 7: fewer bits than its bytes have, for every change, too
bool Analyzer::param_width(const ParamSymbol &param, const LayoutField &field, Parameter &out)
{
    const ast::Param &decl = *param.decl;
    if (!decl.type.parts.empty())
        return true;
    Field written;
    const auto of = decl.type.field ? field_named(decl.type) : std::nullopt;
    if (of)
        written.bits = unit_.exprs[*of].bits;
    else if (decl.type.field || !field_type(*param.file, decl.type, written))
        return false;
    if (field.format != FieldFormat::number || written.bits >= field.size * 8)
        return true;
    const auto most = static_cast<std::uint64_t>(largest(written.bits));
    if (const auto value = constant(decl.value, {.file = param.file}); value && *value > most) {
        diagnostics_.report(Kind::constant_too_large, param.file->exprs[decl.value].span, *value,
                            fmt::format("parameter '{}'", decl.name.text), counted(written.bits, "bit"));
        return false;
    }
    if (out.bounds.empty())
        out.bounds.emplace_back(0, most);
    if (out.bounds.back().second <= most)
        return true;
    diagnostics_.report(Kind::bad_param, param.file->exprs[*decl.bounds].span, decl.name.text,
                        fmt::format("its bounds lie between 0 and {}", most));
    return false;
}

// One that nobody uses is looked at all the same, and there to be set.
void Analyzer::build_params()
{
    for (const auto &module : modules_.files)
        for (const auto &decl : module->ast.decls)
            if (const auto *param = std::get_if<ast::Param>(&decl.node)) {
                const Symbol *symbol = find(param->name.text);
                const auto *known = symbol != nullptr ? std::get_if<ParamSymbol>(&symbol->what) : nullptr;
                if (known != nullptr && known->decl == param)
                    (void)param_value(param->name.text, param->name.span);
            }
}

} // namespace xdpf::sema
