#include "compiler/lower/emitter.hpp"

#include <algorithm>

namespace xdpf::lowering {
namespace {

constexpr std::uint32_t longest_key = 512;

} // namespace

void Emitter::store(ir::SlotId slot, std::uint32_t offset, std::uint8_t width, ir::Order order, ir::ValueId stored)
{
    ir::Inst &made = inst(ir::Op::store_slot);
    made.key = slot;
    made.imm = offset;
    made.width = width;
    made.order = order;
    made.a = stored;
}

// Stores must be aligned: 8 bytes behind a prefix length are stored as two halves.
void Emitter::store_number(ir::SlotId slot, const LayoutField &field, ir::ValueId number)
{
    const auto order = field.big_endian ? ir::Order::big : ir::Order::little;
    if (field.offset % field.size == 0)
        return store(slot, field.offset, static_cast<std::uint8_t>(field.size), order, number);
    const auto half = static_cast<std::uint8_t>(field.size / 2);
    const auto upper = binary(ir::Op::shr, number, half * 8U);
    store(slot, field.offset, half, order, field.big_endian ? upper : number);
    store(slot, field.offset + half, half, order, field.big_endian ? number : upper);
}

void Emitter::store_bytes(ir::SlotId slot, std::uint32_t offset, const std::string &bytes)
{
    for (std::size_t i = 0; i < bytes.size(); ++i)
        store(slot, offset + static_cast<std::uint32_t>(i), 1, ir::Order::little,
              constant(static_cast<std::uint8_t>(bytes[i])));
}

// Packet bytes as they are; the order of loads and stores is the same, so none is swapped.
void Emitter::copy_bytes(ir::SlotId slot, std::uint32_t offset, Place from, std::uint32_t size)
{
    for (std::uint32_t done = 0; done < size;) {
        std::uint32_t width = 8;
        while (width > size - done || (offset + done) % width != 0)
            width /= 2;
        const auto narrow = static_cast<std::uint8_t>(width);
        store(slot, offset + done, narrow, ir::Order::little, load(from, done, narrow, ir::Order::little));
        done += width;
    }
}

// One slot for all keys of a size, one for all values: nothing is kept in them from one lookup to the next.
ir::SlotId Emitter::slot_of(SlotUse use, std::uint32_t size)
{
    const auto [at, is_new] = slots_.try_emplace({use, size});
    if (is_new)
        at->second = program_.slots.add({size});
    return at->second;
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
    for (std::size_t i = 0; i < key.size(); ++i)
        store_field(slot, spec.key.fields[i + (prefix ? 1 : 0)], key[i], env, absent);
    if (prefix)
        store(slot, 0, 4, ir::Order::little, constant((spec.key.size - 4) * 8));
    zero_padding(slot, spec.key);
    return slot;
}

void Emitter::store_field(ir::SlotId slot, const LayoutField &field, sema::ExprId id, const Env &env,
                          const ir::Edge &absent)
{
    const sema::Expr &expr = unit_.exprs[id];
    if (const auto *text = std::get_if<sema::BytesConstant>(&expr.node)) {
        store_bytes(slot, field.offset, text->value);
    } else if (const auto *fixed = std::get_if<sema::Constant>(&expr.node);
               fixed != nullptr && field.format != FieldFormat::number) {
        std::string bytes(field.size, '\0');
        auto rest = fixed->value;
        for (std::size_t i = bytes.size(); i-- > 0; rest >>= 8)
            bytes[i] = static_cast<char>(rest);
        store_bytes(slot, field.offset, bytes);
    } else if (field.format != FieldFormat::number) {
        copy_bytes(slot, field.offset, bytes_place(id, env, absent), field.size);
    } else {
        store_number(slot, field, value(id, env, absent));
    }
}

// What lies between the fields, so that every byte of a key is the compiler's.
void Emitter::zero_padding(ir::SlotId slot, const Layout &layout)
{
    std::uint32_t at = 0;
    for (std::size_t i = 0; i <= layout.fields.size(); ++i) {
        const auto next = i < layout.fields.size() ? layout.fields[i].offset : layout.size;
        for (; at < next; ++at)
            store(slot, at, 1, ir::Order::little, constant(0));
        if (i < layout.fields.size())
            at = std::max(at, next + layout.fields[i].size);
    }
}

void Emitter::emit_step(NodeId id, Knowledge &known)
{
    const Node &node = graph_.nodes[id];
    if (any_denied(node.asks, known)) {
        if (warned_.insert(node.step).second)
            warn_absent(*node.step);
        return jump(go(node.yes, known));
    }
    if (const auto *count = std::get_if<sema::Count>(&node.step->node))
        return emit_count(*count, id, known);
    jump(go(node.yes, known));
}

void Emitter::warn_absent(const sema::Step &step)
{
    if (const auto *count = std::get_if<sema::Count>(&step.node))
        diagnostics_.report(Kind::absent_key, unit_.exprs[count->key.front()].span, unit_.maps[count->map].name)
            .suggest("put the rule under a match of the header that holds the key");
}

void Emitter::emit_count(const sema::Count &count, NodeId id, Knowledge &known)
{
    const auto next = go(graph_.nodes[id].yes, known);
    const MapSpec &spec = unit_.maps[count.map];
    const ir::SlotId key = key_slot(count.map, count.key, {.known = &known}, next);
    ir::Inst &lookup = inst(ir::Op::lookup);
    lookup.map = count.map;
    lookup.key = key;
    const auto pointer = lookup.result = program_.add_value(ir::ValueKind::map_value);
    const auto found = new_block();
    // An array has every entry below its size; an index beyond it is no entry.
    const bool array = has(spec.kind, map_trait::array);
    const auto missing = array ? ir::BlockId() : new_block();
    branch(ir::Cond::ne, pointer, 0, to(found), array ? next : to(missing));
    start(found);
    count_up(spec, pointer);
    jump(next);
    if (array)
        return;
    start(missing);
    const ir::SlotId fresh = slot_of(SlotUse::value, spec.value.size);
    for (const LayoutField &field : spec.value.fields) {
        const auto first = field.name == "bytes" ? number(inst(ir::Op::packet_length), UINT16_MAX) : constant(1);
        store(fresh, field.offset, static_cast<std::uint8_t>(field.size), ir::Order::little, first);
    }
    ir::Inst &update = inst(ir::Op::update);
    update.map = count.map;
    update.key = key;
    update.value = fresh;
    jump(next);
}

void Emitter::count_up(const MapSpec &spec, ir::ValueId pointer)
{
    for (const LayoutField &field : spec.value.fields) {
        const auto more = field.name == "bytes" ? number(inst(ir::Op::packet_length), UINT16_MAX) : constant(1);
        const auto access = [&](ir::Op op) -> ir::Inst & {
            ir::Inst &made = inst(op);
            made.a = pointer;
            made.imm = field.offset;
            made.width = static_cast<std::uint8_t>(field.size);
            return made;
        };
        if (!has(spec.kind, map_trait::per_cpu)) {
            access(ir::Op::atomic_add).b = more;
            continue;
        }
        const auto before = number(access(ir::Op::load_map));
        const auto after = binary(ir::Op::add, before, more);
        access(ir::Op::store_map).b = after;
    }
}

void Emitter::emit_decision(NodeId id, Knowledge &known)
{
    const Node &node = graph_.nodes[id];
    constexpr std::uint32_t pass = 2; // XDP_PASS of <linux/bpf.h>
    if (node.decision == nullptr)
        return give(pass);
    const sema::Decision &decision = *node.decision;
    if (!decision.redirect.valid() || any_denied(node.asks, known))
        return give(decision.verdict);
    const auto absent = new_block();
    ir::ValueId key;
    if (decision.key) {
        key = value(*decision.key, {.known = &known}, to(absent));
        if (unit_.exprs[*decision.key].bits > 32)
            key = binary(ir::Op::bit_and, key, UINT32_MAX, UINT32_MAX);
    } else {
        key = number(inst(ir::Op::context), UINT32_MAX);
    }
    ir::Inst &redirect = inst(ir::Op::redirect);
    redirect.map = decision.redirect;
    redirect.a = key;
    redirect.imm = decision.verdict;
    const auto verdict = number(redirect, 4);
    auto &end = program_.blocks[block_].end;
    end.kind = ir::Terminator::Kind::return_;
    end.a = verdict;
    end.span = span_;
    start(absent);
    give(decision.verdict);
}

} // namespace xdpf::lowering
