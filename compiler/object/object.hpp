// A compiled program as a relocatable eBPF object file: what clang makes of the same program in C, so that libbpf,
// libxdp, bpftool and iproute2 (with libbpf) load it as it is.
//
//   xdp        the programs, one global function symbol each. libbpf knows a program's type by its section, and since
//              1.0 "xdp" must match exactly: in "xdp/name" a program has no type until the loader sets one. Several
//              programs therefore share the section, and are chosen by name:
//                  xdp-loader load -n NAME …      ip link set dev … xdp obj FILE program NAME
//                  bpftool prog loadall FILE DIR   (a pin for each)
//   .relxdp    R_BPF_64_64 at each load of a map's address, against the map's symbol
//   .maps      room for a variable per map; the map is described by the variable's BTF type
//   license    the license, NUL behind it
//   .BTF       types of the above, keys and values field by field
//   .BTF.ext   function and source line of the instructions
//
// References: libbpf 1.1; Documentation/bpf/btf.rst and llvm_reloc.rst of the kernel.
#pragma once

#include "compiler/image.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace xdpf {

// The section of every program.
inline constexpr std::string_view program_section = "xdp";

// The bytes of Image::elf from the rest of the image. It must be whole: names of programs and maps are C identifiers
// of no more than 15 characters, each program has instructions, references are to maps that exist.
[[nodiscard]] std::vector<std::byte> write_object(const Image &image);

} // namespace xdpf
