#include "compiler/ir/graph.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/ir/verify_sweep.hpp"

#include <linux/bpf.h>

namespace xdpf::ir {
namespace {

constexpr std::uint64_t max_record = UINT32_MAX / 4; // RINGBUF_MAX_RECORD_SZ, kernel/bpf/ringbuf.c

class Definitions : Sweep {
public:
    using Sweep::Sweep;

    void run()
    {
        defined_in_.resize(program_.values.size());
        constants_.resize(program_.values.size(), nullptr);
        pending_ = IdSet<ValueId>(program_.values.size());
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            const BlockId id(i);
            for (const ValueId param : program_.blocks[id].params)
                define(param, id);
            for (const Inst &inst : program_.blocks[id].insts) {
                if (inst.result.valid())
                    define(inst.result, id);
                if (inst.op == Op::constant)
                    constants_[inst.result] = &inst;
            }
        }
        const Dominators dominators(program_);
        const auto reachable = reachable_blocks(program_);
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            if (reachable.contains(BlockId(i)))
                check_definitions(BlockId(i), dominators);
            else if (stage_ == Stage::for_the_kernel)
                fail("b{} is unreachable", i);
    }

private:
    void define(ValueId value, BlockId block)
    {
        if (defined_in_[value].valid())
            fail("b{}: value {} is defined twice", block.value, value.value);
        defined_in_[value] = block;
    }

    void check_definitions(BlockId id, const Dominators &dominators)
    {
        for (const Inst &inst : program_.blocks[id].insts)
            if (inst.result.valid())
                pending_.insert(inst.result);
        const auto check_use = [&](ValueId value) {
            if (!defined_in_[value].valid())
                fail("value {} is never defined", value.value);
            else if (pending_.contains(value) || !dominators.dominates(defined_in_[value], id))
                fail("value {} is not defined on every path to its use", value.value);
        };
        in_block(
            id,
            [&](const Inst &inst) {
                for_each_use(inst, check_use);
                if (inst.result.valid())
                    pending_.erase(inst.result);
                check_kinds(inst);
            },
            [&](const Terminator &end) {
                for_each_use(end, check_use);
                check_kinds(end);
                if (end.kind == Terminator::Kind::again && !dominators.dominates(end.edges[0].target, id))
                    fail("a way leads into the loop of b{} beside its head", end.edges[0].target.value);
            });
    }

    void want(ValueId value, ValueKind wanted)
    {
        if (kind(value) != wanted)
            fail("value {} is a {} where a {} is needed", value.value, text_of(kind(value)), text_of(wanted));
    }

    void want(ValueId value, ValueKind wanted, ValueKind other)
    {
        if (kind(value) != other)
            want(value, wanted);
    }

    void check_kinds(const Inst &inst)
    {
        using enum ValueKind;
        if (inst.result.valid())
            want(inst.result, result_kind(inst.op));
        switch (shape_of(inst.op)) {
        case Shape::constant:
        case Shape::nullary:
        case Shape::context:
        case Shape::query: break;
        case Shape::load: want(inst.a, packet, meta); break;
        case Shape::store_packet:
            want(inst.a, packet, meta);
            want(inst.b, number);
            break;
        case Shape::adjust:
        case Shape::unary: want(inst.a, number); break;
        case Shape::binary:
            want(inst.a, inst.op == Op::distance ? packet : number);
            want(inst.b, inst.op == Op::distance ? packet : number);
            check_constant(inst);
            break;
        case Shape::offset:
            want(inst.a, packet);
            want(inst.b, inst.op == Op::rebase ? packet : number);
            break;
        case Shape::element:
            want(inst.a, map_value);
            want(inst.b, number);
            if ((inst.imm & (inst.imm + 1)) != 0 || inst.imm >= UINT32_MAX)
                fail("the mask {} is not one less than a power of two of 32 bits", inst.imm);
            break;
        case Shape::store_slot:
            want(inst.a, number);
            check_slot_access(inst);
            break;
        case Shape::load_slot: check_slot_access(inst); break;
        case Shape::rx_meta:
            if (program_.slots[inst.value].size < rx_meta_size)
                fail("slot {} has fewer than {} bytes", inst.value.value, rx_meta_size);
            break;
        case Shape::load_map: want(inst.a, map_value, record); break;
        case Shape::store_map:
            want(inst.a, map_value, record);
            want(inst.b, number);
            if (inst.op == Op::atomic_add && (inst.width < 4 || inst.imm % inst.width != 0))
                fail("an atomic addition has 4 or 8 bytes and is aligned");
            break;
        case Shape::copy_packet:
            want(inst.a, record);
            want(inst.b, number);
            break;
        case Shape::submit: want(inst.a, record); break;
        case Shape::redirect:
            want(inst.a, number);
            check_map(inst);
            break;
        case Shape::map_value:
        case Shape::lookup:
        case Shape::update:
        case Shape::erase:
        case Shape::push:
        case Shape::tail_call:
        case Shape::reserve: check_map(inst); break;
        }
    }

    // Whether the map is of a kind that the operation is for, with slots that hold its keys and values.
    void check_map(const Inst &inst)
    {
        const MapSpec &map = spec(inst);
        switch (shape_of(inst.op)) {
        case Shape::redirect: return check_redirect(inst, map);
        case Shape::tail_call:
            if (!has(map.kind, map_trait::programs))
                fail("'{}' holds no programs", map.name);
            if (inst.imm >= map.max_entries)
                fail("'{}' has {} slots", map.name, map.max_entries);
            return;
        case Shape::reserve:
            if (!has(map.kind, map_trait::ring))
                fail("'{}' is no ring buffer", map.name);
            if (inst.imm == 0 || inst.imm > max_record)
                fail("a record of {} bytes", inst.imm);
            return;
        case Shape::push:
            if (inst.op == Op::peek ? map.kind != MapKind::bloom_filter : !has(map.kind, map_trait::keyless))
                fail("'{}' is no map to {}", map.name, text_of(inst.op));
            return check_slot(inst.value, map.value.size, "value", map);
        case Shape::map_value:
            if (map.kind != MapKind::array || map.max_entries != 1)
                fail("'{}' is no array of one entry", map.name);
            return;
        default: return check_entry(inst, map);
        }
    }

    void check_redirect(const Inst &inst, const MapSpec &map)
    {
        if (!has(map.kind, map_trait::redirect))
            fail("'{}' is no map to redirect into", map.name);
        const std::uint64_t flags = inst.imm & (redirect_flag::broadcast | redirect_flag::exclude_ingress);
        if (flags != 0 && !has(map.kind, map_trait::broadcast))
            fail("'{}' is no map to broadcast into", map.name);
        if (flags == redirect_flag::exclude_ingress)
            fail("an exception without a broadcast");
        if ((inst.imm & ~flags) > redirect_flag::fallback)
            fail("the fallback {} is more than two bits", inst.imm & ~flags);
    }

    // Lookup, update and delete.
    void check_entry(const Inst &inst, const MapSpec &map)
    {
        if (has(map.kind, map_trait::redirect))
            return fail("'{}' can only be redirected into", map.name);
        if (has(map.kind, map_trait::programs | map_trait::keyless | map_trait::ring))
            return fail("'{}' has no entries that a program can reach", map.name);
        check_slot(inst.key, map.key.size, "key", map);
        if (inst.op != Op::update)
            return;
        check_slot(inst.value, map.value.size, "value", map);
        if (inst.imm > BPF_EXIST)
            fail("{} is no flag of an update", inst.imm);
    }

    void check_slot(SlotId slot, std::uint32_t size, std::string_view what, const MapSpec &map)
    {
        if (program_.slots[slot].size < size)
            fail("slot {} is smaller than a {} of '{}'", slot.value, what, map.name);
    }

    void check_constant(const Inst &inst)
    {
        const Inst *const b = constants_[inst.b];
        if (b == nullptr || stage_ != Stage::for_the_kernel)
            return;
        if ((inst.op == Op::div || inst.op == Op::mod) && b->imm == 0)
            fail("the divisor is 0");
        if ((inst.op == Op::shl || inst.op == Op::shr) && b->imm > 63)
            fail("a shift by {}", b->imm);
    }

    void check_slot_access(const Inst &inst)
    {
        const std::uint32_t size = program_.slots[inst.key].size;
        if (inst.imm > size || size - inst.imm < inst.width)
            fail("the {} leaves the slot's {} bytes", text_of(inst.op), size);
        if (inst.imm % inst.width != 0)
            fail("a {} of the stack is not aligned", text_of(inst.op));
    }

    void check_kinds(const Terminator &end)
    {
        using enum ValueKind;
        switch (end.kind) {
        case Terminator::Kind::branch:
            if (kind(end.a) == map_value || kind(end.a) == record) {
                if (end.b.valid() || end.imm != 0 || (end.cond != Cond::eq && end.cond != Cond::ne))
                    fail("a pointer is compared with more than null");
                break;
            }
            want(end.a, number);
            if (end.b.valid())
                want(end.b, number);
            break;
        case Terminator::Kind::guard:
            want(end.a, packet, meta);
            want(end.b, kind(end.a) == meta ? packet : packet_end);
            if (kind(end.a) == meta && program_.values[end.b].max != 0)
                fail("metadata is compared with more than the packet's start");
            break;
        case Terminator::Kind::return_:
            if (end.a.valid())
                want(end.a, number);
            break;
        case Terminator::Kind::asm_:
            if (end.imm >= program_.asms.size())
                fail("there is no such block of instructions");
            break;
        case Terminator::Kind::jump:
        case Terminator::Kind::again:
        case Terminator::Kind::none: break;
        }
    }

    IdVector<ValueId, BlockId> defined_in_;
    IdVector<ValueId, const Inst *> constants_;
    IdSet<ValueId> pending_; // results of the block being checked that are still to come
};

} // namespace

void check_definitions(Inquiry &inquiry) { Definitions(inquiry).run(); }

} // namespace xdpf::ir
