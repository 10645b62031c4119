// The body of `xdpf run`: everything behind parsed options and a compiled program.
#pragma once

#include "compiler/image.hpp"
#include "runtime/session.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::cli {

struct RunOptions {
    std::string interface;
    std::string program; // empty: the file's first
    runtime::Mode mode = runtime::Mode::automatic;
    std::vector<std::uint32_t> queues; // empty: all
    runtime::CopyMode copy = runtime::CopyMode::automatic;
    std::uint32_t frames = 4096; // of each queue, a power of two
    bool dispatcher = false;
    std::optional<std::uint64_t> count;
    std::optional<std::chrono::milliseconds> duration;
    bool json = false; // one JSON object on stdout instead of the summary
    bool quiet = false;
    bool verbose = false;
    bool verifier_log = false; // to stderr, of a success, too
};

// Receives until a limit or SIGINT/SIGTERM, then detaches. The summary goes to stdout, everything else to stderr.
// Returns the exit status: 0, or 1 after an error.
[[nodiscard]] int run(const Image &image, const RunOptions &options);

// "all" or "0,2,5-7"; none: not of that form.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> parse_queues(std::string_view text);
// "10", "10s", "500ms", "2m"; none: not of that form.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

} // namespace xdpf::cli
