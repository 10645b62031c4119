// The grammar of xdpf.ebnf as Spirit X3 rules, in its order. A rule's value is built by its actions; expressions and
// actions are ids into the file's arenas. `>` stands only behind the token that commits to a construct, so nothing is
// read twice. One public function: parse().
#include "grammar/parse.hpp"

#include "grammar/combinators.hpp"
#include "grammar/lexis.hpp"
#include "grammar/parse_state.hpp"

#include <cassert>

namespace xdpf {
namespace syntax {
namespace {

using ast::BinaryOp;
using ast::UnaryOp;

// ---- Actions ---------------------------------------------------------------------------------------------------

constexpr auto set = [](auto member) {
    return [member](auto &ctx) { x3::_val(ctx).*member = std::move(x3::_attr(ctx)); };
};
constexpr auto append = [](auto member) {
    return [member](auto &ctx) { (x3::_val(ctx).*member).push_back(std::move(x3::_attr(ctx))); };
};
constexpr auto turn_on = [](auto member) { return [member](auto &ctx) { x3::_val(ctx).*member = true; }; };
constexpr auto pass_on = [](auto &ctx) { x3::_val(ctx) = std::move(x3::_attr(ctx)); };
// The value becomes the node of a declaration, an action, a statement.
constexpr auto as_node = [](auto &ctx) { x3::_val(ctx).node = std::move(x3::_attr(ctx)); };

// Fails where a clause has been given already.
template <class Member> struct Absent : x3::parser<Absent<Member>> {
    using attribute_type = x3::unused_type;
    static constexpr bool has_attribute = false;
    Member member;

    constexpr explicit Absent(Member m) : member(m) {}
    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &, const Iterator &, const Context &, RuleContext &value, Attribute &) const
    {
        return !(value.*member).has_value();
    }
};

// ---- Tokens ----------------------------------------------------------------------------------------------------

constexpr StringToken string{"a string"};
constexpr StringToken string_value{"an expression"};
constexpr NameToken<NameIn::declaration> name{};
constexpr NameToken<NameIn::expression> value_name{};
constexpr NameToken<NameIn::member> member_name{};
constexpr NameToken<NameIn::redirect> redirect_name{};
constexpr ArgumentName argument_name{};
constexpr FieldName field_name{};
constexpr LiteralToken literal{};
constexpr OpenBlock open_block{"'{'"};
constexpr OpenBlock open_parts{{}};
constexpr OpenBlock open_action{"an action"};
constexpr CloseBlock close_block{};

constexpr Punctuation opening{"(", "'('"};
constexpr Punctuation closing{")", "')'"};
constexpr Punctuation opening_value{"(", "an expression"};
constexpr Punctuation opening_arguments{"(", {}};
constexpr Punctuation opening_entries{"[", "'['"};
constexpr Punctuation opening_index{"[", {}};
constexpr Punctuation closing_index{"]", "']'"};
constexpr Punctuation opening_set{"{", "a set"};
constexpr Punctuation closing_set{"}", "'}'"};
constexpr Punctuation opening_types{"<", "'<'"};
constexpr Punctuation closing_types{">", "'>'"};
constexpr Punctuation comma{",", "','"};
constexpr Punctuation optional_comma{",", {}};
constexpr Punctuation semicolon{";", {}};
constexpr Punctuation colon{":", "':'"};
constexpr Punctuation slice_colon{":", {}};
constexpr Punctuation dot{".", {}, "."};
constexpr Punctuation equals{"=", "'='", "=>"};
constexpr Punctuation optional_equals{"=", {}, "=>"};
constexpr Punctuation slash{"/", {}, "/*"};
constexpr Punctuation ascii_arrow{"->", "'->'"};
constexpr Punctuation unicode_arrow{lexis::unicode_arrow, "'->'"};
const auto arrow = ascii_arrow | unicode_arrow;

constexpr Keyword quoted(std::string_view word, std::string_view label) { return {word, label}; }
constexpr Keyword silent(std::string_view word) { return {word, {}}; }

// Says what a right construct of this kind looks like, once its keyword is there.
constexpr auto example = [](std::string_view text) { return [text](auto &ctx) { state_of(ctx).example(text); }; };

// ---- Expressions -----------------------------------------------------------------------------------------------

constexpr Operators<BinaryOp, 1> or_table{{{"or", BinaryOp::logical_or, {}}}};
constexpr Operators<BinaryOp, 1> and_table{{{"and", BinaryOp::logical_and, {}}}};
constexpr Operators<BinaryOp, 6> comparison_table{{{"==", BinaryOp::equal, {}},
                                                   {"!=", BinaryOp::not_equal, {}},
                                                   {"<=", BinaryOp::less_equal, {}},
                                                   {"<", BinaryOp::less, "<"},
                                                   {">=", BinaryOp::greater_equal, {}},
                                                   {">", BinaryOp::greater, ">"}}};
constexpr Operators<BinaryOp, 1> in_table{{{"in", BinaryOp::in, {}}}};
constexpr Operators<BinaryOp, 1> bit_or_table{{{"|", BinaryOp::bit_or, "|"}}};
constexpr Operators<BinaryOp, 1> bit_xor_table{{{"^", BinaryOp::bit_xor, {}}}};
constexpr Operators<BinaryOp, 1> bit_and_table{{{"&", BinaryOp::bit_and, "&"}}};
constexpr Operators<BinaryOp, 2> shift_table{{{"<<", BinaryOp::shift_left, {}}, {">>", BinaryOp::shift_right, {}}}};
constexpr Operators<BinaryOp, 2> sum_table{{{"+", BinaryOp::add, {}}, {"-", BinaryOp::subtract, ">"}}};
constexpr Operators<BinaryOp, 3> product_table{
    {{"*", BinaryOp::multiply, {}}, {"/", BinaryOp::divide, "/*"}, {"%", BinaryOp::modulo, {}}}};
constexpr Operators<UnaryOp, 1> not_table{{{"not", UnaryOp::logical_not, {}}}};
constexpr Operators<UnaryOp, 3> unary_table{
    {{"-", UnaryOp::negate, ">"}, {"~", UnaryOp::complement, {}}, {"any", UnaryOp::any, {}}}};

// name, or name(arguments)
struct Named {
    ast::Name name;
    std::optional<std::vector<ast::Argument>> arguments;
    Span span;
};

// [i, j] or [offset:length]
struct Subscript {
    std::vector<ast::ExprId> indices;
    std::optional<ast::ExprId> length;
    Span span;
};

struct Braced {
    ast::Set set;
    Span span;
};

struct Parenthesised {
    ast::ExprId value;
    Span span;
};

const x3::rule<struct expression_id, ast::ExprId> expression = "expression";
const x3::rule<struct bit_or_id, ast::ExprId> bit_or = "bit_or";
const x3::rule<struct postfix_id, ast::ExprId> postfix = "postfix";
const x3::rule<struct primary_id, ast::ExprId> primary = "primary";
const x3::rule<struct named_id, Named> named = "named";
const x3::rule<struct parenthesised_id, Parenthesised> parenthesised = "parenthesised";
const x3::rule<struct subscript_id, Subscript> subscript = "subscript";
const x3::rule<struct arguments_id, std::vector<ast::Argument>> arguments = "arguments";
const x3::rule<struct argument_id, ast::Argument> argument = "argument";
const x3::rule<struct element_id, ast::Argument> element = "element";
const x3::rule<struct braced_id, Braced> braced = "braced";
const x3::rule<struct set_id, ast::ExprId> set_literal = "set";

// Adds a node that spans from `begin` on; a tree grown too high ends the reading.
template <class Context> ast::ExprId add(Context &ctx, Span span, decltype(ast::Expr::node) node)
{
    auto &state = state_of(ctx);
    return checked(state.expressions.add(span, std::move(node)), state.begin() + span.begin, state.begin() + span.end,
                   state);
}

constexpr auto add_named = [](auto &ctx) {
    Named &it = x3::_attr(ctx);
    if (it.arguments)
        x3::_val(ctx) = add(ctx, it.span, ast::Call{std::move(it.name), std::move(*it.arguments)});
    else
        x3::_val(ctx) = add(ctx, it.span, ast::Identifier{std::move(it.name.text)});
};
constexpr auto add_string = [](auto &ctx) {
    Text &it = x3::_attr(ctx);
    x3::_val(ctx) = add(ctx, it.span, ast::String{std::move(it.value)});
};
constexpr auto add_member = [](auto &ctx) {
    const auto base = x3::_val(ctx);
    ast::Name &member = x3::_attr(ctx);
    const Span span = join(state_of(ctx).expressions.span(base), member.span);
    x3::_val(ctx) = add(ctx, span, ast::Member{base, std::move(member)});
};
constexpr auto add_subscript = [](auto &ctx) {
    const auto base = x3::_val(ctx);
    Subscript &it = x3::_attr(ctx);
    const Span span = join(state_of(ctx).expressions.span(base), it.span);
    if (it.length)
        x3::_val(ctx) = add(ctx, span, ast::Slice{base, it.indices.front(), *it.length});
    else
        x3::_val(ctx) = add(ctx, span, ast::Index{base, std::move(it.indices)});
};
constexpr auto add_set = [](auto &ctx) {
    Braced &it = x3::_attr(ctx);
    x3::_val(ctx) = add(ctx, it.span, std::move(it.set));
};
constexpr auto append_element = [](auto &ctx) { x3::_val(ctx).set.elements.push_back(std::move(x3::_attr(ctx))); };
constexpr auto append_argument = [](auto &ctx) { x3::_val(ctx).push_back(std::move(x3::_attr(ctx))); };
// The parentheses count as part of what they hold, so that a message underlines them too.
constexpr auto take_parenthesised = [](auto &ctx) {
    const Parenthesised &it = x3::_attr(ctx);
    state_of(ctx).expressions[it.value].span = it.span;
    x3::_val(ctx) = it.value;
};

const auto unary = prefixed(postfix, unary_table);
const auto product = chain(unary, product_table);
const auto sum = chain(product, sum_table);
const auto shift = chain(sum, shift_table);
const auto bit_and = associative(shift, bit_and_table);
const auto bit_xor = associative(bit_and, bit_xor_table);
const auto bit_or_def = associative(bit_xor, bit_or_table);

const auto compared_with = set_literal | bit_or;
const auto members = set_literal | ranged(bit_or, bit_or);
const auto comparison =
    Comparison<std::decay_t<decltype(bit_or)>, std::decay_t<decltype(compared_with)>, std::decay_t<decltype(members)>>(
        bit_or, comparison_table, compared_with, in_table, members);
const auto negation = prefixed(comparison, not_table);
const auto conjunction = associative(negation, and_table);
const auto disjunction = associative(conjunction, or_table);
const auto expression_def = nested[disjunction];

const auto primary_def =
    literal[pass_on] | string_value[add_string] | named[add_named] | parenthesised[take_parenthesised];
const auto named_def =
    spanned[value_name[set(&Named::name)] >> -(opening_arguments > arguments[set(&Named::arguments)] > closing)];
const auto parenthesised_def = spanned[opening_value > expression[set(&Parenthesised::value)] > closing];
const auto arguments_def = -(argument[append_argument] % comma);
const auto argument_def = (argument_name[set(&ast::Argument::name)] > expression[set(&ast::Argument::value)]) |
                          expression[set(&ast::Argument::value)];
const auto subscript_def = spanned[opening_index > expression[append(&Subscript::indices)] >
                                   ((slice_colon > expression[set(&Subscript::length)]) |
                                    *(comma > expression[append(&Subscript::indices)])) > closing_index];
const auto postfix_def = primary[pass_on] >> *((dot > member_name[add_member]) | subscript[add_subscript]);

const auto element_def = (argument_name[set(&ast::Argument::name)] > expression[set(&ast::Argument::value)]) |
                         ranged(expression, bit_or)[set(&ast::Argument::value)];
const auto braced_def = spanned[opening_set > -(element[append_element] % comma) > -optional_comma > closing_set];
const auto set_literal_def = braced[add_set];

BOOST_SPIRIT_DEFINE(expression, bit_or, postfix, primary, named, parenthesised, subscript, arguments, argument, element,
                    braced, set_literal)

// ---- Types -----------------------------------------------------------------------------------------------------

const x3::rule<struct type_id, ast::Type> type = "type";

const auto type_def =
    spanned[name[set(&ast::Type::name)] >> -((dot > member_name[set(&ast::Type::field)]) |
                                             (opening_index > expression[set(&ast::Type::size)] > closing_index))];

BOOST_SPIRIT_DEFINE(type)

// ---- Actions and rules -----------------------------------------------------------------------------------------

const x3::rule<struct action_id, ast::ActionId> action = "action";
const x3::rule<struct action_node_id, ast::Action> action_node = "action_node";
const x3::rule<struct verdict_id, ast::Verdict> verdict = "verdict";
const x3::rule<struct redirect_id, ast::Redirect> redirect = "redirect";
const x3::rule<struct count_id, ast::Count> count = "count";
const x3::rule<struct block_id, ast::Block> block = "block";
const x3::rule<struct step_id, ast::ActionId> step = "step";
const x3::rule<struct rule_id, ast::Rule> rule = "rule";
const x3::rule<struct rule_head_id, ast::Rule> rule_head = "rule_head";
const x3::rule<struct rules_id, std::vector<ast::RuleId>> rules = "rules";

constexpr std::string_view an_action = "an action";

template <ast::Verdict::Kind kind> constexpr auto decide = [](auto &ctx) { x3::_val(ctx).kind = kind; };
constexpr auto add_action = [](auto &ctx) {
    x3::_val(ctx) = state_of(ctx).file.actions.add(std::move(x3::_attr(ctx)));
};
constexpr auto append_step = [](auto &ctx) {
    if (x3::_attr(ctx).valid())
        x3::_val(ctx).actions.push_back(x3::_attr(ctx));
};
constexpr auto take_head = [](auto &ctx) {
    x3::_val(ctx) = std::move(x3::_attr(ctx));
    x3::_val(ctx).head = x3::_val(ctx).span;
};
constexpr auto append_rule = [](auto &ctx) {
    if (x3::_attr(ctx).span.valid())
        x3::_val(ctx).push_back(state_of(ctx).file.rules.add(std::move(x3::_attr(ctx))));
};

const auto verdict_def = quoted("pass", an_action)[decide<ast::Verdict::Kind::pass>] |
                         quoted("drop", an_action)[decide<ast::Verdict::Kind::drop>] |
                         quoted("abort", an_action)[decide<ast::Verdict::Kind::abort>] |
                         quoted("tx", an_action)[decide<ast::Verdict::Kind::tx>] |
                         quoted("continue", an_action)[decide<ast::Verdict::Kind::next>];
const auto redirect_def = quoted("xsk", an_action)[example("xsk xsks else drop")] >>
                          -(redirect_name[set(&ast::Redirect::map)] >>
                            -(opening_index > expression[set(&ast::Redirect::key)] > closing_index)) >>
                          -(silent("else") > action[set(&ast::Redirect::otherwise)]);
const auto count_def = quoted("count", an_action)[example("count hits[ipv4.src]")] > name[set(&ast::Count::map)] >
                       -(opening_index > (expression[append(&ast::Count::key)] % comma) > closing_index);
const auto block_def = open_action > *each_line[step][append_step] > close_block;
const auto step_def = action[pass_on] >> -semicolon;
const auto action_node_def = nested[spanned[verdict[as_node] | redirect[as_node] | count[as_node] | block[as_node]]];
const auto action_def = action_node[add_action];

const auto rule_head_def = spanned[(quoted("match", "'match'")[example("match udp.dport == 53 -> drop")] >
                                    expression[set(&ast::Rule::predicate)]) |
                                   quoted("default", "'default'")[example("default -> pass")]];
const auto set_body = [](auto &ctx) { x3::_val(ctx).body = std::move(x3::_attr(ctx)); };
const auto has_predicate = [](auto &ctx) { x3::_pass(ctx) = x3::_val(ctx).predicate.has_value(); };
const auto rules_def = open_block > *each_rule[rule][append_rule] > close_block;
const auto rule_def =
    nested[spanned[rule_head[take_head] > ((arrow > action[set_body]) | (x3::eps[has_predicate] >> rules[set_body]))]];

BOOST_SPIRIT_DEFINE(action, action_node, verdict, redirect, count, block, step, rule, rule_head, rules)

// ---- Declarations ----------------------------------------------------------------------------------------------

const x3::rule<struct import_id, ast::Import> import = "import";
const x3::rule<struct const_id, ast::Const> constant = "const";
const x3::rule<struct header_id, ast::Header> header = "header";
const x3::rule<struct field_id, ast::Field> field = "field";
const x3::rule<struct fields_id, std::vector<ast::Field>> fields = "fields";
const x3::rule<struct parts_id, std::vector<ast::Field>> parts = "parts";
const x3::rule<struct field_line_id, ast::Field> field_line = "field_line";
const x3::rule<struct map_id, ast::Map> map = "map";
const x3::rule<struct attribute_id, ast::Attribute> attribute = "attribute";
const x3::rule<struct attributes_id, std::vector<ast::Attribute>> attributes = "attributes";
const x3::rule<struct program_id, ast::Program> program = "program";
const x3::rule<struct declaration_id, ast::Decl> declaration = "declaration";
const x3::rule<struct file_id> file = "file";

constexpr std::string_view a_declaration = "a declaration";

constexpr auto set_path = [](auto &ctx) {
    x3::_val(ctx).path = std::move(x3::_attr(ctx).value);
    x3::_val(ctx).path_span = x3::_attr(ctx).span;
};
constexpr auto append_attribute = [](auto &ctx) { x3::_val(ctx).push_back(std::move(x3::_attr(ctx))); };
constexpr auto append_field = [](auto &ctx) {
    if (!x3::_attr(ctx).name.text.empty())
        x3::_val(ctx).push_back(std::move(x3::_attr(ctx)));
};
constexpr auto take_rule = [](auto &ctx) {
    x3::_val(ctx).node = state_of(ctx).file.rules.add(std::move(x3::_attr(ctx)));
};
constexpr auto append_declaration = [](auto &ctx) {
    ast::Decl &decl = x3::_attr(ctx);
    if (!decl.span.valid())
        return;
    if (auto *it = std::get_if<ast::Import>(&decl.node))
        it->span = decl.span;
    if (auto *it = std::get_if<ast::Test>(&decl.node))
        it->span = decl.span;
    state_of(ctx).file.decls.push_back(std::move(decl));
};

const auto import_def = quoted("import", a_declaration)[example("import \"tunnel/vxlan\"")] > string[set_path];

const auto constant_def = quoted("const", a_declaration)[example("const dns_port = 53")] >
                          name[set(&ast::Const::name)] > equals >
                          (set_literal[set(&ast::Const::value)] | ranged(expression, bit_or)[set(&ast::Const::value)]);

template <class Member> constexpr auto absent(Member member) { return Absent<Member>(member); }
const auto clause =
    (absent(&ast::Header::on) >> quoted("on", "'on'") > expression[set(&ast::Header::on)]) |
    (absent(&ast::Header::then) >> quoted("then", "'then'") > member_name[set(&ast::Header::then)]) |
    (absent(&ast::Header::where) >> quoted("where", "'where'") > expression[set(&ast::Header::where)]) |
    (absent(&ast::Header::size) >> quoted("size", "'size'") > equals > expression[set(&ast::Header::size)]) |
    (absent(&ast::Header::payload_when) >> quoted("payload", "'payload'") > quoted("when", "'when'") >
     expression[set(&ast::Header::payload_when)]);
const auto header_def =
    quoted("header", a_declaration)[example("header udp on ipv4.protocol == 17 { sport : u16  dport : u16 }")] >
    name[set(&ast::Header::name)] > *clause > fields[set(&ast::Header::fields)];

const auto fields_def = open_block > *each_line[field_line][append_field] > close_block;
const auto parts_def = open_parts > *each_line[field_line][append_field] > close_block;
const auto field_line_def = field[pass_on] >> -(optional_comma | semicolon);
const auto field_def = nested[field_name[set(&ast::Field::name)] >
                              ((quoted("end", {}) >> quoted("of", {})[example("protocol : end of type at most 2")] >
                                member_name[set(&ast::Field::end_of)] > quoted("at", "'at'") >
                                quoted("most", "'most'") > expression[set(&ast::Field::at_most)]) |
                               (type[set(&ast::Field::type)] > -parts[set(&ast::Field::parts)] >
                                -(optional_equals > expression[set(&ast::Field::default_value)])))];

const auto attribute_def = name[set(&ast::Attribute::name)] >>
                           -(optional_equals > expression[set(&ast::Attribute::value)]);
const auto attributes_def = opening > -(attribute[append_attribute] % comma) > closing;

const auto map_def = quoted("defmap",
                            a_declaration)[example("defmap hits : percpu_hash<ipv4.src -> counter>[65_536]")] >
                     name[set(&ast::Map::name)] > colon > name[set(&ast::Map::kind)] >
                     -(opening_types > type[append(&ast::Map::types)] >
                       -(ascii_arrow[turn_on(&ast::Map::arrow)] > type[append(&ast::Map::types)]) > closing_types) >
                     -(opening_entries > expression[set(&ast::Map::entries)] > closing_index) >
                     -attributes[set(&ast::Map::attributes)];

const auto program_def =
    quoted("defprogram", a_declaration)[example("defprogram dns { match udp.dport == 53 -> drop }")] >
    name[set(&ast::Program::name)] > -attributes[set(&ast::Program::attributes)] > rules[set(&ast::Program::rules)];

// ---- Tests -----------------------------------------------------------------------------------------------------

const x3::rule<struct test_id, ast::Test> test = "test";
const x3::rule<struct layer_id, ast::Layer> layer = "layer";
const x3::rule<struct packet_id, ast::PacketStatement> packet = "packet";
const x3::rule<struct with_id, ast::WithStatement> with = "with";
const x3::rule<struct expect_id, ast::ExpectStatement> expect = "expect";

using StatementNode = std::variant<ast::PacketStatement, ast::WithStatement, ast::ExpectStatement>;
struct Statement {
    std::optional<StatementNode> node;
};
const x3::rule<struct statement_id, Statement> statement = "statement";

constexpr auto set_title = [](auto &ctx) {
    x3::_val(ctx).name = std::move(x3::_attr(ctx).value);
    x3::_val(ctx).name_span = x3::_attr(ctx).span;
};
constexpr auto set_hex = [](auto &ctx) { x3::_val(ctx).hex = std::move(x3::_attr(ctx).value); };
constexpr auto set_what = [](auto &ctx) { x3::_val(ctx).what = x3::_attr(ctx); };
constexpr auto append_statement = [](auto &ctx) {
    if (auto &node = x3::_attr(ctx).node)
        x3::_val(ctx).statements.push_back(std::move(*node));
};

const auto layer_def = name[set(&ast::Layer::name)] >>
                       -(opening_arguments > arguments[set(&ast::Layer::arguments)] > closing);
const auto packet_def =
    spanned[quoted("packet", "'packet'")[example("packet ethernet / ipv4 / udp(dport = 53)")] >
            ((quoted("hex", {}) >> string[set_hex]) | (layer[append(&ast::PacketStatement::layers)] % slash))];
const auto with_def =
    spanned[quoted("with", "'with'")[example("with rx_queue = 2")] > name[set(&ast::WithStatement::name)] > equals >
            (set_literal[set(&ast::WithStatement::value)] | expression[set(&ast::WithStatement::value)])];
const auto expect_def =
    spanned[quoted("expect", "'expect'")[example("expect drop")] > (action[set_what] | expression[set_what])];
const auto statement_def = (packet[as_node] | with[as_node] | expect[as_node]) >> -semicolon;
const auto test_def =
    quoted("test",
           a_declaration)[example("test \"a query is dropped\" { packet ethernet / ipv4 / udp  expect drop }")] >
    string[set_title] > -(quoted("for", "'for'") > name[set(&ast::Test::program)]) > open_block >
    *each_line[statement][append_statement] > close_block;

const auto declaration_def = spanned[import[as_node] | constant[as_node] | header[as_node] | map[as_node] |
                                     program[as_node] | test[as_node] | rule[take_rule]];
const auto file_def = *each_declaration[declaration][append_declaration];

BOOST_SPIRIT_DEFINE(import, constant, header, field, fields, parts, field_line, map, attribute, attributes, program,
                    test, layer, packet, with, expect, statement, declaration, file)

} // namespace
} // namespace syntax

namespace {

bool is_text(const Sources &sources, FileId file, Diagnostics &diagnostics)
{
    const auto text = sources.text(file);
    const auto at = [&](std::size_t offset) {
        return Span{file, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset + 1)};
    };
    if (text.size() > max_source_bytes) {
        diagnostics.report(Kind::file_too_large, Span{}, sources.name(file), text.size(), max_source_bytes);
        return false;
    }
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        diagnostics.report(Kind::nul_byte, at(nul));
        return false;
    }
    if (const auto bad = lexis::find_invalid_utf8(text)) {
        diagnostics.report(Kind::invalid_utf8, at(*bad));
        return false;
    }
    return true;
}

} // namespace

std::optional<ast::File> parse(const Sources &sources, FileId file, Diagnostics &diagnostics)
{
    if (!is_text(sources, file, diagnostics))
        return std::nullopt;
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    ast::File result;
    result.file = file;
    ParseState state(sources, result, diagnostics);
    const char *first = state.begin();
    if (sources.text(file).starts_with(byte_order_mark))
        first += byte_order_mark.size();
    try {
        syntax::x3::parse(first, state.end(), syntax::x3::with<ParseState>(std::ref(state))[syntax::file]);
    } catch (const syntax::x3::expectation_failure<const char *> &) {
        assert(state.stopped());
    }
    return result;
}

} // namespace xdpf
