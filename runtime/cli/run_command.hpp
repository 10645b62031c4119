// The body of `xdpf run`: everything behind parsed options.
#pragma once

#include "runtime/capture_writer.hpp"
#include "runtime/cli/source.hpp"
#include "runtime/run.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xdpf::cli {

// How what programs write into ring buffers is printed; automatic is text, with `json` JSON.
enum class RecordForm : std::uint8_t { automatic, text, json, none };

struct RunOptions {
    std::vector<std::string> interfaces;
    std::string program; // empty: the file's first
    runtime::Mode mode = runtime::Mode::automatic;
    std::vector<std::uint32_t> queues; // empty: all
    runtime::QueueOptions socket;
    runtime::RunPlan plan;
    bool cpus_of_queues = false;  // plan.cpus are to be those of the queues' interrupts
    bool echo = false;            // send what is received back
    std::string forward;          // or by this interface, and what comes from there by the first one
    runtime::CaptureOptions file; // packets are written there; an empty path: they are not
    bool dispatcher = false;
    bool watch = false; // replace the program when the source is saved
    std::optional<std::uint64_t> count;
    std::optional<std::chrono::milliseconds> duration;
    std::map<std::string, std::string> parameters;     // as LoadOptions
    std::map<std::string, std::string> entry_programs; // as LoadOptions
    RecordForm records = RecordForm::automatic;
    bool maps = false; // show what is in them at the end
    bool json = false; // one JSON object on stdout instead of the summary; records in front of it, a line each
    bool quiet = false;
    bool verbose = false;
    bool verifier_log = false; // to stderr, of a success, too
};

// Receives until a limit or SIGINT/SIGTERM, then detaches. Records and the summary go to stdout, everything else to
// stderr, the summary, too, where packets are written to stdout. Where rules and verdicts are counted (SourceOptions)
// the summary has their counts. Returns the exit status: 0, or 1 after an error.
[[nodiscard]] int run(const SourceOptions &source, const RunOptions &options);

} // namespace xdpf::cli
