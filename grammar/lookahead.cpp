#include "grammar/lookahead.hpp"

#include "grammar/lexis.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace xdpf::lookahead {
namespace {

template <std::size_t n> bool one_of(std::string_view token, const std::array<std::string_view, n> &all)
{
    return std::ranges::find(all, token) != all.end();
}

std::string_view token_behind(std::string_view token, const char *end)
{
    return lexis::token_at(lexis::skip_blank(token.data() + token.size(), end), end);
}

bool is_operator_word(std::string_view token)
{
    constexpr std::array<std::string_view, 5> words{"and", "any", "in", "not", "or"};
    return one_of(token, words);
}

bool is_operand(std::string_view token)
{
    return !token.empty() && (lexis::is_name(token[0]) || token[0] == '"') && !is_operator_word(token);
}

bool is_closing(std::string_view token) { return token == ")" || token == "]" || token == "}"; }
bool is_opening(std::string_view token) { return token == "(" || token == "[" || token == "{"; }

// Reads the first element of a pair of braces until a token tells what it is.
class FirstElement {
public:
    explicit FirstElement(const char *end) : end_(end) {}

    // True for a set, false for a block, nothing while it may be both.
    std::optional<bool> next(std::string_view token)
    {
        if (depth_ == 0)
            if (const auto known = outside(token))
                return known;
        if (is_opening(token))
            ++depth_;
        else if (is_closing(token))
            --depth_;
        before_last_ = last_;
        last_ = token;
        ++count_;
        return std::nullopt;
    }

private:
    [[nodiscard]] std::optional<bool> outside(std::string_view token) const
    {
        constexpr std::array<std::string_view, 4> set_marks{",", "->", "..", lexis::unicode_arrow};
        constexpr std::array<std::string_view, 3> block_marks{";", "+=", "-="};
        if (is_closing(token) || one_of(token, set_marks))
            return true;
        if (one_of(token, block_marks))
            return false;
        if (token == "=")
            return count_ == 1 ? std::nullopt : std::optional(false);
        if (last_ == ".")
            return std::nullopt;
        const bool element_name = count_ == 0 && token_behind(token, end_) == "=";
        if (lexis::is_reserved(token) && lexis::is_action(token) && !element_name)
            return false;
        const bool pcap = last_ == "pcap" && token[0] == '"';
        const bool second_operand = behind_operand() && (token == "{" || is_operand(token)) && !pcap;
        return second_operand || (token == "{" && count_ == 0) ? std::optional(false) : std::nullopt;
    }
    [[nodiscard]] bool behind_operand() const
    {
        return is_closing(last_) || is_operand(last_) ||
               (before_last_ == "." && !last_.empty() && lexis::is_name_start(last_[0]));
    }

    const char *end_;
    std::string_view last_;
    std::string_view before_last_;
    std::size_t count_ = 0;
    std::size_t depth_ = 0;
};

} // namespace

bool begins_declaration(std::string_view word, const char *end)
{
    constexpr std::array<std::string_view, 7> named{"const", "def", "defmap", "defprogram", "header", "param", "union"};
    const char *next = lexis::skip_blank(word.data() + word.size(), end);
    if (word == "import" || word == "test")
        return is_quote(next, end);
    return one_of(word, named) && !lexis::word_at(next, end).empty();
}

bool begins_set(const char *brace, const char *end)
{
    if (!is_brace(brace, end))
        return false;
    FirstElement element(end);
    for (const char *at = lexis::skip_blank(brace + 1, end); at != end;) {
        const auto token = lexis::token_at(at, end);
        if (begins_declaration(token, end)) // the brackets before it are not closed
            return true;
        if (const auto known = element.next(token))
            return *known;
        at = lexis::skip_blank(token.data() + token.size(), end);
    }
    return true;
}

bool begins_named_action(const char *at, const char *end)
{
    const auto word = lexis::word_at(at, end);
    if (word.empty() || lexis::is_reserved(word))
        return false;
    const char *past = at + word.size();
    const char *next = lexis::skip_blank(past, end);
    if ((word == "header" || word == "packet") && is_name(next, end))
        return false;
    if (next == end || std::find(past, next, '\n') != next)
        return true;
    if (const auto follower = lexis::word_at(next, end); !follower.empty())
        return lexis::is_reserved(follower) || begins_declaration(follower, end);
    return !lexis::is_digit(*next) && *next != '"' && *next != '{';
}

bool is_brace(const char *at, const char *end) { return at != end && *at == '{'; }

bool is_quote(const char *at, const char *end) { return at != end && *at == '"'; }

bool is_name(const char *at, const char *end)
{
    const auto word = lexis::word_at(at, end);
    return !word.empty() && !lexis::is_reserved(word);
}

bool is_number(const char *at, const char *end)
{
    return at != end && (lexis::is_digit(*at) || (is_name(at, end) && lexis::word_at(at, end) != "packet"));
}

bool no_colon(const char *at, const char *end) { return at == end || *at != ':'; }

bool no_target(const char *at, const char *end)
{
    constexpr std::array<std::string_view, 5> target{"[", ".", "=", "+=", "-="};
    return !one_of(lexis::token_at(at, end), target);
}

const char *closing_brace(const char *brace, const char *end)
{
    std::size_t depth = 0;
    for (const char *at = lexis::skip_blank(brace, end); at != end; at = lexis::skip_blank(at + 1, end)) {
        if (*at == '{')
            ++depth;
        else if (*at == '}' && --depth == 0)
            return at;
    }
    return end;
}

} // namespace xdpf::lookahead
