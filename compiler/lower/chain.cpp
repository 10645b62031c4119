// Walks the links behind a base header: at most `limit` of them, in a loop. Where something is asked that tells one
// link from another, unrolled: ways that come to the same link number with the same facts found meet again, so the code
// grows with the limit and not with the number of combinations.
#include "compiler/lower/emitter.hpp"

#include <algorithm>

namespace xdpf::lowering {
namespace {

struct Step {
    unsigned level = 0; // links behind us
    Place place;        // of what comes next
    ir::ValueId selector;
    std::map<std::uint32_t, unsigned> seen; // by link header that facts ask for: how many so far
};

} // namespace

class ChainWalk {
public:
    ChainWalk(Emitter &emitter, sema::HeaderId base, NodeId node, const Knowledge &known)
        : e_(emitter), base_(base), node_(node), chain_(*e_.unit_.headers[base].chain)
    {
        for (std::size_t i = 0; i < e_.unit_.headers.size(); ++i)
            if (e_.unit_.headers[sema::HeaderId(i)].is_link() &&
                e_.unit_.headers[sema::HeaderId(i)].ways[0].parent == base)
                links_.push_back(sema::HeaderId(i));
        find_facts(known);
        for (const auto link : links_)
            longest_ = std::max(longest_, e_.unit_.headers[link].max_size);
        const auto &header = e_.unit_.headers[base];
        reach_ = header.max_position + header.max_size + longest_ * chain_.limit;
    }

    void run(const Knowledge &known)
    {
        const Entry &entry = known.entry(e_.facts_.find({Fact::Kind::present, base_}));
        const auto &header = e_.unit_.headers[base_];
        if (header.payload_when) {
            const auto holds = e_.new_block();
            e_.test(*header.payload_when, {.known = &known, .self = base_, .self_start = entry.start}, e_.to(holds),
                    fail({}, known));
            e_.start(holds);
        }
        if (tracked_.empty() && told_apart_.empty() && alike(entry))
            return loop_alike(entry, known);
        const auto selector = chain_.constant ? e_.constant(*chain_.constant)
                                              : e_.field(header, header.fields[chain_.selector], entry.start);
        if (tracked_.empty() && told_apart_.empty() && e_.mask_of(reach_)) {
            const auto sizes = linear_sizes();
            return sizes.empty() ? loop(entry.end, selector, known) : loop_linear(entry.end, selector, sizes, known);
        }
        level({0, entry.end, selector, {}}, known);
        while (!pending_.empty()) {
            auto next = std::move(pending_.back());
            pending_.pop_back();
            e_.start(next.block);
            if (next.step.place.base != e_.packet_start_)
                next.step.place = e_.rebased(next.step.place, reach_);
            level(next.step, next.known);
        }
    }

private:
    struct Pending {
        ir::BlockId block;
        Step step;
        Knowledge known;
    };
    // Links that are read in the same way and that no fact tells apart.
    struct Group {
        std::vector<sema::HeaderId> links;
        std::vector<sema::Interval> selectors;
    };

    void find_facts(const Knowledge &known)
    {
        const FactSet asked = e_.wanted_by(node_, known);
        for (std::size_t i = 0; i < e_.facts_.size(); ++i) {
            const Fact &fact = e_.facts_[FactId(i)];
            if (!asked.contains(FactId(i)) || known[FactId(i)] != Truth::unknown)
                continue;
            const bool own_link =
                fact.kind == Fact::Kind::present && std::ranges::find(links_, fact.header) != links_.end();
            const bool about_base =
                fact.header == base_ && (fact.kind == Fact::Kind::link_count || fact.kind == Fact::Kind::link_is);
            if (!own_link && !about_base)
                continue;
            tracked_.push_back(FactId(i));
            if (own_link)
                told_apart_[fact.header.value] = std::max(told_apart_[fact.header.value], fact.number + 1);
            if (fact.kind == Fact::Kind::link_is)
                told_apart_.try_emplace(fact.other.value, 0);
        }
    }

    void loop(Place first, ir::ValueId selector, const Knowledge &known)
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
    [[nodiscard]] bool alike(const Entry &entry) const
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
    void loop_alike(const Entry &entry, const Knowledge &known)
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

    // A size of so many bytes and `unit` for each that the link's length field counts; without one it is constant.
    struct LinearSize {
        std::uint64_t bytes = 0;
        std::uint64_t unit = 0;
        std::optional<std::size_t> length; // field
    };

    std::optional<LinearSize> linear(const sema::Header &header, sema::ExprId id) const
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
    std::vector<LinearSize> linear_sizes() const
    {
        std::vector<LinearSize> out;
        const sema::Header &first = e_.unit_.headers[links_.front()];
        std::optional<std::uint32_t> length_at;
        for (const auto link : links_) {
            const sema::Header &header = e_.unit_.headers[link];
            const sema::Field &then = header.fields[*header.then];
            const auto size = header.size ? linear(header, *header.size) : LinearSize{header.fixed_size, 0, {}};
            if (!size || header.where || header.check_size || header.clamp_size || then.floating() ||
                then.little_endian || size->bytes < header.fixed_size ||
                then.bit_offset != first.fields[*first.then].bit_offset || then.bits != first.fields[*first.then].bits)
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
    void loop_linear(Place first, ir::ValueId selector, const std::vector<LinearSize> &sizes, const Knowledge &known)
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
        const ir::ValueId behind = e_.offset({e_.materialised(step.place.plus(static_cast<std::uint32_t>(least))).base},
                                             size, longest_ - least);
        const auto whole = e_.new_block();
        e_.guard({behind, 0}, 0, e_.to(whole), fail(step, known));
        e_.start(whole);
        e_.jump({head_, {behind, next_selector, e_.binary(ir::Op::sub, left_, 1, chain_.limit)}});
    }

    // The bytes of a link beyond the shortest that one can have. Goes on where there are as many as that.
    ir::ValueId size_of(sema::HeaderId id, const LinearSize &size, std::uint64_t least, const Step &step,
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
    Place rebased_in_front(Place place)
    {
        return {e_.rebased({place.base}, e_.unit_.headers[base_].max_position).base, place.delta};
    }

    const std::vector<sema::Interval> &selectors_of(sema::HeaderId link) const
    {
        return std::get<sema::InSet>(e_.unit_.preds[e_.unit_.headers[link].ways[0].condition].node).intervals;
    }

    [[nodiscard]] std::uint64_t largest_selector(ir::ValueId first) const
    {
        std::uint64_t out = e_.program_.values[first].max;
        for (const auto link : links_) {
            const sema::Header &header = e_.unit_.headers[link];
            const auto bits = header.fields[*header.then].bits;
            out = std::max(out, bits < 64 ? (std::uint64_t{1} << bits) - 1 : UINT64_MAX);
        }
        return out;
    }

    void level(const Step &step, const Knowledge &known)
    {
        const bool full = step.level == chain_.limit;
        const auto is_link = full ? ir::BlockId() : e_.new_block();
        test_selector(step, full ? fail(step, known) : e_.to(is_link), done(step, known));
        if (full)
            return;
        e_.start(is_link);
        links(step, known);
    }

    void test_selector(const Step &step, const ir::Edge &is_link, const ir::Edge &other)
    {
        std::vector<sema::Interval> all;
        for (const auto &group : grouped())
            all.insert(all.end(), group.selectors.begin(), group.selectors.end());
        std::ranges::sort(all, {}, &sema::Interval::first);
        e_.test_intervals(step.selector, all, e_.program_.values[step.selector].max, is_link, other);
    }

    // The next header is a link: which, and what comes behind it.
    void links(const Step &step, const Knowledge &known)
    {
        const std::vector<Group> groups = grouped();
        const auto most = e_.program_.values[step.selector].max;
        for (std::size_t i = 0; i < groups.size(); ++i) {
            if (i + 1 == groups.size()) {
                link(groups[i], step, known);
                break;
            }
            const auto matches = e_.new_block();
            const auto next = e_.new_block();
            e_.test_intervals(step.selector, groups[i].selectors, most, e_.to(matches), e_.to(next));
            e_.start(matches);
            link(groups[i], step, known);
            e_.start(next);
        }
    }

    void link(const Group &group, Step step, Knowledge known)
    {
        const sema::HeaderId id = group.links.front();
        const sema::Header &header = e_.unit_.headers[id];
        const Place place = step.place;
        const Place end = e_.check_header(id, place, known, fail(step, known));
        if (const auto seen = told_apart_.find(id.value); seen != told_apart_.end()) {
            const auto number = step.seen[id.value];
            const auto fact = e_.facts_.find({Fact::Kind::present, id, number});
            if (fact.valid() && is_tracked(fact))
                known.entry(fact) = {Truth::yes, place, end, {}};
            step.seen[id.value] = std::min(number + 1, seen->second);
        }
        for (const FactId tracked : tracked_) {
            const Fact &fact = e_.facts_[tracked];
            if (fact.kind == Fact::Kind::link_is && fact.number == step.level)
                fact.other == id ? known.affirm(tracked) : known.deny(tracked);
        }
        if (header.payload_when) {
            const auto holds = e_.new_block();
            e_.test(*header.payload_when, {.known = &known, .self = id, .self_start = place}, e_.to(holds),
                    fail(step, known));
            e_.start(holds);
        }
        step.selector = e_.field(header, header.fields[*header.then], place);
        if (head_.valid())
            return e_.jump(
                {head_, {e_.materialised(end).base, step.selector, e_.binary(ir::Op::sub, left_, 1, chain_.limit)}});
        step.place = end;
        ++step.level;
        e_.jump(to_level(step, known));
    }

    [[nodiscard]] bool is_tracked(FactId fact) const { return std::ranges::find(tracked_, fact) != tracked_.end(); }

    ir::Edge to_level(Step step, Knowledge known)
    {
        if (step.place.base != e_.packet_start_)
            step.place = e_.materialised(step.place);
        std::string key =
            fmt::format("{} {} {}", step.level, step.place.base == e_.packet_start_ ? 'S' : 'P', step.place.delta);
        for (const auto &[link, count] : step.seen)
            key += fmt::format(" {}={}", link, count);
        key += e_.key_of(node_, known);
        const auto [at, is_new] = blocks_.try_emplace(key);
        ir::Block unused;
        ir::Edge edge;
        bind(step, unused, &edge);
        e_.bind_params(known, unused, &edge);
        if (is_new) {
            at->second = e_.new_block();
            bind(step, e_.program_.blocks[at->second], nullptr);
            e_.bind_params(known, e_.program_.blocks[at->second], nullptr);
            pending_.push_back({at->second, step, std::move(known)});
        }
        edge.target = at->second;
        return edge;
    }

    void bind(Step &step, ir::Block &block, ir::Edge *edge)
    {
        for (ir::ValueId *value : {&step.place.base, &step.selector}) {
            if (*value == e_.packet_start_)
                continue;
            if (edge != nullptr) {
                edge->args.push_back(*value);
                continue;
            }
            auto info = e_.program_.values[*value];
            if (info.kind == ir::ValueKind::packet)
                info.max = reach_;
            *value = e_.program_.add_value(info.kind, info.max);
            block.params.push_back(*value);
        }
    }

    // The chain has ended well: everything about it is known. Where no fact tells its lengths apart, they meet again.
    ir::Edge done(const Step &step, Knowledge known)
    {
        settle(step, known, true);
        const auto chain = e_.facts_.find({Fact::Kind::chain_end, base_});
        Entry &entry = known.entry(chain);
        entry = {Truth::yes, step.place, {}, step.selector};
        if (!tracked_.empty() || rebases_itself_)
            return e_.go(node_, known);
        const auto here = e_.block_;
        const auto meet = e_.new_block();
        e_.start(meet);
        if (head_.valid()) {
            entry.start = {e_.rebased({step.place.base}, reach_ - step.place.delta).base, step.place.delta};
        } else {
            entry.start = e_.rebased(step.place, reach_);
            e_.program_.values[entry.start.base].max = reach_;
        }
        e_.jump(e_.go(node_, known));
        e_.start(here);
        return e_.to(meet);
    }

    // A link too many, one cut short, or nothing behind the last: what links were there stays known.
    ir::Edge fail(const Step &step, Knowledge known)
    {
        settle(step, known, false);
        known.deny(e_.facts_.find({Fact::Kind::chain_end, base_}));
        return e_.go(node_, known);
    }

    void settle(const Step &step, Knowledge &known, bool ended)
    {
        for (const FactId tracked : tracked_) {
            if (known[tracked] != Truth::unknown)
                continue;
            const Fact &fact = e_.facts_[tracked];
            if (fact.kind == Fact::Kind::link_count && ended && fact.number == step.level)
                known.affirm(tracked);
            else
                known.deny(tracked);
        }
    }

    std::vector<Group> grouped() const
    {
        std::vector<Group> out;
        std::map<std::string, std::size_t> recipes;
        for (const auto link : links_) {
            const auto &intervals = selectors_of(link);
            const auto key = told_apart_.contains(link.value) ? fmt::format("only {}", link.value) : recipe(link);
            const auto [at, is_new] = recipes.try_emplace(key, out.size());
            if (is_new)
                out.emplace_back();
            Group &group = out[at->second];
            group.links.push_back(link);
            group.selectors.insert(group.selectors.end(), intervals.begin(), intervals.end());
            std::ranges::sort(group.selectors, {}, &sema::Interval::first);
        }
        // The last needs no test, so that is the one whose test is the longest.
        std::ranges::stable_sort(out, {}, [](const Group &group) { return group.selectors.size(); });
        return out;
    }

    // How a link is read, so that those read alike share their code.
    std::string recipe(sema::HeaderId id) const
    {
        const sema::Header &header = e_.unit_.headers[id];
        if (header.where || header.payload_when)
            return fmt::format("only {}", id.value);
        const auto &then = header.fields[*header.then];
        // A size that is never below the fields' makes their number of bytes a matter of the size alone.
        const auto least = header.size && !header.check_size ? 0 : header.fixed_size;
        return fmt::format("{} {}:{} {}", least, then.bit_offset, then.bits,
                           header.size ? recipe(header, *header.size) : "");
    }

    std::string recipe(const sema::Header &header, sema::ExprId id) const
    {
        const auto &node = e_.unit_.exprs[id].node;
        if (const auto *constant = std::get_if<sema::Constant>(&node))
            return fmt::format("{}", static_cast<std::uint64_t>(constant->value));
        if (const auto *field = std::get_if<sema::FieldValue>(&node))
            return fmt::format("[{}:{}]", header.fields[field->field].bit_offset, header.fields[field->field].bits);
        if (const auto *binary = std::get_if<sema::Binary>(&node))
            return fmt::format("({} {} {})", recipe(header, binary->left), static_cast<int>(binary->op),
                               recipe(header, binary->right));
        return fmt::format("?{}", id.value);
    }

    Emitter &e_;
    sema::HeaderId base_;
    NodeId node_;
    const sema::Chain &chain_;
    std::vector<sema::HeaderId> links_;
    std::vector<FactId> tracked_;
    std::map<std::uint32_t, unsigned> told_apart_; // link header, and how many of it facts ask for
    std::uint32_t longest_ = 0;                    // of the links, in bytes
    std::uint64_t reach_ = 0;                      // no farther than this does the chain's end lie, in bytes
    std::unordered_map<std::string, ir::BlockId> blocks_;
    std::vector<Pending> pending_;
    ir::BlockId head_;            // of the loop; none: unrolled
    ir::ValueId left_;            // how many links it may still find
    bool rebases_itself_ = false; // the loop, in each round
};

void Emitter::walk_chain(sema::HeaderId base, NodeId node, const Knowledge &known)
{
    ChainWalk(*this, base, node, known).run(known);
}

} // namespace xdpf::lowering
