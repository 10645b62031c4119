// Text files that hold one entry a line: contents of maps, rules.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf {

// The file's text, or why it cannot be had. No more than 64 MiB.
[[nodiscard]] std::expected<std::string, std::string> text_of(const std::filesystem::path &path);

struct Line {
    std::uint32_t at; // byte of the file
    std::string_view text;
};

// Those with an entry, without comments (from # on).
[[nodiscard]] std::vector<Line> lines_of(std::string_view text);

// Without white space around it; without quotes around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::string_view unquoted(std::string_view word);

// What stands between the commas that are in no quotes, trimmed.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view line);

} // namespace xdpf
