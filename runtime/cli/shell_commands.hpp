// The shell's commands: lines that begin with a colon.
#pragma once

#include "runtime/cli/shell_state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::cli {

// `line` with its colon, e.g. ":map hits". Its beginning will do, where no other begins so: ":m hits".
[[nodiscard]] CommandResult run_command(ShellState &state, std::string_view line);
// ":map", …
[[nodiscard]] std::vector<std::string> command_names();

// How often something is to be done, from 1; nothing where the word says no such thing.
[[nodiscard]] std::optional<std::uint64_t> times_of(const std::string &word);

// By subject; `argument` is what stands behind the command's name.
// shell_commands.cpp, shell_source.cpp
[[nodiscard]] CommandResult show_source(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult edit_declaration(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult delete_declaration(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult save_file(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult load_file(ShellState &state, const std::string &argument);
// shell_maps.cpp
[[nodiscard]] CommandResult use_map(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult use_parameter(ShellState &state, const std::string &argument);
// shell_inspect.cpp
[[nodiscard]] CommandResult explain(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult trace_capture(ShellState &state, const std::string &argument);
// shell_bench.cpp, shell_jit.cpp
[[nodiscard]] CommandResult bench(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult show_machine_code(ShellState &state, const std::string &argument);
// shell_work.cpp
[[nodiscard]] CommandResult attach_session(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult detach_session(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult show_status(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult show_records(ShellState &state, const std::string &argument);
[[nodiscard]] CommandResult show_hits(ShellState &state, const std::string &argument);
// Puts the session as it is now to work, where something is attached; what there is to say.
[[nodiscard]] CommandResult put_to_work(ShellState &state);

} // namespace xdpf::cli
