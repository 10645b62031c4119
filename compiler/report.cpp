#include "compiler/report.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace xdpf {
namespace {

constexpr std::size_t tab_width = 4;
constexpr std::size_t excerpt_columns = 110; // of a source line; more is cut
constexpr std::size_t columns_before = 40;   // kept in front of a span when its line is cut
constexpr std::size_t message_columns = 2000;

// ---- Text that is safe to print -----------------------------------------------------------------------------------

struct Range {
    char32_t first;
    char32_t last;
};

// Control characters, and those that are invisible or reorder what follows them.
constexpr std::array escaped{Range{0, 0x1f},         Range{0x7f, 0x9f},     Range{0xad, 0xad},
                             Range{0x61c, 0x61c},    Range{0x200b, 0x200f}, Range{0x2028, 0x202e},
                             Range{0x2060, 0x206f},  Range{0xfeff, 0xfeff}, Range{0xfff9, 0xfffb},
                             Range{0xe0000, 0xe007f}};
// Drawn over the character before them.
constexpr std::array combining{Range{0x300, 0x36f}, Range{0x1ab0, 0x1aff}, Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f},
                               Range{0xfe20, 0xfe2f}};
// Two columns wide (Unicode's East Asian Width W and F, by blocks).
constexpr std::array wide{Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},   Range{0x3041, 0xa4cf},
                          Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},
                          Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},   Range{0x1f300, 0x1f64f},
                          Range{0x1f680, 0x1f6ff}, Range{0x1f900, 0x1f9ff}, Range{0x20000, 0x3fffd}};

template <std::size_t n> bool in(const std::array<Range, n> &ranges, char32_t c)
{
    return std::ranges::any_of(ranges, [&](const Range &range) { return c >= range.first && c <= range.last; });
}

struct Decoded {
    char32_t code = 0;
    std::size_t bytes = 1;
};

// The character at the front of a text that is not empty; nothing where the bytes are not UTF-8.
std::optional<Decoded> decode(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80)
        return Decoded{first, 1};
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return std::nullopt;
    char32_t code = first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return std::nullopt;
        code = code << 6 | (byte(i) & 0x3fU);
    }
    const bool overlong = code < (length == 4 ? 0x10000U : length == 3 ? 0x800U : 0x80U);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return std::nullopt;
    return Decoded{code, length};
}

// What one character, or one byte that is none, looks like on the screen.
struct Glyph {
    std::string text;
    std::size_t columns = 1;
    std::size_t byte = 0; // where it begins in its line
};

Glyph glyph_of(std::string_view text, std::size_t byte, std::size_t &bytes)
{
    const auto decoded = decode(text.substr(byte));
    bytes = decoded ? decoded->bytes : 1;
    const auto shown = [&](std::string escape) {
        const std::size_t columns = escape.size();
        return Glyph{std::move(escape), columns, byte};
    };
    if (!decoded)
        return shown(fmt::format("\\x{:02x}", static_cast<unsigned char>(text[byte])));
    const char32_t code = decoded->code;
    if (code == '\t')
        return shown(std::string(tab_width, ' '));
    if (code == '\n')
        return shown("\\n");
    if (in(escaped, code))
        return shown(code < 0x80 ? fmt::format("\\x{:02x}", static_cast<unsigned>(code))
                                 : fmt::format("\\u{{{:x}}}", static_cast<unsigned>(code)));
    const std::size_t columns = in(combining, code) ? 0 : in(wide, code) ? 2 : 1;
    return {std::string(text.substr(byte, bytes)), columns, byte};
}

// A message may quote the source, so it needs the same care.
std::string printable(std::string_view text)
{
    std::string out;
    std::size_t columns = 0;
    for (std::size_t byte = 0, bytes = 0; byte < text.size(); byte += bytes) {
        const Glyph glyph = glyph_of(text, byte, bytes);
        columns += glyph.columns;
        if (columns > message_columns)
            return out + "…";
        out += glyph.text;
    }
    return out;
}

// ---- Excerpts -----------------------------------------------------------------------------------------------------

// A line cut to what fits, and the columns [begin, end) of it that the span covers.
struct Excerpt {
    std::string text;
    std::size_t begin = 0;
    std::size_t end = 0;
};

std::size_t columns_of(const std::vector<Glyph> &glyphs, std::size_t first, std::size_t last)
{
    std::size_t columns = 0;
    for (std::size_t i = first; i < last; ++i)
        columns += glyphs[i].columns;
    return columns;
}

// A part of a line that is sure to hold all that can be shown: a bound on the work for a line of megabytes.
struct Window {
    std::vector<Glyph> glyphs;
    bool to_end = true; // of the line
};

Window window_around(std::string_view line, std::size_t begin)
{
    constexpr std::size_t reach = excerpt_columns * 4;
    std::size_t first = begin > reach ? begin - reach : 0;
    while (first > 0 && first < begin && (static_cast<unsigned char>(line[first]) & 0xc0) == 0x80)
        ++first;
    const std::size_t last = std::min(line.size(), begin + reach);
    Window window{{}, last == line.size()};
    for (std::size_t byte = first, bytes = 0; byte < last; byte += bytes)
        window.glyphs.push_back(glyph_of(line, byte, bytes));
    return window;
}

Excerpt excerpt(std::string_view line, std::size_t begin, std::size_t end)
{
    const auto [glyphs, to_end] = window_around(line, begin);
    // The glyph that holds a byte; glyphs.size() for the line's end.
    const auto index_of = [&glyphs, &line](std::size_t byte) {
        if (byte >= line.size())
            return glyphs.size();
        const auto after = std::ranges::upper_bound(glyphs, byte, {}, &Glyph::byte);
        return static_cast<std::size_t>(after - glyphs.begin()) - (after == glyphs.begin() ? 0 : 1);
    };
    const std::size_t from = index_of(begin);
    std::size_t first = 0;
    if (!glyphs.empty() &&
        (glyphs[0].byte > 0 || columns_of(glyphs, 0, std::max(from, index_of(end))) > excerpt_columns))
        for (first = from; first > 0 && columns_of(glyphs, first - 1, from) <= columns_before;)
            --first;
    std::size_t last = first;
    for (std::size_t columns = 0; last < glyphs.size(); ++last) {
        columns += glyphs[last].columns;
        if (columns > excerpt_columns)
            break;
    }
    const bool cut_before = first < glyphs.size() && glyphs[first].byte > 0;
    const bool cut_after = last < glyphs.size() || !to_end;

    Excerpt out;
    out.text = cut_before ? "…" : "";
    for (std::size_t i = first; i < last; ++i)
        out.text += glyphs[i].text;
    out.text += cut_after ? "…" : "";
    out.begin = columns_of(glyphs, first, from) + (cut_before ? 1 : 0);
    // A span that ends inside a character covers all of it.
    std::size_t to = index_of(end);
    if (to < glyphs.size() && glyphs[to].byte < end)
        ++to;
    out.end =
        out.begin + std::max<std::size_t>(1, columns_of(glyphs, from, std::clamp(to, from, std::max(from, last))));
    return out;
}

// ---- Paragraphs ---------------------------------------------------------------------------------------------------

constexpr std::string_view red = "\033[1;31m";
constexpr std::string_view yellow = "\033[1;33m";
constexpr std::string_view blue = "\033[1;34m";
constexpr std::string_view bold = "\033[1m";

class Paragraph {
public:
    Paragraph(const Sources &sources, bool colour, const Diagnostic &diagnostic) : sources_(sources), colour_(colour)
    {
        std::uint32_t last = 1;
        const auto see = [&](Span span) {
            if (span.valid())
                last = std::max(last, sources.location(span.file, std::max(span.begin, span.end)).line);
        };
        see(diagnostic.span);
        for (const Note &note : diagnostic.notes)
            see(note.span);
        digits_ = fmt::formatted_size("{}", last);
        write(diagnostic);
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    [[nodiscard]] std::string paint(std::string_view colour, std::string_view text) const
    {
        return colour_ ? fmt::format("{}{}\033[0m", colour, text) : std::string(text);
    }

    void write(const Diagnostic &diagnostic)
    {
        const bool error = severity_of(diagnostic.kind) == Severity::error;
        const std::string_view colour = error ? red : yellow;
        out_ += paint(colour, fmt::format("{}[{}]", error ? "error" : "warning", name_of(diagnostic.kind)));
        out_ += paint(bold, ": " + printable(diagnostic.message)) + "\n";
        place(diagnostic.span, colour, '^');
        for (const Note &note : diagnostic.notes)
            if (!note.span.valid())
                remark("note", note.text);
        if (!diagnostic.help.empty())
            remark("help", diagnostic.help);
        for (const Note &note : diagnostic.notes)
            if (note.span.valid()) {
                out_ += paint(bold, "note") + ": " + printable(note.text) + "\n";
                place(note.span, blue, '-');
            }
    }

    void remark(std::string_view label, std::string_view text)
    {
        out_ +=
            std::string(digits_ + 2, ' ') + paint(blue, "=") + " " + paint(bold, label) + ": " + printable(text) + "\n";
    }

    void bar(std::string_view number, std::string_view text)
    {
        out_ += paint(blue, fmt::format(" {:>{}} |", number, digits_));
        out_ += text.empty() ? "\n" : fmt::format(" {}\n", text);
    }

    // One source line with [begin, end), bytes of the line, underlined.
    void line(std::string_view text, std::uint32_t number, std::size_t begin, std::size_t end, std::string_view colour,
              char mark)
    {
        const Excerpt shown = excerpt(text, begin, end);
        bar(fmt::format("{}", number), shown.text);
        bar("", std::string(shown.begin, ' ') + paint(colour, std::string(shown.end - shown.begin, mark)));
    }

    void place(Span span, std::string_view colour, char mark)
    {
        if (!span.valid())
            return;
        const std::string_view all = sources_.text(span.file);
        const auto size = static_cast<std::uint32_t>(all.size());
        const std::uint32_t begin = std::min(span.begin, size);
        const std::uint32_t end = std::clamp(span.end, begin, size);
        const Location first = sources_.location(span.file, begin);
        // A line end that the span takes along does not make it a span of two lines.
        const Location last = sources_.location(span.file, end > begin ? end - 1 : end);
        out_ += std::string(digits_ + 1, ' ') + paint(blue, "-->") +
                fmt::format(" {}:{}:{}\n", printable(sources_.name(span.file)), first.line, first.column);
        bar("", "");
        const std::string_view head = sources_.line(span.file, first.line);
        const std::size_t from = std::min<std::size_t>(begin - start_of(all, begin), head.size());
        if (first.line == last.line) {
            line(head, first.line, from, std::min<std::size_t>(from + (end - begin), head.size()), colour, mark);
            return;
        }
        line(head, first.line, from, head.size(), colour, mark);
        if (last.line > first.line + 1)
            out_ += paint(blue, "...") + "\n";
        const std::string_view tail = sources_.line(span.file, last.line);
        const std::size_t blank = std::min(tail.find_first_not_of(" \t"), tail.size());
        const std::size_t to = std::min<std::size_t>(end - start_of(all, end - 1), tail.size());
        line(tail, last.line, std::min(blank, to), to, colour, mark);
    }

    // Where the line of a byte begins.
    static std::size_t start_of(std::string_view text, std::size_t byte)
    {
        const std::size_t before = byte == 0 ? std::string_view::npos : text.rfind('\n', byte - 1);
        return before == std::string_view::npos ? 0 : before + 1;
    }

    const Sources &sources_;
    bool colour_;
    std::size_t digits_ = 1;
    std::string out_;
};

} // namespace

std::string to_text(const Diagnostics &diagnostics, const Sources &sources, bool colour, std::size_t limit)
{
    std::string out;
    const auto &all = diagnostics.all();
    for (std::size_t i = 0; i < std::min(all.size(), limit); ++i)
        out += (i == 0 ? "" : "\n") + Paragraph(sources, colour, all[i]).take();
    if (all.size() > limit)
        out += fmt::format("{}... and {} more\n", limit == 0 ? "" : "\n", all.size() - limit);
    return out;
}

} // namespace xdpf
