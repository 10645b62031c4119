// The helpers an `asm` block may call, and what the kernel wants as their arguments (the bpf_func_proto of each, in
// kernel/bpf/helpers.c and net/core/filter.c). Private to this folder.
#pragma once

#include "compiler/image.hpp"

#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::bpf {

enum class Arg : std::uint8_t {
    none,
    number,
    context,
    map,
    key,           // memory with a key of the map before it
    value,         // memory with a value of the map before it
    bytes,         // memory of as many bytes as the next argument says
    bytes_or_null, // likewise, or 0 for none
    room,          // memory of as many bytes to be filled
    size,          // at least 1
    size_or_zero,
};

enum class Result : std::uint8_t { number, maybe_value, none };

struct Helper {
    bpf_func_id id{};
    std::string_view name;
    std::array<Arg, 5> args{};
    Result result = Result::number;
    bool reads_packet = false; // memory may lie in the packet
    bool moves_packet = false; // pointers into the packet are of no use afterwards
    bool changes_map = false;
};

// nullptr: not among those below.
[[nodiscard]] const Helper *find_helper(std::int32_t id);
[[nodiscard]] std::vector<std::string> helper_names();

// Why this kind of map is not for this helper; empty: it is.
[[nodiscard]] std::string unfit(const Helper &helper, const MapSpec &map);

} // namespace xdpf::bpf
