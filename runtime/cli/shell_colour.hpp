// Source text as the shell shows it.
#pragma once

#include <string>
#include <string_view>

namespace xdpf::cli {

// Text of files and inputs could hold what drives a terminal: control characters become question marks, but tabs and
// line ends.
[[nodiscard]] std::string plain_text(std::string text);
// With ANSI colours for keywords, numbers, strings and comments.
[[nodiscard]] std::string coloured(std::string_view source);
// On one line, without comments.
[[nodiscard]] std::string on_one_source_line(std::string_view source);

} // namespace xdpf::cli
