// By what LLVM's code refers to what is not in it. Private to this folder.
#pragma once

#include "compiler/maps.hpp"

#include <cstdint>
#include <string>

namespace xdpf::llvm_backend {

// The symbols of a map, and of its only value. Programs and functions of the kernel have none with a dot.
[[nodiscard]] inline std::string map_symbol(const MapSpec &map) { return "map." + map.name; }
[[nodiscard]] inline std::string value_symbol(const MapSpec &map) { return "value." + map.name; }

// The section of the one program.
inline constexpr const char *program_section = "xdp";

// In the lowest byte of a word that stands for an assembled block, with its number in the upper half: no instruction.
inline constexpr std::uint8_t asm_marker = 0xff;

} // namespace xdpf::llvm_backend
