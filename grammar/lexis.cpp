#include "grammar/lexis.hpp"

#include <algorithm>
#include <array>

namespace xdpf::lexis {
namespace {

using Kind = ast::Literal::Kind;

constexpr std::array<std::string_view, 39> reserved_words{
    "abort",    "and",        "any",    "asm",   "const", "continue", "count", "decap",  "def",  "default",
    "defmap",   "defprogram", "delete", "drop",  "else",  "emit",     "encap", "expect", "goto", "if",
    "import",   "in",         "let",    "match", "not",   "or",       "param", "pass",   "pop",  "push",
    "redirect", "sample",     "set",    "swap",  "test",  "tx",       "union", "with",   "xsk"};
static_assert(std::ranges::is_sorted(reserved_words));
constexpr std::array<std::string_view, 27> other_words{
    "add",  "at",    "burst",    "end",  "exceeds", "except", "for",    "from", "header",
    "hex",  "inner", "metadata", "most", "of",      "on",     "packet", "pad",  "payload",
    "pcap", "per",   "rule",     "size", "then",    "times",  "to",     "when", "where"};
static_assert(std::ranges::is_sorted(other_words));
// What an action begins with.
constexpr std::array<std::string_view, 23> action_begins{
    "abort", "add",      "asm",  "continue", "count", "decap",    "delete", "drop", "emit", "encap", "goto", "if",
    "let",   "metadata", "pass", "pop",      "push",  "redirect", "sample", "set",  "swap", "tx",    "xsk"};
static_assert(std::ranges::is_sorted(action_begins));

// Longer than any address; a bound, so that a long run of digits and colons is not looked at again and again.
constexpr std::size_t longest_address = 64;

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

template <class Test> const char *skip_while(const char *at, const char *end, Test test)
{
    while (at != end && test(*at))
        ++at;
    return at;
}

std::string_view between(const char *begin, const char *end) { return {begin, static_cast<std::size_t>(end - begin)}; }

bool ends_word(const char *at, const char *end) { return at == end || !is_name(*at); }

// Past a prefix length that follows directly: /24
const char *skip_prefix_length(const char *at, const char *end)
{
    if (at == end || *at != '/')
        return at;
    const char *past = skip_while(at + 1, end, is_digit);
    return past != at + 1 && ends_word(past, end) ? past : at;
}

// 10.0.0.1: two groups of digits or more. Two dots in a row are a range.
const char *skip_dotted(const char *at, const char *end)
{
    const char *past = skip_while(at, end, is_digit);
    const char *const first_group = past;
    while (end - past > 1 && *past == '.' && is_digit(past[1]))
        past = skip_while(past + 1, end, is_digit);
    return past == first_group ? at : past;
}

bool is_mac(std::string_view run)
{
    if (run.size() != 17)
        return false;
    for (std::size_t i = 0; i < run.size(); ++i)
        if (i % 3 == 2 ? run[i] != ':' : !is_hex(run[i]))
            return false;
    return true;
}

// Hexadecimal groups with colons between. Fewer than seven colons and no `::` is something else: a slice, a field.
std::optional<LiteralText> colon_address(const char *at, const char *end)
{
    const char *limit = end - at > static_cast<std::ptrdiff_t>(longest_address) ? at + longest_address : end;
    const char *past = skip_while(at, limit, [](char c) { return is_hex(c) || c == ':'; });
    while (past - at > 1 && past[-1] == ':' && past[-2] != ':')
        --past;
    const auto run = between(at, past);
    if (is_mac(run) && ends_word(past, end))
        return LiteralText{Kind::mac, run};

    const bool shortened = run.find("::") != std::string_view::npos;
    const auto colons = std::ranges::count(run, ':');
    if (!shortened && colons < 6)
        return std::nullopt;
    const char *group = past;
    while (group != at && is_digit(group[-1]))
        --group;
    const bool tail_begins = group != past && group != at && group[-1] == ':';
    const char *tail = tail_begins ? skip_dotted(group, end) : group;
    if (tail != group)
        past = tail;
    else if (!shortened && colons < 7)
        return std::nullopt;
    if (!ends_word(past, end))
        return std::nullopt;
    return LiteralText{Kind::ipv6, between(at, skip_prefix_length(past, end))};
}

const char *skip_integer(const char *at, const char *end)
{
    const auto digits = [&](auto test) {
        const char *past = at + 2;
        if (past == end || !test(*past))
            return at;
        return skip_while(past, end, [&](char c) { return test(c) || c == '_'; });
    };
    if (end - at > 1 && *at == '0' && (at[1] == 'x' || at[1] == 'X'))
        return digits(is_hex);
    if (end - at > 1 && *at == '0' && (at[1] == 'b' || at[1] == 'B'))
        return digits([](char c) { return c == '0' || c == '1'; });
    return skip_while(at, end, [](char c) { return is_digit(c) || c == '_'; });
}

std::optional<LiteralText> number(const char *at, const char *end)
{
    const char *past = skip_integer(at, end);
    if (past == at)
        return std::nullopt;
    for (const std::string_view unit : {"/s", "ns", "us", "ms", "s"})
        if (between(past, end).starts_with(unit) && ends_word(past + unit.size(), end))
            return LiteralText{Kind::quantity, between(at, past + unit.size())};
    if (!ends_word(past, end))
        return std::nullopt;
    return LiteralText{Kind::integer, between(at, past)};
}

// The length of the sequence that a lead byte announces, 0 for a byte that cannot lead.
std::size_t sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if ((lead & 0xf0) == 0xe0)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

// The second byte's range depends on the lead (RFC 3629, section 4).
bool second_byte_fits(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return second >= 0x80 && second <= 0xbf;
    }
}

} // namespace

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

const char *skip_blank(const char *at, const char *end)
{
    for (;;) {
        at = skip_while(at, end, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
        if (at == end || *at != '#')
            return at;
        at = skip_while(at, end, [](char c) { return c != '\n'; });
    }
}

std::string_view word_at(const char *at, const char *end)
{
    if (at == end || !is_name_start(*at))
        return {};
    return between(at, skip_while(at, end, is_name));
}

bool is_reserved(std::string_view word) { return std::ranges::binary_search(reserved_words, word); }

bool is_action(std::string_view word) { return std::ranges::binary_search(action_begins, word); }

std::span<const std::string_view> action_words() { return action_begins; }
std::span<const std::string_view> keywords() { return reserved_words; }
std::span<const std::string_view> contextual_words() { return other_words; }

bool is_known(std::string_view word) { return is_reserved(word) || std::ranges::binary_search(other_words, word); }

std::vector<std::string_view> known_words()
{
    std::vector<std::string_view> words;
    std::ranges::merge(reserved_words, other_words, std::back_inserter(words));
    return words;
}

std::optional<LiteralText> literal_at(const char *at, const char *end)
{
    if (at == end || (!is_hex(*at) && *at != ':'))
        return std::nullopt;
    if (auto address = colon_address(at, end))
        return address;
    if (!is_digit(*at))
        return std::nullopt;
    if (const char *past = skip_dotted(at, end); past != at && ends_word(past, end))
        return LiteralText{Kind::ipv4, between(at, skip_prefix_length(past, end))};
    return number(at, end);
}

StringText string_at(const char *at, const char *end)
{
    const char *past = at + 1;
    while (past != end && *past != '"' && *past != '\n' && *past != '\r')
        past += *past == '\\' && end - past > 1 && past[1] != '\n' && past[1] != '\r' ? 2 : 1;
    const bool closed = past != end && *past == '"';
    return {between(at, closed ? past + 1 : past), closed};
}

std::string_view token_at(const char *at, const char *end)
{
    if (at == end)
        return {};
    if (*at == '"')
        return string_at(at, end).text;
    if (const auto literal = literal_at(at, end))
        return literal->text;
    if (is_name(*at))
        return between(at, skip_while(at, end, is_name));
    const auto rest = between(at, end);
    for (const std::string_view two :
         {"->", "=>", "==", "!=", "<=", ">=", "&&", "||", "..", "//", "/*", "::", "<<", ">>", "+=", "-="})
        if (rest.starts_with(two))
            return rest.substr(0, 2);
    return rest.substr(0, std::max<std::size_t>(1, sequence_length(static_cast<unsigned char>(*at))));
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const auto length = sequence_length(byte(i));
        if (length == 0 || i + length > text.size())
            return i;
        for (std::size_t k = 1; k < length; ++k)
            if (k == 1 ? !second_byte_fits(byte(i), byte(i + 1)) : (byte(i + k) & 0xc0) != 0x80)
                return i;
        i += length;
    }
    return std::nullopt;
}

} // namespace xdpf::lexis
