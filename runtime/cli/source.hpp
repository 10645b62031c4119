// Where a command's rules come from, and how what the compiler says about them is shown.
#pragma once

#include "compiler/compile.hpp"

#include <optional>
#include <string>

namespace xdpf::cli {

enum class Format : std::uint8_t { text, json };

struct SourceOptions {
    std::string file;                 // a .xdpf file; "-" is standard input
    std::optional<std::string> rules; // or the rules themselves: -e 'match udp -> xsk'
    Format format = Format::text;
    bool optimize = true;
    bool rule_counters = false; // as CompileOptions, the next one, too
    TableBytes table_bytes{};
    Backend backend = Backend::own;
    // As CompileOptions; left out where the program would be too large with them: Image::verdict_counters says.
    bool verdict_counters = false;
};

[[nodiscard]] Compilation compile_source(const SourceOptions &options);
// Text goes to stderr, in colour where that is a terminal and NO_COLOR is not set; JSON goes to stdout, an empty array
// where there is nothing to say.
void report(const Compilation &compilation, const SourceOptions &options);
[[nodiscard]] Compilation compile_and_report(const SourceOptions &options); // both

[[nodiscard]] bool colour_on(int fd);

// Exit statuses of every command.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

} // namespace xdpf::cli
