// The shell's commands: lines that begin with a colon.
#pragma once

#include "compiler/session.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace xdpf::cli {

// What a command has to say.
struct CommandResult {
    std::string output;
    std::string error; // a sentence; empty: all is well
    Answer answer;     // of :load
    bool quit = false;
};

// `line` with its colon, e.g. ":map hits".
[[nodiscard]] CommandResult run_command(Session &session, std::string_view line);
// ":map", …
[[nodiscard]] std::vector<std::string> command_names();

} // namespace xdpf::cli
