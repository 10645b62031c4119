// Places and files as the Language Server Protocol has them.
#pragma once

#include "compiler/base/source.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xdpf::cli {

// What `character` counts in a line: UTF-16 code units unless the client can do with bytes.
enum class LspEncoding : std::uint8_t { utf16, utf8 };

// Both count from 0.
struct LspPosition {
    std::uint32_t line = 0;
    std::uint32_t character = 0;
};

[[nodiscard]] LspPosition lsp_position(const Sources &sources, FileId file, std::uint32_t offset, LspEncoding encoding);
// In bytes. Past a line's end: the line's end; past the last line: the end of the text.
[[nodiscard]] std::uint32_t lsp_offset(std::string_view text, LspPosition position, LspEncoding encoding);

// Of file:///home/me/a%20b.xdpf; nothing for other schemes.
[[nodiscard]] std::optional<std::string> path_of_uri(std::string_view uri);
[[nodiscard]] std::string uri_of_path(std::string_view path);

} // namespace xdpf::cli
