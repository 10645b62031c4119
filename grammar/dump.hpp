// The AST as text: stable, indented, without places. Expressions are written operator first, so that grouping shows.
#pragma once

#include "grammar/ast.hpp"

#include <string>

namespace xdpf {

[[nodiscard]] std::string dump(const ast::File &file);

// One expression, as dump() writes it: (and udp (== udp.dport 53))
[[nodiscard]] std::string dump(const ast::File &file, ast::ExprId expr);

} // namespace xdpf
