// How findings of the doctor are shown.
#pragma once

#include "runtime/cli/as_json.hpp"
#include "runtime/doctor.hpp"

#include <string>
#include <vector>

namespace xdpf::cli {

// Its line, and of a note why.
void print_finding(const runtime::Finding &finding, bool colour);
// Its line, why and the remedy.
void print_with_remedy(const runtime::Finding &finding, bool colour);
[[nodiscard]] std::string count_text(const std::vector<runtime::Finding> &findings); // "1 problem, no warnings"
// How many problems and warnings there are, and each of them, problems first, with why and the remedy.
void print_summary(const std::vector<runtime::Finding> &findings, bool colour);

[[nodiscard]] Json as_json(const runtime::Finding &finding);
// No problem among them.
[[nodiscard]] bool is_healthy(const std::vector<runtime::Finding> &findings);

} // namespace xdpf::cli
