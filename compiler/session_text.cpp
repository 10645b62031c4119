#include "compiler/session_text.hpp"

#include "grammar/lexis.hpp"

#include <algorithm>
#include <array>

namespace xdpf::session {

void Assembly::add(const InputPtr &input, std::size_t begin, std::size_t end)
{
    segments_.push_back({text_.size(), text_.size() + end - begin, input, begin});
    text_ += std::string_view(input->text).substr(begin, end - begin);
    text_ += '\n';
}

std::optional<Place> Assembly::exact(Span span) const
{
    const auto behind = std::ranges::upper_bound(segments_, span.begin, {}, &Segment::begin);
    if (behind == segments_.begin())
        return std::nullopt;
    const Segment &segment = *(behind - 1);
    if (span.begin > segment.end || (span.begin == segment.end && span.end > span.begin))
        return std::nullopt;
    const auto shift = [&](std::size_t at) {
        return static_cast<std::uint32_t>(std::min(at, segment.end) - segment.begin + segment.offset);
    };
    return Place{segment.input.get(), shift(span.begin), shift(span.end)};
}

Place Assembly::near(Span span) const
{
    if (const auto place = exact(span))
        return *place;
    if (segments_.empty())
        return {};
    auto behind = std::ranges::upper_bound(segments_, span.begin, {}, &Segment::begin);
    const bool front = behind == segments_.begin();
    const Segment &segment = front ? *behind : *(behind - 1);
    const auto at = static_cast<std::uint32_t>(front ? segment.offset : segment.offset + segment.end - segment.begin);
    return {segment.input.get(), at, at};
}

FileId Translator::file(const std::string &source, const std::string &text, const void *identity)
{
    const auto known = std::ranges::find(files_, identity, &std::pair<const void *, FileId>::first);
    if (known != files_.end())
        return known->second;
    return files_.emplace_back(identity, to_.add(source, text)).second;
}

Span Translator::translate(Span span)
{
    if (!span.valid())
        return span;
    if (span.file != FileId(0)) {
        const auto text = from_.text(span.file);
        return {file(std::string(from_.name(span.file)), std::string(text), text.data()), span.begin, span.end};
    }
    const Place place = assembly_.near(span);
    if (place.input == nullptr)
        return {};
    return {file(place.input->source, place.input->text, place.input), place.begin, place.end};
}

Diagnostic Translator::translate(const Diagnostic &diagnostic)
{
    Diagnostic out = diagnostic;
    out.span = translate(diagnostic.span);
    for (auto &note : out.notes)
        note.span = translate(note.span);
    return out;
}

std::string_view first_token(std::string_view text)
{
    const char *end = text.data() + text.size();
    return lexis::token_at(lexis::skip_blank(text.data(), end), end);
}

std::optional<std::size_t> find_stray_bracket(std::string_view text)
{
    const char *end = text.data() + text.size();
    std::size_t open = 0;
    for (const char *at = lexis::skip_blank(text.data(), end); at != end; at = lexis::skip_blank(at, end)) {
        const auto token = lexis::token_at(at, end);
        if (token == "{" || token == "(" || token == "[")
            ++open;
        else if ((token == "}" || token == ")" || token == "]") && open-- == 0)
            return static_cast<std::size_t>(at - text.data());
        at += token.size();
    }
    return std::nullopt;
}

bool is_incomplete(std::string_view text)
{
    constexpr std::array<std::string_view, 12> wanting{
        "->", lexis::unicode_arrow, "and", "or", "not", "in", ",", "=", "==", "/", "else", ":"};
    const char *end = text.data() + text.size();
    std::size_t open = 0;
    bool braces = false;
    std::string_view last;
    for (const char *at = lexis::skip_blank(text.data(), end); at != end; at = lexis::skip_blank(at, end)) {
        last = lexis::token_at(at, end);
        at += last.size();
        if (last == "{" || last == "(" || last == "[") {
            ++open;
            braces = braces || last == "{";
        } else if (last == "}" || last == ")" || last == "]") {
            if (open == 0)
                return false;
            --open;
        } else if (last.starts_with('"') && (last.size() == 1 || !last.ends_with('"'))) {
            return false; // strings end on their line
        }
    }
    const auto first = first_token(text);
    const bool block_to_come = !braces && (first == "header" || first == "defprogram" || first == "test");
    return open != 0 || block_to_come || std::ranges::find(wanting, last) != wanting.end();
}

} // namespace xdpf::session
