// Tokens as Spirit X3 parsers. Each skips blanks first, restores the position when it fails, and tells ParseState what
// was wanted there. Included by the files that hold X3 rules only.
#pragma once

#include "grammar/lexis.hpp"
#include "grammar/lookahead.hpp"
#include "grammar/parse_state.hpp"

#define BOOST_SPIRIT_X3_NO_RTTI
#include <boost/spirit/home/x3.hpp>

namespace xdpf::syntax {

namespace x3 = boost::spirit::x3;
using Iterator = const char *;

template <class Context> ParseState &state_of(const Context &context) { return x3::get<ParseState>(context); }

// What X3 throws where the text is not as it must be from here on; caught by the statement around.
[[noreturn]] inline void give_up(Iterator at) { boost::throw_exception(x3::expectation_failure<Iterator>(at, "more")); }

// A token without a value: `Derived::match` says where it ends, or null.
template <class Derived> struct Mark : x3::parser<Derived> {
    using attribute_type = x3::unused_type;
    static constexpr bool has_attribute = false;

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &) const
    {
        const Iterator at = lexis::skip_blank(first, last);
        const Iterator past = static_cast<const Derived *>(this)->match(at, last);
        if (past == nullptr) {
            state_of(context).expect(at, static_cast<const Derived *>(this)->expected());
            return false;
        }
        first = past;
        return true;
    }
};

// A word with a meaning.
struct Keyword : Mark<Keyword> {
    std::string_view word;
    std::string_view label;

    constexpr Keyword(std::string_view w, std::string_view l) : word(w), label(l) {}
    [[nodiscard]] Iterator match(Iterator at, Iterator last) const
    {
        return lexis::word_at(at, last) == word ? at + word.size() : nullptr;
    }
    [[nodiscard]] Expected expected() const { return {label, word}; }
};

// A word that means something in front of what `Ahead` looks for behind it, and is a name elsewhere.
template <bool (*ahead)(Iterator, Iterator)> struct Contextual : Mark<Contextual<ahead>> {
    std::string_view word;
    std::string_view label;

    constexpr Contextual(std::string_view w, std::string_view l) : word(w), label(l) {}
    [[nodiscard]] Iterator match(Iterator at, Iterator last) const
    {
        const Iterator past = at + word.size();
        return lexis::word_at(at, last) == word && ahead(lexis::skip_blank(past, last), last) ? past : nullptr;
    }
    [[nodiscard]] Expected expected() const { return {label, word}; }
};

// Succeeds where `test` says so, and reads nothing.
template <bool (*test)(Iterator, Iterator)> struct Ahead : x3::parser<Ahead<test>> {
    using attribute_type = x3::unused_type;
    static constexpr bool has_attribute = false;
    std::string_view label; // what is wanted there

    constexpr explicit Ahead(std::string_view l) : label(l) {}
    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &) const
    {
        const Iterator at = lexis::skip_blank(first, last);
        if (!test(at, last))
            state_of(context).expect(at, {label, {}});
        return test(at, last);
    }
};

// Punctuation; not where one of `not_before` follows, with which it is another token.
struct Punctuation : Mark<Punctuation> {
    std::string_view text;
    std::string_view label;
    std::string_view not_before;

    constexpr Punctuation(std::string_view t, std::string_view l, std::string_view n = {})
        : text(t), label(l), not_before(n)
    {
    }
    [[nodiscard]] Iterator match(Iterator at, Iterator last) const
    {
        if (!std::string_view(at, static_cast<std::size_t>(last - at)).starts_with(text))
            return nullptr;
        const Iterator past = at + text.size();
        return past != last && not_before.find(*past) != std::string_view::npos ? nullptr : past;
    }
    [[nodiscard]] Expected expected() const { return {label, {}}; }
};

// A token with a value: `Derived::read` moves past it and returns an optional.
template <class Derived, class Value> struct Valued : x3::parser<Derived> {
    using attribute_type = Value;
    static constexpr bool has_attribute = true;

    template <class Context, class RuleContext, class Attribute>
    bool parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &, Attribute &attribute) const
    {
        Iterator at = lexis::skip_blank(first, last);
        auto value = static_cast<const Derived *>(this)->read(at, last, state_of(context));
        if (!value)
            return false;
        first = at;
        x3::traits::move_to(std::move(*value), attribute);
        return true;
    }
};

// Which words may be a name in which place.
enum class NameIn : std::uint8_t {
    declaration, // what a declaration names
    type,        // likewise; messages say "a type"
    expression,  // also `header` and `packet`, where no name follows that would make them begin something else
    member,      // any word, also a keyword: behind a dot, and as a field's name
    redirect,    // the map behind `xsk`, where it may be left out: the next line's word is not taken if it fits nothing
};

template <NameIn place> struct NameToken : Valued<NameToken<place>, ast::Name> {
    static std::string_view word_behind(std::string_view word, Iterator last)
    {
        return lexis::word_at(lexis::skip_blank(word.data() + word.size(), last), last);
    }
    static bool followed_by_name(std::string_view word, Iterator last)
    {
        const auto next = word_behind(word, last);
        return !next.empty() && !lexis::is_reserved(next);
    }
    static bool fits(std::string_view word, Iterator last, const ParseState &state)
    {
        if (word.empty() || (place != NameIn::member && lexis::is_reserved(word)))
            return false;
        if (place == NameIn::member)
            return true;
        if (word == "header" || word == "packet")
            return place == NameIn::expression && !followed_by_name(word, last);
        if (place == NameIn::redirect) {
            Iterator before = word.data();
            while (before != state.begin() && (before[-1] == ' ' || before[-1] == '\t'))
                --before;
            const bool own_line = before == state.begin() || !lexis::is_name(before[-1]);
            return !own_line || !followed_by_name(word, last) || word_behind(word, last) == "header" ||
                   word_behind(word, last) == "packet";
        }
        return true;
    }
    static constexpr std::string_view label()
    {
        switch (place) {
        case NameIn::expression: return "an expression";
        case NameIn::type: return "a type";
        default: return "a name";
        }
    }
    std::optional<ast::Name> read(Iterator &at, Iterator last, ParseState &state) const
    {
        const auto word = lexis::word_at(at, last);
        if (!fits(word, last, state)) {
            if (place != NameIn::redirect)
                state.expect(at, {label(), {}});
            return std::nullopt;
        }
        at += word.size();
        return ast::Name{std::string(word), state.span(word)};
    }
};

// tcp.option.mss: one name, its words joined with dots.
struct DottedName : Valued<DottedName, ast::Name> {
    static std::optional<ast::Name> read(Iterator &at, Iterator last, ParseState &state)
    {
        auto name = NameToken<NameIn::declaration>{}.read(at, last, state);
        if (!name)
            return std::nullopt;
        for (Iterator dot = lexis::skip_blank(at, last); dot != last && *dot == '.';
             dot = lexis::skip_blank(at, last)) {
            at = lexis::skip_blank(dot + 1, last);
            const auto word = NameToken<NameIn::member>{}.read(at, last, state);
            if (!word)
                give_up(at);
            name->text += '.';
            name->text += word->text;
            name->span = join(name->span, word->span);
        }
        return name;
    }
};

// A certain word, as a name.
struct WordName : Valued<WordName, ast::Name> {
    std::string_view word;
    std::string_view label;

    constexpr WordName(std::string_view w, std::string_view l) : word(w), label(l) {}
    std::optional<ast::Name> read(Iterator &at, Iterator last, ParseState &state) const
    {
        const auto found = lexis::word_at(at, last);
        if (found != word) {
            state.expect(at, {label, word});
            return std::nullopt;
        }
        at += word.size();
        return ast::Name{std::string(word), state.span(found)};
    }
};

// A number where a name could stand.
struct DigitsName : Valued<DigitsName, ast::Name> {
    static std::optional<ast::Name> read(Iterator &at, Iterator last, ParseState &state)
    {
        const auto literal = lexis::literal_at(at, last);
        if (!literal || literal->kind != ast::Literal::Kind::integer)
            return std::nullopt;
        at += literal->text.size();
        return ast::Name{std::string(literal->text), state.span(literal->text)};
    }
};

// `name =` before an argument's value.
struct ArgumentName : Valued<ArgumentName, ast::Name> {
    static std::optional<ast::Name> read(Iterator &at, Iterator last, ParseState &state)
    {
        const auto word = lexis::word_at(at, last);
        const Iterator sign = lexis::skip_blank(at + word.size(), last);
        if (word.empty() || sign == last || *sign != '=' || (last - sign > 1 && (sign[1] == '=' || sign[1] == '>')))
            return std::nullopt;
        at = sign + 1;
        return ast::Name{std::string(word), state.span(word)};
    }
};

// `name :` at the head of a field.
struct FieldName : Valued<FieldName, ast::Name> {
    static std::optional<ast::Name> read(Iterator &at, Iterator last, ParseState &state)
    {
        const auto word = lexis::word_at(at, last);
        const Iterator colon = lexis::skip_blank(at + word.size(), last);
        if (word.empty() || colon == last || *colon != ':') {
            word.empty() ? state.expect(at, {"a field", {}}) : state.expect(colon, {"':'", {}});
            return std::nullopt;
        }
        at = colon + 1;
        return ast::Name{std::string(word), state.span(word)};
    }
};

// A string with the span of its literal.
struct Text {
    std::string value;
    Span span;
};

struct StringToken : Valued<StringToken, Text> {
    std::string_view label;

    constexpr explicit StringToken(std::string_view l) : label(l) {}
    std::optional<Text> read(Iterator &at, Iterator last, ParseState &state) const
    {
        if (at == last || *at != '"') {
            state.expect(at, {label, {}});
            return std::nullopt;
        }
        const auto string = lexis::string_at(at, last);
        if (!string.closed) {
            state.unterminated_string(string.text);
            give_up(at);
        }
        at += string.text.size();
        return Text{state.unescape(string.text), state.span(string.text)};
    }
};

struct LiteralToken : Valued<LiteralToken, ast::ExprId> {
    static std::optional<ast::ExprId> read(Iterator &at, Iterator last, ParseState &state)
    {
        const auto literal = lexis::literal_at(at, last);
        if (!literal) {
            state.expect(at, {"an expression", {}});
            return std::nullopt;
        }
        at += literal->text.size();
        return state.expressions.add(state.span(literal->text),
                                     ast::Literal{literal->kind, std::string(literal->text)});
    }
};

} // namespace xdpf::syntax
