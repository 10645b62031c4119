// The words behind a command of the shell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xdpf::cli {

// Between blanks; but what stands in brackets or in quotes belongs together: (10.0.0.1, 53), {packets = 3}, "\x01",
// 'a file'. The quotes '…' around a whole word go.
[[nodiscard]] std::vector<std::string> words_of(std::string_view text);
[[nodiscard]] std::string_view trimmed(std::string_view text);

} // namespace xdpf::cli
