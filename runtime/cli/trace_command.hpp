// `xdpf trace`: what a program does with the packets of a capture, and which rule decides.
#pragma once

#include "compiler/explain.hpp"
#include "runtime/cli/source.hpp"
#include "runtime/error.hpp"

#include <cstdio>
#include <functional>
#include <string>

namespace xdpf::cli {

struct TraceOptions {
    SourceOptions source;
    std::string capture;  // pcap or pcapng; "-" is standard input
    std::string program;  // empty: the first
    bool why = false;     // under each packet, why the rules in front did not match
    bool summary = false; // totals only
    bool json = false;    // one object on standard output
    bool packets = false; // with json: an object for each packet, too
    bool kernel = false;  // the verdicts are the kernel's
    std::FILE *output = stdout;
    std::FILE *errors = stderr;
    // Optional: the capture is read as far as it says.
    std::function<bool()> ended{};
    // Optional: where a rule stands, for a source that has no lines of its own. The number 0 makes it none.
    std::function<void(RuleText &)> placed{};
};

// Status 0, or 1 for errors in the source or the capture, or 2 for a program that there is not.
[[nodiscard]] int trace(const TraceOptions &options);
// The same for what is compiled already, and is ok(); `program` counts Image::programs. Only errors of the capture, or
// of the kernel.
[[nodiscard]] runtime::Result<void> trace(const TraceOptions &options, const Compilation &compilation,
                                          std::size_t program);

} // namespace xdpf::cli
