// The expressions of xdpf.ebnf as Spirit X3 rules, in its order. Values are ids into the file's arena. `>` stands only
// behind the token that commits to a construct, so nothing is read twice.
#include "grammar/operators.hpp"
#include "grammar/rules.hpp"

#include <algorithm>

namespace xdpf::syntax {
namespace {

using ast::BinaryOp;
using ast::UnaryOp;

constexpr StringToken string_value{"an expression"};
constexpr NameToken<NameIn::expression> value_name{};
constexpr LiteralToken literal{};
constexpr Punctuation opening_value{"(", "an expression"};
constexpr Punctuation opening_set{"{", "a set"};
constexpr Punctuation slice_colon{":", {}};
constexpr Punctuation target_arrow{"->", {}};
constexpr Punctuation unicode_target_arrow{lexis::unicode_arrow, {}};
constexpr Contextual<lookahead::is_quote> pcap_word{"pcap", {}};

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
constexpr Operators<BinaryOp, 2> sum_table{{{"+", BinaryOp::add, "="}, {"-", BinaryOp::subtract, ">="}}};
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

// One value in parentheses, or a tuple.
struct Parenthesised {
    std::vector<ast::ExprId> values;
    Span span;
};

struct Limit {
    ast::Exceeds exceeds;
    Span span;
};

struct Filter {
    ast::Pcap pcap;
    Span span;
};

const x3::rule<struct whole_id, ast::ExprId> whole = "expression";
const x3::rule<struct bit_or_id, ast::ExprId> bit_or = "bit_or";
const x3::rule<struct postfix_id, ast::ExprId> postfix = "postfix";
const x3::rule<struct primary_id, ast::ExprId> primary = "primary";
const x3::rule<struct named_id, Named> named = "named";
const x3::rule<struct parenthesised_id, Parenthesised> parenthesised = "parenthesised";
const x3::rule<struct limit_id, Limit> limit = "limit";
const x3::rule<struct filter_id, Filter> filter = "filter";
const x3::rule<struct subscript_id, Subscript> subscript = "subscript";
const x3::rule<struct arguments_id, std::vector<ast::Argument>> arguments = "arguments";
const x3::rule<struct argument_id, ast::Argument> argument = "argument";
const x3::rule<struct element_id, ast::Argument> element = "element";
const x3::rule<struct target_id, ast::ExprId> target = "target";
const x3::rule<struct braced_id, Braced> braced = "braced";
const x3::rule<struct set_id, ast::ExprId> set_literal = "set";
const x3::rule<struct value_id, ast::ExprId> value = "value";
const x3::rule<struct bounds_id, ast::ExprId> bounds = "bounds";

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
// A node that its value holds beside the span.
constexpr auto add_node = [](auto member) {
    return [member](auto &ctx) {
        auto &it = x3::_attr(ctx);
        x3::_val(ctx) = add(ctx, it.span, std::move(it.*member));
    };
};
constexpr auto append_element = [](auto &ctx) { x3::_val(ctx).set.elements.push_back(std::move(x3::_attr(ctx))); };
// The parentheses count as part of what they hold, so that a message underlines them too.
constexpr auto take_parenthesised = [](auto &ctx) {
    Parenthesised &it = x3::_attr(ctx);
    auto &expressions = state_of(ctx).expressions;
    if (it.values.size() > 1) {
        x3::_val(ctx) = add(ctx, it.span, ast::Tuple{std::move(it.values)});
        return;
    }
    expressions[it.values.front()].span = it.span;
    x3::_val(ctx) = it.values.front();
};
constexpr auto set_filter = [](auto &ctx) {
    x3::_val(ctx).pcap = {std::move(x3::_attr(ctx).value), x3::_attr(ctx).span};
};
constexpr auto set_rate = [](auto &ctx) { x3::_val(ctx).exceeds.rate = x3::_attr(ctx); };
constexpr auto set_per = [](auto &ctx) { x3::_val(ctx).exceeds.per = x3::_attr(ctx); };
constexpr auto set_burst = [](auto &ctx) { x3::_val(ctx).exceeds.burst = x3::_attr(ctx); };
// 600/m, 10/h read as divisions.
constexpr auto check_rate = [](auto &ctx) {
    constexpr std::array<std::string_view, 9> units{"d", "day", "h", "hour", "m", "min", "minute", "ms", "second"};
    auto &state = state_of(ctx);
    const Limit &it = x3::_val(ctx);
    const auto &rate = state.expressions[it.exceeds.rate];
    const auto *quotient = std::get_if<ast::Binary>(&rate.node);
    const auto *unit = quotient != nullptr && quotient->op == BinaryOp::divide
                           ? std::get_if<ast::Identifier>(&state.expressions[quotient->right].node)
                           : nullptr;
    if (unit != nullptr && std::holds_alternative<ast::Literal>(state.expressions[quotient->left].node) &&
        std::ranges::find(units, unit->text) != units.end())
        state.reject(rate.span, "a number of packets per second", "a rate is written 1000/s");
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
const auto whole_def = nested[disjunction];

const auto primary_def = literal[pass_on] | string_value[add_string] | filter[add_node(&Filter::pcap)] |
                         limit[add_node(&Limit::exceeds)] | named[add_named] | parenthesised[take_parenthesised];
const auto named_def =
    spanned[value_name[set(&Named::name)] >> -(opening_arguments > arguments[set(&Named::arguments)] > closing)];
const auto filter_def = spanned[pcap_word >> quoted_string[set_filter]];
const auto limit_def = exemplified(
    "exceeds(1000/s per ipv4.src, burst 200)",
    spanned[silent("exceeds") >> opening_arguments > whole[set_rate] > -(quoted("per", "'per'") > whole[set_per]) >
            -(comma > quoted("burst", "'burst'") > whole[set_burst]) > closing > x3::eps[check_rate]]);
const auto parenthesised_def = spanned[opening_value > (whole[append(&Parenthesised::values)] % comma) > closing];
const auto arguments_def = -(argument[push_back] % comma);
const auto argument_def =
    (argument_name[set(&ast::Argument::name)] > whole[set(&ast::Argument::value)]) | whole[set(&ast::Argument::value)];
const auto subscript_def = spanned[opening_index > whole[append(&Subscript::indices)] >
                                   ((slice_colon > whole[set(&Subscript::length)]) |
                                    *(comma > whole[append(&Subscript::indices)])) > closing_index];
const auto postfix_def = primary[pass_on] >> *((dot > member_name[add_member]) | subscript[add_subscript]);

const auto element_def = (argument_name[set(&ast::Argument::name)] > whole[set(&ast::Argument::value)]) |
                         (ranged(whole, bit_or)[set(&ast::Argument::value)] >>
                          -((target_arrow | unicode_target_arrow) > target[set(&ast::Argument::target)]));
const auto target_def = nested[set_literal[pass_on] | whole[pass_on]];
const auto braced_def = spanned[opening_set > -(element[append_element] % comma) > -optional_comma > closing_set];
const auto set_literal_def = braced[add_node(&Braced::set)];

const auto value_def = set_literal[pass_on] | ranged(whole, bit_or)[pass_on];
const auto bounds_def = set_literal[pass_on] | ranged(bit_or, bit_or)[pass_on];

BOOST_SPIRIT_DEFINE(whole, bit_or, postfix, primary, named, filter, limit, parenthesised, subscript, arguments,
                    argument, element, target, braced, set_literal, value, bounds)

} // namespace

bool read_expression(Iterator &first, Iterator last, ParseState &state, ast::ExprId &out)
{
    return run(whole, first, last, state, out);
}

bool read_number(Iterator &first, Iterator last, ParseState &state, ast::ExprId &out)
{
    return run(bit_or, first, last, state, out);
}

bool read_postfix(Iterator &first, Iterator last, ParseState &state, ast::ExprId &out)
{
    return run(postfix, first, last, state, out);
}

bool read_set(Iterator &first, Iterator last, ParseState &state, ast::ExprId &out)
{
    return run(set_literal, first, last, state, out);
}

bool read_value(Iterator &first, Iterator last, ParseState &state, ast::ExprId &out)
{
    return run(value, first, last, state, out);
}

bool read_bounds(Iterator &first, Iterator last, ParseState &state, ast::ExprId &out)
{
    return run(bounds, first, last, state, out);
}

bool read_arguments(Iterator &first, Iterator last, ParseState &state, std::vector<ast::Argument> &out)
{
    return run(arguments, first, last, state, out);
}

} // namespace xdpf::syntax
