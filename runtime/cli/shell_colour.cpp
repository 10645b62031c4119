#include "runtime/cli/shell_colour.hpp"

#include "compiler/session.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

std::string_view colour_of(TextPart::Kind kind)
{
    switch (kind) {
    case TextPart::Kind::keyword: return "\033[1;34m";
    case TextPart::Kind::number: return "\033[36m";
    case TextPart::Kind::string: return "\033[32m";
    case TextPart::Kind::comment: return "\033[90m";
    case TextPart::Kind::plain: break;
    }
    return {};
}

} // namespace

std::string plain_text(std::string text)
{
    std::ranges::replace_if(
        text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f; },
        '?');
    return text;
}

std::string coloured(std::string_view source)
{
    std::string out;
    for (const auto &part : parts_of(source)) {
        const auto colour = colour_of(part.kind);
        out += colour.empty() ? std::string(part.text) : fmt::format("{}{}\033[0m", colour, part.text);
    }
    return out;
}

std::string on_one_source_line(std::string_view source)
{
    std::string out;
    for (const auto &part : parts_of(source)) {
        const bool breaks = part.text.find('\n') != std::string_view::npos || part.kind == TextPart::Kind::comment;
        if (!breaks)
            out += part.text;
        else if (!out.empty() && !out.ends_with(' '))
            out += ' ';
    }
    while (out.ends_with(' '))
        out.pop_back();
    return out;
}

} // namespace xdpf::cli
