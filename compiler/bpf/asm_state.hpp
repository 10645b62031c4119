// What registers and stack of an `asm` block hold at one point of it, never more precisely than the kernel's verifier
// knows it (kernel/bpf/verifier.c): what is allowed here is allowed there. Private to this folder.
#pragma once

#include "compiler/image.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>

namespace xdpf::bpf {

enum class Holds : std::uint8_t {
    nothing,     // never written
    sometimes,   // written on some of the ways that lead here
    lost,        // was an argument register of the call at Value::id
    moved,       // a packet pointer from before the call at Value::id, which moved the packet
    mixed,       // something else on each way
    reported,    // the outcome of an instruction with a mistake: silences what follows from it
    number,      // these can be used
    context,     // struct xdp_md
    packet,      // into the packet
    packet_end,  // behind its last byte
    metadata,    // into the metadata area, which ends where the packet begins
    map,         // a map itself
    maybe_value, // an entry of a map or 0
    value,       // into an entry of a map
    stack,       // into the stack frame
};

[[nodiscard]] constexpr bool usable(Holds holds) { return holds >= Holds::reported; }

struct Value {
    Holds holds = Holds::nothing;
    MapId map;                      // map, maybe_value, value
    std::uint32_t id = 0;           // packet, metadata, maybe_value: the same id, the same base; lost, moved: the call
    std::int64_t off = 0;           // pointers: bytes from the base; stack: from the frame's end
    std::int64_t slack = 0;         // packet, metadata, value: the base lies up to so many bytes farther
    std::int64_t range = 0;         // packet, metadata: so many bytes from the base are there
    std::uint64_t min = 0;          // number
    std::uint64_t max = UINT64_MAX; // number

    bool operator==(const Value &) const = default;
    [[nodiscard]] bool is(Holds what) const { return holds == what; }
    [[nodiscard]] bool constant() const { return is(Holds::number) && min == max; }
};

[[nodiscard]] inline Value number(std::uint64_t min = 0, std::uint64_t max = UINT64_MAX)
{
    Value value;
    value.holds = Holds::number;
    value.min = min;
    value.max = max;
    return value;
}
[[nodiscard]] inline Value pointer(Holds what, std::uint32_t id = 0)
{
    Value value;
    value.holds = what;
    value.id = id;
    return value;
}
[[nodiscard]] inline Value unusable(Holds why, std::uint32_t call = 0) { return pointer(why, call); }

constexpr std::int64_t stack_size = 512;
constexpr std::size_t stack_slots = 64; // of 8 bytes

struct State {
    std::array<Value, 11> regs;
    std::bitset<stack_size> written;      // by distance from the frame's lower end
    std::array<Value, stack_slots> slots; // what was stored there as 8 bytes, if that is known; else `nothing`

    template <class F> void each(const F &change)
    {
        for (Value &value : regs)
            change(value);
        for (Value &value : slots)
            change(value);
    }
};

// What is known where two ways meet. Pointers with different bases get the new base `id`.
[[nodiscard]] Value meet(const Value &a, const Value &b, std::uint32_t id);
// `insn`: where they meet.
void meet(State &into, const State &other, std::uint32_t insn);

// Bases that begin at an instruction: its own result, or one for each register and slot where ways meet there.
constexpr std::uint32_t ids_per_insn = 128;
[[nodiscard]] constexpr std::uint32_t base_id(std::uint32_t insn) { return (insn + 1) * ids_per_insn; }

} // namespace xdpf::bpf
