// The standard library's sources, carried inside the compiler.
#pragma once

#include <span>
#include <string_view>

namespace xdpf::stdlib {

struct Module {
    std::string_view name; // as `import` names it: "prelude", "tunnel/vxlan"
    std::string_view text;
};

// Every module, sorted by name. "prelude" is imported by every file.
[[nodiscard]] std::span<const Module> modules();

} // namespace xdpf::stdlib
