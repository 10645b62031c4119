// The intermediate representation: per program a control-flow graph in SSA form with block parameters, free of loops
// but for those that `again` makes.
//
// Values are 64 bits wide; numbers are unsigned and wrap. A value is either a number or a pointer (into the packet, its
// metadata, a map's value or a record of a ring buffer). Packet bytes may be loaded and stored only through a pointer
// of which a Guard on the way has shown that the bytes are there, and which was made after the last operation that
// moves the packet's ends: that is exactly what the kernel's verifier asks for, and ir::verify() checks it.
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
    query,
    load,
    store_packet,
    unary,
    binary,
    offset,
    adjust,
    load_slot,
    store_slot,
    rx_meta,
    load_map,
    store_map,
    map_value,
    element,
    lookup,
    update,
    erase,
    push,
    redirect,
    tail_call,
    reserve,
    copy_packet,
    submit
};

[[nodiscard]] Shape shape_of(Op op);
[[nodiscard]] std::string_view text_of(Op op);

enum class Order : std::uint8_t { little, big };

// Fields of struct xdp_md that a program reads (the kernel's <linux/bpf.h>). egress_ifindex only in programs of
// devmaps.
enum class ContextField : std::uint8_t { rx_queue, ingress_ifindex, egress_ifindex };

// What a device tells of a packet it has received (bpf_xdp_metadata_rx_…).
enum class RxMeta : std::uint8_t { hash, timestamp, vlan };

// In `imm` of redirect: the flags of bpf_redirect_map.
namespace redirect_flag {
inline constexpr std::uint64_t fallback = 3;         // the verdict where the slot is empty
inline constexpr std::uint64_t broadcast = 8;        // BPF_F_BROADCAST: to all entries; the index does not matter
inline constexpr std::uint64_t exclude_ingress = 16; // BPF_F_EXCLUDE_INGRESS: but not to where the packet came from
} // namespace redirect_flag

struct Inst {
    Op op = Op::constant;
    std::uint8_t width = 8;      // bytes moved by loads and stores: 1, 2, 4, 8
    Order order = Order::little; // of loads and stores
    ContextField field = ContextField::rx_queue;
    RxMeta rx = RxMeta::hash;
    ValueId result; // none where the operation gives nothing, or a status that nobody wants
    ValueId a;
    ValueId b;
    // constant; byte offset of loads, stores, map_value, copy_packet; bound of `offset`; mask of element; flags of
    // update and redirect; slot of tail_call; bytes of reserve
    std::uint64_t imm = 0;
    std::uint32_t max = 0; // copy_packet: bound of the length
    MapId map;
    SlotId key;   // of lookup, update, erase; what load_slot and store_slot are about
    SlotId value; // of update, push, peek; what rx_meta writes into
    Span span;    // the source it stands for: line info, and messages from the kernel's verifier
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
        again,   // back to edges[0], the head of a loop that this block is in
        return_, // a, the verdict (XDP_PASS, …)
        asm_,    // asms[imm] of the program, which gives the verdict itself
    };
    Kind kind = Kind::none;
    Cond cond = Cond::eq;
    ValueId a;
    ValueId b;             // branch: none means imm
    std::uint64_t imm = 0; // return_: the verdict where `a` is none; asm_: which
    std::array<Edge, 2> edges;
    Span span;
};

struct Block {
    std::vector<ValueId> params;
    std::vector<Inst> insts;
    Terminator end;
    // Of a loop's head: how often `again` leads here at most; 0: no loop. The parameters hold other values each time,
    // no more than their ValueInfo says. One of them is a number that the loop counts down itself, which is how the
    // kernel's verifier sees that it ends. Nothing in a loop writes to the packet or moves it.
    std::uint32_t rounds = 0;

    [[nodiscard]] bool is_loop() const { return rounds != 0; }
};

// meta: into the metadata before the packet. record: of a ring buffer, or 0.
enum class ValueKind : std::uint8_t { number, packet, packet_end, map_value, meta, record };

struct ValueInfo {
    ValueKind kind = ValueKind::number;
    // packet: no more than this many bytes from the packet's start (all on the way there included)
    // number: no more than this, where known
    std::uint64_t max = UINT64_MAX;
};

struct Slot {
    std::uint32_t size; // bytes; slots are 8-aligned
};

// Instructions that the program's author wrote, from the context in r1 to an exit; assembled and checked before.
struct AsmBlock {
    struct MapReference {
        std::uint32_t at; // index into insns, of the first word of a 64-bit immediate load
        MapId map;
        bool operator==(const MapReference &) const = default;
    };
    // struct bpf_insn of <linux/bpf.h>, eight bytes as a little-endian number: the opcode in the lowest byte, then
    // registers, offset and immediate.
    std::vector<std::uint64_t> insns;
    std::vector<MapReference> maps;
    Span span;
};

// Block 0 is the entry and has no parameters. Blocks stand in an order in which every edge but that of `again` goes
// forward.
struct Program {
    std::string name;
    Span span;
    IdVector<BlockId, Block> blocks;
    IdVector<ValueId, ValueInfo> values;
    IdVector<SlotId, Slot> slots;
    std::vector<AsmBlock> asms;
    bool by_rule = true; // what returns stands for the rule that decides; otherwise for any that says the same

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
