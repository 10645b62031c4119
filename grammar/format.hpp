// The one canonical layout of a source file. It has its own, looser idea of the syntax (tokens, brackets, the ends of
// statements), so that comments and empty lines are never lost; reference.md says what the layout is.
#pragma once

#include "compiler/base/diagnostic.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace xdpf {

enum class FormatError : std::uint8_t {
    syntax,  // the text does not parse: reported to the diagnostics
    changed, // the result would mean something else: a mistake of the formatter, which must not reach the file
};

// Formats a file that parses, and looks whether the result has the same AST.
[[nodiscard]] std::expected<std::string, FormatError> format_file(const Sources &sources, FileId file,
                                                                  Diagnostics &diagnostics);

// The layout alone, of a text that is known to parse.
[[nodiscard]] std::string lay_out(std::string_view text);

} // namespace xdpf
