// What `xdpf run` says at its end, as text and as JSON.
#pragma once

#include "compiler/compile.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/run.hpp"

#include <optional>
#include <string>

namespace xdpf::cli {

[[nodiscard]] std::string quantity(double number); // "1.23 M", "12.3 k", "999"
[[nodiscard]] std::string rate(double per_second); // "12.3 k/s"

// "verdicts   3 redirected, 0 passed, 1 dropped", with a line end.
[[nodiscard]] std::string verdicts_text(const runtime::VerdictCounts &counts);

// What the end brings besides the runtime's summary.
struct Findings {
    std::optional<runtime::VerdictCounts> verdicts{}; // none: not counted, or not to be read
    std::string rules{};                              // as text or as JSON
    std::string maps{};
    bool cut = false; // a signal ended the reading of maps
};

// What the program decided, and what became of the packets that it redirected into sockets: received, not taken behind
// a limit, or lost, and why. `verbose`: of each queue, even if there is one.
[[nodiscard]] std::string summary_text(const runtime::Summary &summary, const Findings &findings, bool verbose);

// With the compilation's diagnostics in it.
[[nodiscard]] Json summary_json(const runtime::Summary &summary, const runtime::Session &session,
                                const Findings &findings, const Compilation &compilation);
// What the next one is told of a source with errors.
[[nodiscard]] runtime::Error not_compiled(const Compilation &compilation);
// A line with the same of a session that did not come about.
[[nodiscard]] std::string failure_json(const runtime::Error &error, const Compilation &compilation);

// The error alone, as it stands in those, without a line end:
// {"stage":"cannot attach to 'eth9'","call":…}
[[nodiscard]] std::string error_json(const runtime::Error &error);

// A line about news of an interface: down, up, or another name than `before`.
[[nodiscard]] std::string link_text(const std::string &before, const runtime::Session &session,
                                    runtime::Session::Wake news);

} // namespace xdpf::cli
