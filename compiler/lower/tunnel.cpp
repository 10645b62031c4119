// encap and decap.
#include "compiler/lower/emitter.hpp"

#include <algorithm>

namespace xdpf::lowering {

// How many links stand behind the base, where that is known: the link layer's size is a constant then.
std::optional<unsigned> Emitter::links_behind(sema::HeaderId base, const Knowledge &known) const
{
    const auto &chain = unit_.headers[base].chain;
    if (!chain)
        return 0;
    for (unsigned count = 0; count <= chain->limit; ++count) {
        const auto fact = facts_.find({Fact::Kind::link_count, base, count});
        if (fact.valid() && known[fact] == Truth::yes)
            return count;
    }
    return std::nullopt;
}

// Links of a link layer all have one size, and the field that says what follows at one place.
const sema::Header *Emitter::link_of(sema::HeaderId base) const
{
    for (const sema::Header &header : unit_.headers)
        if (header.is_link() && header.ways[0].parent == base)
            return &header;
    return nullptr;
}

// The field that says what stands behind the link layer: of the base, or of the last link.
void Emitter::name_network_layer(sema::HeaderId base, unsigned links, Place first, std::uint64_t selector)
{
    const sema::Header &header = unit_.headers[base];
    const sema::Header *link = link_of(base);
    const NewField to{.wide = {{}, constant(selector)}};
    if (links == 0) {
        const auto index = header.chain ? header.chain->selector : header.fields.size() - 1;
        return write_field(header, header.fields[index], first, to);
    }
    const Place last = first.plus(header.fixed_size + (links - 1) * link->fixed_size);
    write_field(*link, link->fields[*link->then], last, to);
}

std::uint32_t Emitter::link_layer_size(sema::HeaderId base, unsigned links) const
{
    const sema::Header *link = link_of(base);
    return unit_.headers[base].fixed_size + (link == nullptr ? 0 : links * link->fixed_size);
}

const sema::Carried *Emitter::carried_by(const std::vector<sema::Carried> &all, const Knowledge &known) const
{
    const auto found = std::ranges::find_if(all, [&](const sema::Carried &one) {
        const auto is = [&](const Fact &fact) {
            const auto id = facts_.find(fact);
            return id.valid() && known[id] == Truth::yes;
        };
        return is({Fact::Kind::present, one.header}) &&
               (!one.way || is({Fact::Kind::reached_by, one.header, static_cast<unsigned>(*one.way)}));
    });
    return found == all.end() ? nullptr : &*found;
}

void Emitter::encapsulate(const sema::Encap &encap, NodeId id, Knowledge &known)
{
    const NodeId after = graph_.nodes[id].yes;
    const auto unchanged = go(after, known);
    const auto *carried = carried_by(encap.carried, known);
    const bool framed = encap.link_layer.valid();
    const auto links = framed ? links_behind(encap.link_layer, known) : std::optional(0U);
    if (carried == nullptr || !links)
        return jump(unchanged);
    std::vector<NewField> values;
    for (const auto &field : encap.fields) {
        const sema::SetField set{.header = {field.header}, .field = field.field, .value = field.value};
        values.push_back(field.value.valid() ? new_field(set, {.known = &known}, unchanged) : NewField());
    }
    const sema::Carried inner = *carried;
    const auto size = static_cast<std::uint32_t>(encap.bytes.size());
    const std::uint32_t front = framed ? link_layer_size(encap.link_layer, *links) : 0;
    const auto length = packet_length();
    const auto payload = front == 0 ? length : binary(ir::Op::sub, length, front);
    move_start(constant(0 - std::uint64_t(size)), front + size, known);
    move_forward(size, front);
    if (framed)
        name_network_layer(encap.link_layer, *links, {packet_start_, 0}, encap.selector);
    write_headers(encap, Place{packet_start_, front}, values, payload, inner.selector);
    affirm_first(framed ? encap.link_layer : encap.first, known);
    jump(go(after, known));
}

void Emitter::write_headers(const sema::Encap &encap, Place first, const std::vector<NewField> &values,
                            ir::ValueId payload, std::uint64_t inner_selector)
{
    const auto size = static_cast<std::uint32_t>(encap.bytes.size());
    for (std::uint32_t done = 0; done < size;) {
        std::uint32_t width = 8;
        while (width > size - done)
            width /= 2;
        std::uint64_t piece = 0;
        for (std::uint32_t i = 0; i < width; ++i)
            piece = piece << 8 | std::to_integer<std::uint64_t>(encap.bytes[done + i]);
        store_packet(first, done, static_cast<std::uint8_t>(width), ir::Order::big, constant(piece));
        done += width;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto &[start, id, number, value, at] = encap.fields[i];
        const sema::Header &header = unit_.headers[id];
        const sema::Field &what = header.fields[number];
        NewField to = values[i];
        if (!value.valid())
            to.wide.low = binary(ir::Op::add, field(header, what, first.plus(start)), payload);
        write_field(header, what, first.plus(start + at), to);
    }
    if (encap.inner_field) {
        const sema::Header &header = unit_.headers[encap.inner];
        write_field(header, header.fields[*encap.inner_field], first.plus(encap.inner_start),
                    {.wide = {{}, constant(inner_selector)}});
    }
    for (const auto &sum : encap.sums) {
        ir::ValueId all;
        for (std::uint32_t at = sum.begin; at + 2 <= sum.end; at += 2) {
            const auto word = load(first, at, 2, ir::Order::big);
            all = all.valid() ? binary(ir::Op::add, all, word) : word;
        }
        store_packet(first, sum.offset, 2, ir::Order::big, binary(ir::Op::bit_xor, folded(all), 0xffff, 0xffff));
    }
}

void Emitter::decapsulate(const sema::Decap &decap, NodeId id, Knowledge &known)
{
    const NodeId after = graph_.nodes[id].yes;
    const auto unchanged = go(after, known);
    const auto *carried = carried_by(decap.carried, known);
    // What begins a packet itself comes out as it is; in front of anything else the link layer stays.
    const bool framed = carried != nullptr && !unit_.headers[carried->origin].ways.empty();
    const auto links = framed ? links_behind(decap.link_layer, known) : std::optional(0U);
    if (carried == nullptr || !links)
        return jump(unchanged);
    const sema::Carried inner = *carried;
    const Place from = known.entry(facts_.find({Fact::Kind::present, inner.header})).start;
    const std::uint32_t front = framed ? link_layer_size(decap.link_layer, *links) : 0;
    const auto link_layer = taken({packet_start_, 0}, front);
    ir::Inst &made = inst(ir::Op::distance);
    made.a = from.base;
    made.b = packet_start_;
    const auto distance = number(made, program_.values[from.base].max);
    const auto skip = static_cast<std::int64_t>(from.delta) - static_cast<std::int64_t>(front);
    const auto by = skip == 0 ? distance : binary(ir::Op::add, distance, static_cast<std::uint64_t>(skip));
    move_start(by, framed ? front : unit_.headers[inner.header].fixed_size, known);
    const Place first{packet_start_, 0};
    put_back(first, front, link_layer);
    if (framed)
        name_network_layer(decap.link_layer, *links, first, inner.selector);
    affirm_first(framed ? decap.link_layer : inner.origin, known);
    jump(go(after, known));
}

} // namespace xdpf::lowering
