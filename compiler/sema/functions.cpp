// What looks like a call: functions of the language, and the uses of definitions.
#include "compiler/pcap/compile.hpp"
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

constexpr std::uint64_t second = 1'000'000'000; // ns
constexpr std::size_t most_weights = 64;
constexpr std::uint32_t buckets = 65'536; // of a rate limit per key

} // namespace

std::optional<ExprId> Analyzer::call_value(const ast::Call &call, Span span, const Scope &scope)
{
    if (call.callee.text == "hash")
        return hash_value(call, span, scope);
    if (call.callee.text == "weighted")
        return weighted_value(call, span, scope);
    if (call.callee.text == "one_in") {
        diagnostics_.report(Kind::not_a_value, span, "a condition");
        return std::nullopt;
    }
    if (damaged(call.callee.text))
        return std::nullopt;
    std::vector<std::string> functions{"hash", "weighted", "one_in", "exceeds"};
    for (const auto &[name, symbol] : symbols_)
        if (std::holds_alternative<DefSymbol>(symbol.what))
            functions.push_back(name);
    diagnostics_.report(Kind::unknown_function, call.callee.span, call.callee.text)
        .suggest_near(call.callee.text, functions);
    return std::nullopt;
}

std::optional<ExprId> Analyzer::hash_value(const ast::Call &call, Span span, const Scope &scope)
{
    Hash out;
    if (call.arguments.empty()) {
        diagnostics_.report(Kind::argument_count, span, "hash", "one argument or more", "none")
            .suggest("hash(ipv4.src, ipv4.dst)");
        return std::nullopt;
    }
    for (const auto &argument : call.arguments) {
        bool good = false;
        with_parts(argument.value, scope, [&](const Parts &parts) {
            good = std::ranges::all_of(parts, [&](const auto &part) {
                const auto one = hashed(part.first, *part.second);
                out.values.push_back(one.value_or(ExprId()));
                return one.has_value();
            });
        });
        if (!good)
            return std::nullopt;
    }
    return add(Expr{ValueType::number, 32, std::move(out), span});
}

std::optional<ExprId> Analyzer::hashed(ast::ExprId id, const Scope &scope)
{
    const auto one = value(id, scope);
    if (!one || unit_.exprs[*one].type != ValueType::bytes)
        return one;
    diagnostics_
        .report(Kind::bad_argument, unit_.exprs[*one].span, "hash", "it takes numbers and addresses, no raw bytes")
        .suggest("slices of up to 8 bytes are numbers: udp.payload[0:8]");
    return std::nullopt;
}

std::optional<ExprId> Analyzer::weighted_value(const ast::Call &call, Span span, const Scope &scope)
{
    if (call.arguments.size() < 3 || call.arguments.size() > most_weights + 1) {
        diagnostics_
            .report(Kind::argument_count, span, "weighted", fmt::format("a value and 2 to {} weights", most_weights),
                    std::to_string(call.arguments.size()))
            .suggest("weighted(hash(ipv4.src), 3, 1): three quarters give 0, one quarter 1");
        return std::nullopt;
    }
    const auto chooses = number_value(call.arguments[0].value, scope);
    Weighted out;
    std::uint64_t sum = 0;
    for (const auto &argument : std::span(call.arguments).subspan(1)) {
        const auto weight = constant(argument.value, scope);
        if (!weight)
            return std::nullopt;
        sum += *weight;
        if (*weight > UINT32_MAX || sum > UINT32_MAX) {
            diagnostics_.report(Kind::constant_too_large, scope[argument.value].span, *weight, "the sum of the weights",
                                counted(32, "bit"));
            return std::nullopt;
        }
        out.weights.push_back(static_cast<std::uint32_t>(*weight));
    }
    if (sum == 0) {
        diagnostics_.report(Kind::bad_argument, span, "weighted", "all its weights are 0");
        return std::nullopt;
    }
    if (!chooses)
        return std::nullopt;
    out.value = *chooses;
    return add(Expr{ValueType::number, 8, std::move(out), span});
}

std::optional<PredId> Analyzer::one_in(const ast::Call &call, Span span, const Scope &scope)
{
    if (call.arguments.size() != 1) {
        diagnostics_
            .report(Kind::argument_count, span, "one_in", counted(1, "argument"), std::to_string(call.arguments.size()))
            .suggest("one_in(1000)");
        return std::nullopt;
    }
    const auto n = constant(call.arguments[0].value, scope);
    if (!n)
        return std::nullopt;
    if (*n == 0 || *n > UINT32_MAX) {
        diagnostics_.report(Kind::bad_argument, scope[call.arguments[0].value].span, "one_in",
                            fmt::format("it takes 1 to {}", UINT32_MAX));
        return std::nullopt;
    }
    return add(Pred{OneIn{*n}, span});
}

// 1000/s as events a second, 10ms as nanoseconds.
std::optional<std::uint64_t> Analyzer::quantity(ast::ExprId written, const Scope &outer, std::string_view unit)
{
    const auto [id, scope] = unbound(written, outer);
    const ast::Expr &expr = (*scope)[id];
    const bool rate = unit == "/s";
    if (const auto *name = std::get_if<ast::Identifier>(&expr.node))
        if (const Symbol *symbol = find(name->text))
            if (const auto *constant = std::get_if<ConstSymbol>(&symbol->what))
                return quantity(constant->decl->value, {constant->file}, unit);
    if (const auto *literal = std::get_if<ast::Literal>(&expr.node);
        literal != nullptr && literal->kind == ast::Literal::Kind::quantity && literal->text.ends_with("/s") == rate)
        return read_quantity(*literal, expr.span, diagnostics_);
    diagnostics_.report(Kind::quantity_wanted, expr.span, rate ? "a rate" : "a duration")
        .suggest(rate ? "1000/s" : "10ms");
    return std::nullopt;
}

// exceeds(1000/s per ipv4.src, burst 200)
std::optional<PredId> Analyzer::exceeds(const ast::Exceeds &node, Span span, const Scope &scope)
{
    const auto rate = quantity(node.rate, scope, "/s");
    if (!rate)
        return std::nullopt;
    if (*rate == 0 || *rate > second) {
        diagnostics_.report(Kind::bad_argument, scope[node.rate].span, "exceeds",
                            fmt::format("a rate is 1/s to {}/s", second));
        return std::nullopt;
    }
    std::uint64_t burst = std::max<std::uint64_t>(1, *rate / 10);
    if (node.burst) {
        const auto written = constant(*node.burst, scope);
        if (!written)
            return std::nullopt;
        if (*written == 0 || *written > UINT32_MAX) {
            diagnostics_.report(Kind::bad_argument, scope[*node.burst].span, "exceeds",
                                fmt::format("a burst is 1 to {} packets", UINT32_MAX));
            return std::nullopt;
        }
        burst = *written;
    }
    Exceeds out{.interval = second / *rate};
    out.tolerance = (burst - 1) * out.interval;
    MapSpec spec{.name = free_map_name(unit_.maps, fmt::format("rate_{}", unit_.maps.size())), .span = span};
    spec.value = {"", 8, {{"", FieldFormat::number, 0, 8, false}}};
    if (node.per) {
        spec.kind = MapKind::lru_hash;
        spec.max_entries = buckets;
        bool good = false;
        with_parts(*node.per, scope, [&](const Parts &parts) {
            good = std::ranges::all_of(parts, [&](const auto &part) {
                const auto one = value(part.first, *part.second);
                out.key.push_back(one.value_or(ExprId()));
                return one.has_value();
            });
        });
        if (!good)
            return std::nullopt;
        spec.key = layout_of(out.key, spec.name + "_key");
    } else {
        spec.kind = MapKind::array;
        spec.max_entries = 1;
        spec.key = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
    }
    out.map = unit_.maps.add(std::move(spec));
    return add(Pred{std::move(out), span});
}

// The span of a word that libpcap names; of the whole text where it names none, or where escapes make places differ.
std::optional<PredId> Analyzer::pcap(const ast::Pcap &node, Span span)
{
    auto compiled = pcap::compile(node.text);
    if (compiled)
        return add(Pred{Pcap{std::move(*compiled), node.text}, span});
    Span where = node.text_span;
    const auto &place = compiled.error().place;
    if (place && sources_.text(where).size() == node.text.size() + 2) {
        where.begin += static_cast<std::uint32_t>(place->offset) + 1;
        where.end = where.begin + static_cast<std::uint32_t>(place->length);
    }
    diagnostics_.report(Kind::bad_pcap, where, compiled.error().message);
    return std::nullopt;
}

} // namespace xdpf::sema
