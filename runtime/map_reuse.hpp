// Maps that go on when another program takes the place of one.
#pragma once

#include "runtime/program_maps.hpp"

#include <map>
#include <string>

namespace xdpf::runtime {

// For LoadOptions::reuse_maps: the maps that both sources declare with the same name, kind, types, entries and flags.
// Not among them are maps that are pinned, which are taken over anyway, and devmaps and cpumaps, whose entries may have
// programs, which are not the new ones. The descriptors are those of `before`.
[[nodiscard]] std::map<std::string, int> maps_to_keep(const ProgramMaps &before, const Image &now);

} // namespace xdpf::runtime
