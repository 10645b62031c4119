// `xdpf map`: the maps and parameters of a program at work, by the types of its source.
#pragma once

#include "runtime/registry.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace xdpf::cli {

struct MapOptions {
    runtime::RegisteredFilter program;
    std::string name; // of a map or a parameter
    std::optional<std::string> key;
    std::optional<std::string> value;
    bool json = false;
};

struct MapWatchOptions {
    MapOptions map;
    std::optional<std::chrono::milliseconds> interval; // 1 s
    std::optional<std::uint64_t> count;                // rounds; none: until a signal
};

struct MapLoadOptions {
    MapOptions map;
    std::string file;
    bool replace = false; // what the file does not have goes
};

// Exit statuses: 0; 1 after an error, or where there is no such entry; 2 for what the map's types do not allow.
[[nodiscard]] int list_maps(const MapOptions &options);
[[nodiscard]] int get_entry(const MapOptions &options);
[[nodiscard]] int set_entry(const MapOptions &options);
[[nodiscard]] int delete_entry(const MapOptions &options);
[[nodiscard]] int dump_map(const MapOptions &options);
[[nodiscard]] int watch_map(const MapWatchOptions &options);
[[nodiscard]] int load_map(const MapLoadOptions &options);

} // namespace xdpf::cli
