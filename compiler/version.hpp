// The version of these libraries; CMakeLists.txt has it from here. In C: xdpf_version() of runtime/c/xdpf.h.
#pragma once

#define XDPF_VERSION_MAJOR 0
#define XDPF_VERSION_MINOR 1
#define XDPF_VERSION_PATCH 0

#define XDPF_TEXT_OF_(major, minor, patch) #major "." #minor "." #patch
#define XDPF_TEXT_OF(major, minor, patch) XDPF_TEXT_OF_(major, minor, patch)
#define XDPF_VERSION XDPF_TEXT_OF(XDPF_VERSION_MAJOR, XDPF_VERSION_MINOR, XDPF_VERSION_PATCH)

namespace xdpf {

inline constexpr const char *version = XDPF_VERSION; // "0.1.0"

} // namespace xdpf
