#include "grammar/format_tokens.hpp"

#include "grammar/lexis.hpp"
#include "grammar/lookahead.hpp"

#include <algorithm>
#include <optional>

namespace xdpf::format {
namespace {

std::string_view between(const char *begin, const char *end) { return {begin, static_cast<std::size_t>(end - begin)}; }

std::string_view without_blanks_behind(std::string_view text)
{
    const auto last = text.find_last_not_of(" \t\v\f\r");
    return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

class Cutter {
public:
    explicit Cutter(std::string_view text) : at_(text.data()), end_(text.data() + text.size()), line_(at_) {}

    Tokens cut()
    {
        constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
        if (between(at_, end_).starts_with(byte_order_mark))
            at_ += byte_order_mark.size();
        for (;;) {
            Token token{.first_comment = static_cast<std::uint32_t>(out_.comments.size())};
            token.blank_before = gap();
            if (at_ == end_) {
                out_.all.push_back(token);
                return std::move(out_);
            }
            classify(token);
            at_ += token.text.size();
            normalise(token);
            match_bracket(token);
            out_.all.push_back(token);
            assembly();
        }
    }

private:
    // Past white space and comments; whether an empty line comes last.
    bool gap()
    {
        std::size_t line_ends = out_.all.empty() && out_.comments.empty() ? 1 : 0;
        bool first = true;
        bool may_continue = false;
        std::ptrdiff_t column = 0;
        for (;; first = false) {
            for (; at_ != end_ && (*at_ == ' ' || (*at_ >= '\t' && *at_ <= '\r')); ++at_)
                if (*at_ == '\n') {
                    ++line_ends;
                    line_ = at_ + 1;
                }
            if (at_ == end_ || *at_ != '#')
                return line_ends > 1;
            const char *past = std::find(at_, end_, '\n');
            Comment comment{.text = without_blanks_behind(between(at_, past)),
                            .trailing = first && line_ends == 0,
                            .blank_before = line_ends > 1};
            comment.continued = may_continue && line_ends == 1 && at_ - line_ == column;
            may_continue = comment.trailing || comment.continued;
            column = at_ - line_;
            out_.comments.push_back(comment);
            at_ = past;
            line_ends = 0;
        }
    }

    void classify(Token &token) const
    {
        token.text = lexis::token_at(at_, end_);
        if (*at_ == '"')
            token.kind = Token::Kind::string;
        else if (lexis::literal_at(at_, end_))
            token.kind = Token::Kind::literal;
        else if (lexis::is_name_start(*at_))
            token.kind = Token::Kind::word;
        else
            token.kind = Token::Kind::symbol;
    }

    static void normalise(Token &token)
    {
        if (token.is(lexis::unicode_arrow))
            token.text = "->";
    }

    void match_bracket(Token &token)
    {
        if (token.kind != Token::Kind::symbol || token.text.size() != 1)
            return;
        const auto index = static_cast<std::uint32_t>(out_.all.size());
        switch (token.text.front()) {
        case '(':
        case '[':
        case '{': open_.push_back(index); return;
        case ')':
        case ']':
        case '}':
            if (!open_.empty()) {
                token.partner = open_.back();
                out_.all[open_.back()].partner = index;
                open_.pop_back();
            }
            return;
        default: return;
        }
    }

    // The text of `asm { … }` is one token, up to the brace that closes it.
    void assembly()
    {
        const auto count = out_.all.size();
        if (count < 2 || !out_.all[count - 1].is("{") || !out_.all[count - 2].is("asm"))
            return;
        const char *past = lookahead::closing_brace(at_ - 1, end_);
        out_.all.push_back({.text = between(at_, past),
                            .first_comment = static_cast<std::uint32_t>(out_.comments.size()),
                            .kind = Token::Kind::assembly});
        at_ = past;
    }

    const char *at_;
    const char *end_;
    const char *line_; // where it begins
    Tokens out_;
    std::vector<std::uint32_t> open_;
};

} // namespace

Tokens tokenize(std::string_view text) { return Cutter(text).cut(); }

} // namespace xdpf::format
