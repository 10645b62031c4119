// Test blocks become data: packets, what is in the maps beforehand, and what is expected.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/encode.hpp"

#include <linux/bpf.h>

#include <algorithm>

namespace xdpf::sema {
namespace {

std::uint32_t verdict_code(ast::Verdict::Kind kind)
{
    switch (kind) {
    case ast::Verdict::Kind::drop: return XDP_DROP;
    case ast::Verdict::Kind::abort: return XDP_ABORTED;
    case ast::Verdict::Kind::tx: return XDP_TX;
    default: return XDP_PASS;
    }
}

} // namespace

void Analyzer::build_test(const ast::File &file, const ast::Test &test)
{
    const Scope scope{&file};
    TestImage out{.name = test.name, .span = test.name_span};
    std::vector<std::string> names;
    for (const auto &program : unit_.programs)
        names.push_back(program.name);
    if (test.program) {
        const auto found = std::ranges::find(names, test.program->text);
        if (found == names.end()) {
            diagnostics_.report(Kind::unknown_program, test.program->span, test.program->text)
                .suggest(did_you_mean(test.program->text, names));
            return;
        }
        out.program = static_cast<std::size_t>(found - names.begin());
    } else if (names.size() != 1) {
        if (names.empty() && diagnostics_.has_errors())
            return;
        auto &report =
            diagnostics_.report(Kind::bad_test, test.name_span, test.name,
                                names.empty() ? "there is no program to test" : "which program does it test?");
        if (!names.empty())
            report.suggest(fmt::format("test \"{}\" for {} {{ … }}", test.name, names.front()));
        return;
    }
    bool good = true;
    for (const auto &statement : test.statements) {
        if (const auto *packet_statement = std::get_if<ast::PacketStatement>(&statement)) {
            auto bytes = packet(*packet_statement, scope);
            good = good && bytes;
            if (bytes)
                out.packets.push_back(std::move(*bytes));
        } else if (const auto *with_statement = std::get_if<ast::WithStatement>(&statement)) {
            good = with(*with_statement, scope, out) && good;
        } else {
            const auto &expected = std::get<ast::ExpectStatement>(statement);
            if (const auto *verdict = std::get_if<ast::ActionId>(&expected.what))
                good = expect_verdict(expected, *verdict, scope, out) && good;
            else if (const auto *entry = std::get_if<ast::ExprId>(&expected.what))
                good = expect_entry(expected, *entry, scope, out) && good;
        }
    }
    // What a syntax error took away is not missing.
    good = good && std::ranges::none_of(diagnostics_.all(), [&](const Diagnostic &one) {
               return one.span.file == test.span.file && one.span.begin >= test.span.begin &&
                      one.span.end <= test.span.end && severity_of(one.kind) == Severity::error;
           });
    if (good && out.packets.empty())
        diagnostics_.report(Kind::bad_test, test.name_span, test.name, "it has no packet")
            .suggest("packet ethernet / ipv4 / udp(dport = 53)");
    else if (good && out.verdicts.empty() && out.expected_entries.empty())
        diagnostics_.report(Kind::bad_test, test.name_span, test.name, "it expects nothing").suggest("expect pass");
    else if (good)
        unit_.tests.push_back(std::move(out));
}

bool Analyzer::with(const ast::WithStatement &statement, const Scope &scope, TestImage &out)
{
    if (statement.name.text == "rx_queue" || statement.name.text == "iface") {
        const auto number = constant(statement.value, scope);
        if (!number)
            return false;
        if (*number > UINT32_MAX) {
            diagnostics_.report(Kind::constant_too_large, scope[statement.value].span, *number,
                                fmt::format("'{}'", statement.name.text), counted(32, "bit"));
            return false;
        }
        (statement.name.text == "iface" ? out.ingress_ifindex : out.rx_queue) = static_cast<std::uint32_t>(*number);
        return true;
    }
    const auto map = map_named(statement.name);
    return map && with_map(*map, statement, scope, out);
}

bool Analyzer::with_map(MapId map, const ast::WithStatement &statement, const Scope &scope, TestImage &out)
{
    const MapSpec &spec = unit_.maps[map];
    const auto *set = std::get_if<ast::Set>(&scope[statement.value].node);
    if (set == nullptr) {
        diagnostics_.report(Kind::bad_test, scope[statement.value].span, out.name, "what a map holds stands in braces")
            .suggest(fmt::format("with {} = {{{}}}", spec.name, sources_.text(scope[statement.value].span)));
        return false;
    }
    const bool redirect = has(spec.kind, map_trait::redirect);
    if (redirect)
        out.cleared.push_back(map);
    for (const auto &element : set->elements) {
        auto key = element.name ? std::nullopt : key_bytes(map, {element.value}, scope[element.value].span, scope);
        if (element.name)
            diagnostics_.report(Kind::not_a_value, element.name->span, "a named entry");
        if (!key)
            return false;
        out.entries.push_back({map, std::move(*key), std::vector<std::byte>(redirect ? 0 : spec.value.size)});
    }
    return true;
}

bool Analyzer::expect_verdict(const ast::ExpectStatement &statement, ast::ActionId id, const Scope &scope,
                              TestImage &out)
{
    const ast::Action &action = scope.file->actions[id];
    ExpectedVerdict expected{.span = action.span, .text = std::string(sources_.text(action.span))};
    if (const auto *verdict = std::get_if<ast::Verdict>(&action.node);
        verdict != nullptr && verdict->kind != ast::Verdict::Kind::next) {
        expected.verdict = verdict_code(verdict->kind);
    } else if (const auto *redirect = std::get_if<ast::Redirect>(&action.node);
               redirect != nullptr && !redirect->otherwise) {
        expected.verdict = XDP_REDIRECT;
        if (redirect->map) {
            const auto map = map_named(*redirect->map);
            if (!map)
                return false;
            expected.map = *map;
        }
        if (redirect->key) {
            const auto key = constant(*redirect->key, scope);
            if (!key)
                return false;
            expected.key = static_cast<std::uint32_t>(*key);
        }
    } else {
        diagnostics_.report(Kind::bad_expectation, statement.span, "a test expects a verdict, or something of a map")
            .suggest("expect drop, expect xsk xsks[2], expect hits[10.0.0.1] == {packets = 1}");
        return false;
    }
    out.verdicts.push_back(std::move(expected));
    return true;
}

void Analyzer::report_unknown_member(const MapSpec &spec, const ast::Argument &element, const Scope &scope)
{
    std::vector<std::string> names;
    for (const auto &field : spec.value.fields)
        if (!field.name.empty())
            names.push_back(field.name);
    const Span span = scope[element.value].span;
    if (names.empty())
        diagnostics_.report(Kind::bad_expectation, span, fmt::format("the values of '{}' have no fields", spec.name))
            .suggest(fmt::format("expect {}[…] == {}", spec.name, sources_.text(span)));
    else if (element.name)
        diagnostics_.report(Kind::unknown_member, element.name->span, spec.name, element.name->text)
            .suggest(did_you_mean(element.name->text, names));
    else
        diagnostics_.report(Kind::bad_expectation, span, "which field is this?")
            .suggest(fmt::format("name it: {{{} = {}}}", names.front(), sources_.text(span)));
}

// hits[10.0.0.1] == {packets = 1}, hits[10.0.0.1] == 3, 10.0.0.1 in blocklist, not 10.0.0.1 in blocklist
bool Analyzer::expect_entry(const ast::ExpectStatement &statement, ast::ExprId id, const Scope &scope, TestImage &out)
{
    ExpectedEntry expected{.span = statement.span, .text = std::string(sources_.text(scope[id].span))};
    const auto *negation = std::get_if<ast::Unary>(&scope[id].node);
    expected.present = negation == nullptr || negation->op != ast::UnaryOp::logical_not;
    const auto *binary = std::get_if<ast::Binary>(&scope[expected.present ? id : negation->operand].node);
    const auto *index = binary != nullptr ? std::get_if<ast::Index>(&scope[binary->left].node) : nullptr;
    const auto *name = binary == nullptr
                           ? nullptr
                           : std::get_if<ast::Identifier>(&scope[index != nullptr ? index->base : binary->right].node);
    const bool membership = binary != nullptr && binary->op == ast::BinaryOp::in && index == nullptr;
    const bool equality =
        binary != nullptr && binary->op == ast::BinaryOp::equal && index != nullptr && expected.present;
    if (name == nullptr || (!membership && !equality)) {
        const auto *word = std::get_if<ast::Identifier>(&scope[id].node);
        const auto verdict = word == nullptr ? "" : nearest(word->text, {"pass", "drop", "abort", "tx", "xsk"});
        diagnostics_.report(Kind::bad_expectation, scope[id].span, "a test expects a verdict, or something of a map")
            .suggest(verdict.empty() ? "expect drop, expect hits[10.0.0.1] == {packets = 1}, expect 10.0.0.1 in hits"
                                     : fmt::format("did you mean '{}'?", verdict));
        return false;
    }
    const auto map = map_named({name->text, scope[index != nullptr ? index->base : binary->right].span});
    if (!map)
        return false;
    auto key = key_bytes(*map, membership ? std::vector{binary->left} : index->indices, scope[id].span, scope);
    if (!key)
        return false;
    expected.map = *map;
    expected.key = std::move(*key);
    const MapSpec &spec = unit_.maps[*map];
    if (has(spec.kind, map_trait::redirect)) {
        diagnostics_.report(Kind::map_misused, statement.span, spec.name, "an xskmap", "a map with values");
        return false;
    }
    const auto *fields = equality ? std::get_if<ast::Set>(&scope[binary->right].node) : nullptr;
    if (fields != nullptr) {
        for (const auto &element : fields->elements) {
            const auto named = element.name ? element.name->text : "";
            const auto field = std::ranges::find(spec.value.fields, named, &LayoutField::name);
            if (field == spec.value.fields.end() || !element.name) {
                report_unknown_member(spec, element, scope);
                return false;
            }
            const auto number = constant(element.value, scope);
            if (!number)
                return false;
            expected.fields.push_back({*field, *number});
        }
    } else if (equality) {
        const auto number = constant(binary->right, scope);
        if (!number)
            return false;
        if (spec.value.fields.size() != 1) {
            diagnostics_
                .report(Kind::bad_expectation, scope[binary->right].span,
                        fmt::format("the values of '{}' have several fields", spec.name))
                .suggest("{packets = 1, bytes = 60}");
            return false;
        }
        expected.fields.push_back({spec.value.fields[0], *number});
    }
    out.expected_entries.push_back(std::move(expected));
    return true;
}

} // namespace xdpf::sema
