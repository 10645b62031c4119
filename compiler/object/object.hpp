// A compiled program as a relocatable eBPF object file: what clang makes of the same program in C, so that libbpf,
// libxdp, bpftool and iproute2 (with libbpf) load it as it is.
//
//   xdp        the programs, one global function symbol each. libbpf knows a program's type by its section, and since
//              1.0 "xdp" must match exactly: in "xdp/name" a program has no type until the loader sets one. Several
//              programs therefore share the section, and are chosen by name:
//                  xdp-loader load -n NAME …      ip link set dev … xdp obj FILE program NAME
//                  bpftool prog loadall FILE DIR   (a pin for each)
//              xdp.frags: programs that take packets of several pieces; …/devmap, …/cpumap: programs for the entries of
//              such maps
//   .relxdp    R_BPF_64_64 at each load of an address, against the symbol of the map or of the field of the data;
//              R_BPF_64_32 at each call of a kernel function, against its undefined symbol
//   .maps      room for a variable per map; the map is described by the variable's BTF type
//   .rel.maps  R_BPF_64_64 at each slot of the table of programs, where the object fills it, against the program
//   .data      the bytes of the map that is reached by address, a variable for each field. libbpf makes a map of the
//              section: bpf_object__find_map_by_name(object, ".data"), in the kernel "OBJECT.data"
//   license    the license, NUL behind it
//   .BTF       types of the above, keys and values field by field; a struct for each type of record in a ring buffer
//   .BTF.ext   function and source line of the instructions
//
// References: libbpf 1.1; Documentation/bpf/btf.rst and llvm_reloc.rst of the kernel.
#pragma once

#include "compiler/image.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace xdpf {

// The section that a program stands in.
[[nodiscard]] std::string_view section_of(const ProgramImage &program);

// The bytes of Image::elf from the rest of the image. It must be whole: names of programs and maps are C identifiers
// of no more than 15 characters, each program has instructions, references are to maps that exist, one map at most is
// data.
// `tables`: libbpf fills a table of programs as the object says, and then loads nothing that leaves one of them out.
enum class ProgramTables : std::uint8_t { empty, filled };
[[nodiscard]] std::vector<std::byte> write_object(const Image &image, ProgramTables tables = ProgramTables::empty);

} // namespace xdpf
