// The sessions of `xdpf run`, opened.
#pragma once

#include "compiler/compile.hpp"
#include "runtime/cli/run_command.hpp"

#include <span>
#include <string>
#include <vector>

namespace xdpf::cli {

// Of one interface. The program is published as that of the source.
[[nodiscard]] runtime::SessionOptions session_options(const Compilation &compilation, const SourceOptions &source,
                                                      const RunOptions &options, const std::string &interface);
// One for each interface.
[[nodiscard]] runtime::Result<std::vector<runtime::Session>>
open_sessions(const Compilation &compilation, const SourceOptions &source, const RunOptions &options);
[[nodiscard]] runtime::Result<runtime::RunPlan> plan_of(std::span<const runtime::Session> sessions,
                                                        const RunOptions &options);

} // namespace xdpf::cli
