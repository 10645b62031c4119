#include "compiler/lower/emitter.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <bit>

namespace xdpf::lowering {
namespace {

constexpr std::uint32_t longest_key = 512;

} // namespace

void Emitter::store(const Sink &to, std::uint32_t offset, std::uint8_t width, ir::Order order, ir::ValueId stored)
{
    ir::Inst &made = inst(to.pointer.valid() ? ir::Op::store_map : ir::Op::store_slot);
    made.imm = offset;
    made.width = width;
    made.order = order;
    if (to.pointer.valid()) {
        made.a = to.pointer;
        made.b = stored;
    } else {
        made.key = to.slot;
        made.a = stored;
    }
}

// Stores must be aligned: 8 bytes behind a prefix length are stored as two halves.
void Emitter::store_number(const Sink &to, const LayoutField &field, ir::ValueId number)
{
    const auto order = field.big_endian ? ir::Order::big : ir::Order::little;
    if (field.offset % field.size == 0)
        return store(to, field.offset, static_cast<std::uint8_t>(field.size), order, number);
    const auto half = static_cast<std::uint8_t>(field.size / 2);
    const auto upper = binary(ir::Op::shr, number, half * 8U);
    store(to, field.offset, half, order, field.big_endian ? upper : number);
    store(to, field.offset + half, half, order, field.big_endian ? number : upper);
}

void Emitter::store_bytes(const Sink &to, std::uint32_t offset, const std::string &bytes)
{
    for (std::size_t i = 0; i < bytes.size(); ++i)
        store(to, offset + static_cast<std::uint32_t>(i), 1, ir::Order::little,
              constant(static_cast<std::uint8_t>(bytes[i])));
}

// Packet bytes as they are; the order of loads and stores is the same, so none is swapped.
void Emitter::copy_bytes(const Sink &to, std::uint32_t offset, Place from, std::uint32_t size)
{
    for (std::uint32_t done = 0; done < size;) {
        std::uint32_t width = 8;
        while (width > size - done || (offset + done) % width != 0)
            width /= 2;
        const auto narrow = static_cast<std::uint8_t>(width);
        store(to, offset + done, narrow, ir::Order::little, load(from, done, narrow, ir::Order::little));
        done += width;
    }
}

// One slot for all keys of a size, one for all values: nothing is kept in them from one lookup to the next.
ir::SlotId Emitter::slot_of(SlotUse use, std::uint32_t size)
{
    const auto [at, is_new] = slots_.try_emplace({use, size});
    if (is_new)
        at->second = program_.slots.add({use == SlotUse::key || use == SlotUse::value ? size : 8});
    return at->second;
}

// What an expression gives, before it is known where it goes: a number, constant bytes, or where they lie.
Operand Emitter::operand(sema::ExprId id, const LayoutField &field, const Env &env, const ir::Edge &absent)
{
    if (field.format == FieldFormat::number)
        return {.number = value(id, env, absent)};
    if (const auto *either = std::get_if<sema::Either>(&unit_.exprs[id].node)) {
        const auto chosen = chosen_of(*either, env);
        if (unit_.exprs[chosen].type == sema::ValueType::ipv4 && field.format == FieldFormat::ipv6)
            return {.place = bytes_place(chosen, env, absent), .mapped = true};
        return operand(chosen, field, env, absent);
    }
    const sema::Expr &expr = unit_.exprs[id];
    if (const auto *text = std::get_if<sema::BytesConstant>(&expr.node))
        return {.bytes = text->value};
    if (const auto *fixed = std::get_if<sema::Constant>(&expr.node)) {
        std::string bytes(field.size, '\0');
        auto rest = fixed->value;
        for (std::size_t i = bytes.size(); i-- > 0; rest >>= 8)
            bytes[i] = static_cast<char>(rest);
        return {.bytes = std::move(bytes)};
    }
    if (const auto *let = std::get_if<sema::LetValue>(&expr.node); let != nullptr)
        return {.number = value(id, env, absent), .big_endian = true};
    return {.place = bytes_place(id, env, absent)};
}

void Emitter::store_operand(const Sink &to, const LayoutField &field, const Operand &from)
{
    if (from.big_endian)
        return store_address(to, field, from.number);
    if (from.number.valid())
        return store_number(to, field, from.number);
    if (!from.place.base.valid())
        return store_bytes(to, field.offset, from.bytes);
    if (!from.mapped)
        return copy_bytes(to, field.offset, from.place, field.size);
    store_bytes(to, field.offset, std::string(10, '\0') + "\xff\xff"); // RFC 4291, 2.5.5.2
    copy_bytes(to, field.offset + 12, from.place, 4);
}

// A number as the bytes of a MAC or IPv4 address.
void Emitter::store_address(const Sink &to, const LayoutField &field, ir::ValueId number)
{
    for (std::uint32_t done = 0; done < field.size;) {
        std::uint32_t width = 4;
        while (width > field.size - done || (field.offset + done) % width != 0)
            width /= 2;
        const auto rest = (field.size - done - width) * 8;
        store(to, field.offset + done, static_cast<std::uint8_t>(width), ir::Order::big,
              rest == 0 ? number : binary(ir::Op::shr, number, rest));
        done += width;
    }
}

// All values first, then the stores: working out a value may take a lookup, and that a slot of its own.
std::vector<Operand> Emitter::operands(std::span<const sema::ExprId> ids, std::span<const LayoutField> fields,
                                       const Env &env, const ir::Edge &absent)
{
    std::vector<Operand> out;
    for (std::size_t i = 0; i < ids.size(); ++i)
        out.push_back(operand(ids[i], fields[i], env, absent));
    return out;
}

// The key of a map on the stack, every byte written. Goes on only where all of it is there.
ir::SlotId Emitter::key_slot(MapId map, const std::vector<sema::ExprId> &key, const Env &env, const ir::Edge &absent)
{
    const MapSpec &spec = unit_.maps[map];
    const ir::SlotId slot = slot_of(SlotUse::key, std::min(spec.key.size, longest_key));
    if (key.empty()) {
        store(slot, 0, 4, ir::Order::little, constant(0));
        return slot;
    }
    const bool prefix = has(spec.kind, map_trait::prefix);
    const auto fields = std::span(spec.key.fields).subspan(prefix ? 1 : 0);
    const auto parts = operands(key, fields, env, absent);
    if (prefix)
        store(slot, 0, 4, ir::Order::little, constant((spec.key.size - 4) * 8));
    for (std::size_t i = 0; i < parts.size(); ++i)
        store_operand(slot, fields[i], parts[i]);
    zero_padding(slot, spec.key);
    return slot;
}

// What lies between the fields, so that every byte of a key is the compiler's.
void Emitter::zero_padding(const Sink &to, const Layout &layout)
{
    std::uint32_t at = 0;
    for (std::size_t i = 0; i <= layout.fields.size(); ++i) {
        const auto next = i < layout.fields.size() ? layout.fields[i].offset : layout.size;
        for (; at < next; ++at)
            store(to, at, 1, ir::Order::little, constant(0));
        if (i < layout.fields.size())
            at = std::max(at, next + layout.fields[i].size);
    }
}

void Emitter::emit_decision(NodeId id, Knowledge &known)
{
    const Node &node = graph_.nodes[id];
    if (node.decision == nullptr)
        return give(XDP_PASS);
    const sema::Decision &decision = *node.decision;
    if (decision.assembly)
        return emit_assembly(unit_.assembly[*decision.assembly]);
    if (decision.go_to) {
        ir::Inst &call = inst(ir::Op::tail_call);
        call.map = unit_.program_table;
        call.imm = *decision.go_to;
        return give(XDP_ABORTED); // more than 33 in a row
    }
    if (!decision.redirect.valid() || any_denied(node.asked, known))
        return give(decision.verdict);
    emit_redirect(decision, known);
}

void Emitter::emit_redirect(const sema::Decision &decision, const Knowledge &known)
{
    const auto absent = new_block();
    ir::ValueId key;
    if (decision.broadcast) {
        key = constant(0);
    } else if (decision.key) {
        key = value(*decision.key, {.known = &known}, to(absent));
        if (unit_.exprs[*decision.key].bits > 32)
            key = binary(ir::Op::bit_and, key, UINT32_MAX, UINT32_MAX);
    } else {
        key = number(inst(ir::Op::context), UINT32_MAX);
    }
    ir::Inst &redirect = inst(ir::Op::redirect);
    redirect.map = decision.redirect;
    redirect.a = key;
    redirect.imm = decision.verdict | (decision.broadcast ? ir::redirect_flag::broadcast : 0) |
                   (decision.except_ingress ? ir::redirect_flag::exclude_ingress : 0);
    const auto verdict = number(redirect, 4);
    auto &end = program_.blocks[block_].end;
    end.kind = ir::Terminator::Kind::return_;
    end.a = verdict;
    end.span = span_;
    start(absent);
    give(decision.verdict);
}

void Emitter::emit_assembly(const sema::Assembly &assembly)
{
    ir::AsmBlock block{.span = assembly.span};
    for (const Insn &insn : assembly.insns)
        block.insns.push_back(std::bit_cast<std::uint64_t>(insn));
    for (const MapReference &map : assembly.maps)
        block.maps.push_back({map.insn, map.map});
    auto &end = program_.blocks[block_].end;
    end.kind = ir::Terminator::Kind::asm_;
    end.imm = program_.asms.size();
    end.span = span_;
    program_.asms.push_back(std::move(block));
}

} // namespace xdpf::lowering
