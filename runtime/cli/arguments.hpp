// The texts that options take, read.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xdpf::cli {

// "all" or "0,2,5-7"; none: not of that form.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> parse_queues(std::string_view text);
// "NAME=VALUE"; none: not of that form.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> parse_assignment(std::string_view text);
// "10", "10s", "500ms", "2m"; none: not of that form.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

} // namespace xdpf::cli
