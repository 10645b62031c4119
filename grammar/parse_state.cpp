#include "grammar/parse_state.hpp"

#include "grammar/lexis.hpp"
#include "grammar/lookahead.hpp"
#include "grammar/parse.hpp"
#include "grammar/syntax_message.hpp"

#include <algorithm>
#include <array>

namespace xdpf {
namespace {

int hex_value(char c)
{
    if (lexis::is_digit(c))
        return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool begins_rule(std::string_view word) { return word == "match" || word == "default"; }

// Outside of braces a keyword is enough, and two names in a row at the head of a line are a statement with a misspelt
// keyword, if they are no clause of a header or packet of a test.
bool begins_statement(std::string_view word, bool heads_line, const char *end)
{
    constexpr std::array<std::string_view, 8> keywords{"const",  "def",   "defmap", "defprogram",
                                                       "import", "param", "test",   "union"};
    constexpr std::array<std::string_view, 9> clauses{"at",  "end",     "inner", "on",   "packet",
                                                      "pad", "payload", "then",  "where"};
    if (begins_rule(word) || std::ranges::find(keywords, word) != keywords.end())
        return true;
    if (!heads_line || word.empty() || !lexis::is_name_start(word[0]) || lexis::is_reserved(word) ||
        std::ranges::find(clauses, word) != clauses.end())
        return false;
    const auto next = lexis::word_at(lexis::skip_blank(word.data() + word.size(), end), end);
    return !next.empty() && !lexis::is_reserved(next);
}

} // namespace

ParseState::ParseState(const Sources &sources, ast::File &target, Diagnostics &diagnostics)
    : expressions(target), file(target), diagnostics_(diagnostics), id_(target.file),
      begin_(sources.text(target.file).data()), end_(begin_ + sources.text(target.file).size()), furthest_(begin_)
{
}

Span ParseState::span(const char *first, const char *last) const
{
    return {id_, static_cast<std::uint32_t>(first - begin_), static_cast<std::uint32_t>(last - begin_)};
}

void ParseState::expect(const char *at, Expected expected)
{
    if (at < furthest_)
        return;
    if (at > furthest_) {
        furthest_ = at;
        expected_.clear();
    }
    expected_.push_back(expected);
}

void ParseState::count_error()
{
    ++errors_;
    if (errors_ >= max_syntax_errors)
        stopped_ = true;
}

Diagnostic *ParseState::report()
{
    if (told_ || stopped_)
        return nullptr;
    const std::string_view rest(furthest_, static_cast<std::size_t>(end_ - furthest_));
    const auto token = lexis::token_at(furthest_, end_);
    auto help = syntax_help(rest, expected_, example_);
    auto &told = diagnostics_.report(Kind::syntax, span(furthest_, furthest_ + token.size()), list_expected(expected_))
                     .suggest(std::move(help.text));
    if (!help.word.empty())
        told.fix = Fix{std::string(token), std::move(help.word)};
    count_error();
    if (stopped_)
        told.note({}, "further syntax errors of this file are not shown");
    return &told;
}

void ParseState::reject(Span span, std::string_view expected, std::string_view help)
{
    if (stopped_)
        return;
    diagnostics_.report(Kind::syntax, span, expected).suggest(std::string(help));
    count_error();
}

void ParseState::abandon(const char *at)
{
    furthest_ = std::max(furthest_, at);
    told_ = true;
}

const char *ParseState::recover(const char *start, Level level)
{
    if (level == Level::file && start == furthest_ && start != end_ && *start == '}' && forgive_brace()) {
        resumed_at_ = nullptr;
        return start + 1;
    }
    report();
    const char *at = resynchronise(furthest_, level);
    if (at == start && level == Level::file && at != end_)
        at = resynchronise(at + lexis::token_at(at, end_).size(), level);
    told_ = false;
    expected_.clear();
    furthest_ = resumed_at_ = lexis::skip_blank(at, end_);
    return at;
}

const char *ParseState::resynchronise(const char *at, Level level) const
{
    std::size_t depth = 0;
    for (;;) {
        const char *next = lexis::skip_blank(at, end_);
        const bool heads_line = next != furthest_ && std::find(at, next, '\n') != next;
        const bool outside = depth == 0;
        if (next == end_ || (level == Level::lines && outside && heads_line))
            return next;
        const auto token = lexis::token_at(next, end_);
        if (lookahead::begins_declaration(token, end_) ||
            (outside && level != Level::lines && begins_statement(token, heads_line, end_)))
            return next;
        at = next + token.size();
        if (*next == '{')
            ++depth;
        else if (*next == '}' && depth > 0)
            --depth;
        else if (*next == '}' && level != Level::file)
            return next;
        else if (outside && level == Level::lines && (*next == ';' || *next == ','))
            return at;
        else if (outside && level == Level::rules && *next == ';')
            return at;
    }
}

void ParseState::missing_brace(const char *at)
{
    if (at != resumed_at_) {
        expect(at, {"'}'", {}});
        if (auto *told = report())
            told->note(span(open_.back(), open_.back() + 1), "opened here");
    }
    resumed_at_ = at;
    ++forgiven_;
    open_.pop_back();
}

bool ParseState::forgive_brace()
{
    if (forgiven_ == 0)
        return false;
    --forgiven_;
    return true;
}

bool ParseState::enter(const char *at)
{
    if (depth_ >= max_nesting) {
        const char *token = lexis::skip_blank(at, end_);
        too_deep(span(token, token + lexis::token_at(token, end_).size()), max_nesting);
        return false;
    }
    ++depth_;
    return true;
}

// What follows would only be read wrongly: the file ends here.
void ParseState::too_deep(Span span, std::size_t limit)
{
    if (!stopped_)
        diagnostics_.report(Kind::nesting_too_deep, span, limit).suggest("split it: a const, a nested match");
    ++errors_;
    told_ = stopped_ = true;
}

std::string ParseState::unescape(std::string_view quoted)
{
    static constexpr std::array<std::pair<char, char>, 6> simple{
        {{'"', '"'}, {'\\', '\\'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'0', '\0'}}};
    const auto inner = quoted.substr(1, quoted.size() - 2);
    std::string out;
    for (std::size_t i = 0; i < inner.size(); ++i) {
        if (inner[i] != '\\') {
            out += inner[i];
            continue;
        }
        const char kind = inner[++i];
        const auto *known = std::ranges::find(simple, kind, &std::pair<char, char>::first);
        if (known != simple.end()) {
            out += known->second;
        } else if (kind == 'x' && i + 2 < inner.size() && hex_value(inner[i + 1]) >= 0 &&
                   hex_value(inner[i + 2]) >= 0) {
            out += static_cast<char>(hex_value(inner[i + 1]) * 16 + hex_value(inner[i + 2]));
            i += 2;
        } else {
            const auto length = lexis::token_at(&inner[i], inner.data() + inner.size()).size();
            const auto escape = inner.substr(i - 1, lexis::is_name(kind) ? 2 : 1 + length);
            diagnostics_.report(Kind::bad_escape, span(escape), escape)
                .suggest(kind == 'x' ? "two hexadecimal digits follow \\x"
                                     : "known are \\\" \\\\ \\n \\r \\t \\0 \\xHH");
            count_error();
        }
    }
    return out;
}

void ParseState::unterminated_string(std::string_view text)
{
    diagnostics_.report(Kind::unterminated_string, span(text)).suggest("a string ends on the line it begins on");
    count_error();
    abandon(text.data() + text.size());
}

void ParseState::damaged(const char *start)
{
    const char *at = lexis::skip_blank(start, end_);
    const auto keyword = lexis::word_at(at, end_);
    const auto name = lexis::word_at(lexis::skip_blank(at + keyword.size(), end_), end_);
    if (!name.empty() && !begins_rule(keyword))
        file.damaged.push_back({std::string(name), span(name)});
}

} // namespace xdpf
