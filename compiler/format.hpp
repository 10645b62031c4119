// The layout of `xdpf fmt`, for commands and editors. grammar/reference.md describes it.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/base/source.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace xdpf {

// A source may not be longer; who reads one may stop one byte further.
[[nodiscard]] std::size_t most_source_bytes();

struct Formatting {
    Sources sources;
    Diagnostics diagnostics;         // of a text that does not parse
    std::optional<std::string> text; // nothing for such a text, and where formatting would change its meaning
};

// `name` is what messages call the text.
[[nodiscard]] Formatting format_source(std::string_view text, std::string name);

} // namespace xdpf
