// Watches a program at work for a while, and says where its packets go and where they go missing.
#pragma once

#include "runtime/doctor.hpp"
#include "runtime/error.hpp"
#include "runtime/registry.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace xdpf::runtime {

struct WhyFinding {
    Finding finding; // "program.…", "interface.…", "queues.…", "sockets.…", "redirect.…", "rules.…", "flow.…"
    std::vector<std::pair<std::string, std::uint64_t>> numbers{}; // seen during the watch, by name
};

struct WhyReport {
    double seconds = 0; // that it was watched
    std::vector<WhyFinding> findings;
};

// Of a program of the calling thread's network namespace. It changes nothing: for the time of the watch, programs that
// count are at the kernel's tracepoints, where it has them. Errors: its maps cannot be opened (CAP_SYS_ADMIN), the
// interface is gone.
[[nodiscard]] Result<WhyReport> watch_packets(const Registered &entry, std::chrono::milliseconds duration);

} // namespace xdpf::runtime
