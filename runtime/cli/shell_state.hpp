// What the shell's commands work on. Private to the shell.
#pragma once

#include "compiler/session.hpp"
#include "runtime/cli/shell_attach.hpp"
#include "runtime/cli/shell_signals.hpp"

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::cli {

struct ShellState {
    std::FILE *output = stdout;
    std::FILE *errors = stderr;
    bool at_terminal = false;
    bool colour = false; // of what goes to `output`
    ShellSignals signals{};
    Session session{};
    std::uint32_t line = 0;                          // of the input, from 1
    std::map<std::string, std::string> parameters{}; // that `:param` set, by name
    std::string packet_text{};                       // the last `packet` statement
    std::vector<std::vector<std::byte>> packets{};   // and what it stood for
    std::unique_ptr<ShellWork> work{};               // what is attached

    // For commands that take a while; others return what they have to say.
    void print(std::string_view text) const;
    [[nodiscard]] std::string source(std::string_view text) const; // in colour, where that is wanted
};

// What a command has to say.
struct CommandResult {
    std::string output{};
    std::string error{};                     // a sentence; empty: all is well
    std::optional<runtime::Error> failure{}; // of the environment
    Answer answer{};                         // of what it entered
    bool changed = false;                    // the session is another one
    bool quit = false;
    bool has_colour = false; // `output` may drive a terminal
    std::string next_line{}; // to be edited next
};

[[nodiscard]] CommandResult failed(std::string sentence);
[[nodiscard]] CommandResult failed(runtime::Error error);
[[nodiscard]] CommandResult entered(Answer answer);

} // namespace xdpf::cli
