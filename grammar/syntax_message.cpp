#include "grammar/syntax_message.hpp"

#include "grammar/lexis.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace xdpf {
namespace {

struct Habit {
    std::string_view token; // as other languages have it
    std::string_view help;
};

constexpr std::array habits{
    Habit{"=", "a comparison is written '=='"},
    Habit{"=>", "an arrow is written '->'"},
    Habit{"&&", "write 'and'"},
    Habit{"||", "write 'or'"},
    Habit{"!", "write 'not'"},
    Habit{"//", "a comment begins with '#'"},
    Habit{"/*", "a comment begins with '#'"},
    Habit{"'", "strings stand in double quotes"},
    Habit{"::", "members follow a dot: udp.dport"},
};

bool expects(const std::vector<Expected> &expected, std::string_view label)
{
    return std::ranges::any_of(expected, [&](const Expected &one) { return one.label == label; });
}

bool is_comparison(std::string_view token)
{
    constexpr std::array<std::string_view, 7> all{"==", "!=", "<", "<=", ">", ">=", "in"};
    return std::ranges::find(all, token) != all.end();
}

bool is_clause(std::string_view word)
{
    constexpr std::array<std::string_view, 9> all{"on", "then", "where", "size", "payload",
                                                  "in", "end",  "pad",   "inner"};
    return std::ranges::find(all, word) != all.end();
}

std::string lower(std::string_view word)
{
    std::string out(word);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

SyntaxHelp help_with_word(std::string_view word, const std::vector<Expected> &expected)
{
    constexpr std::size_t longest_keyword = 16;
    if (word.size() > longest_keyword)
        return {};
    if ((word == "packet" || word == "header") && expects(expected, "a name"))
        return {fmt::format("'{}' has a meaning of its own and cannot be a name", word), {}};
    if (expects(expected, "a clause of the header") &&
        std::ranges::find(expected, word, &Expected::word) == expected.end() && is_clause(word))
        return {"each clause of a header stands once", {}};
    if (lexis::is_known(word) && !lexis::is_reserved(word))
        return {};
    std::vector<std::string> candidates;
    for (const auto &one : expected)
        if (!one.word.empty() && one.word != word)
            candidates.emplace_back(one.word);
    const auto near = lexis::is_reserved(word) ? std::string() : nearest(lower(word), candidates);
    if (!near.empty())
        return {fmt::format("did you mean '{}'?", near), near};
    if (lexis::is_reserved(word) &&
        (expects(expected, "a name") || expects(expected, "a type") || expects(expected, "an expression")))
        return {fmt::format("'{}' is a keyword and cannot be a name", word), {}};
    return {};
}

std::string help_with_operator(std::string_view token, const std::vector<Expected> &expected)
{
    if (is_comparison(token) && expects(expected, "'->'"))
        return "comparisons do not chain: write a < b and b < c";
    if (token == "==" && expects(expected, "'=', '+=' or '-='"))
        return "a value is assigned with '='";
    if (token == ":" && expects(expected, "'->'"))
        return "a MAC address has six pairs of hex digits, an IPv6 address eight groups or a '::'";
    if (token == "not" && expects(expected, "'->'"))
        return "'not' stands in front: not a in b";
    if ((token == "=" && expects(expected, "'->'")) || token != "=")
        for (const auto &habit : habits)
            if (habit.token == token)
                return std::string(habit.help);
    if (token == "-" && (expects(expected, "':'") || expects(expected, "'{'")) && !expects(expected, "'->'"))
        return "names are made of letters, digits and '_'";
    const bool unclosed = token == "," && expects(expected, "')'") && !expects(expected, "','");
    if (unclosed || (token == "[" && expects(expected, "a set")))
        return "a set is written {22, 80}";
    if (token == "}" && expects(expected, "a declaration"))
        return "this '}' closes nothing";
    if (token == ";" && expects(expected, "'match'"))
        return "nothing stands between rules";
    return {};
}

} // namespace

std::string list_expected(const std::vector<Expected> &expected)
{
    std::vector<std::string_view> labels;
    for (const auto &one : expected)
        if (!one.label.empty() && std::ranges::find(labels, one.label) == labels.end())
            labels.push_back(one.label);
    std::string out;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (i != 0)
            out += i + 1 == labels.size() ? " or " : ", ";
        out += labels[i];
    }
    return out;
}

SyntaxHelp syntax_help(std::string_view text, const std::vector<Expected> &expected, std::string_view example)
{
    const char *end = text.data() + text.size();
    const auto token = lexis::token_at(text.data(), end);
    if (token.empty())
        return {"the file ends here", {}};
    if (auto help = help_with_operator(token, expected); !help.empty())
        return {std::move(help), {}};
    if (const auto word = lexis::word_at(text.data(), end); !word.empty())
        if (auto help = help_with_word(word, expected); !help.text.empty())
            return help;
    if (lexis::is_digit(token[0]) && expects(expected, "a name"))
        return {"a name begins with a letter or '_'", {}};
    if (lexis::is_digit(token[0]) && lexis::is_name_start(token.back()) && expects(expected, "an expression"))
        return {fmt::format("'{}' is neither a number nor a name", token), {}};
    return {example.empty() ? std::string() : fmt::format("for example: {}", example), {}};
}

} // namespace xdpf
