// Pieces of a source to be shown: excerpts, and comments by what they stand beside; private to the queries. Comments
// come without their marks, lines joined by blanks; empty: there is none. What is long is cut.
#pragma once

#include "compiler/base/source.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace xdpf::query {

[[nodiscard]] std::string_view trimmed(std::string_view text);
// So many lines, and no more than so many bytes; where it is cut it ends with an ellipsis.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t lines, std::size_t bytes);
// At the end of the line on which a span ends.
[[nodiscard]] std::string comment_behind(const Sources &sources, Span span);
// The lines of comment right above the line on which a span begins.
[[nodiscard]] std::string comment_above(const Sources &sources, Span span);
// The lines of comment that a file begins with.
[[nodiscard]] std::string comment_at_top(const Sources &sources, FileId file);

} // namespace xdpf::query
