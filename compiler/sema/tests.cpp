// Test blocks become data: groups of packets, what they meet, and what is expected of them (expectations.cpp).
#include "compiler/pcap/read.hpp"
#include "compiler/sema/test_builder.hpp"

#include <algorithm>
#include <filesystem>

namespace xdpf::sema {
namespace {

constexpr std::uint64_t most_runs = 1'000'000; // packets of one test

std::size_t rules_in(const std::vector<Rule> &rules)
{
    std::size_t count = 0;
    for (const Rule &rule : rules) {
        const auto *nested = std::get_if<std::vector<Rule>>(&rule.body);
        count += nested != nullptr ? rules_in(*nested) : 1;
    }
    return count;
}

} // namespace

void Analyzer::build_test(const ast::File &file, const ast::Test &test)
{
    if (auto built = TestBuilder(*this, file, test).build())
        unit_.tests.push_back(std::move(*built));
}

std::optional<TestImage> TestBuilder::build()
{
    if (!choose_program())
        return std::nullopt;
    out_.groups.emplace_back();
    bool good = true;
    for (const auto &one : test_.statements)
        good = std::visit([&](const auto &node) { return statement(node); }, one) && good;
    if (!good || !is_complete())
        return std::nullopt;
    return std::move(out_);
}

bool TestBuilder::choose_program()
{
    std::vector<std::string> names;
    for (const auto &program : a_.unit_.programs)
        names.push_back(program.name);
    if (test_.program) {
        const auto found = std::ranges::find(names, test_.program->text);
        if (found == names.end()) {
            a_.diagnostics_.report(Kind::unknown_program, test_.program->span, test_.program->text)
                .suggest_near(test_.program->text, names);
            return false;
        }
        out_.program = static_cast<std::size_t>(found - names.begin());
    } else if (names.size() != 1) {
        if (names.empty() && a_.diagnostics_.has_errors())
            return false;
        return bad(test_.name_span, names.empty() ? "there is no program to test" : "which program does it test?",
                   names.empty() ? "" : fmt::format("test \"{}\" for {} {{ … }}", test_.name, names.front()));
    }
    a_.place_ = a_.unit_.programs[out_.program].place;
    if (a_.place_ != ProgramImage::Place::interface)
        out_.not_in_kernel = "BPF_PROG_TEST_RUN runs no programs of a devmap or a cpumap";
    return true;
}

bool TestBuilder::bad(Span span, const std::string &why, const std::string &help)
{
    a_.diagnostics_.report(Kind::bad_test, span, test_.name, why).suggest(help);
    return false;
}

bool TestBuilder::has_packets() const
{
    return std::ranges::any_of(out_.groups, [](const TestGroup &group) { return !group.packets.empty(); });
}

// Something in it has been reported: what is missing is no news.
bool TestBuilder::is_damaged() const
{
    return std::ranges::any_of(a_.diagnostics_.all(), [&](const Diagnostic &one) {
        return one.span.file == test_.span.file && one.span.begin >= test_.span.begin &&
               one.span.end <= test_.span.end && severity_of(one.kind) == Severity::error;
    });
}

bool TestBuilder::is_complete()
{
    if (is_damaged())
        return false;
    if (!has_packets())
        return bad(test_.name_span, "it has no packet", "packet ethernet / ipv4 / udp(dport = 53)");
    if (group().expectations.empty())
        return bad(test_.name_span,
                   out_.groups.size() == 1 ? "it expects nothing" : "it expects nothing of its last packets",
                   "expect pass");
    return true;
}

// Behind expectations something new begins.
void TestBuilder::next_group()
{
    if (group().expectations.empty())
        return;
    out_.groups.emplace_back();
    set_in_group_.clear();
}

// ---- Packets -------------------------------------------------------------------------------------------------------

bool TestBuilder::statement(const ast::PacketStatement &statement)
{
    next_group();
    const auto often = times(statement);
    auto all = packets(statement);
    if (!often || !all)
        return false;
    const bool none_so_far = runs_ == 0;
    runs_ += std::uint64_t{*often} * all->size();
    if (runs_ > most_runs)
        return bad(statement.span, fmt::format("it has {} packets, and {} are possible", runs_, most_runs));
    if (all->empty() && none_so_far)
        return bad(statement.span, "the capture has no packet");
    for (auto &bytes : *all)
        group().packets.push_back({std::move(bytes), *often});
    return true;
}

std::optional<std::uint32_t> TestBuilder::times(const ast::PacketStatement &statement)
{
    if (!statement.times)
        return 1;
    const auto number = a_.constant(*statement.times, scope_);
    if (number && *number >= 1 && *number <= most_runs)
        return static_cast<std::uint32_t>(*number);
    if (number)
        bad(scope_[*statement.times].span, fmt::format("a packet comes 1 to {} times", most_runs));
    return std::nullopt;
}

std::optional<std::vector<std::vector<std::byte>>> TestBuilder::packets(const ast::PacketStatement &statement)
{
    if (!statement.pcap) {
        auto one = a_.packet(statement, scope_);
        if (!one)
            return std::nullopt;
        return std::vector<std::vector<std::byte>>{std::move(*one)};
    }
    const auto beside = std::filesystem::path(a_.sources_.name(scope_.file->file)).parent_path() / *statement.pcap;
    auto read = pcap::read(beside.string(), most_runs);
    if (read)
        return std::move(*read);
    a_.diagnostics_.report(Kind::cannot_read, statement.span, beside.string(), read.error());
    return std::nullopt;
}

// ---- What the packets meet -------------------------------------------------------------------------------------

bool TestBuilder::statement(const ast::WithStatement &statement)
{
    next_group();
    const std::string &name = statement.name.text;
    if (!set_in_group_.insert(name).second)
        return bad(statement.name.span, fmt::format("'{}' is set twice for the same packets", name),
                   "an expectation between them ends what the first is about");
    if (const auto known = with_surroundings(statement))
        return *known;
    const Symbol *symbol = a_.find(name);
    if (const auto *param = symbol != nullptr ? std::get_if<ParamSymbol>(&symbol->what) : nullptr)
        return with_parameter(*param, statement);
    if (symbol == nullptr && !std::holds_alternative<ast::Set>(scope_[statement.value].node) && !a_.damaged(name)) {
        auto names = a_.names();
        names.insert(names.end(),
                     {"rx_queue", "iface", "egress_iface", "cpu", "now", "rx_hash", "rx_timestamp", "rx_vlan"});
        a_.diagnostics_.report(Kind::unknown_name, statement.name.span, name).suggest_near(name, names);
        return false;
    }
    const auto map = map_named(statement.name);
    return map && with_map(*map, statement);
}

// now = 5s, of a constant, too
bool TestBuilder::is_duration(ast::ExprId id) const
{
    const auto *literal = std::get_if<ast::Literal>(&scope_[id].node);
    if (literal != nullptr)
        return literal->kind == ast::Literal::Kind::quantity;
    const auto *name = std::get_if<ast::Identifier>(&scope_[id].node);
    const Symbol *symbol = name != nullptr ? a_.find(name->text) : nullptr;
    const auto *constant = symbol != nullptr ? std::get_if<ConstSymbol>(&symbol->what) : nullptr;
    if (constant == nullptr)
        return false;
    const auto *value = std::get_if<ast::Literal>(&constant->file->exprs[constant->decl->value].node);
    return value != nullptr && value->kind == ast::Literal::Kind::quantity;
}

std::optional<std::uint64_t> TestBuilder::number(const ast::WithStatement &statement, bool time, std::uint64_t most)
{
    const auto number = time && is_duration(statement.value) ? a_.quantity(statement.value, scope_, "")
                                                             : a_.constant(statement.value, scope_);
    if (!number || *number <= most)
        return number;
    a_.diagnostics_.report(Kind::constant_too_large, scope_[statement.value].span, *number,
                           fmt::format("'{}'", statement.name.text), counted(most == UINT16_MAX ? 16 : 32, "bit"));
    return std::nullopt;
}

std::optional<bool> TestBuilder::with_surroundings(const ast::WithStatement &statement)
{
    TestSurroundings &around = group().surroundings;
    const std::string &name = statement.name.text;
    const auto set = [&](auto &to, std::uint64_t most, bool time, bool in_kernel) {
        const auto value = number(statement, time, most);
        if (value)
            to = static_cast<typename std::remove_reference_t<decltype(to)>::value_type>(*value);
        if (!in_kernel && out_.not_in_kernel.empty())
            out_.not_in_kernel = fmt::format("the kernel has its own '{}'", name);
        return value.has_value();
    };
    if (name == "rx_queue")
        return set(around.rx_queue, UINT32_MAX, false, true);
    if (name == "iface")
        return set(around.ingress_ifindex, UINT32_MAX, false, true);
    if (name == "egress_iface")
        return set(around.egress_ifindex, UINT32_MAX, false, false);
    if (name == "cpu")
        return set(around.cpu, UINT32_MAX, false, false);
    if (name == "now")
        return set(around.now, UINT64_MAX, true, false);
    if (name == "rx_hash")
        return set(around.rx_hash, UINT32_MAX, false, false);
    if (name == "rx_timestamp")
        return set(around.rx_timestamp, UINT64_MAX, true, false);
    if (name == "rx_vlan")
        return set(around.rx_vlan, UINT16_MAX, false, false);
    return std::nullopt;
}

bool TestBuilder::with_parameter(const ParamSymbol &symbol, const ast::WithStatement &statement)
{
    const std::string &name = statement.name.text;
    if (!a_.param_value(name, statement.name.span))
        return false;
    const auto &known = a_.unit_.parameters;
    const auto found = std::ranges::find(known, name, &Parameter::name);
    if (found == known.end())
        return false;
    LayoutField field = a_.unit_.maps[a_.unit_.params].value.fields[found->field];
    field.offset = 0;
    TestParameter set{.parameter = static_cast<std::size_t>(found - known.begin()),
                      .value = std::vector<std::byte>(field.size)};
    if (!a_.put_constant(field, statement.value, fmt::format("parameter '{}'", name), found->span, scope_, set.value))
        return false;
    if (!found->bounds.empty()) {
        const auto number = a_.constant(statement.value, scope_);
        const bool inside = number && std::ranges::any_of(found->bounds, [&](const auto &bound) {
                                return bound.first <= *number && *number <= bound.second;
                            });
        if (number && !inside)
            a_.diagnostics_
                .report(Kind::bad_param, scope_[statement.value].span, name, "this value lies out of its bounds")
                .note(symbol.file->exprs[*symbol.decl->bounds].span, "these");
        if (!inside)
            return false;
    }
    group().parameters.push_back(std::move(set));
    return true;
}

bool TestBuilder::with_map(MapId map, const ast::WithStatement &statement)
{
    const MapSpec &spec = a_.unit_.maps[map];
    const auto *set = std::get_if<ast::Set>(&scope_[statement.value].node);
    if (set == nullptr)
        return bad(scope_[statement.value].span, "what a map holds stands in braces",
                   fmt::format("with {} = {{{}}}", spec.name, a_.sources_.text(scope_[statement.value].span)));
    if (has(spec.kind, map_trait::ring | map_trait::programs))
        return bad(statement.name.span, fmt::format("nothing is put into a map of kind {}", name_of(spec.kind)));
    for (const auto &element : set->elements)
        if (element.name) {
            a_.diagnostics_.report(Kind::not_a_value, element.name->span, "a named entry");
            return false;
        }
    TestContents out{.map = map};
    if (has(spec.kind, map_trait::redirect)) {
        if (!with_slots(map, *set, out))
            return false;
    } else {
        // As in a declaration; what stands there is not what this is about.
        std::vector<MapContent> declared;
        std::swap(declared, a_.unit_.maps[map].contents);
        std::uint32_t position = 0;
        const bool good = std::ranges::all_of(
            set->elements, [&](const auto &element) { return a_.add_content(map, element, position++, scope_); });
        std::swap(declared, a_.unit_.maps[map].contents);
        if (!good)
            return false;
        out.entries = std::move(declared);
    }
    group().contents.push_back(std::move(out));
    return true;
}

bool TestBuilder::with_slots(MapId map, const ast::Set &set, TestContents &out)
{
    for (const auto &element : set.elements) {
        const Span span = scope_[element.value].span;
        if (element.target)
            return bad(span, "a test fills slots, and what is in them does not matter",
                       fmt::format("with {} = {{{}}}", a_.unit_.maps[map].name, a_.sources_.text(span)));
        auto key = a_.key_bytes(map, {element.value}, span, scope_);
        if (!key)
            return false;
        out.entries.push_back({.key = std::move(*key), .value = {}, .interface = {}});
    }
    return true;
}

// ---- Expectations ----------------------------------------------------------------------------------------------

bool TestBuilder::statement(const ast::ExpectStatement &statement)
{
    if (group().packets.empty() && !is_damaged())
        return bad(statement.span,
                   has_packets() ? "no packet stands between this and what is expected in front of it"
                                 : "no packet stands in front of this",
                   "packet ethernet / ipv4 / udp(dport = 53)");
    expecting_ = &statement;
    if (const auto *action = std::get_if<ast::ActionId>(&statement.what))
        return expect_action(*action);
    if (const auto *expr = std::get_if<ast::ExprId>(&statement.what))
        return expect_expression(*expr);
    if (const auto *packet = std::get_if<ast::PacketStatement>(&statement.what))
        return expect_packet(*packet);
    return expect_rule(std::get<ast::ExpectRule>(statement.what));
}

bool TestBuilder::expect_rule(const ast::ExpectRule &rule)
{
    const auto number = a_.constant(rule.number, scope_);
    if (!number)
        return false;
    const Program &program = a_.unit_.programs[out_.program];
    const auto rules = rules_in(program.rules);
    if (*number < 1 || *number > rules)
        return bad_expectation(scope_[rule.number].span, fmt::format("program '{}' has {}, which are counted from 1",
                                                                     program.name, counted(rules, "rule")));
    return add(ExpectedRule{.number = static_cast<std::size_t>(*number)});
}

} // namespace xdpf::sema
