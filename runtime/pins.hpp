// Maps and links that outlive their processes as files of bpffs.
#pragma once

#include "runtime/error.hpp"

#include <string_view>

namespace xdpf::runtime {

inline constexpr std::string_view pin_folder = "/sys/fs/bpf/xdpf";

// Whether this mount namespace has a bpffs where pins stand; `ip netns exec` hides it.
[[nodiscard]] bool has_bpffs();
// Cause and remedy where it has none.
void explain_missing_bpffs(Error &error);

} // namespace xdpf::runtime
