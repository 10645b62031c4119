// Source text to AST.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "grammar/ast.hpp"

#include <cstddef>
#include <optional>

namespace xdpf {

// Limits of the source, each with a diagnostic of its own.
inline constexpr std::size_t max_source_bytes = 16u << 20; // Kind::file_too_large; who reads files may check it earlier
inline constexpr std::size_t max_nesting = 256;            // brackets, blocks and `else` within one another
inline constexpr std::size_t max_expression_height = 1024; // of an expression's tree: who walks it may recurse
inline constexpr std::size_t max_syntax_errors = 100;      // reported for one file

// Parses one file. Mistakes go to `diagnostics`; what could be read in spite of them is in the AST, and the names of
// the declarations they stand in are in File::damaged. Nothing is returned for a file that is no text: too large, NUL
// bytes, invalid UTF-8. Chains of `or`, `and`, `|`, `^` and `&` become balanced trees, operands in their order.
// The arenas may hold nodes of abandoned statements that no declaration refers to: walk from File::decls.
[[nodiscard]] std::optional<ast::File> parse(const Sources &sources, FileId file, Diagnostics &diagnostics);

} // namespace xdpf
