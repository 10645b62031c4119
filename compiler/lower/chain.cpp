// Walks the links behind a base header: at most `limit` of them, in a loop. Where something is asked that tells one
// link from another, unrolled: ways that come to the same link number with the same facts found meet again, so the code
// grows with the limit and not with the number of combinations.
#include "compiler/lower/chain.hpp"

#include <algorithm>

namespace xdpf::lowering {

void ChainWalk::run(const Knowledge &known)
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
    const auto selector =
        chain_.constant ? e_.constant(*chain_.constant) : e_.field(header, header.fields[chain_.selector], entry.start);
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

void ChainWalk::find_facts(const Knowledge &known)
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

void ChainWalk::level(const Step &step, const Knowledge &known)
{
    const bool full = step.level == chain_.limit;
    const auto is_link = full ? ir::BlockId() : e_.new_block();
    test_selector(step, full ? fail(step, known) : e_.to(is_link), done(step, known));
    if (full)
        return;
    e_.start(is_link);
    links(step, known);
}

void ChainWalk::test_selector(const Step &step, const ir::Edge &is_link, const ir::Edge &other)
{
    std::vector<sema::Interval> all;
    for (const auto &group : grouped())
        all.insert(all.end(), group.selectors.begin(), group.selectors.end());
    std::ranges::sort(all, {}, &sema::Interval::first);
    e_.test_intervals(step.selector, all, e_.program_.values[step.selector].max, is_link, other);
}

void ChainWalk::links(const Step &step, const Knowledge &known)
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

void ChainWalk::link(const Group &group, Step step, Knowledge known)
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

ir::Edge ChainWalk::to_level(Step step, Knowledge known)
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

void ChainWalk::bind(Step &step, ir::Block &block, ir::Edge *edge)
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

ir::Edge ChainWalk::done(const Step &step, Knowledge known)
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

ir::Edge ChainWalk::fail(const Step &step, Knowledge known)
{
    settle(step, known, false);
    known.deny(e_.facts_.find({Fact::Kind::chain_end, base_}));
    return e_.go(node_, known);
}

void ChainWalk::settle(const Step &step, Knowledge &known, bool ended)
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

std::vector<ChainWalk::Group> ChainWalk::grouped() const
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

std::string ChainWalk::recipe(sema::HeaderId id) const
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

std::string ChainWalk::recipe(const sema::Header &header, sema::ExprId id) const
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

void Emitter::walk_chain(sema::HeaderId base, NodeId node, const Knowledge &known)
{
    ChainWalk(*this, base, node, known).run(known);
}

} // namespace xdpf::lowering
