#include "grammar/format_lines.hpp"

#include <algorithm>
#include <array>

namespace xdpf::format {
namespace {

constexpr std::size_t most_cells = 4;

// The widths of a group's columns. A line's last cell does not count: nothing is aligned behind it.
class Columns {
public:
    // Takes a line in unless a line of the group would become too long for it.
    bool take(const Line &line)
    {
        Columns wider = *this;
        const auto last = std::min(line.cells.size(), most_cells) - 1;
        for (std::size_t i = 0; i < last; ++i)
            wider.widths_[i] = std::max(wider.widths_[i], width(line.cells[i]));
        wider.last_[last] = std::max(wider.last_[last], width(line.cells[last]));
        for (std::size_t i = 0, begin = line.indent; i < most_cells; begin += wider.widths_[i++] + 1)
            if (wider.last_[i] != 0 && begin + wider.last_[i] > max_columns && !empty_)
                return false;
        *this = wider;
        empty_ = false;
        return true;
    }

    void pad(Line &line) const
    {
        for (std::size_t i = 0; i + 1 < std::min(line.cells.size(), most_cells); ++i)
            line.cells[i].append(widths_[i] - width(line.cells[i]), ' ');
    }

private:
    std::array<std::size_t, most_cells> widths_{};
    std::array<std::size_t, most_cells> last_{}; // of the lines with so many cells in front, the widest end
    bool empty_ = true;
};

class CommentColumn {
public:
    bool take(const Line &line)
    {
        const auto code = std::max(code_, line.width());
        const auto comment = std::max(comment_, width(line.comment));
        if (code_ != 0 && code + 2 + comment > max_columns)
            return false;
        code_ = code;
        comment_ = comment;
        return true;
    }
    [[nodiscard]] std::size_t column() const { return code_ + 2; }

private:
    std::size_t code_ = 0;
    std::size_t comment_ = 0;
};

using Lines = std::vector<Line>;

// Whether a line carries on the group of the one in front; a comment of its own does not interrupt it.
bool adjoins(const Line &group, const Line &line)
{
    return !line.blank_before && (line.continued || line.indent == group.indent);
}

void align_cells(Lines &lines)
{
    for (std::size_t first = 0; first < lines.size();) {
        if (lines[first].is_comment()) {
            ++first;
            continue;
        }
        Columns columns;
        auto past = first;
        while (past < lines.size() && (past == first || adjoins(lines[first], lines[past])) &&
               (lines[past].is_comment() || (lines[past].sort == lines[first].sort && columns.take(lines[past]))))
            ++past;
        for (; first < past; ++first)
            if (!lines[first].is_comment())
                columns.pad(lines[first]);
    }
}

std::vector<std::size_t> comment_columns(const Lines &lines)
{
    std::vector<std::size_t> out(lines.size(), 0);
    for (std::size_t first = 0; first < lines.size();) {
        CommentColumn column;
        auto past = first;
        const auto takes = [&](const Line &line) {
            return line.is_comment() || line.comment.empty() || column.take(line);
        };
        while (past < lines.size() && (past == first || adjoins(lines[first], lines[past])) && takes(lines[past]))
            ++past;
        for (; first < past; ++first)
            out[first] = column.column();
    }
    return out;
}

} // namespace

std::size_t width(std::string_view text)
{
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::size_t Line::width() const
{
    std::size_t out = indent + cells.size() - 1;
    for (const auto &cell : cells)
        out += format::width(cell);
    return out;
}

std::string to_text(std::vector<Line> lines)
{
    align_cells(lines);
    const auto columns = comment_columns(lines);
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto &line = lines[i];
        if (line.blank_before)
            out += '\n';
        if (line.is_comment()) {
            out.append(line.continued ? columns[i] : line.indent, ' ').append(line.comment) += '\n';
            continue;
        }
        out.append(line.cells.size() == 1 && line.cells[0].empty() ? 0 : line.indent, ' ');
        for (std::size_t k = 0; k < line.cells.size(); ++k)
            out.append(k == 0 ? 0 : 1, ' ').append(line.cells[k]);
        if (!line.comment.empty())
            out.append(columns[i] - line.width(), ' ').append(line.comment);
        out += '\n';
    }
    return out;
}

} // namespace xdpf::format
