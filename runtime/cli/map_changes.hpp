// What a map holds at two times, compared: for those who watch it.
#pragma once

#include "runtime/cli/map_access.hpp"

#include <map>
#include <string>
#include <vector>

namespace xdpf::cli {

// The entries that say something.
using MapSnapshot = std::map<runtime::Bytes, runtime::Bytes, ByBytes>;
[[nodiscard]] runtime::Result<MapSnapshot> snapshot_of(const runtime::Map &map);

struct MapChange {
    enum class What : std::uint8_t { added, changed, gone };
    What what{};
    runtime::Entry entry;
    runtime::Bytes before{}; // of those that have changed
};
// First the new and changed ones, then those that are gone.
[[nodiscard]] std::vector<MapChange> changes(const MapSnapshot &before, const MapSnapshot &now);
// "+ 10.0.0.1 -> {packets = 1}", "  10.0.0.1 -> {packets = 4}   +3 packets", "- 10.0.0.1 -> …"; with a line end.
[[nodiscard]] std::string change_text(const runtime::Map &map, const MapChange &change);

} // namespace xdpf::cli
