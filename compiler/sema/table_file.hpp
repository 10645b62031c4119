// Words of the text files beside the source (compiler/base/table_file.hpp).
#pragma once

#include "compiler/base/table_file.hpp"
#include "grammar/ast.hpp"

#include <string_view>

namespace xdpf::sema {

// A word as the literal that it would be in the source.
[[nodiscard]] ast::Literal literal_of(std::string_view text);

} // namespace xdpf::sema
