// Where headers lie: a header is there where one of its ways leads to it, all of its bytes are in the packet, and what
// it says of itself holds.
#include "compiler/explain/evaluation.hpp"

namespace xdpf::explain {

const Evaluation::Found &Evaluation::find(HeaderId id)
{
    if (found_[id].run == run_)
        return found_[id];
    Found found{.run = run_};
    const sema::Header &header = unit_.headers[id];
    Fault fault;
    if (header.ways.empty()) {
        const auto extent = check(id, 0, fault);
        found.present = extent.has_value();
        found.extent = extent.value_or(Extent());
    }
    for (std::size_t way = 0; way < header.ways.size() && !found.present; ++way)
        found.present = find_by(id, way, found);
    return found_[id] = found;
}

bool Evaluation::find_by(HeaderId id, std::size_t number, Found &found)
{
    const sema::Way &way = unit_.headers[id].ways[number];
    Context context;
    std::size_t at = 0;
    if (way.through_list) {
        const auto extent = find_in_list(id, way);
        found.extent = extent.value_or(Extent());
        found.way = number;
        return extent.has_value();
    }
    if (way.through_chain) {
        const Chain &chain = chain_of(way.parent);
        if (chain.end != Chain::End::well)
            return false;
        context.chain = way.parent;
        context.selector = chain.selector;
        at = chain.behind;
    } else {
        const auto parent = extent_of(way.in_front());
        if (!parent || !has_payload(way.parent, parent->begin))
            return false;
        context.self = way.parent;
        context.at = parent->begin;
        at = parent->end;
    }
    const sema::Header &header = unit_.headers[id];
    if ((header.clamp_position && at > header.max_position) || !holds(way.condition, context))
        return false;
    Fault fault;
    const auto extent = check(id, at, fault);
    if (!extent)
        return false;
    found.extent = *extent;
    found.way = number;
    return true;
}

std::optional<Extent> Evaluation::extent_of(HeaderRef ref)
{
    if (!unit_.headers[ref.header].is_link()) {
        const Found &found = find(ref.header);
        return found.present ? std::optional(found.extent) : std::nullopt;
    }
    unsigned number = 0;
    for (const Link &link : chain_of(unit_.headers[ref.header].ways[0].parent).links)
        if (link.header == ref.header && number++ == ref.index)
            return link.extent;
    return std::nullopt;
}

const Chain &Evaluation::chain_of(HeaderId base)
{
    Walked &walked = walked_[base];
    if (walked.run != run_) {
        walked.run = run_;
        walked.chain.links.clear();
        walked.chain.end = Chain::End::broken;
        walked.chain.culprit = {};
        walk(base, walked.chain);
    }
    return walked.chain;
}

void Evaluation::walk(HeaderId base, Chain &chain)
{
    const Found &found = find(base);
    if (!found.present)
        return;
    const sema::Header &header = unit_.headers[base];
    chain.behind = found.extent.end;
    const auto first = header.chain->constant ? Value{.number = *header.chain->constant}
                                              : field_at(base, header.chain->selector, found.extent.begin);
    chain.selector = static_cast<std::uint64_t>(first.value_or(Value()).number);
    HeaderId last = base;
    std::size_t last_at = found.extent.begin;
    while (true) {
        chain.culprit = last;
        if (!has_payload(last, last_at)) {
            chain.end = Chain::End::no_payload;
            return;
        }
        HeaderId next;
        for (const HeaderId link : links_[base])
            if (!next.valid() &&
                holds(unit_.headers[link].ways[0].condition, {.chain = base, .selector = chain.selector}))
                next = link;
        if (!next.valid()) {
            chain.end = Chain::End::well;
            return;
        }
        chain.culprit = next;
        if (chain.links.size() == header.chain->limit) {
            chain.end = Chain::End::too_many;
            return;
        }
        const auto extent = check(next, chain.behind, chain.fault);
        if (!extent) {
            chain.end = Chain::End::broken;
            return;
        }
        chain.links.push_back({next, *extent});
        const sema::Header &link = unit_.headers[next];
        chain.selector = static_cast<std::uint64_t>(field_at(next, *link.then, extent->begin).value_or(Value()).number);
        chain.behind = extent->end;
        last = next;
        last_at = extent->begin;
    }
}

// The first item that the way's condition holds for and that is the header.
std::optional<Extent> Evaluation::find_in_list(HeaderId id, const sema::Way &way)
{
    const sema::ListOf &list = *unit_.headers[way.parent].list;
    const auto container = extent_of({list.container});
    if (!container)
        return std::nullopt;
    const sema::Header &around = unit_.headers[list.container];
    std::size_t at = container->begin + around.fixed_size;
    const std::size_t end = around.size ? container->end : packet_.size();
    for (unsigned item = 0; item < list.limit && at < end; ++item) {
        const Context inside{.self = way.parent, .at = at};
        if (list.end_when && holds(*list.end_when, inside))
            break;
        if (list.pad_when && holds(*list.pad_when, inside)) {
            ++at;
            continue;
        }
        Fault fault;
        const auto extent = check(way.parent, at, fault);
        if (!extent || extent->end > end || extent->end == at)
            break;
        if (holds(way.condition, inside))
            if (const auto found = check(id, at, fault); found && found->end <= extent->end)
                return found;
        at = extent->end;
    }
    return std::nullopt;
}

std::optional<Extent> Evaluation::check(HeaderId id, std::size_t at, Fault &fault)
{
    const sema::Header &header = unit_.headers[id];
    const std::size_t left = at < packet_.size() ? packet_.size() - at : 0;
    if (left < header.fixed_size) {
        fault = {Fault::Kind::cut_short, header.fixed_size};
        return std::nullopt;
    }
    const Context inside{.self = id, .at = at};
    if (header.where && !holds(*header.where, inside)) {
        fault = {Fault::Kind::where, 0};
        return std::nullopt;
    }
    const std::uint64_t size = header.size ? number(*header.size, inside).value_or(UINT64_MAX) : header.fixed_size;
    if (size >= header.fixed_size && size <= header.max_size && size <= left)
        return Extent{at, at + static_cast<std::size_t>(size)};
    fault = {size < header.fixed_size ? Fault::Kind::too_small
             : size > header.max_size ? Fault::Kind::too_large
                                      : Fault::Kind::cut_short,
             size};
    return std::nullopt;
}

bool Evaluation::has_payload(HeaderId id, std::size_t at)
{
    const auto &condition = unit_.headers[id].payload_when;
    return !condition || holds(*condition, {.self = id, .at = at});
}

} // namespace xdpf::explain
