// What `xdpf capture` says at its end.
#pragma once

#include "runtime/cli/capture_command.hpp"
#include "runtime/cli/capture_output.hpp"
#include "runtime/run.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::cli {

// Of one interface, in packets.
struct TapSummary {
    std::string interface;
    std::string mode;
    runtime::Summary run;
    std::uint64_t captured = 0;           // written or printed
    std::uint64_t not_taken = 0;          // came behind the end: --count, the last file, an error
    std::optional<std::uint64_t> matched; // by the program's count; none: it could not be read
    std::uint64_t lost = 0;               // matched, and found no room
};

[[nodiscard]] runtime::CaptureCounts counts_of(const TapSummary &tap);

[[nodiscard]] std::string capture_text(const CaptureCommand &command, const CaptureOutput &output,
                                       const std::vector<TapSummary> &taps);
// One object on one line, with what the compiler said in it.
[[nodiscard]] std::string capture_json(const CaptureCommand &command, const CaptureProgram &program,
                                       const CaptureOutput &output, const std::vector<TapSummary> &taps,
                                       const std::vector<runtime::Error> &errors);
// The same of a capture that did not come about.
[[nodiscard]] std::string capture_failure_json(const CaptureProgram &program, const runtime::Error &error);

} // namespace xdpf::cli
