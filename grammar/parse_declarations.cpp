// The declarations of xdpf.ebnf as Spirit X3 rules, in its order.
#include "grammar/rules.hpp"

namespace xdpf::syntax {
namespace {

constexpr std::string_view a_declaration = "a declaration";

constexpr Punctuation opening_types{"<", "'<'"};
constexpr Punctuation closing_types{">", "'>'"};
constexpr Punctuation opening_names{"{", {}};
constexpr Ahead<lookahead::begins_set> set_ahead{"a set"};
constexpr Part<ast::ExprId, read_number> number{};
constexpr Part<ast::ExprId, read_set> set_literal{};
constexpr Part<ast::ExprId, read_value> value{};
constexpr Part<ast::ExprId, read_bounds> bounds{};
constexpr Part<ast::ActionId, read_plain_action> action{};
constexpr Part<std::vector<ast::RuleId>, read_rules> rules{};
constexpr Part<ast::Rule, read_rule> rule{};
constexpr Part<ast::Type, read_type> type{};
constexpr Part<ast::Header, read_header> header{};
constexpr Part<ast::Union, read_union> either{};
constexpr Part<ast::Test, read_test> test{};

// The names of verdicts, as a set.
struct Names {
    std::vector<ast::Argument> elements;
    Span span;
};

const x3::rule<struct import_id, ast::Import> import = "import";
const x3::rule<struct const_id, ast::Const> constant = "const";
const x3::rule<struct param_id, ast::Param> param = "param";
const x3::rule<struct def_id, ast::Def> definition = "def";
const x3::rule<struct map_id, ast::Map> map = "map";
const x3::rule<struct attribute_id, ast::Attribute> attribute = "attribute";
const x3::rule<struct attributes_id, std::vector<ast::Attribute>> attributes = "attributes";
const x3::rule<struct verdict_id, ast::ExprId> verdict = "verdict";
const x3::rule<struct verdicts_id, Names> verdicts = "verdicts";
const x3::rule<struct program_id, ast::Program> program = "program";
const x3::rule<struct declaration_id, ast::Decl> declaration = "declaration";

constexpr auto set_path = [](auto &ctx) {
    x3::_val(ctx).path = std::move(x3::_attr(ctx).value);
    x3::_val(ctx).path_span = x3::_attr(ctx).span;
};
constexpr auto set_from = [](auto &ctx) {
    x3::_val(ctx).from = ast::String{std::move(x3::_attr(ctx).value)};
    x3::_val(ctx).from_span = x3::_attr(ctx).span;
};
constexpr auto set_body = [](auto &ctx) { x3::_val(ctx).body = x3::_attr(ctx); };
constexpr auto add_name = [](auto &ctx) {
    ast::Name &it = x3::_attr(ctx);
    x3::_val(ctx) = state_of(ctx).expressions.add(it.span, ast::Identifier{std::move(it.text)});
};
constexpr auto append_verdict = [](auto &ctx) { x3::_val(ctx).elements.push_back({.value = x3::_attr(ctx)}); };
constexpr auto set_verdicts = [](auto &ctx) {
    Names &it = x3::_attr(ctx);
    x3::_val(ctx).value = state_of(ctx).expressions.add(it.span, ast::Set{std::move(it.elements)});
};
constexpr auto take_rule = [](auto &ctx) {
    x3::_val(ctx).node = state_of(ctx).file.rules.add(std::move(x3::_attr(ctx)));
};

constexpr WordName verdict_word(std::string_view word) { return {word, "a verdict"}; }

const auto import_def = quoted("import", a_declaration)[example("import \"tunnel/vxlan\"")] > string[set_path];
const auto constant_def = quoted("const", a_declaration)[example("const dns_port = 53")] >
                          name[set(&ast::Const::name)] > equals > value[set(&ast::Const::value)];
const auto param_def = quoted("param", a_declaration)[example("param dns_port : u16 = 53 in 1..65535")] >
                       name[set(&ast::Param::name)] > colon > type[set(&ast::Param::type)] > equals >
                       number[set(&ast::Param::value)] > -(silent("in") > bounds[set(&ast::Param::bounds)]);
const auto definition_def = quoted("def", a_declaration)[example("def from_lan = ipv4.src in 10.0.0.0/8")] >
                            name[set(&ast::Def::name)] >
                            -(opening_arguments > -(name[append(&ast::Def::parameters)] % comma) > closing) > equals >
                            ((set_ahead >> set_literal[set_body]) | action[set_body] | value[set_body]);

const auto attribute_def = name[set(&ast::Attribute::name)] >>
                           -(optional_equals > (verdicts[set_verdicts] | verdict[set(&ast::Attribute::value)] |
                                                value[set(&ast::Attribute::value)]));
const auto attributes_def = opening > -(attribute[push_back] % comma) > closing;
const auto verdict_def = verdict_word("pass")[add_name] | verdict_word("drop")[add_name] |
                         verdict_word("abort")[add_name] | verdict_word("tx")[add_name];
const auto verdicts_def = spanned[opening_names >> verdict[append_verdict] > *(comma >> verdict[append_verdict]) >
                                  -optional_comma > closing_set];

const auto map_def = quoted("defmap",
                            a_declaration)[example("defmap hits : percpu_hash<ipv4.src -> counter>[65_536]")] >
                     name[set(&ast::Map::name)] > colon > name[set(&ast::Map::kind)] >
                     -(opening_types > type[append(&ast::Map::types)] >
                       -(ascii_arrow[turn_on(&ast::Map::arrow)] > type[append(&ast::Map::types)]) > closing_types) >
                     -(opening_entries > expression[set(&ast::Map::entries)] > closing_index) >
                     -attributes[set(&ast::Map::attributes)] >
                     -((optional_equals > set_literal[set(&ast::Map::contents)]) | (silent("from") > string[set_from]));

constexpr WordName devmap{"devmap", "'devmap'"};
constexpr WordName cpumap{"cpumap", "'cpumap'"};
const auto program_def = quoted("defprogram",
                                a_declaration)[example("defprogram dns { match udp.dport == 53 -> drop }")] >
                         name[set(&ast::Program::name)] >
                         -(silent("on") > (devmap[set(&ast::Program::place)] | cpumap[set(&ast::Program::place)])) >
                         -attributes[set(&ast::Program::attributes)] > rules[set(&ast::Program::rules)];

const auto declaration_def =
    spanned[import[as_node] | constant[as_node] | header[as_node] | map[as_node] | program[as_node] | test[as_node] |
            param[as_node] | definition[as_node] | either[as_node] | rule[take_rule]];

BOOST_SPIRIT_DEFINE(import, constant, param, definition, map, attribute, attributes, verdict, verdicts, program,
                    declaration)

} // namespace

bool read_declaration(Iterator &first, Iterator last, ParseState &state, ast::Decl &out)
{
    return run(declaration, first, last, state, out);
}

} // namespace xdpf::syntax
