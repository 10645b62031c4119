// `xdpf check` and `xdpf build`.
#pragma once

#include "runtime/cli/source.hpp"

#include <string>
#include <vector>

namespace xdpf::cli {

struct BuildOptions {
    SourceOptions source;
    std::string output;       // empty: the source's name with .o, in the current folder, unless something is dumped
    std::vector<Stage> dumps; // to stdout, in this order
    bool explain = false;     // say on stdout what form the rules have got, and why
};

// Status 0 where the source has no errors, else 1.
[[nodiscard]] int check(const SourceOptions &source);
[[nodiscard]] int build(const BuildOptions &options);

} // namespace xdpf::cli
