// What the kernel's verifier (kernel/bpf/verifier.c) allows, where several parts of the compiler need to know it.
#pragma once

#include <cstdint>

namespace xdpf {

// Bytes from a packet's start: nothing farther in than this is read, nor compared with the packet's end.
constexpr std::uint64_t max_packet_offset = 0xffff; // MAX_PACKET_OFF

} // namespace xdpf
