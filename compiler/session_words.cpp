// What the words of a text are, for showing it in colour.
#include "compiler/session.hpp"
#include "grammar/lexis.hpp"

namespace xdpf {
namespace {

TextPart::Kind kind_of(std::string_view token, const char *end)
{
    const char first = token.front();
    if (first == '"')
        return TextPart::Kind::string;
    if (lexis::literal_at(token.data(), end))
        return TextPart::Kind::number;
    return lexis::is_name_start(first) && lexis::is_known(token) ? TextPart::Kind::keyword : TextPart::Kind::plain;
}

} // namespace

std::vector<TextPart> parts_of(std::string_view text)
{
    std::vector<TextPart> parts;
    const auto add = [&](TextPart::Kind kind, const char *from, const char *to) {
        if (from != to)
            parts.push_back({kind, {from, static_cast<std::size_t>(to - from)}});
    };
    const char *end = text.data() + text.size();
    bool behind_dot = false; // a field's name is no keyword
    for (const char *at = text.data(); at != end;) {
        const char *const token = lexis::skip_blank(at, end);
        const auto blanks = std::string_view(at, static_cast<std::size_t>(token - at));
        const auto comment = blanks.find('#');
        add(TextPart::Kind::plain, at, at + std::min(comment, blanks.size()));
        if (comment != std::string_view::npos)
            add(TextPart::Kind::comment, at + comment, token);
        at = token;
        if (at == end)
            break;
        const auto word = lexis::token_at(at, end);
        const auto kind = behind_dot ? TextPart::Kind::plain : kind_of(word, end);
        add(kind, at, at + word.size());
        behind_dot = word == ".";
        at += word.size();
    }
    return parts;
}

} // namespace xdpf
