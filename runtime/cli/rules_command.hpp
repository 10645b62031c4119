// `xdpf rules replace`: other rules for a program that runs.
#pragma once

#include "runtime/cli/source.hpp"

#include <string>

namespace xdpf::cli {

struct RulesOptions {
    SourceOptions source;
    std::string interface;
    bool json = false;
};

[[nodiscard]] int replace_rules(RulesOptions options);

} // namespace xdpf::cli
