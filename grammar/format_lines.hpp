// The formatted text before its columns are aligned: lines of cells, with a comment behind each or alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::format {

inline constexpr std::size_t max_columns = 120;
inline constexpr std::size_t indent_step = 4;

// Lines of one sort that follow one another share their columns.
enum class Sort : std::uint8_t { other, constant, parameter, definition, map, field, rule, entry, with };

struct Line {
    std::size_t indent = 0;
    std::vector<std::string> cells;
    Sort sort = Sort::other;
    std::string_view comment; // alone on its line where there are no cells
    bool blank_before = false;
    bool continued = false; // a comment alone that goes on with the trailing one above, in its column

    [[nodiscard]] bool is_comment() const { return cells.empty(); }
    [[nodiscard]] std::size_t width() const; // without the comment, cells one blank apart
};

// Characters, not bytes.
[[nodiscard]] std::size_t width(std::string_view text);

// Pads cells and comments into columns. A line that would not fit begins new columns.
[[nodiscard]] std::string to_text(std::vector<Line> lines);

} // namespace xdpf::format
