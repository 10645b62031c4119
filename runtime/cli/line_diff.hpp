// What differs between two texts, line by line.
#pragma once

#include <string>
#include <string_view>

namespace xdpf::cli {

// In the form of `diff -u`, with three lines around each change; empty where the texts are equal. Texts that have very
// much between them that differs are shown as one change.
[[nodiscard]] std::string line_diff(std::string_view before, std::string_view after, std::string_view name);

} // namespace xdpf::cli
