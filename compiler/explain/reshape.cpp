// Steps that put headers on and take them off. Headers are looked for anew behind them, in the packet as it is then.
#include "compiler/explain/evaluation.hpp"

#include <algorithm>

namespace xdpf::explain {
namespace {

// What a driver leaves in front of a packet at least; beyond that it is the driver's to say whether there is room.
constexpr std::size_t sure_headroom = 128;

} // namespace

// `size` bytes of 0 in front of the byte `at`. False: there may be no room.
bool Evaluation::insert(std::size_t at, std::size_t size)
{
    grown_ += size;
    if (grown_ > sure_headroom) {
        doubt();
        return false;
    }
    own_bytes();
    rewritten_.insert(rewritten_.begin() + static_cast<std::ptrdiff_t>(at), size, std::byte{});
    reshaped();
    return true;
}

void Evaluation::remove(std::size_t begin, std::size_t end)
{
    own_bytes();
    rewritten_.erase(rewritten_.begin() + static_cast<std::ptrdiff_t>(begin),
                     rewritten_.begin() + static_cast<std::ptrdiff_t>(end));
    grown_ -= std::min(grown_, end - begin);
    reshaped();
}

void Evaluation::reshaped()
{
    packet_ = rewritten_;
    ++run_;
}

// Of a header that begins at `header`, whether or not it is known to be there.
void Evaluation::write_at(HeaderId id, std::size_t field, std::size_t header, const Value &value)
{
    if (const auto place = place_of(unit_.headers[id].fields[field], id, header))
        write(unit_.headers[id].fields[field], *place, value);
}

// The values of fields, kept for when the packet's bytes have moved; nothing: one is absent.
std::optional<std::vector<Value>> Evaluation::kept_values(std::span<const ExprId> ids)
{
    auto found = values(ids);
    if (!found)
        return std::nullopt;
    for (Value &one : *found)
        one = kept(one);
    return found;
}

std::optional<std::size_t> Evaluation::links_behind(HeaderId base)
{
    if (!unit_.headers[base].chain)
        return 0;
    const Chain &chain = chain_of(base);
    return chain.end == Chain::End::well ? std::optional(chain.links.size()) : std::nullopt;
}

// Links of a link layer all have one size.
HeaderId Evaluation::link_of(HeaderId base) const { return links_[base].empty() ? HeaderId() : links_[base].front(); }

std::size_t Evaluation::link_layer_size(HeaderId base, std::size_t links) const
{
    return unit_.headers[base].fixed_size + (links == 0 ? 0 : links * unit_.headers[link_of(base)].fixed_size);
}

// The field that says what stands behind the link layer: of the base, or of the last link.
void Evaluation::name_network_layer(HeaderId base, std::size_t links, std::uint64_t selector)
{
    const sema::Header &header = unit_.headers[base];
    if (links == 0)
        return write_at(base, header.chain ? header.chain->selector : header.fields.size() - 1, 0,
                        {.number = selector, .bytes = {}});
    const HeaderId link = link_of(base);
    write_at(link, *unit_.headers[link].then, link_layer_size(base, links - 1), {.number = selector, .bytes = {}});
}

const sema::Carried *Evaluation::carried_by(const std::vector<sema::Carried> &all)
{
    const auto found = std::ranges::find_if(all, [&](const sema::Carried &one) {
        const Found &there = find(one.header);
        return there.present && (!one.way || there.way == *one.way);
    });
    return found == all.end() ? nullptr : &*found;
}

bool Evaluation::perform(const sema::Push &step)
{
    const sema::Header &base = unit_.headers[step.base];
    const sema::Header &link = unit_.headers[step.link];
    std::vector<ExprId> ids;
    std::ranges::transform(step.fields, std::back_inserter(ids), [](const auto &field) { return field.second; });
    const auto given = find(step.base).present ? kept_values(ids) : std::nullopt;
    if (!given)
        return false;
    const auto behind = field_at(step.base, base.chain->selector, 0);
    if (!behind || !insert(base.fixed_size, link.fixed_size))
        return false;
    write_at(step.link, *link.then, base.fixed_size, {.number = behind->number, .bytes = {}});
    write_at(step.base, base.chain->selector, 0, {.number = step.selector, .bytes = {}});
    for (std::size_t i = 0; i < given->size(); ++i)
        write_at(step.link, step.fields[i].first, base.fixed_size, (*given)[i]);
    return false;
}

bool Evaluation::perform(const sema::Pop &step)
{
    const sema::Header &base = unit_.headers[step.base];
    const sema::Header &link = unit_.headers[step.link];
    if (!find(step.base).present || !holds(sema::LinkIs{step.base, 0, step.link}, {}) ||
        packet_.size() < base.fixed_size + link.fixed_size)
        return false;
    const auto behind = field_at(step.link, *link.then, base.fixed_size);
    if (!behind)
        return false;
    remove(base.fixed_size, base.fixed_size + link.fixed_size);
    write_at(step.base, base.chain->selector, 0, {.number = behind->number, .bytes = {}});
    return false;
}

bool Evaluation::perform(const sema::Encap &step)
{
    const bool framed = step.link_layer.valid();
    const auto *carried = framed && !find(step.link_layer).present ? nullptr : carried_by(step.carried);
    const auto links = framed && carried != nullptr ? links_behind(step.link_layer) : std::optional<std::size_t>(0);
    std::vector<ExprId> ids; // of those that are not lengths
    for (const auto &field : step.fields)
        if (field.value.valid())
            ids.push_back(field.value);
    const auto given = carried == nullptr || !links ? std::nullopt : kept_values(ids);
    if (!given)
        return false;
    const std::uint64_t inner = carried->selector;
    const std::size_t front = framed ? link_layer_size(step.link_layer, *links) : 0;
    const std::size_t payload = packet_.size() - front;
    if (!insert(front, step.bytes.size()))
        return false;
    if (framed)
        name_network_layer(step.link_layer, *links, step.selector);
    write_headers(step, front, *given, payload, inner);
    return false;
}

void Evaluation::write_headers(const sema::Encap &step, std::size_t first, const std::vector<Value> &given,
                               std::size_t payload, std::uint64_t inner)
{
    std::ranges::copy(step.bytes, rewritten_.begin() + static_cast<std::ptrdiff_t>(first));
    reshaped();
    auto next = given.begin();
    for (const auto &one : step.fields) {
        const std::size_t header = first + one.start;
        Value to = one.value.valid() ? *next++ : field_at(one.header, one.field, header).value_or(Value());
        if (!one.value.valid())
            to.number += payload;
        write_at(one.header, one.field, header, to);
    }
    if (step.inner_field)
        write_at(step.inner, *step.inner_field, first + step.inner_start, {.number = inner, .bytes = {}});
    for (const auto &sum : step.sums) {
        std::uint32_t all = 0;
        for (std::size_t at = first + sum.begin; at + 2 <= first + sum.end; at += 2)
            all += std::to_integer<std::uint32_t>(rewritten_[at]) << 8 |
                   std::to_integer<std::uint32_t>(rewritten_[at + 1]);
        while (all > 0xffff)
            all = (all & 0xffff) + (all >> 16);
        rewritten_[first + sum.offset] = static_cast<std::byte>(~all >> 8);
        rewritten_[first + sum.offset + 1] = static_cast<std::byte>(~all);
    }
    reshaped();
}

bool Evaluation::perform(const sema::Decap &step)
{
    const bool whole = find(step.header).present && (!step.link_layer.valid() || find(step.link_layer).present);
    const auto *carried = whole ? carried_by(step.carried) : nullptr;
    // What begins a packet itself comes out as it is; in front of anything else the link layer stays.
    const bool framed = carried != nullptr && !unit_.headers[carried->origin].ways.empty();
    const auto links = framed ? links_behind(step.link_layer) : std::optional<std::size_t>(0);
    if (carried == nullptr || !links)
        return false;
    const std::uint64_t selector = carried->selector;
    const std::size_t from = find(carried->header).extent.begin;
    const std::size_t front = framed ? link_layer_size(step.link_layer, *links) : 0;
    remove(front, from);
    if (framed)
        name_network_layer(step.link_layer, *links, selector);
    return false;
}

} // namespace xdpf::explain
