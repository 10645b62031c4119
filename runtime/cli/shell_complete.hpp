// What the words of a line can become: commands, their arguments, the language.
#pragma once

#include "runtime/cli/shell_editor.hpp"
#include "runtime/cli/shell_state.hpp"

#include <string>

namespace xdpf::cli {

// `before`: the lines of an input that is not complete yet, each with its line end; `line` up to the cursor.
[[nodiscard]] Candidates complete(const ShellState &state, const std::string &before, const std::string &line);

} // namespace xdpf::cli
