#include "compiler/lower/emitter.hpp"

#include <algorithm>
#include <array>

namespace xdpf::lowering {
namespace {

ir::Op op_of(sema::Arithmetic op)
{
    switch (op) {
    case sema::Arithmetic::add: return ir::Op::add;
    case sema::Arithmetic::subtract: return ir::Op::sub;
    case sema::Arithmetic::multiply: return ir::Op::mul;
    case sema::Arithmetic::divide: return ir::Op::div;
    case sema::Arithmetic::modulo: return ir::Op::mod;
    case sema::Arithmetic::bit_and: return ir::Op::bit_and;
    case sema::Arithmetic::bit_or: return ir::Op::bit_or;
    case sema::Arithmetic::bit_xor: return ir::Op::bit_xor;
    case sema::Arithmetic::shift_left: return ir::Op::shl;
    case sema::Arithmetic::shift_right: return ir::Op::shr;
    }
    return ir::Op::add;
}

} // namespace

std::optional<Window> window_of(std::uint32_t bit_offset, std::uint32_t bits, std::uint32_t limit)
{
    const std::uint32_t first = bit_offset / 8;
    const std::uint32_t last = (bit_offset + bits + 7) / 8; // behind the last byte
    for (const std::uint32_t width : {1U, 2U, 4U, 8U}) {
        if (last - first > width)
            continue;
        std::uint32_t at = first;
        if (at + width > limit)
            at = last >= width ? last - width : limit;
        if (at + width <= limit)
            return Window{at, static_cast<std::uint8_t>(width), (at + width) * 8 - bit_offset - bits};
    }
    return std::nullopt;
}

ir::ValueId Emitter::load(Place place, std::uint32_t offset, std::uint8_t width, ir::Order order, std::uint64_t max)
{
    const bool packet = program_.values[place.base].kind == ir::ValueKind::packet;
    ir::Inst &made = inst(packet ? ir::Op::load : ir::Op::load_map);
    made.a = place.base;
    made.imm = place.delta + offset;
    made.width = width;
    made.order = order;
    return number(made, std::min(max, most_of(width * 8U)));
}

// A field of up to 64 bits as a number.
ir::ValueId Emitter::field(const sema::Header &header, const sema::Field &field, Place first)
{
    return bits_of(field, first, header.fixed_size);
}

// `limit` bytes from `first` on are known to be there.
ir::ValueId Emitter::bits_of(const sema::Field &field, Place first, std::uint32_t limit)
{
    if (field.little_endian)
        return load(first, field.bit_offset / 8, static_cast<std::uint8_t>(field.bits / 8), ir::Order::little);
    const auto window = window_of(field.bit_offset, field.bits, limit);
    if (!window) {
        // No load of 1, 2, 4 or 8 bytes within the header covers it: its bytes one by one.
        const std::uint32_t last = (field.bit_offset + field.bits + 7) / 8;
        ir::ValueId sum;
        for (std::uint32_t at = field.bit_offset / 8; at < last; ++at) {
            const auto byte = load(first, at, 1, ir::Order::big);
            sum = sum.valid() ? binary(ir::Op::bit_or, binary(ir::Op::shl, sum, 8), byte) : byte;
        }
        const auto spare = last * 8 - field.bit_offset - field.bits;
        return binary(ir::Op::bit_and, binary(ir::Op::shr, sum, spare), most_of(field.bits), most_of(field.bits));
    }
    auto result = load(first, window->offset, window->width, ir::Order::big);
    const auto width_bits = window->width * 8U;
    if (window->shift != 0)
        result = binary(ir::Op::shr, result, window->shift, most_of(width_bits - window->shift));
    if (width_bits - window->shift > field.bits)
        result = binary(ir::Op::bit_and, result, most_of(field.bits), most_of(field.bits));
    return result;
}

Place Emitter::start_of(sema::HeaderRef ref, const Env &env) const
{
    if (env.self.valid() && ref.header == env.self)
        return env.self_start;
    return env.known->entry(facts_.find({Fact::Kind::present, ref.header, ref.index})).start;
}

// Where a field's first byte lies. One whose place is computed may be absent, or reach past its header's end.
Place Emitter::field_place(const sema::FieldValue &of, const Env &env, const ir::Edge &absent)
{
    const sema::Header &header = unit_.headers[of.header.header];
    const sema::Field &what = header.fields[of.field];
    const Place first = start_of(of.header, env);
    if (!what.floating())
        return first.plus(what.bit_offset / 8);
    const Env inside{.known = env.known, .self = of.header.header, .self_start = first};
    const auto want = [&](ir::ValueId a, auto limit) {
        const auto holds = new_block();
        branch(ir::Cond::le, a, limit, to(holds), absent);
        start(holds);
    };
    if (what.when) {
        const auto there = new_block();
        test(*what.when, inside, to(there), absent);
        start(there);
    }
    const auto bytes = (what.bits + 7) / 8;
    const auto at = value(*what.at, inside, absent);
    const auto farthest = header.max_size - std::min(header.max_size, bytes);
    if (program_.values[at].max > farthest)
        want(at, std::uint64_t(farthest));
    if (header.size)
        want(binary(ir::Op::add, at, bytes), value(*header.size, inside, absent));
    const Place place{offset(first, at, farthest), first.delta};
    const auto whole = new_block();
    guard(place, bytes, to(whole), absent);
    start(whole);
    return place;
}

// A number, a MAC or an IPv4 address. Jumps to `absent` where the packet ends before a slice does.
ir::ValueId Emitter::value(sema::ExprId id, const Env &env, const ir::Edge &absent)
{
    const sema::Expr &expr = unit_.exprs[id];
    const auto most = most_of(expr.bits);
    if (const auto *fixed = std::get_if<sema::Constant>(&expr.node))
        return constant(static_cast<std::uint64_t>(fixed->value));
    if (const auto *of = std::get_if<sema::FieldValue>(&expr.node)) {
        const sema::Header &header = unit_.headers[of->header.header];
        const sema::Field &what = header.fields[of->field];
        if (what.floating())
            return bits_of(what, field_place(*of, env, absent), (what.bits + 7) / 8);
        return field(header, what, start_of(of->header, env));
    }
    if (const auto *end = std::get_if<sema::ChainEnd>(&expr.node))
        return env.chain == end->base ? env.selector
                                      : env.known->entry(facts_.find({Fact::Kind::chain_end, end->base})).selector;
    if (const auto *what = std::get_if<sema::Metadata>(&expr.node))
        return metadata(*what, most, absent);
    if (const auto *param = std::get_if<sema::ParamValue>(&expr.node))
        return layout_value(param_place(*param), unit_.maps[param->map].value.fields[param->field]);
    if (const auto *entry = std::get_if<sema::MapValue>(&expr.node))
        return layout_value(map_value_place(*entry, env, absent), unit_.maps[entry->map].value.fields[entry->field]);
    if (const auto *let = std::get_if<sema::LetValue>(&expr.node))
        return let_value(*let, absent);
    if (const auto *either = std::get_if<sema::Either>(&expr.node))
        return value(chosen_of(*either, env), env, absent);
    if (const auto *hashed = std::get_if<sema::Hash>(&expr.node))
        return hash(*hashed, env, absent);
    if (const auto *choice = std::get_if<sema::Weighted>(&expr.node))
        return weighted(*choice, env, absent);
    if (const auto *bytes = std::get_if<sema::Slice>(&expr.node))
        return slice(*bytes, env, absent);
    if (const auto *two = std::get_if<sema::Binary>(&expr.node)) {
        const auto left = value(two->left, env, absent);
        const auto right = value(two->right, env, absent);
        return binary(op_of(two->op), left, right, most);
    }
    const auto &one = std::get<sema::Unary>(expr.node);
    const auto operand = value(one.operand, env, absent);
    ir::Inst &made = inst(one.op == sema::UnaryArithmetic::negate ? ir::Op::neg : ir::Op::complement);
    made.a = operand;
    return number(made);
}

Wide Emitter::wide_value(sema::ExprId id, const Env &env, const ir::Edge &absent)
{
    const sema::Expr &expr = unit_.exprs[id];
    if (const auto *fixed = std::get_if<sema::Constant>(&expr.node))
        return {constant(static_cast<std::uint64_t>(fixed->value >> 64)),
                constant(static_cast<std::uint64_t>(fixed->value))};
    if (const auto *either = std::get_if<sema::Either>(&expr.node)) {
        const auto chosen = chosen_of(*either, env);
        if (unit_.exprs[chosen].type != sema::ValueType::ipv4)
            return wide_value(chosen, env, absent);
        constexpr std::uint64_t mapped = 0xffff'0000'0000; // RFC 4291, 2.5.5.2
        return {constant(0), binary(ir::Op::bit_or, value(chosen, env, absent), mapped, mapped | UINT32_MAX)};
    }
    const Place first = bytes_place(id, env, absent);
    return {load(first, 0, 8, ir::Order::big), load(first, 8, 8, ir::Order::big)};
}

// Where a slice begins; goes on only where the packet holds all of it.
Place Emitter::slice_place(const sema::Slice &bytes, const Env &env, const ir::Edge &absent)
{
    Place from{packet_start_, 0};
    if (bytes.behind)
        from = env.known->entry(facts_.find({Fact::Kind::present, bytes.behind->header, bytes.behind->index})).end;
    const auto there = new_block();
    guard(from, bytes.offset + bytes.length, to(there), absent);
    start(there);
    return from.plus(bytes.offset);
}

ir::ValueId Emitter::slice(const sema::Slice &bytes, const Env &env, const ir::Edge &absent)
{
    const Place from = slice_place(bytes, env, absent);
    ir::ValueId sum;
    // 3 bytes are 2 and 1: large pieces first.
    for (std::uint32_t done = 0; done < bytes.length;) {
        std::uint32_t width = 8;
        while (width > bytes.length - done)
            width /= 2;
        const auto piece = load(from, done, static_cast<std::uint8_t>(width), ir::Order::big);
        sum = sum.valid()
                  ? binary(ir::Op::bit_or, binary(ir::Op::shl, sum, width * 8), piece, most_of((done + width) * 8))
                  : piece;
        done += width;
    }
    return sum;
}

// Where raw bytes lie: a field of bytes, or a slice.
Place Emitter::bytes_place(sema::ExprId id, const Env &env, const ir::Edge &absent)
{
    const sema::Expr &expr = unit_.exprs[id];
    if (const auto *bytes = std::get_if<sema::Slice>(&expr.node))
        return slice_place(*bytes, env, absent);
    if (const auto *entry = std::get_if<sema::MapValue>(&expr.node))
        return map_value_place(*entry, env, absent);
    if (const auto *param = std::get_if<sema::ParamValue>(&expr.node))
        return param_place(*param);
    if (const auto *either = std::get_if<sema::Either>(&expr.node))
        return bytes_place(chosen_of(*either, env), env, absent);
    const auto &of = std::get<sema::FieldValue>(expr.node);
    return field_place(of, env, absent);
}

} // namespace xdpf::lowering
