// Spirit X3 directives of this grammar's own: spans, nesting, lists of statements that recover from errors. Included by
// the files that hold X3 rules only.
#pragma once

#include "grammar/tokens.hpp"

namespace xdpf::syntax {

template <class Subject, class Derived> struct Directive : x3::unary_parser<Subject, Derived> {
    using x3::unary_parser<Subject, Derived>::unary_parser;
    static constexpr bool is_pass_through_unary = true;
    static constexpr bool handles_container = Subject::handles_container;
};

template <template <class> class D> struct MakeDirective {
    template <class Subject> constexpr auto operator[](const Subject &subject) const
    {
        return D<typename x3::extension::as_parser<Subject>::value_type>(x3::as_parser(subject));
    }
};

// Sets the `span` of the rule's value: from the first token to the last one.
template <class Subject> struct Spanned : Directive<Subject, Spanned<Subject>> {
    using Directive<Subject, Spanned<Subject>>::Directive;

    template <class Context, class RuleContext, class Attribute> bool
    parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &value, Attribute &attribute) const
    {
        const Iterator begin = lexis::skip_blank(first, last);
        if (!this->subject.parse(first, last, context, value, attribute))
            return false;
        value.span = state_of(context).span(begin, first);
        return true;
    }
};

// Counts a level of nesting.
template <class Subject> struct Nested : Directive<Subject, Nested<Subject>> {
    using Directive<Subject, Nested<Subject>>::Directive;

    template <class Context, class RuleContext, class Attribute> bool
    parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &value, Attribute &attribute) const
    {
        auto &state = state_of(context);
        if (!state.enter(first))
            give_up(first);
        const bool parsed = this->subject.parse(first, last, context, value, attribute);
        state.leave();
        return parsed;
    }
};

// The subject, with an example of its own for messages from where it has no way back.
template <class Subject> struct Exemplified : Directive<Subject, Exemplified<Subject>> {
    std::string_view text;

    constexpr Exemplified(const Subject &s, std::string_view t) : Directive<Subject, Exemplified<Subject>>(s), text(t)
    {
    }

    template <class Context, class RuleContext, class Attribute> bool
    parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &value, Attribute &attribute) const
    {
        auto &state = state_of(context);
        const auto around = state.example(text);
        const bool parsed = this->subject.parse(first, last, context, value, attribute);
        state.example(around);
        return parsed;
    }
};

// One statement of a list. After an error its value is empty and the next statement can be read; not there at the end
// of the list.
template <class Subject, Level level> struct Recovering : Directive<Subject, Recovering<Subject, level>> {
    using Directive<Subject, Recovering<Subject, level>>::Directive;

    template <class Context, class RuleContext, class Attribute> bool
    parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &value, Attribute &attribute) const
    {
        auto &state = state_of(context);
        const Iterator start = lexis::skip_blank(first, last);
        if (start == last || (level != Level::file && *start == '}'))
            return false;
        if (level == Level::file)
            state.example("match udp.dport == 53 -> drop");
        const auto errors = state.errors();
        const auto depth = state.depth();
        const auto blocks = state.open_blocks();
        const bool parsed = attempt(first, last, context, value, attribute);
        if (!parsed && !state.stopped()) {
            if (level != Level::file)
                state.expect(start, {"'}'", {}});
            state.restore_depth(depth);
            state.restore_blocks(blocks);
            attribute = Attribute{};
            first = state.recover(start, level);
        }
        if (level == Level::file && state.errors() != errors)
            state.damaged(start);
        if (state.stopped())
            give_up(first);
        return first != start;
    }

private:
    template <class Context, class RuleContext, class Attribute>
    bool attempt(Iterator &first, const Iterator &last, const Context &context, RuleContext &value,
                 Attribute &attribute) const
    {
        try {
            return this->subject.parse(first, last, context, value, attribute);
        } catch (const x3::expectation_failure<Iterator> &) {
            return false;
        }
    }
};

template <class Subject> using RecoveringDeclaration = Recovering<Subject, Level::file>;
template <class Subject> using RecoveringRule = Recovering<Subject, Level::rules>;
template <class Subject> using RecoveringLine = Recovering<Subject, Level::lines>;

constexpr MakeDirective<Spanned> spanned{};
constexpr MakeDirective<Nested> nested{};
constexpr MakeDirective<RecoveringDeclaration> each_declaration{};
constexpr MakeDirective<RecoveringRule> each_rule{};
constexpr MakeDirective<RecoveringLine> each_line{};

constexpr auto exemplified = [](std::string_view text, const auto &subject) {
    return Exemplified<std::decay_t<decltype(subject)>>(subject, text);
};

// The braces around a list of statements. The closing one may be missing, which is reported and does not stop anything.
struct OpenBlock : Mark<OpenBlock> {
    std::string_view label;

    constexpr explicit OpenBlock(std::string_view l) : label(l) {}
    template <class Context, class RuleContext, class Attribute> bool
    parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &value, Attribute &attribute) const
    {
        if (!Mark<OpenBlock>::parse(first, last, context, value, attribute))
            return false;
        state_of(context).open_block(first - 1);
        return true;
    }
    static Iterator match(Iterator at, Iterator last) { return at != last && *at == '{' ? at + 1 : nullptr; }
    [[nodiscard]] Expected expected() const { return {label, {}}; }
};

struct CloseBlock : x3::parser<CloseBlock> {
    using attribute_type = x3::unused_type;
    static constexpr bool has_attribute = false;

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &) const
    {
        const Iterator at = lexis::skip_blank(first, last);
        auto &state = state_of(context);
        if (at != last && *at == '}') {
            state.close_block();
            first = at + 1;
        } else {
            state.missing_brace(at);
        }
        return true;
    }
};

// The text of an `asm` block: up to the brace that closes it; braces within and comments are part of it.
struct RawBlock : x3::parser<RawBlock> {
    using attribute_type = ast::Asm;
    static constexpr bool has_attribute = true;

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &attribute) const
    {
        const Iterator at = lexis::skip_blank(first, last);
        auto &state = state_of(context);
        if (at == last || *at != '{') {
            state.expect(at, {"'{'", {}});
            return false;
        }
        const Iterator closing = lookahead::closing_brace(at, last);
        state.open_block(at);
        if (closing != last)
            state.close_block();
        else
            state.missing_brace(last);
        first = closing == last ? last : closing + 1;
        x3::traits::move_to(ast::Asm{std::string(at + 1, closing), state.span(at + 1, closing)}, attribute);
        return true;
    }
};

} // namespace xdpf::syntax
