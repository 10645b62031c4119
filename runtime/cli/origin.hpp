// Where a program's source stands, for those who look at the program later.
#pragma once

#include "compiler/compile.hpp"
#include "runtime/cli/source.hpp"
#include "runtime/registry.hpp"

namespace xdpf::cli {

// Of the head of a rule.
[[nodiscard]] runtime::RulePlace place_of(const Sources &sources, const Span &rule);

// With the declaration that it is about, where it is about one.
[[nodiscard]] runtime::Error placed(runtime::Error error, const Sources &sources);

// The rules of those programs that count them.
[[nodiscard]] runtime::Origin origin_of(const Compilation &compilation, const SourceOptions &options);

} // namespace xdpf::cli
