// Values from beside the packet: maps, parameters, what a `let` holds, clocks, and what is computed from several
// values.
#include "compiler/lower/emitter.hpp"

#include <algorithm>
#include <numeric>

namespace xdpf::lowering {
namespace {

} // namespace

ir::ValueId Emitter::metadata(sema::Metadata what, std::uint64_t most, const ir::Edge &absent)
{
    const auto context = [&](ir::ContextField field) {
        ir::Inst &made = inst(ir::Op::context);
        made.field = field;
        return number(made, most);
    };
    switch (what) {
    case sema::Metadata::packet_length: return packet_length();
    case sema::Metadata::rx_queue: return context(ir::ContextField::rx_queue);
    case sema::Metadata::iface: return context(ir::ContextField::ingress_ifindex);
    case sema::Metadata::egress_iface: return context(ir::ContextField::egress_ifindex);
    case sema::Metadata::now: return number(inst(ir::Op::now));
    case sema::Metadata::random: return number(inst(ir::Op::random), UINT32_MAX);
    case sema::Metadata::cpu: return number(inst(ir::Op::cpu), UINT32_MAX);
    case sema::Metadata::rx_hash: return received(ir::RxMeta::hash, absent);
    case sema::Metadata::rx_timestamp: return received(ir::RxMeta::timestamp, absent);
    case sema::Metadata::rx_vlan: return received(ir::RxMeta::vlan, absent);
    }
    return constant(0);
}

// What the driver knows of the packet; absent where it does not.
ir::ValueId Emitter::received(ir::RxMeta what, const ir::Edge &absent)
{
    const ir::SlotId slot = slot_of(SlotUse::metadata, 0);
    store(slot, 0, 8, ir::Order::little, constant(0));
    ir::Inst &asked = inst(ir::Op::rx_meta);
    asked.rx = what;
    asked.key = slot;
    asked.value = slot;
    const auto status = number(asked);
    const auto there = new_block();
    branch(ir::Cond::eq, status, 0, to(there), absent);
    start(there);
    ir::Inst &made = inst(ir::Op::load_slot);
    made.key = slot;
    made.imm = what == ir::RxMeta::vlan ? 2 : 0;
    made.width = what == ir::RxMeta::vlan ? 2 : what == ir::RxMeta::hash ? 4 : 8;
    return number(made, what == ir::RxMeta::vlan ? UINT16_MAX : what == ir::RxMeta::hash ? UINT32_MAX : UINT64_MAX);
}

Place Emitter::param_place(const sema::ParamValue &param)
{
    ir::Inst &made = inst(ir::Op::map_value);
    made.map = param.map;
    made.imm = unit_.maps[param.map].value.fields[param.field].offset;
    return {made.result = program_.add_value(ir::ValueKind::map_value), 0};
}

// Goes on only where the map has the entry.
Place Emitter::map_value_place(const sema::MapValue &entry, const Env &env, const ir::Edge &absent)
{
    const auto pointer = lookup(entry.map, key_slot(entry.map, entry.key, env, absent));
    const auto found = new_block();
    branch(ir::Cond::ne, pointer, 0, to(found), absent);
    start(found);
    return {pointer, unit_.maps[entry.map].value.fields[entry.field].offset};
}

// A field of a map's value or of the parameters as a number: in the machine's order, addresses as in the packet.
ir::ValueId Emitter::layout_value(Place place, const LayoutField &field)
{
    if (field.format == FieldFormat::number)
        return load(place, 0, static_cast<std::uint8_t>(field.size),
                    field.big_endian ? ir::Order::big : ir::Order::little);
    return address(place, field.size);
}

// Up to 8 bytes in network order: 6 are 4 and 2.
ir::ValueId Emitter::address(Place place, std::uint32_t bytes)
{
    ir::ValueId sum;
    for (std::uint32_t done = 0; done < bytes;) {
        std::uint32_t width = 8;
        while (width > bytes - done)
            width /= 2;
        const auto piece = load(place, done, static_cast<std::uint8_t>(width), ir::Order::big);
        done += width;
        const auto most = done >= 8 ? UINT64_MAX : (std::uint64_t(1) << done * 8) - 1;
        sum = sum.valid() ? binary(ir::Op::bit_or, binary(ir::Op::shl, sum, width * 8), piece, most) : piece;
    }
    return sum;
}

ir::ValueId Emitter::let_value(const sema::LetValue &let, const ir::Edge &absent)
{
    const auto cell = [&](SlotUse use) {
        ir::Inst &made = inst(ir::Op::load_slot);
        made.key = slot_of(use, static_cast<std::uint32_t>(let.let));
        return number(made);
    };
    const auto is_there = cell(SlotUse::let_is_there);
    const auto there = new_block();
    branch(ir::Cond::ne, is_there, 0, to(there), absent);
    start(there);
    return cell(SlotUse::let);
}

// The reference in words: grammar/reference.md, "Hashes". Each value, in 64-bit pieces with the first bytes uppermost,
// is mixed in by exclusive or, a multiplication, and folding the upper half onto the lower one.
ir::ValueId Emitter::hash(const sema::Hash &hash, const Env &env, const ir::Edge &absent)
{
    auto state = constant(golden);
    const auto mix = [&](ir::ValueId value) {
        state = binary(ir::Op::mul, binary(ir::Op::bit_xor, state, value), golden);
        state = binary(ir::Op::bit_xor, state, binary(ir::Op::shr, state, 32));
    };
    for (const auto id : hash.values) {
        const sema::Expr &expr = unit_.exprs[id];
        if (expr.type == sema::ValueType::ipv6) {
            const Wide wide = wide_value(id, env, absent);
            mix(wide.high);
            mix(wide.low);
        } else {
            mix(value(id, env, absent));
        }
    }
    return binary(ir::Op::shr, binary(ir::Op::mul, state, golden), 32, UINT32_MAX);
}

ir::ValueId Emitter::weighted(const sema::Weighted &choice, const Env &env, const ir::Edge &absent)
{
    const auto all = std::accumulate(choice.weights.begin(), choice.weights.end(), std::uint64_t(0));
    const auto drawn = binary(ir::Op::mod, value(choice.value, env, absent), all, all - 1);
    const auto join = new_block();
    const auto chosen = program_.add_value(ir::ValueKind::number, choice.weights.size() - 1);
    program_.blocks[join].params.push_back(chosen);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i + 1 < choice.weights.size(); ++i) {
        below += choice.weights[i];
        const auto next = new_block();
        const auto index = constant(i);
        branch(ir::Cond::lt, drawn, below, {join, {index}}, to(next));
        start(next);
    }
    jump({join, {constant(choice.weights.size() - 1)}});
    start(join);
    return chosen;
}

sema::ExprId Emitter::chosen_of(const sema::Either &either, const Env &env) const
{
    const auto found =
        std::ranges::find_if(either.alternatives, [&](sema::ExprId id) { return !denied(id, *env.known); });
    return found == either.alternatives.end() ? either.alternatives.front() : *found;
}

// The packet is known not to have what the expression reads.
bool Emitter::denied(sema::ExprId id, const Knowledge &known) const
{
    const auto &node = unit_.exprs[id].node;
    const auto either_of = [&](const std::vector<sema::ExprId> &all) {
        return std::ranges::any_of(all, [&](sema::ExprId one) { return denied(one, known); });
    };
    const auto absent = [&](const Fact &fact) {
        const auto fact_id = facts_.find(fact);
        return fact_id.valid() && known[fact_id] == Truth::no;
    };
    if (const auto *field = std::get_if<sema::FieldValue>(&node))
        return absent({Fact::Kind::present, field->header.header, field->header.index});
    if (const auto *end = std::get_if<sema::ChainEnd>(&node))
        return absent({Fact::Kind::chain_end, end->base});
    if (const auto *slice = std::get_if<sema::Slice>(&node); slice != nullptr && slice->behind)
        return absent({Fact::Kind::present, slice->behind->header, slice->behind->index});
    if (const auto *two = std::get_if<sema::Binary>(&node))
        return denied(two->left, known) || denied(two->right, known);
    if (const auto *one = std::get_if<sema::Unary>(&node))
        return denied(one->operand, known);
    if (const auto *entry = std::get_if<sema::MapValue>(&node))
        return either_of(entry->key);
    if (const auto *hashed = std::get_if<sema::Hash>(&node))
        return either_of(hashed->values);
    if (const auto *choice = std::get_if<sema::Weighted>(&node))
        return denied(choice->value, known);
    if (const auto *union_field = std::get_if<sema::Either>(&node))
        return std::ranges::all_of(union_field->alternatives, [&](sema::ExprId one) { return denied(one, known); });
    return false;
}

} // namespace xdpf::lowering
