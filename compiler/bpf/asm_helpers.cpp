#include "compiler/bpf/asm_helpers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>

namespace xdpf::bpf {
namespace {

using enum Arg;

#define XDPF_CALLED(name) BPF_FUNC_##name, "bpf_" #name
constexpr Helper helpers[] = {
    {XDPF_CALLED(map_lookup_elem), {map, key}, Result::maybe_value, true},
    {XDPF_CALLED(map_update_elem), {map, key, value, number}, Result::number, true, false, true},
    {XDPF_CALLED(map_delete_elem), {map, key}, Result::number, true, false, true},
    {XDPF_CALLED(redirect_map), {map, number, number}},
    {XDPF_CALLED(redirect), {number, number}},
    {XDPF_CALLED(ktime_get_ns), {}},
    {XDPF_CALLED(get_prandom_u32), {}},
    {XDPF_CALLED(get_smp_processor_id), {}},
    {XDPF_CALLED(xdp_adjust_head), {context, number}, Result::number, false, true},
    {XDPF_CALLED(xdp_adjust_tail), {context, number}, Result::number, false, true},
    {XDPF_CALLED(xdp_adjust_meta), {context, number}, Result::number, false, true},
    {XDPF_CALLED(csum_diff), {bytes_or_null, size_or_zero, bytes_or_null, size_or_zero, number}, Result::number, true},
    {XDPF_CALLED(tail_call),
     {context, map, number},
     Result::none,
     false,
     true}, // it could come back from a program that moved the packet
    {XDPF_CALLED(ringbuf_output), {map, bytes, size_or_zero, number}},
    {XDPF_CALLED(xdp_get_buff_len), {context}},
    {XDPF_CALLED(xdp_load_bytes), {context, number, room, size}},
    {XDPF_CALLED(xdp_store_bytes), {context, number, bytes, size}},
};
#undef XDPF_CALLED

bool one_of(std::uint32_t type, std::initializer_list<std::uint32_t> types)
{
    return std::ranges::find(types, type) != types.end();
}

bool holds_values(std::uint32_t type)
{
    return one_of(type, {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_HASH,
                         BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_LPM_TRIE});
}

bool is_array(std::uint32_t type) { return one_of(type, {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY}); }

// kernel/bpf/verifier.c, check_map_func_compatibility.
std::string_view wanted(bpf_func_id id, std::uint32_t type)
{
    switch (id) {
    case BPF_FUNC_map_lookup_elem:
        return holds_values(type) || is_array(type) || type == BPF_MAP_TYPE_XSKMAP ? ""
                                                                                   : "a hash, an array or an lpm_trie";
    case BPF_FUNC_map_update_elem: return holds_values(type) || is_array(type) ? "" : "a hash, an array or an lpm_trie";
    case BPF_FUNC_map_delete_elem: return holds_values(type) ? "" : "a hash or an lpm_trie";
    case BPF_FUNC_redirect_map:
        return one_of(type, {BPF_MAP_TYPE_XSKMAP, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_CPUMAP})
                   ? ""
                   : "an xskmap, a devmap, a devmap_hash or a cpumap";
    case BPF_FUNC_tail_call: return type == BPF_MAP_TYPE_PROG_ARRAY ? "" : "a prog_array";
    case BPF_FUNC_ringbuf_output: return type == BPF_MAP_TYPE_RINGBUF ? "" : "a ringbuf";
    default: return "";
    }
}

} // namespace

const Helper *find_helper(std::int32_t id)
{
    const auto *found =
        std::ranges::find(helpers, id, [](const Helper &helper) { return static_cast<std::int32_t>(helper.id); });
    return found == std::end(helpers) ? nullptr : found;
}

std::vector<std::string> helper_names()
{
    std::vector<std::string> names;
    for (const Helper &helper : helpers)
        names.emplace_back(helper.name);
    return names;
}

std::string unfit(const Helper &helper, const MapSpec &map)
{
    const std::string_view kinds = wanted(helper.id, bpf_type_of(map.kind));
    if (!kinds.empty())
        return fmt::format("{} wants {}, and '{}' is of the kind {}", helper.name, kinds, map.name, name_of(map.kind));
    if (helper.changes_map && (map.flags & BPF_F_RDONLY_PROG) != 0)
        return fmt::format("'{}' is read-only for programs (BPF_F_RDONLY_PROG)", map.name);
    if (helper.result == Result::maybe_value && (map.flags & BPF_F_WRONLY_PROG) != 0)
        return fmt::format("'{}' is write-only for programs (BPF_F_WRONLY_PROG)", map.name);
    return {};
}

} // namespace xdpf::bpf
