// Helpers as the kernel's do them (kernel/bpf/{helpers,ringbuf}.c, net/core/filter.c, net/core/xdp.c).
#include "compiler/bpf/processor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace xdpf::bpf {
namespace {

// What a helper gives for an error: an int, extended by its sign.
std::uint64_t error_of(int number) { return static_cast<std::uint64_t>(-std::int64_t{number}); }

std::uint16_t folded(std::uint64_t sum)
{
    while (sum > UINT16_MAX)
        sum = (sum & UINT16_MAX) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

// The sum of 16-bit words in the machine's order.
std::uint64_t words_of(std::span<const std::byte> bytes)
{
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, bytes.data() + i, sizeof word);
        sum += word;
    }
    return sum;
}

template <class T> void put(std::span<std::byte> to, T number)
{
    if (!to.empty())
        std::memcpy(to.data(), &number, sizeof number);
}

} // namespace

void Processor::call(Insn insn)
{
    std::uint64_t result = 0;
    if (insn.src == BPF_PSEUDO_KFUNC_CALL)
        result = kfunc();
    else if (insn.src != 0)
        fail("subprograms are not known here");
    else
        result = helper(insn.imm);
    for (unsigned reg = 0; reg <= 5; ++reg)
        written_[reg] = false;
    if (insn.src != 0 || insn.imm != BPF_FUNC_tail_call)
        set(0, result);
}

std::uint64_t Processor::helper(std::int32_t id)
{
    switch (id) {
    case BPF_FUNC_ktime_get_ns: return context_.now;
    case BPF_FUNC_get_prandom_u32: return random_.next();
    case BPF_FUNC_get_smp_processor_id: return context_.cpu;
    case BPF_FUNC_map_lookup_elem:
    case BPF_FUNC_map_update_elem:
    case BPF_FUNC_map_delete_elem: return entry(id);
    case BPF_FUNC_map_push_elem:
    case BPF_FUNC_map_peek_elem: return keyless(id);
    case BPF_FUNC_redirect_map: return redirect_map();
    case BPF_FUNC_redirect: return redirect();
    case BPF_FUNC_xdp_adjust_head:
    case BPF_FUNC_xdp_adjust_tail:
    case BPF_FUNC_xdp_adjust_meta: return adjust(id);
    case BPF_FUNC_tail_call: return tail_call();
    case BPF_FUNC_ringbuf_reserve: return reserve();
    case BPF_FUNC_ringbuf_submit: return close_record(true);
    case BPF_FUNC_ringbuf_discard: return close_record(false);
    case BPF_FUNC_ringbuf_output: return output();
    case BPF_FUNC_xdp_load_bytes: return copy_packet(true);
    case BPF_FUNC_xdp_store_bytes: return copy_packet(false);
    case BPF_FUNC_xdp_get_buff_len: return packet_.bytes().size();
    case BPF_FUNC_csum_diff: return checksum();
    default: fail("an unknown helper"); return 0;
    }
}

// ---- Arguments -----------------------------------------------------------------------------------------------------

MapId Processor::map_in(unsigned reg)
{
    const std::uint64_t address = get(reg);
    if (address >= maps_at)
        return MapId((address - maps_at) / room);
    fail(fmt::format("r{} is not a map", reg));
    return {};
}

void Processor::want_context()
{
    if (get(1) != context_at)
        fail("r1 is not the context");
}

std::uint64_t Processor::hold(ir::MapStore::Value value, MapId ring)
{
    if (value == nullptr)
        return 0;
    held_.push_back({std::move(value), ring});
    return values_at + (held_.size() - 1) * room;
}

std::uint64_t Processor::status(MapId map, ir::MapStore::Outcome outcome) const
{
    return static_cast<std::uint64_t>(std::int64_t{maps_.status_of(map, outcome)});
}

// ---- Maps ----------------------------------------------------------------------------------------------------------

std::uint64_t Processor::entry(std::int32_t id)
{
    const MapId map = map_in(1);
    if (!map.valid())
        return 0;
    const MapSpec &spec = maps_.spec(map);
    const auto key = bytes(get(2), spec.key.size, true);
    if (!error_.empty())
        return 0;
    if (id == BPF_FUNC_map_lookup_elem)
        return hold(maps_.lookup(map, key));
    if (id == BPF_FUNC_map_delete_elem)
        return status(map, maps_.remove(map, key));
    const auto value = bytes(get(3), spec.value.size, true);
    if (get(4) > BPF_EXIST)
        fail("unknown flags");
    return error_.empty() ? status(map, maps_.update(map, key, value, get(4))) : 0;
}

std::uint64_t Processor::keyless(std::int32_t id)
{
    const MapId map = map_in(1);
    if (!map.valid())
        return 0;
    const auto value = bytes(get(2), maps_.spec(map).value.size, true);
    if (!error_.empty())
        return 0;
    if (id == BPF_FUNC_map_peek_elem)
        return maps_.has_value(map, value) ? 0 : error_of(ENOENT);
    if (get(3) != BPF_ANY)
        fail("unknown flags");
    return status(map, maps_.push(map, value));
}

// ---- Verdicts ------------------------------------------------------------------------------------------------------

std::uint64_t Processor::redirect_map()
{
    using namespace ir::redirect_flag;
    const MapId map = map_in(1);
    const auto key = static_cast<std::uint32_t>(get(2));
    const std::uint64_t flags = get(3);
    if (!map.valid())
        return 0;
    const bool to_all = has(maps_.spec(map).kind, map_trait::broadcast);
    if ((flags & ~(fallback | (to_all ? broadcast | exclude_ingress : 0))) != 0)
        return XDP_ABORTED;
    outcome_.redirect.reset();
    const bool all = (flags & broadcast) != 0;
    if (!all && !maps_.is_filled(map, key))
        return flags & fallback;
    outcome_.redirect = ir::RedirectTarget{map, all ? 0 : key, all, (flags & exclude_ingress) != 0};
    return XDP_REDIRECT;
}

// To a device by its number; there is no map to name.
std::uint64_t Processor::redirect()
{
    static_cast<void>(get(1));
    if (get(2) != 0)
        return XDP_ABORTED;
    outcome_.redirect.reset();
    return XDP_REDIRECT;
}

// Where it finds no program it does nothing, but for all that the kernel's verifier knows the packet has moved.
std::uint64_t Processor::tail_call()
{
    want_context();
    const MapId map = map_in(2);
    const auto slot = static_cast<std::uint32_t>(get(3));
    packet_room_ += room;
    if (map.valid() && maps_.is_filled(map, slot)) {
        outcome_.tail_call = ir::TailCall{map, slot};
        done_ = true;
    }
    return 0;
}

// ---- The packet ----------------------------------------------------------------------------------------------------

std::uint64_t Processor::adjust(std::int32_t id)
{
    want_context();
    const std::uint64_t by = get(2);
    packet_room_ += room;
    const int status = id == BPF_FUNC_xdp_adjust_head   ? packet_.adjust_head(by)
                       : id == BPF_FUNC_xdp_adjust_tail ? packet_.adjust_tail(by)
                                                        : packet_.adjust_meta(by);
    return static_cast<std::uint64_t>(std::int64_t{status});
}

std::uint64_t Processor::copy_packet(bool out)
{
    want_context();
    const auto from = static_cast<std::uint32_t>(get(2));
    const auto length = static_cast<std::uint32_t>(get(4));
    if (length == 0)
        fail("no bytes to copy");
    const auto memory = bytes(get(3), length, !out);
    const auto packet = packet_.bytes();
    if (!error_.empty())
        return 0;
    if (from > packet.size() || length > packet.size() - from)
        return error_of(EINVAL);
    if (out)
        std::ranges::copy(packet.subspan(from, length), memory.begin());
    else
        std::ranges::copy(memory, packet.begin() + from);
    return 0;
}

// bpf_csum_diff: the seed, plus `to`, minus `from`, in 16 bits (since Linux 6.13).
std::uint64_t Processor::checksum()
{
    const auto part = [&](unsigned reg) {
        const std::uint64_t size = get(reg + 1);
        return size == 0 ? std::span<std::byte>{} : bytes(get(reg), size, true);
    };
    const auto from = part(1);
    const auto to = part(3);
    const auto seed = static_cast<std::uint32_t>(get(5));
    if ((from.size() | to.size()) % 4 != 0)
        return error_of(EINVAL);
    const std::uint16_t minus = folded(words_of(from));
    const std::uint64_t complement = from.empty() ? 0 : static_cast<std::uint16_t>(~minus);
    return folded(seed + words_of(to) + complement);
}

// The device answers, or EOPNOTSUPP. Before that the kernel's verifier wants the memory to have been written.
std::uint64_t Processor::kfunc()
{
    const auto reference = std::ranges::find(program_.kfunc_references, at_, &KfuncReference::insn);
    if (reference == program_.kfunc_references.end()) {
        fail("an unknown function");
        return 0;
    }
    want_context();
    const ir::RxMetadata &rx = context_.rx;
    const std::size_t size = reference->kfunc == Kfunc::rx_hash ? 4 : reference->kfunc == Kfunc::rx_timestamp ? 8 : 2;
    const auto first = bytes(get(2), size, true);
    const auto second = reference->kfunc == Kfunc::rx_timestamp ? std::span<std::byte>{} : bytes(get(3), size, true);
    if (!error_.empty())
        return 0;
    if (reference->kfunc == Kfunc::rx_hash && rx.hash) {
        put(first, *rx.hash);
    } else if (reference->kfunc == Kfunc::rx_timestamp && rx.timestamp) {
        put(first, *rx.timestamp);
    } else if (reference->kfunc == Kfunc::rx_vlan_tag && rx.vlan) {
        put(first, __builtin_bswap16(rx.vlan->protocol));
        put(second, rx.vlan->tci);
    } else {
        return static_cast<std::uint32_t>(error_of(EOPNOTSUPP)); // an int: the upper half is nothing to rely on
    }
    return 0;
}

// ---- Ring buffers --------------------------------------------------------------------------------------------------

std::uint64_t Processor::reserve()
{
    const MapId map = map_in(1);
    const std::uint64_t size = get(2);
    if (get(3) != 0)
        fail("unknown flags");
    return map.valid() ? hold(maps_.reserve(map, size), map) : 0;
}

std::uint64_t Processor::close_record(bool keep)
{
    const std::uint64_t address = get(1);
    const std::uint64_t which = (address - values_at) / room;
    if (address < values_at || address % room != 0 || which >= held_.size() || !held_[which].ring.valid() ||
        held_[which].bytes == nullptr) {
        fail("r1 is no record");
        return 0;
    }
    Held &record = held_[which];
    if (keep)
        outcome_.records.push_back({record.ring, *record.bytes});
    record.bytes = nullptr;
    return 0;
}

std::uint64_t Processor::output()
{
    const MapId map = map_in(1);
    const auto from = bytes(get(2), get(3), true);
    if (!error_.empty())
        return 0;
    const auto record = maps_.reserve(map, from.size());
    if (record == nullptr)
        return error_of(EAGAIN);
    std::ranges::copy(from, record->begin());
    outcome_.records.push_back({map, *record});
    return 0;
}

} // namespace xdpf::bpf
