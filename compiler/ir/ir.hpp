// The intermediate representation: per program a loop-free control-flow graph in SSA form with block parameters.
//
// Values are 64 bits wide; numbers are unsigned and wrap. A value is either a number or a pointer (into the packet or
// into a map's value). Packet bytes may be loaded only through a pointer of which a Guard on the way has shown that the
// bytes are there: that is exactly what the kernel's verifier asks for, and ir::verify() checks it.
//
// Text form (ir/text.hpp) of a small program, which reads back in:
//
//   program udp_only {
//   b0():
//     %1 = packet_start
//     %2 = packet_end
//     guard %1 + 14 <= %2 ? b1() : b3()
//   b1():
//     %3 = load.be16 %1 + 12
//     if %3 == 0x800 ? b2() : b3()
//   b2():
//     %4 = ctx rx_queue
//     %5 = redirect @xsks[%4] else 2
//     return %5
//   b3():
//     return 2
//   }
#pragma once

#include "compiler/base/id.hpp"
#include "compiler/base/source.hpp"
#include "compiler/maps.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace xdpf::ir {

using ValueId = Id<struct ValueTag>;
using BlockId = Id<struct BlockTag>;
using SlotId = Id<struct SlotTag>; // a piece of the stack, for keys and values of maps

enum class Op : std::uint8_t {
#define XDPF_IR_OP(name, text, shape) name,
#include "compiler/ir/ops.def"
#undef XDPF_IR_OP
};

// What an operation takes and gives; see ops.def.
enum class Shape : std::uint8_t {
    constant,
    nullary,
    context,
    load,
    unary,
    binary,
    offset,
    store_slot,
    load_map,
    store_map,
    lookup,
    update,
    redirect
};

[[nodiscard]] Shape shape_of(Op op);
[[nodiscard]] std::string_view text_of(Op op);

enum class Order : std::uint8_t { little, big };

// Fields of struct xdp_md that a program reads (the kernel's <linux/bpf.h>).
enum class ContextField : std::uint8_t { rx_queue, ingress_ifindex };

struct Inst {
    Op op = Op::constant;
    std::uint8_t width = 8;      // bytes moved by loads and stores: 1, 2, 4, 8
    Order order = Order::little; // of loads and slot stores
    ContextField field = ContextField::rx_queue;
    ValueId result; // none where the operation gives nothing
    ValueId a;
    ValueId b;
    std::uint64_t imm = 0; // constant; byte offset of loads and stores; bound of `offset`; fallback of redirect
    MapId map;
    SlotId key;
    SlotId value;
    Span span; // the source it stands for: line info, and messages from the kernel's verifier
};

// A jump with the values of the target's parameters.
struct Edge {
    BlockId target;
    std::vector<ValueId> args;
};

// Unsigned comparisons of 64-bit numbers. `set`: a & b != 0.
enum class Cond : std::uint8_t { eq, ne, lt, le, gt, ge, set, clear };

struct Terminator {
    enum class Kind : std::uint8_t {
        none,
        jump,    // to edges[0]
        branch,  // a cond (b or imm): edges[0] if so, edges[1] if not
        guard,   // a + imm <= b, pointers: edges[0] if so, edges[1] if not
        return_, // a, the verdict (XDP_PASS, …)
    };
    Kind kind = Kind::none;
    Cond cond = Cond::eq;
    ValueId a;
    ValueId b;             // branch: none means imm
    std::uint64_t imm = 0; // return_: the verdict where `a` is none
    std::array<Edge, 2> edges;
    Span span;
};

struct Block {
    std::vector<ValueId> params;
    std::vector<Inst> insts;
    Terminator end;
};

enum class ValueKind : std::uint8_t { number, packet, packet_end, map_value };

struct ValueInfo {
    ValueKind kind = ValueKind::number;
    // packet: no more than this many bytes from the packet's start (all on the way there included)
    // number: no more than this, where known
    std::uint64_t max = UINT64_MAX;
};

struct Slot {
    std::uint32_t size; // bytes; slots are 8-aligned
};

// Block 0 is the entry and has no parameters. Blocks stand in an order in which every edge goes forward.
struct Program {
    std::string name;
    Span span;
    IdVector<BlockId, Block> blocks;
    IdVector<ValueId, ValueInfo> values;
    IdVector<SlotId, Slot> slots;

    ValueId add_value(ValueKind kind, std::uint64_t max = UINT64_MAX) { return values.add({kind, max}); }
};

struct Module {
    std::vector<MapSpec> maps; // indexed by MapId
    std::vector<Program> programs;
};

[[nodiscard]] inline bool has_two_edges(const Terminator &end)
{
    return end.kind == Terminator::Kind::branch || end.kind == Terminator::Kind::guard;
}

// Calls use(ValueId) for every operand of an instruction (slots are no values).
template <class F> void for_each_use(const Inst &inst, F use)
{
    if (inst.a.valid())
        use(inst.a);
    if (inst.b.valid())
        use(inst.b);
}

// Calls use(ValueId) for every operand of a terminator, the arguments of its edges included.
template <class F> void for_each_use(const Terminator &end, F use)
{
    if (end.a.valid())
        use(end.a);
    if (end.b.valid())
        use(end.b);
    for (const Edge &edge : end.edges)
        if (edge.target.valid())
            for (const ValueId arg : edge.args)
                use(arg);
}

} // namespace xdpf::ir
