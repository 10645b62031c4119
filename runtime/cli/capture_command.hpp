// The body of `xdpf capture`: packets of interfaces into pcapng files, or as lines of text.
#pragma once

#include "runtime/attach.hpp"
#include "runtime/capture_writer.hpp"
#include "runtime/cli/capture_program.hpp"
#include "runtime/cli/source.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::cli {

struct CaptureCommand {
    std::vector<std::string> interfaces;
    CaptureRules rules;
    runtime::CaptureOptions file; // an empty path: lines of text on stdout
    runtime::Mode mode = runtime::Mode::automatic;
    std::optional<std::chrono::milliseconds> duration;
    Format format = Format::text; // of diagnostics
    bool json = false;            // a summary of one JSON object on stdout; packets that are printed in JSON, too
    bool quiet = false;
    bool verbose = false;
};

// Captures until a limit, SIGINT, SIGTERM or SIGHUP, or until the reader of a pipe is gone. Returns the exit status: 0,
// or 1 after an error; what was captured until then is in the file.
[[nodiscard]] int capture(const CaptureCommand &command);

} // namespace xdpf::cli
