// Chains whose links nothing asked for tells apart, as loops.
#include "compiler/lower/chain.hpp"

namespace xdpf::lowering {

void ChainWalk::loop(Place first, ir::ValueId selector, const Knowledge &known)
{
    rebases_itself_ = true;
    const ir::ValueId start = e_.materialised(first).base;
    const auto most = e_.constant(chain_.limit);
    left_ = e_.program_.add_value(ir::ValueKind::number, chain_.limit);
    Step step{.place = {e_.program_.add_value(ir::ValueKind::packet, *e_.mask_of(reach_) + longest_), 0},
              .selector = e_.program_.add_value(ir::ValueKind::number, largest_selector(selector))};
    head_ = e_.new_block();
    e_.program_.blocks[head_].params = {step.place.base, step.selector, left_};
    e_.program_.blocks[head_].rounds = chain_.limit;
    e_.jump({head_, {start, selector, most}});
    e_.start(head_);
    step.place = e_.rebased(step.place, reach_);
    const auto is_link = e_.new_block();
    test_selector(step, e_.to(is_link), done(step, known));
    e_.start(is_link);
    const auto has_room = e_.new_block();
    e_.branch(ir::Cond::ne, left_, 0, e_.to(has_room), fail(step, known));
    e_.start(has_room);
    links(step, known);
}

// All links have one size, and in each the selector of what comes next stands as far in front of that as in the
// base: VLAN tags.
bool ChainWalk::alike(const Entry &entry) const
{
    const sema::Header &base = e_.unit_.headers[base_];
    const sema::Header &link = e_.unit_.headers[links_.front()];
    if (chain_.constant || entry.end.base != entry.start.base || grouped().size() != 1 || link.size || link.where ||
        link.payload_when || !e_.mask_of(reach_))
        return false;
    const sema::Field &first = base.fields[chain_.selector];
    const sema::Field &then = link.fields[*link.then];
    const auto from_end = [](const sema::Field &field, std::uint32_t size) { return 8 * size - field.bit_offset; };
    return !first.floating() && !then.floating() && !first.little_endian && !then.little_endian &&
           first.bits == then.bits && link.fixed_size <= base.fixed_size &&
           entry.end.delta - entry.start.delta == base.fixed_size &&
           from_end(first, base.fixed_size) == from_end(then, link.fixed_size);
}

// The pointer stays a base header's length behind: each link is read as the base's end.
void ChainWalk::loop_alike(const Entry &entry, const Knowledge &known)
{
    const sema::Header &base = e_.unit_.headers[base_];
    const sema::Header &link = e_.unit_.headers[links_.front()];
    const std::uint64_t farthest = base.max_position + std::uint64_t(link.fixed_size) * chain_.limit;
    const ir::ValueId first = e_.materialised(entry.start).base;
    left_ = e_.program_.add_value(ir::ValueKind::number, chain_.limit);
    const Place before{e_.program_.add_value(ir::ValueKind::packet, farthest), 0};
    const auto most = e_.constant(chain_.limit);
    head_ = e_.new_block();
    e_.program_.blocks[head_].params = {before.base, left_};
    e_.program_.blocks[head_].rounds = chain_.limit;
    e_.jump({head_, {first, most}});
    e_.start(head_);
    Step step{.place = before.plus(base.fixed_size), .selector = {}, .seen = {}};
    const auto whole = e_.new_block();
    e_.guard(step.place, 0, e_.to(whole), fail(step, known));
    e_.start(whole);
    step.selector = e_.field(base, base.fields[chain_.selector], before);
    const auto is_link = e_.new_block();
    test_selector(step, e_.to(is_link), done(step, known));
    e_.start(is_link);
    const auto has_room = e_.new_block();
    e_.branch(ir::Cond::ne, left_, 0, e_.to(has_room), fail(step, known));
    e_.start(has_room);
    const ir::ValueId next = e_.materialised(before.plus(link.fixed_size)).base;
    e_.jump({head_, {next, e_.binary(ir::Op::sub, left_, 1, chain_.limit)}});
}

std::optional<ChainWalk::LinearSize> ChainWalk::linear(const sema::Header &header, sema::ExprId id) const
{
    const auto &node = e_.unit_.exprs[id].node;
    if (const auto *constant = std::get_if<sema::Constant>(&node))
        return LinearSize{static_cast<std::uint64_t>(constant->value), 0, {}};
    if (const auto *field = std::get_if<sema::FieldValue>(&node))
        return header.fields[field->field].bits == 8 && header.fields[field->field].bit_offset % 8 == 0 &&
                       !header.fields[field->field].floating()
                   ? std::optional(LinearSize{0, 1, field->field})
                   : std::nullopt;
    const auto *binary = std::get_if<sema::Binary>(&node);
    const auto left = binary != nullptr ? linear(header, binary->left) : std::nullopt;
    const auto right = binary != nullptr ? linear(header, binary->right) : std::nullopt;
    if (!left || !right || right->length)
        return std::nullopt;
    switch (binary->op) {
    case sema::Arithmetic::add: return LinearSize{left->bytes + right->bytes, left->unit, left->length};
    case sema::Arithmetic::multiply:
        return LinearSize{left->bytes * right->bytes, left->unit * right->bytes, left->length};
    default: return std::nullopt;
    }
}

// By link: how its size comes out of its bytes, where all have what names the next and their lengths in the same
// places, and are alike otherwise. Empty: they have not.
std::vector<ChainWalk::LinearSize> ChainWalk::linear_sizes() const
{
    std::vector<LinearSize> out;
    const sema::Header &first = e_.unit_.headers[links_.front()];
    std::optional<std::uint32_t> length_at;
    for (const auto link : links_) {
        const sema::Header &header = e_.unit_.headers[link];
        const sema::Field &then = header.fields[*header.then];
        const auto size = header.size ? linear(header, *header.size) : LinearSize{header.fixed_size, 0, {}};
        if (!size || header.where || header.check_size || header.clamp_size || then.floating() || then.little_endian ||
            size->bytes < header.fixed_size || then.bit_offset != first.fields[*first.then].bit_offset ||
            then.bits != first.fields[*first.then].bits)
            return {};
        if (size->length) {
            const auto at = header.fields[*size->length].bit_offset;
            if (length_at.value_or(at) != at)
                return {};
            length_at = at;
        }
        out.push_back(*size);
    }
    return out;
}

// One body for all links, which are told apart only as far as that takes: by the unit of their lengths.
void ChainWalk::loop_linear(Place first, ir::ValueId selector, const std::vector<LinearSize> &sizes,
                            const Knowledge &known)
{
    const std::uint64_t least = std::ranges::min(sizes, {}, &LinearSize::bytes).bytes;
    if (first.base != e_.packet_start_)
        first = rebased_in_front(first);
    const ir::ValueId start = e_.materialised(first).base;
    const std::uint64_t farthest = e_.program_.values[start].max + std::uint64_t(longest_) * chain_.limit;
    const auto most = e_.constant(chain_.limit);
    left_ = e_.program_.add_value(ir::ValueKind::number, chain_.limit);
    Step step{.place = {e_.program_.add_value(ir::ValueKind::packet, farthest), 0},
              .selector = e_.program_.add_value(ir::ValueKind::number, largest_selector(selector)),
              .seen = {}};
    head_ = e_.new_block();
    e_.program_.blocks[head_].params = {step.place.base, step.selector, left_};
    e_.program_.blocks[head_].rounds = chain_.limit;
    e_.jump({head_, {start, selector, most}});
    e_.start(head_);
    // Those with the longest units last: what the verifier then knows of the others is part of it.
    std::map<std::tuple<bool, std::uint64_t, std::uint64_t, std::uint32_t>, std::vector<std::size_t>> alike;
    for (std::size_t i = 0; i < links_.size(); ++i) {
        const auto when = e_.unit_.headers[links_[i]].payload_when;
        alike[{!when, sizes[i].unit, sizes[i].bytes, when ? links_[i].value : 0}].push_back(i);
    }
    const auto body = e_.new_block();
    const auto size = e_.program_.add_value(ir::ValueKind::number, longest_ - least);
    e_.program_.blocks[body].params = {size};
    const auto no_link = done(step, known);
    for (auto at = alike.begin(); at != alike.end(); ++at) {
        std::vector<sema::Interval> selectors;
        for (const std::size_t i : at->second) {
            const auto &of = selectors_of(links_[i]);
            selectors.insert(selectors.end(), of.begin(), of.end());
        }
        std::ranges::sort(selectors, {}, &sema::Interval::first);
        const auto matches = e_.new_block();
        const auto next = e_.new_block();
        const bool last = std::next(at) == alike.end();
        if (!last && selectors.size() == 1 && selectors[0].first == selectors[0].last)
            e_.branch(ir::Cond::ne, step.selector, static_cast<std::uint64_t>(selectors[0].first), e_.to(next),
                      e_.to(matches));
        else
            e_.test_intervals(step.selector, selectors, e_.program_.values[step.selector].max, e_.to(matches),
                              last ? no_link : e_.to(next));
        e_.start(matches);
        const std::size_t one = at->second.front();
        e_.jump({body, {size_of(links_[one], sizes[one], least, step, known)}});
        e_.start(next);
    }
    e_.start(body);
    const auto has_room = e_.new_block();
    e_.branch(ir::Cond::ne, left_, 0, e_.to(has_room), fail(step, known));
    e_.start(has_room);
    const sema::Header &link = e_.unit_.headers[links_.front()];
    const auto next_selector = e_.field(link, link.fields[*link.then], step.place);
    const ir::ValueId behind =
        e_.offset({e_.materialised(step.place.plus(static_cast<std::uint32_t>(least))).base}, size, longest_ - least);
    const auto whole = e_.new_block();
    e_.guard({behind, 0}, 0, e_.to(whole), fail(step, known));
    e_.start(whole);
    e_.jump({head_, {behind, next_selector, e_.binary(ir::Op::sub, left_, 1, chain_.limit)}});
}

// The bytes of a link beyond the shortest that one can have. Goes on where there are as many as that.
ir::ValueId ChainWalk::size_of(sema::HeaderId id, const LinearSize &size, std::uint64_t least, const Step &step,
                               const Knowledge &known)
{
    const sema::Header &header = e_.unit_.headers[id];
    const auto enough = e_.new_block();
    e_.guard(step.place, static_cast<std::uint32_t>(least), e_.to(enough), fail(step, known));
    e_.start(enough);
    if (header.payload_when) {
        const auto holds = e_.new_block();
        e_.test(*header.payload_when, {.known = &known, .self = id, .self_start = step.place}, e_.to(holds),
                fail(step, known));
        e_.start(holds);
    }
    if (!size.length || size.unit == 0)
        return e_.constant(size.bytes - least);
    const auto length = e_.field(header, header.fields[*size.length], step.place);
    const auto counted = e_.binary(ir::Op::mul, length, size.unit, 255 * size.unit);
    return size.bytes == least ? counted : e_.binary(ir::Op::add, counted, size.bytes - least, longest_ - least);
}

// What stands in front of the chain as a pointer of which the verifier does not know how far in it is, so that it
// walks the chain once.
Place ChainWalk::rebased_in_front(Place place)
{
    return {e_.rebased({place.base}, e_.unit_.headers[base_].max_position).base, place.delta};
}

const std::vector<sema::Interval> &ChainWalk::selectors_of(sema::HeaderId link) const
{
    return std::get<sema::InSet>(e_.unit_.preds[e_.unit_.headers[link].ways[0].condition].node).intervals;
}

std::uint64_t ChainWalk::largest_selector(ir::ValueId first) const
{
    std::uint64_t out = e_.program_.values[first].max;
    for (const auto link : links_) {
        const sema::Header &header = e_.unit_.headers[link];
        const auto bits = header.fields[*header.then].bits;
        out = std::max(out, bits < 64 ? (std::uint64_t{1} << bits) - 1 : UINT64_MAX);
    }
    return out;
}

} // namespace xdpf::lowering
