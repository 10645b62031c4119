#include "grammar/format_shape.hpp"

#include "grammar/lexis.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace xdpf::format {
namespace {

constexpr std::array<std::string_view, 18> symbols{"==", "!=", "<=", "<", ">=", ">", "|", "^",  "&",
                                                   "<<", ">>", "+",  "-", "*",  "/", "%", "..", "in"};

bool is_logical(const Token &token) { return token.is("and") || token.is("or"); }
bool is_binary(const Token &token)
{
    return token.kind != Token::Kind::string &&
           (is_logical(token) || std::ranges::find(symbols, token.text) != symbols.end());
}

Joint joint_of(const Token &token)
{
    if (token.is("or"))
        return Joint::disjunction;
    if (token.is("and"))
        return Joint::conjunction;
    return token.is("..") ? Joint::none : Joint::operation;
}

} // namespace

// Names with `/` between them, where neither side is part of a value: the headers of a path.
class Shape::Path {
public:
    explicit Path(bool begins) : begins_(begins) {}

    void name(bool is_name) { names_ = names_ && is_name; }
    void slash(std::size_t at) { slashes_.push_back(at); }
    void end(std::vector<Token> &all, bool ends, bool next_begins)
    {
        if (begins_ && names_ && ends)
            for (const auto at : slashes_) {
                all[at].spaces = all[at + 1].spaces = 0;
                all[at].joint = Joint::none;
            }
        slashes_.clear();
        names_ = true;
        begins_ = next_begins;
    }

private:
    std::vector<std::size_t> slashes_;
    bool names_ = true;
    bool begins_;
};

bool Shape::is_one_of(std::size_t at, std::initializer_list<std::string_view> texts) const
{
    return std::ranges::any_of(texts, [&](std::string_view text) { return is(at, text); });
}

bool Shape::is_name(std::size_t at) const { return is_word(at) && !lexis::is_reserved(all_[at].text); }

std::size_t Shape::drop_separator(std::size_t at)
{
    if (!is(at, ",") && !is(at, ";"))
        return at;
    const std::size_t first = all_[at].first_comment;
    const std::size_t end = at + 2 < all_.size() ? all_[at + 2].first_comment : comments_.size();
    for (auto i = std::max<std::size_t>(first + 1, all_[at + 1].first_comment); i < end; ++i)
        comments_[i].trailing = false;
    all_[at + 1].first_comment = static_cast<std::uint32_t>(first);
    all_[at].dropped = true;
    return at + 1;
}

std::size_t Shape::dotted(std::size_t at)
{
    for (++at; is(at, "."); at += 2)
        all_[at].spaces = all_[at + 1].spaces = 0;
    return at;
}

// ---- Expressions -----------------------------------------------------------------------------------------------

std::size_t Shape::expression(std::size_t at, bool predicate)
{
    Path path(predicate);
    for (;;) {
        const auto begin = prefixes(at);
        at = operand(begin, predicate);
        path.name(at == begin + 1 && is_name(begin) &&
                  std::ranges::find(parameters_, all_[begin].text) == parameters_.end() && all_[begin].spaces != 0);
        if (at == begin || !continues(at))
            break;
        all_[at].joint = joint_of(all_[at]);
        if (is(at, "/"))
            path.slash(at);
        else
            path.end(all_, is_logical(all_[at]), is_logical(all_[at]));
        if (is(at, ".."))
            all_[at].spaces = all_[at + 1].spaces = 0;
        ++at;
    }
    path.end(all_, predicate, false);
    return at;
}

// Whether an operator follows an operand; `in LIST at most N` is a clause of a header.
bool Shape::continues(std::size_t at) const
{
    if (!is_binary(all_[at]))
        return false;
    if (!is(at, "in"))
        return true;
    std::size_t past = at + 1;
    if (!is_word(past))
        return true;
    for (++past; is(past, "."); past += 2)
        ;
    return !(is(past, "at") && is(past + 1, "most"));
}

std::size_t Shape::prefixes(std::size_t at)
{
    for (; is_one_of(at, {"not", "any", "-", "~"}); ++at)
        if (is(at, "-") || is(at, "~"))
            all_[at + 1].spaces = 0;
    return at;
}

std::size_t Shape::operand(std::size_t at, bool predicate)
{
    const auto begin = at;
    if (is(at, "(") || is(at, "{")) {
        all_[at].set = is(at, "{");
        at = list(at, predicate);
    } else if (is(at, "pcap") && all_[at + 1].kind == Token::Kind::string) {
        at += 2;
    } else if (is_name(at) || all_[at].kind == Token::Kind::string || all_[at].kind == Token::Kind::literal ||
               is(at, "*")) {
        ++at;
    } else {
        return at;
    }
    if (is(at, "(") && is_word(begin) && at == begin + 1 && !joins(begin))
        at = arguments(at);
    while (is(at, ".") || is(at, "["))
        at = is(at, "[") ? arguments(at) : dotted(at - 1);
    // A layer: tcp.option.mss(value = 1460)
    if (is(at, "(") && is_word(begin) && at > begin + 1 && is(at - 2, "."))
        at = arguments(at);
    return at;
}

// 1000/s per (a, b): a word behind a value is no call.
bool Shape::joins(std::size_t at) const
{
    return is(at, "per") && at != 0 && (all_[at - 1].kind == Token::Kind::literal || is_one_of(at - 1, {")", "]"}));
}

std::size_t Shape::arguments(std::size_t open)
{
    all_[open].spaces = 0;
    return list(open, false);
}

std::size_t Shape::list(std::size_t open, bool predicate)
{
    const std::size_t close = all_[open].partner;
    std::size_t at = open + 1;
    all_[at].spaces = all_[close].spaces = 0;
    while (at < close) {
        const auto begin = at;
        at = std::max(element(at, close, predicate), begin + 1);
        const auto past = drop_separator(at);
        if (past != at && past < close)
            all_[at - 1].separator = ',';
        at = past;
    }
    return close + 1;
}

// a, a = b, a -> b, a:b, and what words join: rate per key, * except iface
std::size_t Shape::element(std::size_t at, std::size_t close, bool predicate)
{
    for (auto before = at + 1; at < close && at != before && !is(at, ",");) {
        before = at;
        at = expression(at, predicate);
        if (is(at, "->"))
            all_[at].joint = Joint::arrow;
        if (is(at, ":"))
            all_[at].spaces = all_[at + 1].spaces = 0;
        if (is_one_of(at, {"=", "->", ":"}))
            ++at;
        else if (at == before && is_word(at)) // `else` and the like: not in any list
            ++at;
    }
    return at;
}

// ---- Types and fields ------------------------------------------------------------------------------------------

std::size_t Shape::type(std::size_t at)
{
    if (is(at, "{"))
        return struct_type(at);
    if (is(at, "(")) {
        const std::size_t close = all_[at].partner;
        all_[at + 1].spaces = all_[close].spaces = 0;
        for (++at; at < close;) {
            const auto end = std::max(type(at), at + 1);
            at = drop_separator(end);
            if (at != end)
                all_[end - 1].separator = ',';
        }
        return close + 1;
    }
    at = dotted(at);
    return is(at, "[") ? arguments(at) : at;
}

std::size_t Shape::struct_type(std::size_t open)
{
    const std::size_t close = all_[open].partner;
    std::size_t at = open + 1;
    all_[at].spaces = all_[close].spaces = 0;
    while (at < close) {
        if (is(at + 1, ":")) {
            all_[at + 1].spaces = 0;
            at += 2;
        }
        const auto end = std::max(type(at), at + 1);
        at = drop_separator(end);
        if (at < close)
            all_[end - 1].separator = ',';
    }
    return close + 1;
}

FieldShape Shape::field(std::size_t at)
{
    FieldShape shape{.colon = at + 1};
    at += 2;
    if (is(at, "end") && is(at + 1, "of")) {
        at = operand(at + 2, false);
        if (is(at, "at") && is(at + 1, "most"))
            at = expression(at + 2, false);
        shape.end = at;
        return shape;
    }
    at = type(at);
    for (;;) {
        const bool named = is(at + 1, ":"); // the next field
        if (is(at, "at") && !named) {
            at = expression(at + 1, false);
        } else if (is(at, "when") && !named) {
            at = expression(at + 1, true);
        } else if (is(at, "{") && shape.parts == 0) {
            shape.parts = at;
            at = field_parts(at);
        } else if (is(at, "=")) {
            shape.equals = at;
            shape.end = expression(at + 1, false);
            return shape;
        } else {
            shape.end = at;
            return shape;
        }
    }
}

std::size_t Shape::field_parts(std::size_t open)
{
    const std::size_t close = all_[open].partner;
    if (open + 1 == close)
        all_[close].spaces = 0;
    for (auto at = open + 1; at < close;) {
        if (at != open + 1)
            all_[at].spaces = 2;
        at = drop_separator(std::max(field(at).end, at + 1));
    }
    return close + 1;
}

} // namespace xdpf::format
