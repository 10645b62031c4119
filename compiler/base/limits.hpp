// What the kernel allows, where several parts of the compiler need to know it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xdpf {

// Bytes from a packet's start: nothing farther in than this is read, nor compared with the packet's end.
constexpr std::uint64_t max_packet_offset = 0xffff; // MAX_PACKET_OFF of kernel/bpf/verifier.c

// Characters of the name of a map or a program.
constexpr std::size_t longest_kernel_name = 15; // BPF_OBJ_NAME_LEN of linux/bpf.h, less the NUL

} // namespace xdpf
