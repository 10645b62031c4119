// `xdpf lsp`: a language server on standard input and output.
#pragma once

#include <string>

namespace xdpf::cli {

// The exit status.
[[nodiscard]] int lsp(const std::string &version);

} // namespace xdpf::cli
