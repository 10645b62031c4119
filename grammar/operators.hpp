// Operators of expressions as Spirit X3 parsers: prefixes, chains, comparisons, ranges. Included by
// parse_expressions.cpp only.
#pragma once

#include "grammar/parse.hpp"
#include "grammar/tokens.hpp"

#include <array>

namespace xdpf::syntax {

template <class Op> struct Operator {
    std::string_view text;
    Op op;
    std::string_view not_before; // followed by one of these it is another token
};

template <class Op, std::size_t n> using Operators = std::array<Operator<Op>, n>;
using Binaries = std::span<const Operator<ast::BinaryOp>>;
using Unaries = std::span<const Operator<ast::UnaryOp>>;

template <class Op> const Operator<Op> *match_operator(Iterator &first, Iterator last,
                                                       std::span<const Operator<Op>> table, ParseState &state)
{
    const Iterator at = lexis::skip_blank(first, last);
    const auto word = lexis::word_at(at, last);
    const std::string_view rest(at, static_cast<std::size_t>(last - at));
    for (const auto &one : table) {
        const bool is_word = lexis::is_name(one.text[0]);
        const auto size = one.text.size();
        const bool here = is_word
                              ? word == one.text
                              : rest.starts_with(one.text) &&
                                    (rest.size() == size || one.not_before.find(rest[size]) == std::string_view::npos);
        if (here) {
            first = at + size;
            return &one;
        }
        if (is_word)
            state.expect(at, {{}, one.text});
    }
    return nullptr;
}

template <class Parser, class Context>
ast::ExprId require(const Parser &parser, Iterator &first, const Iterator &last, const Context &context)
{
    ast::ExprId id;
    x3::unused_type none;
    if (!parser.parse(first, last, context, none, id))
        give_up(first);
    return id;
}

template <class Derived> struct ExpressionParser : x3::parser<Derived> {
    using attribute_type = ast::ExprId;
    static constexpr bool has_attribute = true;
};

// A tree that has grown too high ends the reading.
inline ast::ExprId checked(ast::ExprId id, Iterator begin, Iterator at, ParseState &state)
{
    if (!id.valid()) {
        state.too_deep(state.span(begin, at), max_expression_height);
        give_up(at);
    }
    return id;
}

// a - b - c: grouped from the left, or as a balanced tree where the grouping does not matter.
enum class Grouping : std::uint8_t { left, balanced };

template <class Operand, Grouping grouping> struct Chain : ExpressionParser<Chain<Operand, grouping>> {
    Operand operand;
    Binaries operators;

    constexpr Chain(const Operand &o, Binaries table) : operand(o), operators(table) {}

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &result) const
    {
        auto &state = state_of(context);
        const Iterator begin = lexis::skip_blank(first, last);
        x3::unused_type none;
        ast::ExprId left;
        if (!operand.parse(first, last, context, none, left))
            return false;
        std::vector<ast::ExprId> operands;
        while (const auto *found = match_operator(first, last, operators, state)) {
            const auto right = require(operand, first, last, context);
            if constexpr (grouping == Grouping::left) {
                left = checked(state.expressions.binary(found->op, left, right), begin, first, state);
            } else {
                if (operands.empty())
                    operands.push_back(left);
                operands.push_back(right);
            }
        }
        if (!operands.empty())
            left = checked(state.expressions.balanced(operators.front().op, operands), begin, first, state);
        x3::traits::move_to(std::move(left), result);
        return true;
    }
};

template <class Operand> constexpr auto chain(const Operand &operand, Binaries operators)
{
    return Chain<Operand, Grouping::left>(operand, operators);
}

template <class Operand> constexpr auto associative(const Operand &operand, Binaries operators)
{
    return Chain<Operand, Grouping::balanced>(operand, operators);
}

// (22, 80) behind `in` was meant to be a set.
inline ast::ExprId as_set(ast::ExprId id, ParseState &state)
{
    const auto *tuple = std::get_if<ast::Tuple>(&state.expressions[id].node);
    if (tuple == nullptr)
        return id;
    const Span span = state.expressions.span(id);
    state.reject(span, "a set or an expression", "a set is written {22, 80}");
    ast::Set set;
    for (const auto value : tuple->elements)
        set.elements.push_back({.value = value});
    return state.expressions.add(span, std::move(set));
}

// a < b, a in b: once.
template <class Operand, class Right, class Members> struct Comparison
    : ExpressionParser<Comparison<Operand, Right, Members>> {
    Operand operand;
    Binaries comparisons;
    Right right;
    Binaries membership;
    Members members;

    constexpr Comparison(const Operand &o, Binaries c, const Right &r, Binaries i, const Members &m)
        : operand(o), comparisons(c), right(r), membership(i), members(m)
    {
    }

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &result) const
    {
        auto &state = state_of(context);
        const Iterator begin = lexis::skip_blank(first, last);
        x3::unused_type none;
        ast::ExprId left;
        if (!operand.parse(first, last, context, none, left))
            return false;
        const auto *found = match_operator(first, last, comparisons, state);
        const auto *in = found != nullptr ? nullptr : match_operator(first, last, membership, state);
        if (found != nullptr || in != nullptr) {
            const auto other = in != nullptr ? as_set(require(members, first, last, context), state)
                                             : require(right, first, last, context);
            left =
                checked(state.expressions.binary(in != nullptr ? in->op : found->op, left, other), begin, first, state);
        }
        x3::traits::move_to(std::move(left), result);
        return true;
    }
};

// not a, - - a: a loop, so that a long row needs no stack to be refused.
template <class Operand> struct Prefixed : ExpressionParser<Prefixed<Operand>> {
    Operand operand;
    Unaries operators;

    constexpr Prefixed(const Operand &o, Unaries table) : operand(o), operators(table) {}

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &result) const
    {
        auto &state = state_of(context);
        const Iterator begin = lexis::skip_blank(first, last);
        std::vector<std::pair<Iterator, ast::UnaryOp>> found;
        Iterator at = begin;
        while (const auto *one = match_operator(first, last, operators, state)) {
            found.emplace_back(at, one->op);
            at = lexis::skip_blank(first, last);
        }
        x3::unused_type none;
        ast::ExprId id;
        if (!operand.parse(first, last, context, none, id)) {
            if (!found.empty())
                give_up(first);
            return false;
        }
        for (; !found.empty(); found.pop_back()) {
            const Span span = join(state.span(found.back().first, first), state.expressions.span(id));
            id = checked(state.expressions.add(span, ast::Unary{found.back().second, id}), begin, first, state);
        }
        x3::traits::move_to(std::move(id), result);
        return true;
    }
};

template <class Operand> constexpr auto prefixed(const Operand &operand, Unaries operators)
{
    return Prefixed<Operand>(operand, operators);
}

// first..last, or just the first. What is looser than a range (a or b, a < b) cannot begin one.
template <class First, class Last> struct Ranged : ExpressionParser<Ranged<First, Last>> {
    First lower;
    Last upper;

    constexpr Ranged(const First &l, const Last &u) : lower(l), upper(u) {}

    static bool may_begin(const ast::Expr &expr)
    {
        const auto *binary = std::get_if<ast::Binary>(&expr.node);
        const auto *unary = std::get_if<ast::Unary>(&expr.node);
        return !(binary != nullptr && binary->op <= ast::BinaryOp::in) &&
               !(unary != nullptr && unary->op == ast::UnaryOp::logical_not);
    }

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &result) const
    {
        auto &state = state_of(context);
        const Iterator begin = lexis::skip_blank(first, last);
        x3::unused_type none;
        ast::ExprId id;
        if (!lower.parse(first, last, context, none, id))
            return false;
        const Iterator dots = lexis::skip_blank(first, last);
        if (last - dots > 1 && dots[0] == '.' && dots[1] == '.' && may_begin(state.expressions[id])) {
            first = dots + 2;
            const auto end = require(upper, first, last, context);
            const Span span = join(state.expressions.span(id), state.expressions.span(end));
            id = checked(state.expressions.add(span, ast::Range{id, end}), begin, first, state);
        }
        x3::traits::move_to(std::move(id), result);
        return true;
    }
};

template <class First, class Last> constexpr auto ranged(const First &lower, const Last &upper)
{
    return Ranged<First, Last>(lower, upper);
}

} // namespace xdpf::syntax
