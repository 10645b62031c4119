#include "compiler/sema/nested.hpp"

#include <algorithm>
#include <tuple>

namespace xdpf::sema {
namespace {

std::optional<Comparison> comparison(ast::BinaryOp op)
{
    switch (op) {
    case ast::BinaryOp::equal: return Comparison::equal;
    case ast::BinaryOp::not_equal: return Comparison::not_equal;
    case ast::BinaryOp::less: return Comparison::less;
    case ast::BinaryOp::less_equal: return Comparison::less_equal;
    case ast::BinaryOp::greater: return Comparison::greater;
    case ast::BinaryOp::greater_equal: return Comparison::greater_equal;
    default: return std::nullopt;
    }
}

// a < b is b > a.
Comparison swapped(Comparison op)
{
    switch (op) {
    case Comparison::less: return Comparison::greater;
    case Comparison::less_equal: return Comparison::greater_equal;
    case Comparison::greater: return Comparison::less;
    case Comparison::greater_equal: return Comparison::less_equal;
    default: return op;
    }
}

std::string_view example_of(ValueType type)
{
    switch (type) {
    case ValueType::number: return "1";
    case ValueType::mac: return "02:00:00:00:00:01";
    case ValueType::ipv4: return "10.0.0.1";
    case ValueType::ipv6: return "2001:db8::1";
    case ValueType::bytes: return "\"…\"";
    }
    return {};
}

bool has_any(const ast::Expr &expr)
{
    const auto *unary = std::get_if<ast::Unary>(&expr.node);
    return unary != nullptr && unary->op == ast::UnaryOp::any;
}

} // namespace

std::vector<Interval> intervals_of(Comparison op, u128 c, u128 most)
{
    switch (op) {
    case Comparison::equal: return {{c, c}};
    case Comparison::not_equal: {
        std::vector<Interval> out;
        if (c > 0)
            out.push_back({0, c - 1});
        if (c < most)
            out.push_back({c + 1, most});
        return out;
    }
    case Comparison::less: return c == 0 ? std::vector<Interval>{} : std::vector<Interval>{{0, c - 1}};
    case Comparison::less_equal: return {{0, c}};
    case Comparison::greater: return c == most ? std::vector<Interval>{} : std::vector<Interval>{{c + 1, most}};
    case Comparison::greater_equal: return {{c, most}};
    }
    return {};
}

std::vector<Interval> normalised(std::vector<Interval> intervals)
{
    std::ranges::sort(intervals, {}, [](const Interval &i) { return std::tuple(i.first, i.last); });
    std::vector<Interval> out;
    for (const auto &next : intervals) {
        if (!out.empty() && (next.first <= out.back().last || next.first == out.back().last + 1))
            out.back().last = std::max(out.back().last, next.last);
        else
            out.push_back(next);
    }
    return out;
}

std::optional<PredId> Analyzer::conjunction(std::vector<PredId> preds, Span span)
{
    PredId all = preds.front();
    for (std::size_t i = 1; i < preds.size(); ++i)
        all = add(Pred{And{all, preds[i]}, span});
    return all;
}

std::optional<PredId> Analyzer::predicate(ast::ExprId written, const Scope &outer)
{
    const auto [id, where] = unbound(written, outer);
    const Scope &scope = *where;
    const ast::Expr &expr = scope[id];
    const Nested level(*this);
    if (level.too_deep())
        return too_deep(expr.span);
    if (const auto use = use_of_def(id, scope))
        return def_predicate(*use, scope);
    if (const auto *expression = std::get_if<ast::Pcap>(&expr.node))
        return pcap(*expression, expr.span);
    if (const auto *rate = std::get_if<ast::Exceeds>(&expr.node))
        return exceeds(*rate, expr.span, scope);
    if (const auto *call = std::get_if<ast::Call>(&expr.node); call != nullptr && call->callee.text == "one_in")
        return one_in(*call, expr.span, scope);
    if (const auto *binary = std::get_if<ast::Binary>(&expr.node)) {
        if (binary->op == ast::BinaryOp::logical_or || binary->op == ast::BinaryOp::logical_and) {
            const auto left = predicate(binary->left, scope);
            const auto right = predicate(binary->right, scope);
            if (!left || !right)
                return std::nullopt;
            if (binary->op == ast::BinaryOp::logical_or)
                return add(Pred{Or{*left, *right}, expr.span});
            return add(Pred{And{*left, *right}, expr.span});
        }
        const bool compares = binary->op == ast::BinaryOp::in || comparison(binary->op);
        if (compares && scope.any_index < 0 && has_any(scope[binary->left]))
            return any_of(id, scope);
        if (binary->op == ast::BinaryOp::in)
            return membership(*binary, expr.span, scope);
        if (compares)
            return compare(*binary, expr.span, scope);
        if (is_path(id, scope))
            return path(id, scope);
    }
    if (const auto *unary = std::get_if<ast::Unary>(&expr.node)) {
        if (unary->op == ast::UnaryOp::logical_not) {
            const auto operand = predicate(unary->operand, scope);
            return operand ? std::optional(add(Pred{Not{*operand}, expr.span})) : std::nullopt;
        }
        if (unary->op == ast::UnaryOp::any)
            return scope.any_index < 0 ? any_of(unary->operand, scope) : predicate(unary->operand, scope);
    }
    const auto errors = diagnostics_.errors();
    if (const auto any = union_present(id, scope))
        return any;
    if (const auto ref = header_ref(id, scope, true))
        return add(Pred{Present{*ref}, expr.span});
    if (diagnostics_.errors() != errors) // a header, with a wrong index
        return std::nullopt;
    const auto result = value(id, scope);
    if (!result)
        return std::nullopt;
    const Expr &typed = unit_.exprs[*result];
    if (typed.type == ValueType::number && typed.bits == 1 && std::holds_alternative<FieldValue>(typed.node))
        return add(Pred{InSet{*result, {{1, 1}}}, expr.span});
    auto &report = diagnostics_.report(Kind::not_a_predicate, expr.span, describe(*result));
    if (!constant_of(*result) && !std::holds_alternative<BytesConstant>(typed.node))
        report.suggest(
            fmt::format("compare it with something, e.g. {} == {}", sources_.text(expr.span), example_of(typed.type)));
    return std::nullopt;
}

std::optional<PredId> Analyzer::compare(const ast::Binary &node, Span span, const Scope &scope)
{
    const auto *literal = std::get_if<ast::Literal>(&scope[node.right].node);
    const bool prefix = literal != nullptr && literal->text.find('/') != std::string::npos &&
                        literal->kind != ast::Literal::Kind::quantity;
    if (prefix || std::holds_alternative<ast::Set>(scope[node.right].node)) {
        const auto op = sources_.text(Span{span.file, scope[node.left].span.end, scope[node.right].span.begin});
        const auto first = op.find_first_of("=!<>");
        const auto text = op.substr(first, op.find_last_of("=!<>") + 1 - first);
        diagnostics_.report(prefix ? Kind::prefix_compared : Kind::set_compared, span, text)
            .suggest(fmt::format("write {} in {}", sources_.text(scope[node.left].span),
                                 sources_.text(scope[node.right].span)));
        return std::nullopt;
    }
    const auto left = value(node.left, scope);
    const auto right = value(node.right, scope);
    if (!left || !right)
        return std::nullopt;
    const auto op = *comparison(node.op);
    if (is_mixed(*left) && constant_of(*right) && is_ip_address(*right))
        return compare_either(op, *left, *right, span);
    if (is_mixed(*right) && constant_of(*left) && is_ip_address(*left))
        return compare_either(swapped(op), *right, *left, span);
    for (const auto &[one, other] : {std::pair(*left, *right), std::pair(*right, *left)})
        if (is_mixed(one) && unit_.exprs[other].type == ValueType::ipv4)
            as_mapped(other);
    const bool slice_and_bytes = std::holds_alternative<Slice>(unit_.exprs[*left].node) &&
                                 std::holds_alternative<BytesConstant>(unit_.exprs[*right].node);
    if (unit_.exprs[*left].type == ValueType::bytes || slice_and_bytes)
        return compare_bytes(op, *left, *right, span);
    if (unit_.exprs[*left].type != unit_.exprs[*right].type) {
        auto &report = diagnostics_.report(Kind::type_mismatch, span, describe(*left), describe(*right));
        if (std::holds_alternative<BytesConstant>(unit_.exprs[*right].node))
            report.suggest("only raw bytes are compared with a string: packet[0:3] == \"abc\"");
        return std::nullopt;
    }
    const auto a = constant_of(*left);
    const auto b = constant_of(*right);
    if (b)
        return compare_with_constant(op, *left, *b, scope[node.right].span, span);
    if (a)
        return compare_with_constant(swapped(op), *right, *a, scope[node.left].span, span);
    return add(Pred{Compare{op, *left, *right}, span});
}

// An IPv4 address that is compared with one of either kind.
void Analyzer::as_mapped(ExprId address)
{
    const ExprId plain = add(Expr(unit_.exprs[address]));
    Expr &expr = unit_.exprs[address];
    expr.node = Either{{plain}};
    expr.type = ValueType::ipv6;
    expr.bits = 128;
}

std::optional<PredId> Analyzer::compare_with_constant(Comparison op, ExprId left, u128 constant, Span constant_span,
                                                      Span span)
{
    const Expr &expr = unit_.exprs[left];
    // Two constants: both as wide as numbers are.
    const auto bits = constant_of(left) ? std::max(64U, bits_of(expr.type)) : expr.bits;
    if (constant > largest(bits)) {
        diagnostics_
            .report(Kind::constant_too_large, constant_span, to_string(expr.type, constant),
                    fmt::format("'{}'", sources_.text(expr.span)), counted(bits, "bit"))
            .suggest(fmt::format("it holds 0 to {}", static_cast<std::uint64_t>(largest(bits))));
        return std::nullopt;
    }
    return add(Pred{InSet{left, intervals_of(op, constant, largest(bits))}, span});
}

std::optional<PredId> Analyzer::compare_bytes(Comparison op, ExprId left, ExprId right, Span span)
{
    const Expr &bytes = unit_.exprs[left];
    const Expr &other = unit_.exprs[right];
    const bool equality = op == Comparison::equal || op == Comparison::not_equal;
    const bool fits = (other.type == ValueType::bytes) && other.bits == bytes.bits;
    if (!equality || !fits) {
        auto &report = diagnostics_.report(Kind::type_mismatch, span, describe(left), describe(right));
        if (!equality)
            report.suggest("raw bytes have no order: == and != are possible");
        else if (std::holds_alternative<BytesConstant>(bytes.node) && other.type != ValueType::bytes)
            report.suggest("only raw bytes are compared with a string: packet[0:3] == \"abc\"");
        else if (other.type == ValueType::bytes)
            report.suggest("both sides need the same number of bytes");
        else
            report.suggest("write the bytes as a string: \"\\x12\\x34\"");
        return std::nullopt;
    }
    return add(Pred{Compare{op, left, right}, span});
}

std::optional<PredId> Analyzer::membership(const ast::Binary &node, Span span, const Scope &scope)
{
    const auto [right, right_scope] = unbound(node.right, scope);
    if (names_map(right, *right_scope))
        return in_map(node.left,
                      std::get<MapId>(find(std::get<ast::Identifier>((*right_scope)[right].node).text)->what), span,
                      scope);
    const auto left = value(node.left, scope);
    if (left && is_mixed(*left))
        return either_in(*left, right, *right_scope, span);
    const auto set = set_value(right, *right_scope);
    if (!left || !set)
        return std::nullopt;
    const Expr &expr = unit_.exprs[*left];
    if (expr.type != set->type && !set->intervals.empty()) {
        diagnostics_.report(Kind::type_mismatch, span, describe(*left), sema::describe(set->type, 64));
        return std::nullopt;
    }
    const auto bits = constant_of(*left) ? std::max(64U, bits_of(expr.type)) : expr.bits;
    for (const auto &interval : set->intervals) {
        if (interval.last <= largest(bits))
            continue;
        diagnostics_
            .report(Kind::constant_too_large, scope[node.right].span, to_string(expr.type, interval.last),
                    fmt::format("'{}'", sources_.text(expr.span)), counted(bits, "bit"))
            .suggest(fmt::format("it holds 0 to {}", static_cast<std::uint64_t>(largest(bits))));
        return std::nullopt;
    }
    return add(Pred{InSet{*left, normalised(set->intervals)}, span});
}

std::optional<PredId> Analyzer::in_map(ast::ExprId written, MapId map, Span span, const Scope &scope)
{
    if (broken(map))
        return std::nullopt;
    const MapSpec &spec = unit_.maps[map];
    if (has(spec.kind, map_trait::redirect | map_trait::ring) || spec.kind == MapKind::queue ||
        spec.kind == MapKind::stack) {
        diagnostics_.report(Kind::map_misused, span, spec.name, fmt::format("a map of kind {}", name_of(spec.kind)),
                            "a map that holds keys to look up");
        return std::nullopt;
    }
    const auto key = key_of(map, {written}, span, scope);
    return key && allowed(map, EntryUse::read, span) ? std::optional(add(Pred{InMap{*key, map}, span})) : std::nullopt;
}

// `any vlan.id == 5`: true for one of the links, whichever.
std::optional<PredId> Analyzer::any_of(ast::ExprId body, const Scope &scope)
{
    std::optional<PredId> any;
    unsigned limit = 1;
    for (unsigned i = 0; i < limit; ++i) {
        HeaderId header;
        Scope inside = scope;
        inside.any_index = static_cast<int>(i);
        inside.any_header = &header;
        const auto one = predicate(body, inside);
        if (!one)
            return std::nullopt;
        if (!header.valid()) {
            diagnostics_.report(Kind::any_without_link, scope[body].span).suggest("write: any vlan.id in 100..199");
            return std::nullopt;
        }
        limit = unit_.headers[unit_.headers[header].ways[0].parent].chain->limit;
        any = any ? add(Pred{Or{*any, *one}, scope[body].span}) : *one;
    }
    return any;
}

// ---- Sets ----------------------------------------------------------------------------------------------------------

// By its form: a set, a range, a prefix, or the name of a constant that could be one.
bool Analyzer::may_be_set(const ast::Expr &expr)
{
    if (const auto *name = std::get_if<ast::Identifier>(&expr.node)) {
        const Symbol *symbol = find(name->text);
        return symbol != nullptr && std::holds_alternative<ConstSymbol>(symbol->what);
    }
    return std::holds_alternative<ast::Set>(expr.node) || std::holds_alternative<ast::Range>(expr.node) ||
           std::holds_alternative<ast::Literal>(expr.node);
}

std::optional<SetValue> Analyzer::set_value(ast::ExprId written, const Scope &outer)
{
    const auto [id, where] = unbound(written, outer);
    const Scope &scope = *where;
    const ast::Expr &expr = scope[id];
    const Nested level(*this);
    if (level.too_deep())
        return too_deep(expr.span);
    if (const auto use = use_of_def(id, scope))
        return def_set(*use, scope);
    SetValue out;
    if (const auto *name = std::get_if<ast::Identifier>(&expr.node)) {
        Symbol *symbol = find(name->text);
        auto *constant = symbol != nullptr ? std::get_if<ConstSymbol>(&symbol->what) : nullptr;
        if (constant != nullptr && constant->broken)
            return std::nullopt;
        if (constant != nullptr && constant->set)
            return constant->set;
        if (constant != nullptr && !constant->in_use) {
            const bool one_value = !may_be_set(constant->file->exprs[constant->decl->value]);
            if (one_value && !constant_value(name->text, *constant, expr.span))
                return std::nullopt;
            const Nested levels(*this, through_a_name);
            constant->in_use = true;
            auto set = set_value(constant->decl->value, {constant->file});
            constant->in_use = false;
            constant->broken = constant->broken || !set;
            if (set)
                set->intervals = normalised(std::move(set->intervals));
            constant->set = set;
            return set;
        }
    }
    if (const auto *set = std::get_if<ast::Set>(&expr.node)) {
        bool good = true;
        bool first = true;
        for (const auto &argument : set->elements) {
            if (argument.name) {
                diagnostics_.report(Kind::not_a_value, argument.name->span, "a named entry");
                good = false;
                continue;
            }
            const bool added = add_element(argument.value, scope, out, first);
            good = good && added;
            first = first && !added;
        }
        return good ? std::optional(out) : std::nullopt;
    }
    if (!std::holds_alternative<ast::Literal>(expr.node) && !std::holds_alternative<ast::Range>(expr.node)) {
        const auto what = value(id, scope);
        if (what && !constant_of(*what))
            diagnostics_.report(Kind::not_a_set, expr.span, describe(*what))
                .suggest("x in {1, 2, 10..20}, x in 10.0.0.0/8, x in a_map");
        if (!what || !constant_of(*what))
            return std::nullopt;
    }
    return add_element(id, scope, out, true) ? std::optional(out) : std::nullopt;
}

bool Analyzer::add_element(ast::ExprId id, const Scope &scope, SetValue &set, bool first)
{
    // A constant that is a set itself: {web, 8080}
    if (const auto *name = std::get_if<ast::Identifier>(&scope[id].node)) {
        const Symbol *symbol = find(name->text);
        const auto *constant = symbol != nullptr ? std::get_if<ConstSymbol>(&symbol->what) : nullptr;
        if (constant != nullptr && !constant->in_use) {
            const auto inner = set_value(id, scope);
            if (!inner)
                return false;
            if (!first && inner->type != set.type) {
                diagnostics_.report(Kind::type_mismatch, scope[id].span, sema::describe(set.type, 64),
                                    sema::describe(inner->type, 64));
                return false;
            }
            set.type = inner->type;
            set.intervals.insert(set.intervals.end(), inner->intervals.begin(), inner->intervals.end());
            return true;
        }
    }
    const auto one = element(id, scope);
    if (!one)
        return false;
    if (first)
        set.type = one->first;
    if (one->first != set.type) {
        diagnostics_
            .report(Kind::type_mismatch, scope[id].span, sema::describe(set.type, 64), sema::describe(one->first, 64))
            .suggest("all elements of a set are of one type");
        return false;
    }
    set.intervals.push_back(one->second);
    return true;
}

std::optional<std::pair<ValueType, Interval>> Analyzer::element(ast::ExprId id, const Scope &scope)
{
    const ast::Expr &expr = scope[id];
    if (const auto *literal = std::get_if<ast::Literal>(&expr.node)) {
        const auto read = read_literal(*literal, expr.span, diagnostics_);
        return read ? std::optional(std::pair(read->type, Interval{read->first, read->last})) : std::nullopt;
    }
    if (const auto *range = std::get_if<ast::Range>(&expr.node)) {
        const auto first = element(range->first, scope);
        const auto last = element(range->last, scope);
        if (!first || !last)
            return std::nullopt;
        if (first->first != last->first) {
            diagnostics_.report(Kind::type_mismatch, expr.span, sema::describe(first->first, 64),
                                sema::describe(last->first, 64));
            return std::nullopt;
        }
        if (last->second.last < first->second.first) {
            diagnostics_.report(Kind::empty_range, expr.span, to_string(first->first, first->second.first),
                                to_string(last->first, last->second.last));
            return std::nullopt;
        }
        return std::pair(first->first, Interval{first->second.first, last->second.last});
    }
    const auto result = value(id, scope);
    if (!result)
        return std::nullopt;
    const auto constant = constant_of(*result);
    if (!constant) {
        diagnostics_.report(Kind::not_constant, expr.span)
            .suggest("the elements of a set are constants; compare with == instead");
        return std::nullopt;
    }
    return std::pair(unit_.exprs[*result].type, Interval{*constant, *constant});
}

} // namespace xdpf::sema
