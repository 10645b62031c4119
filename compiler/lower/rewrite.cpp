// Steps that change the packet: bytes of fields with the checksums over them, tags, tunnels.
#include "compiler/lower/emitter.hpp"
#include "compiler/sema/dependence.hpp"

#include "compiler/ir/traits.hpp"

#include <linux/bpf.h>

#include <algorithm>

namespace xdpf::lowering {

void Facts::asked_by_rewrite(const sema::Step &step, Asked &out)
{
    const auto set = [&](const sema::SetField &one) {
        out.asks.push_back(present(one.header));
        asked_by(one.value, out);
        for (const auto &covering : one.checksums)
            out.looks.push_back(present(covering.header));
    };
    const auto tags = [&](sema::HeaderId base) {
        out.asks.push_back(present({base}));
        if (const auto &chain = unit_.headers[base].chain)
            for (unsigned count = 0; count <= chain->limit; ++count)
                out.looks.push_back(intern({Fact::Kind::link_count, base, count}));
    };
    if (const auto *one = std::get_if<sema::SetField>(&step.node)) {
        set(*one);
    } else if (const auto *two = std::get_if<sema::Swap>(&step.node)) {
        set(two->left);
        set(two->right);
    } else if (const auto *push = std::get_if<sema::Push>(&step.node)) {
        out.asks.push_back(present({push->base}));
        for (const auto &[field, value] : push->fields)
            asked_by(value, out);
    } else if (const auto *pop = std::get_if<sema::Pop>(&step.node)) {
        out.asks.push_back(present({pop->base}));
        out.asks.push_back(intern({Fact::Kind::link_is, pop->base, 0, pop->link}));
    } else if (const auto *encap = std::get_if<sema::Encap>(&step.node)) {
        if (encap->link_layer.valid())
            tags(encap->link_layer);
        for (const auto &carried : encap->carried) {
            out.looks.push_back(present({carried.header}));
            if (carried.way)
                out.looks.push_back(reached_by(carried.header, *carried.way));
        }
        for (const auto &field : encap->fields)
            if (field.value.valid())
                asked_by(field.value, out);
    } else if (const auto *decap = std::get_if<sema::Decap>(&step.node)) {
        out.asks.push_back(present({decap->header}));
        if (decap->link_layer.valid())
            tags(decap->link_layer);
        for (const auto &carried : decap->carried) {
            out.looks.push_back(present({carried.header}));
            if (carried.way)
                out.looks.push_back(reached_by(carried.header, *carried.way));
        }
    }
}

bool Emitter::emit_rewrite(const sema::Step &step, NodeId node, Knowledge &known)
{
    if (const auto *one = std::get_if<sema::SetField>(&step.node))
        set_field(*one, node, known);
    else if (const auto *two = std::get_if<sema::Swap>(&step.node))
        swap_fields(*two, node, known);
    else if (const auto *push = std::get_if<sema::Push>(&step.node))
        push_link(*push, node, known);
    else if (const auto *pop = std::get_if<sema::Pop>(&step.node))
        pop_link(*pop, node, known);
    else if (const auto *encap = std::get_if<sema::Encap>(&step.node))
        encapsulate(*encap, node, known);
    else if (const auto *decap = std::get_if<sema::Decap>(&step.node))
        decapsulate(*decap, node, known);
    else
        return false;
    return true;
}

void Emitter::store_packet(Place place, std::uint32_t offset, std::uint8_t width, ir::Order order, ir::ValueId value)
{
    ir::Inst &made = inst(ir::Op::store_packet);
    made.a = place.base;
    made.b = value;
    made.imm = place.delta + offset;
    made.width = width;
    made.order = order;
}

// ---- Fields ----------------------------------------------------------------------------------------------------

Emitter::NewField Emitter::new_field(const sema::SetField &set, const Env &env, const ir::Edge &absent)
{
    const sema::Field &field = unit_.headers[set.header.header].fields[set.field];
    NewField out;
    if (field.type == sema::ValueType::ipv6)
        out.wide = wide_value(set.value, env, absent);
    else if (field.type != sema::ValueType::bytes)
        out.wide.low = value(set.value, env, absent);
    else if (const auto *text = std::get_if<sema::BytesConstant>(&unit_.exprs[set.value].node))
        out.bytes = text->value;
    else
        out.place = bytes_place(set.value, env, absent);
    return out;
}

void Emitter::write_field(const sema::Header &header, const sema::Field &field, Place first, const NewField &to)
{
    const std::uint32_t at = field.bit_offset / 8;
    if (field.type == sema::ValueType::ipv6) {
        store_packet(first, at, 8, ir::Order::big, to.wide.high);
        store_packet(first, at + 8, 8, ir::Order::big, to.wide.low);
    } else if (field.type == sema::ValueType::bytes) {
        std::vector<ir::ValueId> pieces;
        for (std::uint32_t i = 0; i < field.bits / 8; ++i)
            pieces.push_back(to.place.base.valid() ? load(to.place, i, 1, ir::Order::big)
                                                   : constant(static_cast<std::uint8_t>(to.bytes[i])));
        for (std::uint32_t i = 0; i < pieces.size(); ++i)
            store_packet(first, at + i, 1, ir::Order::big, pieces[i]);
    } else if (field.little_endian) {
        store_packet(first, at, static_cast<std::uint8_t>(field.bits / 8), ir::Order::little, to.wide.low);
    } else if (field.bit_offset % 8 == 0 && field.bits % 8 == 0) {
        write_bytes(first.plus(at), field.bits / 8, to.wide.low);
    } else {
        write_bits(header, field, first, to.wide.low);
    }
}

// A number in network order: 6 bytes are 4 and 2.
void Emitter::write_bytes(Place place, std::uint32_t bytes, ir::ValueId number)
{
    for (std::uint32_t done = 0; done < bytes;) {
        std::uint32_t width = 8;
        while (width > bytes - done)
            width /= 2;
        const auto rest = (bytes - done - width) * 8;
        store_packet(place, done, static_cast<std::uint8_t>(width), ir::Order::big,
                     rest == 0 ? number : binary(ir::Op::shr, number, rest));
        done += width;
    }
}

// Bits among others: byte by byte, those around it stay.
void Emitter::write_bits(const sema::Header &, const sema::Field &field, Place first, ir::ValueId number)
{
    const std::uint32_t end = field.bit_offset + field.bits;
    for (std::uint32_t byte = field.bit_offset / 8; byte * 8 < end; ++byte) {
        const std::uint32_t from = std::max(byte * 8, field.bit_offset);
        const std::uint32_t to = std::min(byte * 8 + 8, end);
        const std::uint32_t below = end - to;          // bits of the number under those in this byte
        const std::uint32_t shift = byte * 8 + 8 - to; // bits of the byte under the field's
        const auto mask = most_of(to - from);
        auto part = below == 0 ? number : binary(ir::Op::shr, number, below);
        part = binary(ir::Op::bit_and, part, mask, mask);
        if (to - from < 8) {
            const auto old = load(first, byte, 1, ir::Order::big);
            part = binary(ir::Op::bit_or, binary(ir::Op::bit_and, old, 0xff & ~(mask << shift), 0xff),
                          shift == 0 ? part : binary(ir::Op::shl, part, shift, 0xff), 0xff);
        }
        store_packet(first, byte, 1, ir::Order::big, part);
    }
}

// The 16-bit words that a field touches, summed up; as they are, or each in complement. In the machine's order: a sum
// in one's complement comes out the same in either (RFC 1071, 2 (B)), and nothing needs to be swapped.
ir::ValueId Emitter::sum_of_words(const sema::Field &field, Place first, std::uint32_t size, bool complement)
{
    ir::ValueId sum;
    std::uint64_t most = 0;
    for (std::uint32_t at = field.bit_offset / 16 * 2; at * 8 < field.bit_offset + field.bits; at += 2) {
        ir::ValueId word;
        if (at + 2 <= size)
            word = load(first, at, 2, ir::Order::little);
        else
            word = load(first, at, 1, ir::Order::little);
        if (complement)
            word = binary(ir::Op::bit_xor, word, 0xffff, 0xffff);
        most += 0xffff;
        sum = sum.valid() ? binary(ir::Op::add, sum, word, most) : word;
    }
    return sum;
}

// A sum of 16-bit words with the carries added in (RFC 1071).
ir::ValueId Emitter::folded(ir::ValueId sum)
{
    for (int i = 0; i < 2; ++i)
        sum = binary(ir::Op::add, binary(ir::Op::bit_and, sum, 0xffff, 0xffff), binary(ir::Op::shr, sum, 16, 0xffff),
                     i == 0 ? 0x1fffe : 0xffff);
    return sum;
}

// Writes a field; the words before in complement and those after it, summed up.
ir::ValueId Emitter::change_words(const sema::Header &header, const sema::Field &field, Place first, const NewField &to)
{
    const std::uint32_t size = field.floating() ? (field.bits + 7) / 8 : header.fixed_size;
    const auto before = sum_of_words(field, first, size, true);
    write_field(header, field, first, to);
    return binary(ir::Op::add, before, sum_of_words(field, first, size, false));
}

// The same of one byte, without a look at the word around it: what has just been written in part is slow to read.
ir::ValueId Emitter::change_byte(const sema::Header &header, const sema::Field &field, Place first, ir::ValueId to)
{
    const std::uint32_t at = field.bit_offset / 8;
    const auto before = load(first, at, 1, ir::Order::little);
    const auto after = program_.values[to].max <= 0xff ? to : binary(ir::Op::bit_and, to, 0xff, 0xff);
    write_field(header, field, first, {.wide = {.high = {}, .low = after}});
    auto change = binary(ir::Op::sub, after, before);
    if (at % 2 != 0)
        change = binary(ir::Op::shl, change, 8);
    return binary(ir::Op::add, change, 0xffff, 0x1fffe);
}

// From where the field's offset counts: its header's start, or, where the place is computed, the field itself.
Place Emitter::written_place(const sema::SetField &set, const Env &env, const ir::Edge &absent)
{
    const bool floating = unit_.headers[set.header.header].fields[set.field].floating();
    return floating ? field_place({set.header, set.field}, env, absent) : start_of(set.header, env);
}

void Emitter::change_field(const sema::SetField &set, Place first, const NewField &to, const Knowledge &known)
{
    const sema::Header &header = unit_.headers[set.header.header];
    const sema::Field &field = header.fields[set.field];
    const Env env{.known = &known};
    std::vector<const sema::SetField::Covering *> covering;
    for (const auto &one : set.checksums)
        if (known[facts_.find({Fact::Kind::present, one.header.header, one.header.index})] == Truth::yes)
            covering.push_back(&one);
    if (covering.empty())
        return write_field(header, field, first, to);
    const auto change = field.bits == 8 && field.bit_offset % 8 == 0 && field.type != sema::ValueType::bytes
                            ? change_byte(header, field, first, to.wide.low)
                            : change_words(header, field, first, to);
    std::vector<ir::ValueId> changes(set.checksums.size()); // by checksum: what its own change adds for those around it
    for (const auto *one : covering) {
        auto sum = one->odd ? shifted(change, first, one->header, env) : change;
        for (const std::size_t inner : one->covers) {
            if (!changes[inner].valid())
                continue;
            const Place from = start_of(set.checksums[inner].header, env);
            sum = binary(ir::Op::add, sum, one->odd ? shifted(changes[inner], from, one->header, env) : changes[inner]);
        }
        const auto number = static_cast<std::size_t>(one - set.checksums.data());
        changes[number] = update_checksum(one->header, sum, env);
    }
}

// A change of 16-bit words that are counted from `here`, as one of words counted from `to`: where an odd number of
// bytes lies between them, the bytes of each word change places (RFC 1071, 2 (B)), which is a shift modulo 0xffff.
ir::ValueId Emitter::shifted(ir::ValueId change, Place here, sema::HeaderRef to, const Env &env)
{
    const Place there = start_of(to, env);
    const std::uint32_t apart = (here.delta ^ there.delta) & 1;
    if (here.base == there.base)
        return apart == 0 ? change : binary(ir::Op::shl, folded(change), 8, 0xffff00);
    ir::Inst &made = inst(ir::Op::distance);
    made.a = here.base;
    made.b = there.base;
    auto odd = binary(ir::Op::bit_and, number(made), 1, 1);
    if (apart != 0)
        odd = binary(ir::Op::bit_xor, odd, 1, 1);
    return binary(ir::Op::shl, folded(change), binary(ir::Op::shl, odd, 3, 8), 0xffff00);
}

// RFC 1624, equation 3: HC' = ~(~HC + ~m + m'); `change` is ~m + m'. Returns ~HC + HC', 0 where nothing was changed.
ir::ValueId Emitter::update_checksum(sema::HeaderRef ref, ir::ValueId change, const Env &env)
{
    const sema::Header &header = unit_.headers[ref.header];
    const sema::Checksum &checksum = *header.checksum;
    const auto at = header.fields[checksum.field].bit_offset / 8;
    const Place first = start_of(ref, env);
    const auto old = load(first, at, 2, ir::Order::little);
    const auto join = new_block();
    const auto outcome = program_.add_value(ir::ValueKind::number);
    program_.blocks[join].params.push_back(outcome);
    if (checksum.zero) {
        const auto there = new_block();
        const auto unchanged = constant(0);
        branch(ir::Cond::ne, old, 0, to(there), {join, {unchanged}});
        start(there);
    }
    const auto inverted = binary(ir::Op::bit_xor, old, 0xffff, 0xffff);
    const auto sum = folded(binary(ir::Op::add, inverted, change));
    const auto fresh = binary(ir::Op::bit_xor, sum, 0xffff, 0xffff);
    const auto write = new_block();
    const auto written = program_.add_value(ir::ValueKind::number, 0xffff);
    program_.blocks[write].params.push_back(written);
    if (checksum.zero) {
        const auto in_place_of_zero = constant(ir::swap_bytes(*checksum.zero, 2));
        branch(ir::Cond::eq, fresh, 0, {write, {in_place_of_zero}}, {write, {fresh}});
    } else {
        jump({write, {fresh}});
    }
    start(write);
    store_packet(first, at, 2, ir::Order::little, written);
    jump({join, {binary(ir::Op::add, inverted, written)}});
    start(join);
    return outcome;
}

void Emitter::set_field(const sema::SetField &set, NodeId id, Knowledge &known)
{
    const NodeId after = graph_.nodes[id].yes;
    const Env env{.known = &known};
    const auto unchanged = go(after, known);
    const NewField to = new_field(set, env, unchanged);
    change_field(set, written_place(set, env, unchanged), to, known);
    forget(set, known);
    jump(go(after, known));
}

// Whole bytes that no checksum covers: they can be carried as they are.
bool Emitter::is_plain(const sema::SetField &set) const
{
    const sema::Field &field = unit_.headers[set.header.header].fields[set.field];
    return set.checksums.empty() && !field.floating() && !field.little_endian && field.bit_offset % 8 == 0 &&
           field.bits % 8 == 0;
}

void Emitter::swap_bytes_of(const sema::Swap &swap, const Env &env)
{
    const auto place = [&](const sema::SetField &set) {
        const sema::Field &field = unit_.headers[set.header.header].fields[set.field];
        return start_of(set.header, env).plus(field.bit_offset / 8);
    };
    const std::uint32_t size = unit_.headers[swap.left.header.header].fields[swap.left.field].bits / 8;
    const auto left = taken(place(swap.left), size);
    const auto right = taken(place(swap.right), size);
    put_back(place(swap.left), size, right);
    put_back(place(swap.right), size, left);
}

void Emitter::swap_fields(const sema::Swap &swap, NodeId id, Knowledge &known)
{
    const NodeId after = graph_.nodes[id].yes;
    const Env env{.known = &known};
    const auto unchanged = go(after, known);
    if (is_plain(swap.left) && is_plain(swap.right)) {
        swap_bytes_of(swap, env);
    } else {
        const NewField left = new_field(swap.left, env, unchanged);
        const NewField right = new_field(swap.right, env, unchanged);
        const Place first = written_place(swap.left, env, unchanged);
        const Place second = written_place(swap.right, env, unchanged);
        change_field(swap.left, first, left, known);
        change_field(swap.right, second, right, known);
    }
    forget(swap.left, known);
    forget(swap.right, known);
    jump(go(after, known));
}

// Of what is known, what depends on the field.
void Emitter::forget(const sema::SetField &set, Knowledge &known) const
{
    const sema::Header &header = unit_.headers[set.header.header];
    const auto changed = sema::dependents_of(unit_, set.header.header, header.fields[set.field]);
    if (!changed.any())
        return;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
        const Fact &fact = facts_[FactId(i)];
        const bool of_chain = fact.kind == Fact::Kind::chain_end || fact.kind == Fact::Kind::link_count ||
                              fact.kind == Fact::Kind::link_is;
        if (changed.headers[fact.header.value] || (of_chain && changed.chains[fact.header.value]))
            known.entry(FactId(i)) = {};
    }
}

// ---- Bytes put in and taken out --------------------------------------------------------------------------------

// Moves the packet's start. Goes on where there was room and `bytes` are there; a packet that cannot be changed as
// asked must not go on as if it were: it is aborted, which `xdp:xdp_exception` tells of.
void Emitter::move_start(ir::ValueId by, std::uint32_t bytes, Knowledge &known)
{
    ir::Inst &adjust = inst(ir::Op::adjust_head);
    adjust.a = by;
    const auto status = number(adjust);
    ask_ends_anew(known);
    const auto moved = new_block();
    const auto there = new_block();
    const auto refused = new_block();
    branch(ir::Cond::eq, status, 0, to(moved), to(refused));
    start(moved);
    guard({packet_start_, 0}, bytes, to(there), to(refused));
    start(refused);
    give(XDP_ABORTED);
    start(there);
}

// The packet begins with the header, whose bytes have been guarded.
void Emitter::affirm_first(sema::HeaderId id, Knowledge &known) const
{
    const sema::Header &header = unit_.headers[id];
    if (!header.ways.empty() || header.where || header.size || !facts_.find({Fact::Kind::present, id}).valid())
        return;
    affirm_header(id, 0, {packet_start_, 0}, {packet_start_, header.fixed_size}, known);
}

// The packet's bytes [from, from + size) to its beginning.
void Emitter::move_forward(std::uint32_t from, std::uint32_t size)
{
    const Place first{packet_start_, 0};
    for (std::uint32_t done = 0; done < size;) {
        std::uint32_t width = 8;
        while (width > size - done)
            width /= 2;
        const auto piece = load(first, from + done, static_cast<std::uint8_t>(width), ir::Order::big);
        store_packet(first, done, static_cast<std::uint8_t>(width), ir::Order::big, piece);
        done += width;
    }
}

// Bytes of the packet in registers, and back: 8, 4, 2, 1 at a time.
std::vector<ir::ValueId> Emitter::taken(Place from, std::uint32_t size)
{
    std::vector<ir::ValueId> out;
    for (std::uint32_t done = 0; done < size;) {
        std::uint32_t width = 8;
        while (width > size - done)
            width /= 2;
        out.push_back(load(from, done, static_cast<std::uint8_t>(width), ir::Order::big));
        done += width;
    }
    return out;
}

void Emitter::put_back(Place place, std::uint32_t size, const std::vector<ir::ValueId> &pieces)
{
    std::size_t next = 0;
    for (std::uint32_t done = 0; done < size;) {
        std::uint32_t width = 8;
        while (width > size - done)
            width /= 2;
        store_packet(place, done, static_cast<std::uint8_t>(width), ir::Order::big, pieces[next++]);
        done += width;
    }
}

void Emitter::push_link(const sema::Push &push, NodeId id, Knowledge &known)
{
    const NodeId after = graph_.nodes[id].yes;
    const sema::Header &base = unit_.headers[push.base];
    const sema::Header &link = unit_.headers[push.link];
    const auto unchanged = go(after, known);
    std::vector<NewField> values;
    for (const auto &[number, value] : push.fields) {
        const sema::SetField set{.header = {push.link}, .field = number, .value = value};
        values.push_back(new_field(set, {.known = &known}, unchanged));
    }
    const auto size = link.fixed_size;
    move_start(constant(0 - std::uint64_t(size)), base.fixed_size + size, known);
    move_forward(size, base.fixed_size);
    const Place first{packet_start_, 0};
    const Place tag = first.plus(base.fixed_size);
    for (std::uint32_t at = 0; at < size; ++at)
        store_packet(tag, at, 1, ir::Order::big, constant(0));
    const sema::Field &selector = base.fields[base.chain->selector];
    write_field(link, link.fields[*link.then], tag, {.wide = {{}, field(base, selector, first)}});
    write_field(base, selector, first, {.wide = {{}, constant(push.selector)}});
    for (std::size_t i = 0; i < values.size(); ++i)
        write_field(link, link.fields[push.fields[i].first], tag, values[i]);
    affirm_first(push.base, known);
    jump(go(after, known));
}

void Emitter::pop_link(const sema::Pop &pop, NodeId id, Knowledge &known)
{
    const NodeId after = graph_.nodes[id].yes;
    const sema::Header &base = unit_.headers[pop.base];
    const sema::Header &link = unit_.headers[pop.link];
    const Place first{packet_start_, 0};
    const auto whole = new_block();
    guard(first, base.fixed_size + link.fixed_size, to(whole), go(after, known));
    start(whole);
    const auto front = taken(first, base.fixed_size);
    const auto behind = field(link, link.fields[*link.then], first.plus(base.fixed_size));
    move_start(constant(link.fixed_size), base.fixed_size, known);
    const Place moved{packet_start_, 0};
    put_back(moved, base.fixed_size, front);
    write_field(base, base.fields[base.chain->selector], moved, {.wide = {{}, behind}});
    affirm_first(pop.base, known);
    jump(go(after, known));
}

} // namespace xdpf::lowering
