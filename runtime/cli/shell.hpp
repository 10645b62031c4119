// `xdpf shell`: a session of the compiler, line by line, at a terminal or from a pipe.
#pragma once

#include <cstdio>
#include <string>

namespace xdpf::cli {

struct ShellOptions {
    std::string file{}; // that is entered first; empty: none
    std::FILE *input = stdin;
    std::FILE *output = stdout;
    std::FILE *errors = stderr;
};

// At a terminal (input and output both are one): prompts, line editing, history, completion; Ctrl-C drops the line,
// Ctrl-D leaves. Otherwise no prompt, and line numbers are those of the input. Errors never end it.
// Returns the exit status: 0, or, but not at a terminal, 1 where an input was in error.
[[nodiscard]] int shell(const ShellOptions &options);

} // namespace xdpf::cli
