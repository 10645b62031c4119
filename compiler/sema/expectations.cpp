// What a test expects: verdicts, packets, conditions, entries of maps, records.
#include "compiler/sema/test_builder.hpp"

#include <linux/bpf.h>

#include <algorithm>

namespace xdpf::sema {
namespace {

constexpr std::string_view examples =
    "expect drop, expect xsk xsks[2], expect rule 2, expect ipv4.ttl == 63, expect hits[10.0.0.1] == {packets = 1}";

std::optional<std::uint32_t> verdict_code(ast::Verdict::Kind kind)
{
    switch (kind) {
    case ast::Verdict::Kind::drop: return XDP_DROP;
    case ast::Verdict::Kind::abort: return XDP_ABORTED;
    case ast::Verdict::Kind::tx: return XDP_TX;
    case ast::Verdict::Kind::pass: return XDP_PASS;
    case ast::Verdict::Kind::next: break;
    }
    return std::nullopt;
}

} // namespace

bool TestBuilder::bad_expectation(Span span, const std::string &why, const std::string &help)
{
    a_.diagnostics_.report(Kind::bad_expectation, span, why).suggest(help);
    return false;
}

bool TestBuilder::add(decltype(Expectation::what) what)
{
    // Without the word `expect`.
    Span span = expecting_->span;
    std::string text(a_.sources_.text(span));
    const auto word = text.find_first_of(" \t\r\n");
    const auto begin = std::min(text.find_first_not_of(" \t\r\n", word), text.size());
    text.erase(0, begin);
    span.begin += static_cast<std::uint32_t>(begin);
    group().expectations.push_back({std::move(what), span, std::move(text)});
    return true;
}

// ---- Verdicts ------------------------------------------------------------------------------------------------------

bool TestBuilder::expect_action(ast::ActionId id)
{
    const ast::Action &action = scope_.file->actions[id];
    ExpectedVerdict expected;
    if (const auto *verdict = std::get_if<ast::Verdict>(&action.node)) {
        if (const auto code = verdict_code(verdict->kind)) {
            expected.verdict = *code;
            return add(expected);
        }
    } else if (const auto *xsk = std::get_if<ast::Redirect>(&action.node); xsk != nullptr && !xsk->otherwise) {
        return expect_xsk(*xsk, expected) && add(expected);
    } else if (const auto *redirect = std::get_if<ast::RedirectTo>(&action.node);
               redirect != nullptr && !redirect->otherwise) {
        return expect_redirect(*redirect, expected) && add(expected);
    } else if (const auto *emit = std::get_if<ast::Emit>(&action.node)) {
        return expect_record(*emit, action.span);
    } else if (const auto *sample = std::get_if<ast::Sample>(&action.node); sample != nullptr && !sample->bytes) {
        return expect_sample(*sample);
    }
    return bad_expectation(expecting_->span, "a test expects a verdict, or something of a packet, a map or a ring",
                           std::string(examples));
}

bool TestBuilder::expect_xsk(const ast::Redirect &redirect, ExpectedVerdict &out)
{
    out.verdict = XDP_REDIRECT;
    if (redirect.map) {
        const auto map = map_named(*redirect.map);
        if (!map)
            return false;
        out.map = *map;
    }
    return expect_slot(redirect.key, out);
}

bool TestBuilder::expect_slot(std::optional<ast::ExprId> slot, ExpectedVerdict &out)
{
    if (!slot)
        return true;
    const auto key = a_.constant(*slot, scope_);
    if (key)
        out.key = static_cast<std::uint32_t>(*key);
    return key.has_value();
}

bool TestBuilder::expect_redirect(const ast::RedirectTo &redirect, ExpectedVerdict &out)
{
    out.verdict = XDP_REDIRECT;
    const auto map = map_named(redirect.map);
    if (!map)
        return false;
    const MapSpec &spec = a_.unit_.maps[*map];
    if (!has(spec.kind, map_trait::redirect)) {
        a_.diagnostics_
            .report(Kind::map_misused, redirect.map.span, spec.name,
                    fmt::format("a map of kind {}", name_of(spec.kind)), "a devmap or a cpumap")
            .note(spec.span, "declared here");
        return false;
    }
    out.map = *map;
    out.broadcast = !redirect.key;
    out.exclude_ingress = redirect.except_ingress;
    return expect_slot(redirect.key, out);
}

// ---- Records --------------------------------------------------------------------------------------------------------

// emit events {src = 10.0.0.1}: all of its kinds of record that have these fields
bool TestBuilder::expect_record(const ast::Emit &emit, Span span)
{
    const auto map = map_named(emit.map);
    const auto *set = std::get_if<ast::Set>(&scope_[emit.record].node);
    if (!map || set == nullptr)
        return false;
    ExpectedRecord expected{.map = *map, .alternatives = {}};
    for (std::size_t i = 0; i < a_.unit_.records.size(); ++i) {
        const RecordType type = a_.unit_.records[i];
        if (type.map != *map || type.sample)
            continue;
        ExpectedRecord::Alternative one{.record = i, .fields = {}, .value = std::vector<std::byte>(type.layout.size)};
        const bool has_all = std::ranges::all_of(set->elements, [&](const ast::Argument &element) {
            const auto field =
                std::ranges::find(type.layout.fields, element.name ? element.name->text : "", &LayoutField::name);
            if (field == type.layout.fields.end())
                return false;
            one.fields.push_back(*field);
            return true;
        });
        if (!has_all)
            continue;
        for (std::size_t field = 0; field < one.fields.size(); ++field)
            if (!a_.put_constant(one.fields[field], set->elements[field].value,
                                 fmt::format("'{}'", one.fields[field].name), a_.unit_.maps[*map].span, scope_,
                                 one.value))
                return false;
        expected.alternatives.push_back(std::move(one));
    }
    return expected.alternatives.empty() ? no_record(*map, *set, span) : add(std::move(expected));
}

bool TestBuilder::no_record(MapId map, const ast::Set &set, Span span)
{
    std::vector<std::string> names;
    for (const RecordType &type : a_.unit_.records)
        if (type.map == map && !type.sample)
            for (const LayoutField &field : type.layout.fields)
                if (std::ranges::find(names, field.name) == names.end())
                    names.push_back(field.name);
    const std::string &ring = a_.unit_.maps[map].name;
    if (names.empty())
        return bad_expectation(span, fmt::format("nothing is emitted to '{}'", ring));
    for (const auto &element : set.elements) {
        if (!element.name)
            return bad_expectation(
                scope_[element.value].span, "which field is this?",
                fmt::format("name it: {{{} = {}}}", names.back(), a_.sources_.text(scope_[element.value].span)));
        if (std::ranges::find(names, element.name->text) == names.end()) {
            a_.diagnostics_.report(Kind::unknown_member, element.name->span, ring, element.name->text)
                .suggest_near(element.name->text, names);
            return false;
        }
    }
    return bad_expectation(span, fmt::format("no record that is emitted to '{}' has all of these", ring));
}

bool TestBuilder::expect_sample(const ast::Sample &sample)
{
    const auto map = map_named(sample.map);
    if (!map)
        return false;
    ExpectedRecord expected{.map = *map, .alternatives = {}};
    for (std::size_t i = 0; i < a_.unit_.records.size(); ++i)
        if (a_.unit_.records[i].map == *map && a_.unit_.records[i].sample)
            expected.alternatives.push_back({.record = i, .fields = {}, .value = {}});
    if (expected.alternatives.empty())
        return bad_expectation(expecting_->span, fmt::format("nothing is sampled to '{}'", a_.unit_.maps[*map].name));
    return add(std::move(expected));
}

// ---- The packet afterwards -----------------------------------------------------------------------------------------

bool TestBuilder::expect_packet(const ast::PacketStatement &statement)
{
    if (statement.pcap)
        return bad_expectation(statement.span, "the packet that comes out is one, and a capture holds several",
                               "expect packet hex \"…\"");
    auto bytes = a_.packet(statement, scope_);
    return bytes && add(ExpectedPacket{std::move(*bytes)});
}

// Whether a condition changes what it asks about, or is another one each time.
bool TestBuilder::asks_afresh(PredId id) const
{
    const auto &node = a_.unit_.preds[id].node;
    if (const auto *negation = std::get_if<Not>(&node))
        return asks_afresh(negation->operand);
    if (const auto *both = std::get_if<And>(&node))
        return asks_afresh(both->left) || asks_afresh(both->right);
    if (const auto *either = std::get_if<Or>(&node))
        return asks_afresh(either->left) || asks_afresh(either->right);
    return std::holds_alternative<Exceeds>(node) || std::holds_alternative<OneIn>(node);
}

bool TestBuilder::expect_condition(ast::ExprId id)
{
    const auto predicate = a_.predicate(id, scope_);
    if (!predicate)
        return false;
    if (asks_afresh(*predicate))
        return bad_expectation(scope_[id].span, "rates and random choices say nothing about a packet afterwards");
    return add(ExpectedCondition{predicate->value});
}

bool TestBuilder::expect_expression(ast::ExprId id)
{
    const ast::Expr &expr = scope_[id];
    if (const auto *word = std::get_if<ast::Identifier>(&expr.node);
        word != nullptr && a_.find(word->text) == nullptr) {
        const auto verdict = nearest(word->text, {"pass", "drop", "abort", "tx", "xsk"});
        if (!verdict.empty())
            return bad_expectation(expr.span, "a test expects a verdict, or something of a packet, a map or a ring",
                                   fmt::format("did you mean '{}'?", verdict));
    }
    if (std::holds_alternative<ast::Set>(expr.node))
        return bad_expectation(expr.span, "a test expects a verdict, or something of a packet, a map or a ring",
                               std::string(examples));
    const auto errors = a_.diagnostics_.errors();
    if (const auto entry = entry_written(id))
        return expect_entry(*entry, expr.span);
    return a_.diagnostics_.errors() == errors && expect_condition(id);
}

// ---- Entries of maps -------------------------------------------------------------------------------------------

const MapId *TestBuilder::map_of(ast::ExprId id)
{
    const auto *name = std::get_if<ast::Identifier>(&scope_[id].node);
    const Symbol *symbol = name != nullptr ? a_.find(name->text) : nullptr;
    return symbol != nullptr ? std::get_if<MapId>(&symbol->what) : nullptr;
}

// Whether the value depends on a packet or what it meets.
bool TestBuilder::asks_packet(ast::ExprId id)
{
    const auto &node = scope_[id].node;
    if (const auto *name = std::get_if<ast::Identifier>(&node)) {
        const Symbol *symbol = a_.find(name->text);
        if (symbol == nullptr)
            return a_.surroundings(name->text, scope_[id].span).has_value();
        return !std::holds_alternative<ConstSymbol>(symbol->what);
    }
    if (const auto *unary = std::get_if<ast::Unary>(&node))
        return asks_packet(unary->operand);
    if (const auto *binary = std::get_if<ast::Binary>(&node))
        return asks_packet(binary->left) || asks_packet(binary->right);
    if (const auto *tuple = std::get_if<ast::Tuple>(&node))
        return std::ranges::any_of(tuple->elements, [&](const auto part) { return asks_packet(part); });
    return !std::holds_alternative<ast::Literal>(node) && !std::holds_alternative<ast::String>(node) &&
           !std::holds_alternative<ast::Set>(node);
}

// hits[10.0.0.1] == {packets = 1}, flows[10.0.0.1, 53] == 3, 10.0.0.1 in blocklist, not (10.0.0.1, 53) in flows.
// Other conditions with maps are about the packet.
std::optional<TestBuilder::EntryWritten> TestBuilder::entry_written(ast::ExprId id)
{
    const auto *negation = std::get_if<ast::Unary>(&scope_[id].node);
    const bool present = negation == nullptr || negation->op != ast::UnaryOp::logical_not;
    const auto *binary = std::get_if<ast::Binary>(&scope_[present ? id : negation->operand].node);
    if (binary == nullptr)
        return std::nullopt;
    EntryWritten out{.map = {}, .key = {}, .value = std::nullopt, .present = present};
    if (binary->op == ast::BinaryOp::in) {
        const MapId *map = map_of(binary->right);
        if (map == nullptr || asks_packet(binary->left))
            return std::nullopt;
        out.map = *map;
        out.key = {binary->left};
        return out;
    }
    const auto *index = std::get_if<ast::Index>(&scope_[binary->left].node);
    const MapId *map = index != nullptr ? map_of(index->base) : nullptr;
    const bool fields = std::holds_alternative<ast::Set>(scope_[binary->right].node);
    if (map == nullptr || binary->op != ast::BinaryOp::equal || !present)
        return std::nullopt;
    const bool about_packet = asks_packet(binary->right) ||
                              std::ranges::any_of(index->indices, [&](const auto part) { return asks_packet(part); });
    if (about_packet && !fields)
        return std::nullopt;
    out.map = *map;
    out.key = index->indices;
    out.value = binary->right;
    return out;
}

bool TestBuilder::expect_entry(const EntryWritten &written, Span span)
{
    if (a_.broken(written.map))
        return false;
    const MapSpec spec = a_.unit_.maps[written.map];
    const bool bloom = spec.kind == MapKind::bloom_filter;
    if (has(spec.kind, map_trait::redirect | map_trait::programs | map_trait::ring) ||
        (has(spec.kind, map_trait::keyless) && !bloom)) {
        a_.diagnostics_
            .report(Kind::map_misused, span, spec.name, fmt::format("a map of kind {}", name_of(spec.kind)),
                    "a map with values under keys")
            .note(spec.span, "declared here");
        return false;
    }
    auto key = bloom ? a_.value_bytes(written.map, written.key.front(), scope_)
                     : a_.key_bytes(written.map, written.key, span, scope_);
    if (!key)
        return false;
    ExpectedEntry expected{.map = written.map,
                           .key = std::move(*key),
                           .present = written.present,
                           .fields = {},
                           .value = std::vector<std::byte>(spec.value.size)};
    return (!written.value || entry_value(written, expected)) && add(std::move(expected));
}

bool TestBuilder::entry_value(const EntryWritten &written, ExpectedEntry &out)
{
    const MapSpec spec = a_.unit_.maps[written.map];
    const ast::Expr &expr = scope_[*written.value];
    if (const auto *set = std::get_if<ast::Set>(&expr.node))
        return entry_fields(written.map, *set, out);
    const auto *tuple = std::get_if<ast::Tuple>(&expr.node);
    const auto parts = tuple != nullptr ? tuple->elements : std::vector{*written.value};
    if (parts.size() != spec.value.fields.size())
        return bad_expectation(
            expr.span, fmt::format("the values of '{}' have {}", spec.name, counted(spec.value.fields.size(), "field")),
            spec.value.fields.size() > 1 && !spec.value.fields[0].name.empty()
                ? fmt::format("name those that matter: {{{} = 1}}", spec.value.fields[0].name)
                : "");
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (!a_.put_constant(spec.value.fields[i], parts[i], fmt::format("a value of '{}'", spec.name), spec.span,
                             scope_, out.value))
            return false;
    out.fields = spec.value.fields;
    return true;
}

bool TestBuilder::entry_fields(MapId map, const ast::Set &set, ExpectedEntry &out)
{
    const MapSpec spec = a_.unit_.maps[map];
    for (const auto &element : set.elements) {
        const auto field =
            std::ranges::find(spec.value.fields, element.name ? element.name->text : "", &LayoutField::name);
        if (field == spec.value.fields.end() || !element.name) {
            unknown_member(spec, element);
            return false;
        }
        if (!a_.put_constant(*field, element.value, fmt::format("a value of '{}'", spec.name), spec.span, scope_,
                             out.value))
            return false;
        out.fields.push_back(*field);
    }
    return true;
}

void TestBuilder::unknown_member(const MapSpec &spec, const ast::Argument &element)
{
    std::vector<std::string> names;
    for (const auto &field : spec.value.fields)
        if (!field.name.empty())
            names.push_back(field.name);
    const Span span = scope_[element.value].span;
    if (names.empty())
        bad_expectation(span, fmt::format("the values of '{}' have no fields", spec.name),
                        fmt::format("expect {}[…] == {}", spec.name, a_.sources_.text(span)));
    else if (element.name)
        a_.diagnostics_.report(Kind::unknown_member, element.name->span, spec.name, element.name->text)
            .suggest_near(element.name->text, names);
    else
        bad_expectation(span, "which field is this?",
                        fmt::format("name it: {{{} = {}}}", names.front(), a_.sources_.text(span)));
}

} // namespace xdpf::sema
