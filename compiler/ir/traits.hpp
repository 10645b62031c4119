// What follows from an operation alone: the kind and the natural bound of its result, whether it may be dropped,
// repeated or shared, and how arithmetic comes out. One place for the interpreter, the verifier and the passes.
#pragma once

#include "compiler/ir/ir.hpp"

#include <optional>

namespace xdpf::ir {

// Whether there is always a result.
[[nodiscard]] bool has_result(Op op);
// Whether the result is 0 or an error and nothing else: it may be left out.
[[nodiscard]] bool gives_status(Op op);

// Of an operation that can have a result.
[[nodiscard]] ValueKind result_kind(Op op);

// The bound of a result that follows from the operation itself: a load of two bytes gives at most 0xffff, a packet
// pointer moved on is at most as far as its base and the way together. UINT64_MAX: none.
[[nodiscard]] std::uint64_t natural_max(const Program &program, const Inst &inst);

// The result depends on operands, packet and context alone, and nothing else happens: may be dropped where the result
// is unused and shared where it is computed twice with no writes_packet() (loads) or moves_packet() (the packet's ends)
// in between.
[[nodiscard]] bool is_pure(Op op);

// May be dropped where the result is unused. Wider than pure: reading a map's value is no effect either, but what is
// read may change. (A lookup is not in here: in an LRU map it keeps the entry alive. Nor is `random`, so that a seed
// gives the same numbers before and after the passes.)
[[nodiscard]] bool is_droppable(Op op);

// Changes packet bytes or moves the packet's ends, so that loads before and after may differ.
[[nodiscard]] bool writes_packet(Op op);
// Moves the packet's ends, or may as far as the kernel's verifier knows: pointers to packet, end and metadata that were
// made before are no good afterwards.
[[nodiscard]] bool moves_packet(Op op);

// From the packet, the stack, or a map's value: `width` bytes in `order`.
[[nodiscard]] bool is_load(Op op);

// a op b is b op a.
[[nodiscard]] bool is_commutative(Op op);

// The largest number that fits into that many bytes (1 to 8).
[[nodiscard]] constexpr std::uint64_t max_of_width(unsigned width)
{
    return width >= 8 ? UINT64_MAX : (std::uint64_t{1} << (8 * width)) - 1;
}

// The lowest `width` bytes in the opposite order.
[[nodiscard]] std::uint64_t swap_bytes(std::uint64_t number, unsigned width);

// Arithmetic as BPF defines it: x / 0 is 0, x % 0 is x, shifts take their amount modulo 64.
[[nodiscard]] std::uint64_t evaluate(Op op, std::uint64_t a, std::uint64_t b);
[[nodiscard]] bool evaluate(Cond cond, std::uint64_t a, std::uint64_t b);

// The condition that holds exactly where `cond` does not.
[[nodiscard]] Cond inverse(Cond cond);
// The condition with its operands in the opposite order.
[[nodiscard]] Cond mirrored(Cond cond);

} // namespace xdpf::ir
