// Chains whose links nothing asked for tells apart, as loops.
#include "compiler/base/limits.hpp"
#include "compiler/lower/chain.hpp"

#include <bit>

namespace xdpf::lowering {
namespace {

constexpr std::uint64_t max_unit = 15;    // of a table
constexpr std::uint64_t max_length = 255; // that a link's length field counts

} // namespace

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
                            const Knowledge &before)
{
    const std::uint64_t least = std::ranges::min(sizes, {}, &LinearSize::bytes).bytes;
    if (first.base != e_.packet_start_)
        first = rebased_in_front(first);
    const ir::ValueId start = e_.materialised(first).base;
    const auto end_of_chain = [&](std::uint64_t most_behind) {
        return e_.program_.values[start].max + (least + most_behind) * chain_.limit;
    };
    // As far as the verifier knows: it does not see which units there are.
    const std::uint64_t behind_by_table = max_unit * max_length;
    const auto table = end_of_chain(behind_by_table) + least <= max_packet_offset ? size_table(sizes) : std::nullopt;
    const std::uint64_t most_behind = table ? behind_by_table : longest_ - least;
    const std::uint64_t farthest = end_of_chain(most_behind);
    const std::uint64_t unit = table ? 1 : common_unit(sizes, least);
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
    const Knowledge known = ends_first(step, before);
    const auto body = e_.new_block();
    const auto units = e_.program_.add_value(ir::ValueKind::number, (longest_ - least) / unit);
    e_.program_.blocks[body].params = {units};
    if (table)
        units_by_table(*table, least, body, step, known);
    else
        units_by_tests(sizes, {least, unit}, body, step, known);
    e_.start(body);
    const auto has_room = e_.new_block();
    e_.branch(ir::Cond::ne, left_, 0, e_.to(has_room), fail(step, known));
    e_.start(has_room);
    const sema::Header &link = e_.unit_.headers[links_.front()];
    const auto next_selector = e_.field(link, link.fields[*link.then], step.place);
    const auto size = unit == 1 ? units : e_.binary(ir::Op::mul, units, unit, longest_ - least);
    const ir::ValueId behind =
        e_.offset({e_.materialised(step.place.plus(static_cast<std::uint32_t>(least))).base}, size, most_behind);
    const auto whole = e_.new_block();
    e_.guard({behind, 0}, 0, e_.to(whole), fail(step, known));
    e_.start(whole);
    e_.jump({head_, {behind, next_selector, e_.binary(ir::Op::sub, left_, 1, chain_.limit)}});
}

// What is looked for behind the chain comes before its links: most packets have none. Gives what is known of the
// others.
Knowledge ChainWalk::ends_first(const Step &step, const Knowledge &known)
{
    Knowledge end = known;
    settle(step, end, true);
    Entry &entry = end.entry(e_.facts_.find({Fact::Kind::chain_end, base_}));
    entry = {Truth::yes, step.place, {}, step.selector};
    Knowledge none = known;
    auto ends = e_.first_behind(base_, node_, end);
    std::erase_if(ends, [&](const auto &one) {
        const auto &selectors = e_.intervals_of(one.first, one.second);
        return !std::ranges::all_of(links_, [&](auto link) { return disjoint(selectors_of(link), selectors); });
    });
    for (const auto &[id, way] : ends)
        for (Knowledge *of : {&none, &end})
            of->deny(e_.facts_.find({Fact::Kind::way_open, id, static_cast<unsigned>(way)}));
    for (const auto &[id, way] : ends) {
        const auto matches = e_.new_block();
        const auto next = e_.new_block();
        e_.test_intervals(step.selector, e_.intervals_of(id, way), e_.program_.values[step.selector].max,
                          e_.to(matches), e_.to(next));
        e_.start(matches);
        Knowledge here = end;
        const Place place = e_.rebased(step.place, reach_);
        here.entry(e_.facts_.find({Fact::Kind::chain_end, base_})).start = place;
        e_.decode_header(id, way, place, node_, here);
        e_.start(next);
    }
    return none;
}

// The units of the links' lengths, in one number: from the bits of `links` at what names a link it is one, and the
// highest bits of `units`, shifted by that, are the unit. None: they don't fit there.
std::optional<ChainWalk::SizeTable> ChainWalk::size_table(const std::vector<LinearSize> &sizes) const
{
    SizeTable out;
    std::uint64_t given = 0;
    for (std::size_t i = 0; i < links_.size(); ++i) {
        const auto &intervals = selectors_of(links_[i]);
        const LinearSize &size = sizes[i];
        if (intervals.size() != 1 || intervals[0].first != intervals[0].last || intervals[0].first > 60 ||
            size.bytes != sizes[0].bytes || size.unit > max_unit)
            return std::nullopt;
        const auto selector = static_cast<unsigned>(intervals[0].first);
        const std::uint64_t window = std::uint64_t{max_unit} << 60 >> selector;
        const std::uint64_t bits = std::uint64_t{size.unit} << 60 >> selector;
        if (((out.units ^ bits) & given & window) != 0)
            return std::nullopt;
        given |= window;
        out.units |= bits;
        out.links |= std::uint64_t{1} << selector;
        out.last = std::max<std::uint64_t>(out.last, selector);
        if (size.length)
            out.length = {links_[i], *size.length};
    }
    return out.length ? std::optional(out) : std::nullopt;
}

void ChainWalk::units_by_table(const SizeTable &table, std::uint64_t least, ir::BlockId body, const Step &step,
                               const Knowledge &known)
{
    const auto no_link = done(step, known);
    const auto small = e_.new_block();
    const auto link = e_.new_block();
    const auto whole = e_.new_block();
    e_.branch(ir::Cond::le, step.selector, table.last, e_.to(small), no_link);
    e_.start(small);
    const auto shifted = e_.binary(ir::Op::shr, e_.constant(table.links), step.selector, UINT64_MAX);
    e_.branch(ir::Cond::set, shifted, 1, e_.to(link), no_link);
    e_.start(link);
    e_.guard(step.place, static_cast<std::uint32_t>(least), e_.to(whole), fail(step, known));
    e_.start(whole);
    const sema::Header &any = e_.unit_.headers[table.length->first];
    const auto length = e_.field(any, any.fields[table.length->second], step.place);
    const auto highest = e_.binary(ir::Op::shl, e_.constant(table.units), step.selector, UINT64_MAX);
    const auto unit = e_.binary(ir::Op::shr, highest, 60, max_unit);
    const auto size = e_.binary(ir::Op::mul, unit, length, longest_ - least);
    // Only now: the verifier then knows the same of all links.
    for (const sema::HeaderId id : links_) {
        const sema::Header &header = e_.unit_.headers[id];
        if (!header.payload_when)
            continue;
        const auto asked = e_.new_block();
        const auto next = e_.new_block();
        e_.branch(ir::Cond::ne, step.selector, static_cast<std::uint64_t>(selectors_of(id)[0].first), e_.to(next),
                  e_.to(asked));
        e_.start(asked);
        e_.test(*header.payload_when, {.known = &known, .self = id, .self_start = step.place}, e_.to(next),
                fail(step, known));
        e_.start(next);
    }
    e_.jump({body, {size}});
}

void ChainWalk::units_by_tests(const std::vector<LinearSize> &sizes, const Scale &scale, ir::BlockId body,
                               const Step &step, const Knowledge &known)
{
    // Those with the longest units last: what the verifier then knows of the others is part of it.
    std::map<std::tuple<bool, std::uint64_t, std::uint64_t, std::uint32_t>, std::vector<std::size_t>> alike;
    for (std::size_t i = 0; i < links_.size(); ++i) {
        const auto when = e_.unit_.headers[links_[i]].payload_when;
        alike[{!when, sizes[i].unit, sizes[i].bytes, when ? links_[i].value : 0}].push_back(i);
    }
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
        e_.jump({body, {units_of(links_[one], sizes[one], scale, step, known)}});
        e_.start(next);
    }
}

// What the bytes of all links beyond the shortest are multiples of, and a power of two below each of their units.
std::uint64_t ChainWalk::common_unit(const std::vector<LinearSize> &sizes, std::uint64_t least)
{
    std::uint64_t out = 0;
    for (const LinearSize &size : sizes)
        if (size.unit != 0 && (out == 0 || size.unit < out))
            out = size.unit;
    const bool common = out != 0 && std::ranges::all_of(sizes, [&](const LinearSize &size) {
                            return (size.bytes - least) % out == 0 &&
                                   (size.unit == 0 || (size.unit % out == 0 && std::has_single_bit(size.unit / out)));
                        });
    return common ? out : 1;
}

// The bytes of a link beyond the shortest that one can have, in units. Goes on where there are as many as that.
ir::ValueId ChainWalk::units_of(sema::HeaderId id, const LinearSize &size, const Scale &scale, const Step &step,
                                const Knowledge &known)
{
    const sema::Header &header = e_.unit_.headers[id];
    const auto enough = e_.new_block();
    e_.guard(step.place, static_cast<std::uint32_t>(scale.least), e_.to(enough), fail(step, known));
    e_.start(enough);
    if (header.payload_when) {
        const auto holds = e_.new_block();
        e_.test(*header.payload_when, {.known = &known, .self = id, .self_start = step.place}, e_.to(holds),
                fail(step, known));
        e_.start(holds);
    }
    const std::uint64_t more = (size.bytes - scale.least) / scale.unit;
    if (!size.length || size.unit == 0)
        return e_.constant(more);
    auto counted = e_.field(header, header.fields[*size.length], step.place);
    const std::uint64_t factor = size.unit / scale.unit;
    if (!std::has_single_bit(factor))
        counted = e_.binary(ir::Op::mul, counted, factor, 255 * factor);
    // Doubled and not shifted: of a sum the verifier knows less, and what it knows of links with smaller units is part
    // of that, so that it need not follow those again.
    for (std::uint64_t done = 1; std::has_single_bit(factor) && done < factor; done *= 2)
        counted = e_.binary(ir::Op::add, counted, counted, 255 * done * 2);
    return more == 0 ? counted : e_.binary(ir::Op::add, counted, more, 255 * factor + more);
}

// What stands in front of the chain as a pointer of which the verifier does not know how far in it is, so that it
// walks the chain once.
Place ChainWalk::rebased_in_front(Place place)
{
    return {e_.rebased({place.base}, e_.unit_.headers[base_].max_position).base, place.delta};
}

const std::vector<sema::Interval> &ChainWalk::selectors_of(sema::HeaderId link) const
{
    return e_.intervals_of(link, 0);
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
