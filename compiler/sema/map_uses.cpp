// Keys, values and entries of maps, as rules use them.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {

bool Analyzer::check_key(ExprId key, MapId map)
{
    const MapSpec &spec = unit_.maps[map];
    const Layout &layout = has(spec.kind, map_trait::keyless) ? spec.value : spec.key;
    if (layout.fields.empty())
        return false; // its declaration was in error
    return check_field(key, layout.fields.back(), fmt::format("a key of '{}'", spec.name), spec.span);
}

// An IPv4 address where both stand becomes IPv4-mapped, as the union that the field's type was taken from has it.
void Analyzer::map_to_ipv6(ExprId value)
{
    Expr &expr = unit_.exprs[value];
    if (auto *constant = std::get_if<Constant>(&expr.node)) {
        constant->value |= mapped_ipv4;
    } else if (std::holds_alternative<FieldValue>(expr.node)) {
        const ExprId address = add(expr);
        unit_.exprs[value].node = Either{{address}};
    } else {
        return;
    }
    unit_.exprs[value].type = ValueType::ipv6;
    unit_.exprs[value].bits = 128;
}

// Whether a value can be stored in a field of a key, a value or a parameter.
bool Analyzer::check_field(ExprId value, const LayoutField &field, const std::string &what, Span declared)
{
    if (field.either_ip && unit_.exprs[value].type == ValueType::ipv4)
        map_to_ipv6(value);
    // A slice of up to 8 bytes is a number, too.
    if (field.format == FieldFormat::bytes && std::holds_alternative<Slice>(unit_.exprs[value].node))
        unit_.exprs[value].type = ValueType::bytes;
    const Expr &expr = unit_.exprs[value];
    const bool same = format_of(expr.type) == field.format;
    const bool fits = field.format == FieldFormat::bytes ? expr.bits == field.size * 8 : true;
    // What is computed wraps where it is stored; what is read as it is has to fit.
    const bool read = std::holds_alternative<FieldValue>(expr.node) || std::holds_alternative<ChainEnd>(expr.node) ||
                      std::holds_alternative<Slice>(expr.node) || std::holds_alternative<Either>(expr.node);
    if (same && field.format == FieldFormat::number && read && expr.bits > field.size * 8) {
        diagnostics_
            .report(Kind::value_mismatch, expr.span, what, fmt::format("a number of {} bits", field.size * 8),
                    fmt::format("a number of {} bits", expr.bits))
            .note(declared, "declared here")
            .suggest(fmt::format("declare it wider, or say which bits count: {} & {:#x}", sources_.text(expr.span),
                                 static_cast<std::uint64_t>(largest(field.size * 8))));
        return false;
    }
    if (same && fits) {
        const auto constant = constant_of(value);
        if (constant && field.format == FieldFormat::number && *constant > largest(field.size * 8)) {
            diagnostics_.report(Kind::constant_too_large, expr.span, to_string(expr.type, *constant), what,
                                counted(field.size * 8, "bit"));
            return false;
        }
        return true;
    }
    diagnostics_
        .report(Kind::value_mismatch, expr.span, what, sema::describe(type_of(field), field.size * 8), describe(value))
        .note(declared, "declared here");
    return false;
}

// The values of a key as written, m[a, b], m[(a, b)]; of what has no keys, the values themselves.
std::optional<std::vector<ExprId>> Analyzer::key_of(MapId map, const std::vector<ast::ExprId> &written, Span span,
                                                    const Scope &scope)
{
    const MapSpec &spec = unit_.maps[map];
    if (spec.value.fields.empty() && spec.key.fields.empty())
        return std::nullopt; // its declaration was in error
    const bool keyless = has(spec.kind, map_trait::keyless);
    const auto fields = keyless ? spec.value.fields : spec.key.fields;
    const auto wanted = std::span(fields).subspan(has(spec.kind, map_trait::prefix) ? 1 : 0);
    const auto what = fmt::format("a {} of '{}'", keyless ? "value" : "key", spec.name);
    std::optional<std::vector<ExprId>> out;
    const auto store = [&](const Parts &parts) { out = stored(parts, wanted, what, unit_.maps[map].span, span); };
    if (written.size() == 1) {
        with_parts(written[0], scope, store);
    } else {
        Parts parts;
        for (const auto id : written)
            parts.emplace_back(id, &scope);
        store(parts);
    }
    const bool array = has(unit_.maps[map].kind, map_trait::array);
    return !out || !array || exists(out->front(), map) ? out : std::nullopt;
}

// A constant index of an array, or slot of a map to redirect into, has to be below its size.
bool Analyzer::exists(ExprId index, MapId map)
{
    const MapSpec &spec = unit_.maps[map];
    const auto constant = constant_of(index);
    if (!constant || spec.max_entries == 0 || *constant < spec.max_entries)
        return true;
    const auto what = has(spec.kind, map_trait::array) ? "indices" : "slots";
    diagnostics_
        .report(Kind::bad_map, unit_.exprs[index].span, spec.name,
                fmt::format("its {} go from 0 to {}", what, spec.max_entries - 1))
        .note(spec.span, "declared here");
    return false;
}

// One value for each field of `what`.
std::optional<std::vector<ExprId>> Analyzer::stored(const Parts &parts, std::span<const LayoutField> fields,
                                                    const std::string &what, Span declared, Span span)
{
    if (parts.size() != fields.size()) {
        diagnostics_.report(Kind::key_count, span, what, counted(fields.size(), "value"), std::to_string(parts.size()))
            .note(declared, "declared here");
        return std::nullopt;
    }
    std::vector<ExprId> out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto one = value(parts[i].first, *parts[i].second);
        if (!one || !check_field(*one, fields[i], what, declared))
            return std::nullopt;
        out.push_back(*one);
    }
    return out;
}

// hits[ipv4.src], hits[ipv4.src].packets
std::optional<ExprId> Analyzer::map_value(ast::ExprId id, const Scope &scope)
{
    const Span span = scope[id].span;
    const auto *member = std::get_if<ast::Member>(&scope[id].node);
    const auto entry = this->entry(member != nullptr ? member->base : id, scope);
    if (!entry)
        return std::nullopt;
    const auto field = value_field(entry->map, member != nullptr ? &member->member : nullptr, span);
    if (!field || !allowed(entry->map, EntryUse::read, span))
        return std::nullopt;
    const LayoutField &what = unit_.maps[entry->map].value.fields[*field];
    return add(Expr{type_of(what), what.size * 8, MapValue{entry->map, entry->key, *field}, span});
}

// The field of a map's value that is meant: its only one, or the one named.
std::optional<std::size_t> Analyzer::value_field(MapId map, const ast::Name *name, Span span)
{
    const MapSpec &spec = unit_.maps[map];
    std::vector<std::string> names;
    for (const auto &field : spec.value.fields)
        names.push_back(field.name);
    if (name == nullptr) {
        if (names.size() == 1)
            return 0;
        diagnostics_.report(Kind::value_fields, span, spec.name, fmt::format("{}", fmt::join(names, ", ")))
            .suggest(fmt::format("{}.{}", sources_.text(span), names.front()));
        return std::nullopt;
    }
    const auto found = std::ranges::find(names, name->text);
    if (found != names.end() && !name->text.empty())
        return static_cast<std::size_t>(found - names.begin());
    auto &report = diagnostics_.report(Kind::unknown_member, name->span, spec.name, name->text);
    if (names.size() == 1 && names[0].empty())
        report.suggest("its values are plain: write it without a field");
    else
        report.suggest_near(name->text, names);
    return std::nullopt;
}

} // namespace xdpf::sema
