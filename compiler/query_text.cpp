#include "compiler/query_text.hpp"

#include "grammar/lexis.hpp"

#include <algorithm>
#include <array>

namespace xdpf::query {
namespace {

constexpr std::size_t read_behind = 8; // tokens behind the place

constexpr std::array<std::string_view, 11> declaration_words{
    "asm", "const", "def", "default", "defmap", "defprogram", "header", "import", "match", "param", "test"};

bool is_one_of(std::string_view token, std::initializer_list<std::string_view> all)
{
    return std::ranges::find(all, token) != all.end();
}

// What a set, and no block of steps, follows.
bool wants_value(std::string_view token)
{
    return is_one_of(token, {"in", "=", "==", "!=", "+=", "-=", "(", ",", "[", "metadata", "->"});
}

bool is_arrow(std::string_view token) { return token == "->" || token == lexis::unicode_arrow; }

} // namespace

Text::Text(std::string_view text, std::uint32_t offset) : text_(text), offset_(offset)
{
    const char *at = text.data();
    const char *const end = at + text.size();
    const char *const place = at + std::min<std::size_t>(offset, text.size());
    for (std::size_t behind = 0; behind < read_behind;) {
        const char *blank = at;
        at = lexis::skip_blank(at, end);
        if (blank < place && place <= at) {
            const std::string_view skipped(blank, static_cast<std::size_t>(place - blank));
            const auto line = skipped.rfind('\n') == std::string_view::npos ? 0 : skipped.rfind('\n');
            in_comment_ = skipped.find('#', line) != std::string_view::npos;
        }
        const auto token = lexis::token_at(at, end);
        if (token.empty())
            break;
        tokens_.push_back(token);
        at += token.size();
        behind += at > place ? 1 : 0;
        before_ += at <= place ? 1 : 0;
    }
}

bool Text::is_word(std::size_t token) const
{
    return !(*this)[token].empty() && lexis::is_name_start((*this)[token].front());
}

std::size_t Text::at() const
{
    if (before_ < tokens_.size() && begin(before_) <= offset_ && is_word(before_))
        return before_;
    if (before_ > 0 && end(before_ - 1) == offset_ && is_word(before_ - 1))
        return before_ - 1;
    return before_ < tokens_.size() && begin(before_) <= offset_ ? before_ : none;
}

bool Text::at_line_start(std::size_t token) const { return begin(token) == 0 || text_[begin(token) - 1] == '\n'; }

bool Text::begins_declaration(std::size_t token) const
{
    const auto word = tokens_[token];
    if (word == "union" || std::ranges::find(declaration_words, word) != declaration_words.end())
        return token == 0 || tokens_[token - 1] != ".";
    return false;
}

Inside Text::braces_in_rules(std::size_t token) const
{
    const auto previous = token > 0 ? tokens_[token - 1] : std::string_view();
    if (is_arrow(previous))
        return Inside::actions;
    return wants_value(previous) ? Inside::set : Inside::rules;
}

Inside Text::opened_by(std::size_t token, Inside outer, std::size_t declaration) const
{
    const auto previous = token > 0 ? tokens_[token - 1] : std::string_view();
    const auto decl = declaration == none ? std::string_view() : tokens_[declaration];
    if (tokens_[token] == "(") {
        const bool attributes = decl == "defmap" && outer == Inside::file && is_one_of(previous, {"]", ">"});
        return attributes || (token > 0 && is_word(token - 1)) ? Inside::arguments : Inside::group;
    }
    if (tokens_[token] == "[")
        return Inside::index;
    if (tokens_[token] == "<")
        return Inside::type;
    if (previous == "asm" || outer == Inside::assembly)
        return Inside::assembly;
    switch (outer) {
    case Inside::file:
        if (decl == "header" && !wants_value(previous))
            return Inside::header;
        if (decl == "union")
            return Inside::members;
        if (decl == "defprogram")
            return Inside::rules;
        if (decl == "test")
            return Inside::test;
        if (decl == "match" || decl == "default")
            return braces_in_rules(token);
        if (decl == "def")
            return lexis::is_action((*this)[token + 1]) ? Inside::actions : Inside::set;
        return Inside::set;
    case Inside::rules: return braces_in_rules(token);
    case Inside::actions:
        return wants_value(previous) || (token > 1 && tokens_[token - 2] == "emit") ? Inside::set : Inside::actions;
    case Inside::header: return wants_value(previous) ? Inside::set : Inside::header;
    case Inside::type: return Inside::type;
    default: return Inside::set;
    }
}

// Calls visit(frames, declaration) at the token.
template <class Visit> void Text::walk(std::size_t token, Visit visit) const
{
    std::vector<Frame> open{{Inside::file, none}};
    std::size_t declaration = none;
    for (std::size_t i = 0; i < std::min(token, tokens_.size()); ++i) {
        const auto word = tokens_[i];
        if (is_word(i)) {
            // What is open there was forgotten to be closed: declarations begin their lines.
            const bool fresh = open.size() > 1 && at_line_start(i) && begins_declaration(i);
            if (fresh)
                open.resize(1);
            if (open.size() == 1 && begins_declaration(i) && (i == 0 || !is_arrow(tokens_[i - 1]) || fresh))
                declaration = i;
        } else if (word == "(" || word == "[" || word == "{") {
            open.push_back({opened_by(i, open.back().inside, declaration), i});
        } else if (word == "<" && open.size() == 1 && declaration != none && tokens_[declaration] == "defmap") {
            open.push_back({Inside::type, i});
        } else if (word == ")" || word == "]" || word == "}" ||
                   (word == ">" && open.back().inside == Inside::type && tokens_[open.back().opener] == "<")) {
            if (open.size() > 1)
                open.pop_back();
        }
    }
    visit(open, declaration);
}

std::vector<Text::Frame> Text::frames(std::size_t token) const
{
    std::vector<Frame> out;
    walk(token, [&](const std::vector<Frame> &open, std::size_t) { out = open; });
    return out;
}

std::size_t Text::declaration(std::size_t token) const
{
    std::size_t out = none;
    walk(token + 1, [&](const std::vector<Frame> &, std::size_t declaration) { out = declaration; });
    return out;
}

std::size_t Text::opener_of(std::size_t closer) const
{
    std::size_t depth = 0;
    for (std::size_t i = closer + 1; i-- > 0;) {
        depth += is_one_of(tokens_[i], {")", "]", "}"}) ? 1 : 0;
        if (is_one_of(tokens_[i], {"(", "[", "{"}) && --depth == 0)
            return i;
    }
    return none;
}

std::size_t Text::chain_begin(std::size_t token) const
{
    while (token >= 2 && tokens_[token - 1] == ".") {
        std::size_t front = token - 2;
        if (tokens_[front] == "]") {
            const auto opener = opener_of(front);
            if (opener == none || opener == 0)
                return token;
            front = opener - 1;
        }
        if (!is_word(front))
            return token;
        token = front;
    }
    return token;
}

std::vector<std::string_view> Text::chain(std::size_t first, std::size_t last) const
{
    std::vector<std::string_view> out;
    std::size_t depth = 0;
    for (std::size_t i = first; i <= last && i < tokens_.size(); ++i) {
        depth += tokens_[i] == "[" ? 1 : 0;
        if (depth == 0 && is_word(i))
            out.push_back(tokens_[i]);
        depth -= tokens_[i] == "]" && depth > 0 ? 1 : 0;
    }
    return out;
}

} // namespace xdpf::query
