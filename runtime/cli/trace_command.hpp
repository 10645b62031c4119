// `xdpf trace`: what a program does with the packets of a capture, and which rule decides.
#pragma once

#include "runtime/cli/source.hpp"

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
};

// Status 0, or 1 for errors in the source or the capture, or 2 for a program that there is not.
[[nodiscard]] int trace(const TraceOptions &options);

} // namespace xdpf::cli
