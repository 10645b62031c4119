#include "compiler/query_comments.hpp"

#include <algorithm>

namespace xdpf::query {
namespace {

constexpr std::size_t most_comment_lines = 30; // of a comment
constexpr std::size_t longest_comment = 500;   // bytes of a line

std::string without_mark(std::string_view comment)
{
    while (comment.starts_with('#'))
        comment.remove_prefix(1);
    return excerpt(trimmed(comment), 1, longest_comment);
}

} // namespace

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\n");
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string excerpt(std::string_view text, std::size_t lines, std::size_t bytes)
{
    std::size_t end = 0;
    for (; lines > 0 && end < text.size(); --lines)
        end = std::min(text.find('\n', end == 0 ? 0 : end + 1), text.size());
    end = std::min(end, bytes);
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    return std::string(text.substr(0, end)) + (end < text.size() ? " …" : "");
}

std::string comment_behind(const Sources &sources, Span span)
{
    const auto text = sources.text(span.file);
    bool in_string = false;
    for (std::size_t i = span.end; i < text.size() && text[i] != '\n'; ++i) {
        in_string ^= text[i] == '"';
        if (text[i] == '#' && !in_string)
            return without_mark(text.substr(i, text.find('\n', i) - i));
    }
    return {};
}

std::string comment_above(const Sources &sources, Span span)
{
    std::string out;
    const auto first = sources.location(span.file, span.begin).line;
    for (auto line = first; line > 1 && first - line < most_comment_lines; --line) {
        const auto above = trimmed(sources.line(span.file, line - 1));
        if (!above.starts_with('#'))
            break;
        out.insert(0, without_mark(above) + (out.empty() ? "" : " "));
    }
    return out;
}

std::string comment_at_top(const Sources &sources, FileId file)
{
    std::string out;
    for (std::uint32_t line = 1; line <= most_comment_lines && trimmed(sources.line(file, line)).starts_with('#');
         ++line)
        out += (out.empty() ? "" : " ") + without_mark(trimmed(sources.line(file, line)));
    return out;
}

} // namespace xdpf::query
