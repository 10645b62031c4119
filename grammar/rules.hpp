// What the files with X3 rules share: tokens with their labels, the values' actions, and the rules that one of them
// defines and others use. Those cross from file to file as plain functions, so that each file is compiled by itself.
#pragma once

#include "grammar/combinators.hpp"

#include <functional>

namespace xdpf::syntax {

// ---- Rules of other files --------------------------------------------------------------------------------------

template <class Value> using Reader = bool(Iterator &, Iterator, ParseState &, Value &);

// A rule behind a function.
template <class Value, Reader<Value> *read> struct Part : x3::parser<Part<Value, read>> {
    using attribute_type = Value;
    static constexpr bool has_attribute = true;

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &attribute) const
    {
        Value value{};
        if (!read(first, last, state_of(context), value))
            return false;
        x3::traits::move_to(std::move(value), attribute);
        return true;
    }
};

// What such a function does.
template <class Rule, class Value>
bool run(const Rule &rule, Iterator &first, Iterator last, ParseState &state, Value &value)
{
    return rule.parse(first, last, x3::make_context<ParseState>(state), x3::unused, value);
}

// parse_expressions.cpp
Reader<ast::ExprId> read_expression;
Reader<ast::ExprId> read_number;  // no comparison, no `and`: what stands on one side of those
Reader<ast::ExprId> read_postfix; // a name, a member, an element of a map
Reader<ast::ExprId> read_set;
Reader<ast::ExprId> read_value;  // a set, a range or an expression
Reader<ast::ExprId> read_bounds; // a set or a range
Reader<std::vector<ast::Argument>> read_arguments;
// parse_actions.cpp
Reader<ast::ActionId> read_action;
Reader<ast::ActionId> read_plain_action; // one that does not begin with a name
Reader<ast::Layer> read_layer;
Reader<std::vector<ast::RuleId>> read_rules; // in braces
Reader<ast::Rule> read_rule;
// parse_headers.cpp
Reader<ast::Type> read_type;
Reader<ast::Header> read_header;
Reader<ast::Union> read_union;
// parse_tests.cpp
Reader<ast::Test> read_test;
// parse_declarations.cpp
Reader<ast::Decl> read_declaration;

// ---- Tokens ----------------------------------------------------------------------------------------------------

constexpr StringToken string{"a string"};
constexpr StringToken quoted_string{{}}; // where a string is known to stand
constexpr NameToken<NameIn::declaration> name{};
constexpr NameToken<NameIn::member> member_name{};
constexpr DottedName dotted_name{};
constexpr ArgumentName argument_name{};
constexpr FieldName field_name{};
constexpr OpenBlock open_block{"'{'"};
constexpr CloseBlock close_block{};

constexpr Punctuation opening{"(", "'('"};
constexpr Punctuation closing{")", "')'"};
constexpr Punctuation opening_arguments{"(", {}};
constexpr Punctuation opening_entries{"[", "'['"};
constexpr Punctuation opening_index{"[", {}};
constexpr Punctuation closing_index{"]", "']'"};
constexpr Punctuation closing_set{"}", "'}'"};
constexpr Punctuation comma{",", "','"};
constexpr Punctuation optional_comma{",", {}};
constexpr Punctuation semicolon{";", {}};
constexpr Punctuation colon{":", "':'"};
constexpr Punctuation dot{".", {}, "."};
constexpr Punctuation equals{"=", "'='", "=>"};
constexpr Punctuation optional_equals{"=", {}, "=>"};
constexpr Punctuation slash{"/", {}, "/*"};
constexpr Punctuation ascii_arrow{"->", "'->'"};
constexpr Punctuation unicode_arrow{lexis::unicode_arrow, "'->'"};

constexpr Keyword quoted(std::string_view word, std::string_view label) { return {word, label}; }
constexpr Keyword silent(std::string_view word) { return {word, {}}; }

// ---- Actions ---------------------------------------------------------------------------------------------------

constexpr auto set = [](auto member) {
    return [member](auto &ctx) { x3::_val(ctx).*member = std::move(x3::_attr(ctx)); };
};
constexpr auto append = [](auto member) {
    return [member](auto &ctx) { (x3::_val(ctx).*member).push_back(std::move(x3::_attr(ctx))); };
};
constexpr auto turn_on = [](auto member) { return [member](auto &ctx) { x3::_val(ctx).*member = true; }; };
constexpr auto pass_on = [](auto &ctx) { x3::_val(ctx) = std::move(x3::_attr(ctx)); };
constexpr auto push_back = [](auto &ctx) { x3::_val(ctx).push_back(std::move(x3::_attr(ctx))); };
// The value becomes the node of a declaration, an action, a statement.
constexpr auto as_node = [](auto &ctx) { x3::_val(ctx).node = std::move(x3::_attr(ctx)); };

// Says what a right construct of this kind looks like, once its keyword is there.
constexpr auto example = [](std::string_view text) { return [text](auto &ctx) { state_of(ctx).example(text); }; };

constexpr Part<ast::ExprId, read_expression> expression{};

} // namespace xdpf::syntax
