// Looks for one item of a list: at most `limit` items, unrolled. From one item to the next goes a number alone, the
// distance from the list's header, cut to a mask: so the kernel's verifier sees the same state at each item, whichever
// way led there, and the code behind a found item is followed once. Each item that rules ask for is looked for by
// itself; what a walk has found is forgotten where the next node does not ask for it, since items, unlike headers, do
// not rule each other out.
#include "compiler/lower/emitter.hpp"

#include <algorithm>
#include <bit>

namespace xdpf::lowering {
namespace {

// Behind the last byte that a condition on an item's fields reads.
std::uint32_t bytes_read(const sema::Unit &unit, sema::ExprId id)
{
    const auto &node = unit.exprs[id].node;
    if (const auto *of = std::get_if<sema::FieldValue>(&node)) {
        const auto &field = unit.headers[of->header.header].fields[of->field];
        return (field.bit_offset + field.bits + 7) / 8;
    }
    if (const auto *two = std::get_if<sema::Binary>(&node))
        return std::max(bytes_read(unit, two->left), bytes_read(unit, two->right));
    const auto *one = std::get_if<sema::Unary>(&node);
    return one != nullptr ? bytes_read(unit, one->operand) : 0;
}

std::uint32_t bytes_read(const sema::Unit &unit, sema::PredId id)
{
    const auto &node = unit.preds[id].node;
    if (const auto *negated = std::get_if<sema::Not>(&node))
        return bytes_read(unit, negated->operand);
    if (const auto *both = std::get_if<sema::And>(&node))
        return std::max(bytes_read(unit, both->left), bytes_read(unit, both->right));
    if (const auto *either = std::get_if<sema::Or>(&node))
        return std::max(bytes_read(unit, either->left), bytes_read(unit, either->right));
    if (const auto *compare = std::get_if<sema::Compare>(&node))
        return std::max(bytes_read(unit, compare->left), bytes_read(unit, compare->right));
    const auto *set = std::get_if<sema::InSet>(&node);
    return set != nullptr ? bytes_read(unit, set->value) : 0;
}

} // namespace

class ListWalk {
public:
    ListWalk(Emitter &emitter, FactId wanted, NodeId node, const Knowledge &known)
        : e_(emitter), wanted_(wanted), node_(node), known_(known), item_(e_.facts_[wanted].header),
          any_(e_.unit_.headers[item_].ways[0].parent), list_(*e_.unit_.headers[any_].list),
          container_(e_.unit_.headers[list_.container]),
          first_(known.entry(e_.facts_.find({Fact::Kind::present, list_.container})).start),
          reach_(container_.size ? container_.max_size : sema::farthest_item), mask_(std::bit_ceil(reach_ + 1U) - 1)
    {
        Knowledge without = known;
        without.deny(wanted);
        absent_ = e_.go(node, without);
    }

    void run()
    {
        if (container_.size)
            size_ =
                e_.value(*container_.size, {.known = &known_, .self = list_.container, .self_start = first_}, absent_);
        if (first_.base != e_.packet_start_)
            first_ = e_.rebased(first_, container_.max_position);
        ir::ValueId at = first_distance();
        for (unsigned i = 0; i < list_.limit; ++i) {
            next_ = e_.new_block();
            const auto next_at = e_.program_.add_value(ir::ValueKind::number, mask_);
            e_.program_.blocks[next_].params.push_back(next_at);
            item(at);
            e_.start(next_);
            at = next_at;
        }
        e_.jump(absent_);
    }

private:
    // Goes on only where the condition holds.
    void want(ir::Cond cond, ir::ValueId a, ir::ValueId b)
    {
        const auto holds = e_.new_block();
        e_.branch(cond, a, b, e_.to(holds), absent_);
        e_.start(holds);
    }
    void want(ir::Cond cond, ir::ValueId a, std::uint64_t imm)
    {
        const auto holds = e_.new_block();
        e_.branch(cond, a, imm, e_.to(holds), absent_);
        e_.start(holds);
    }

    // Where the first item lies. As a constant the verifier would know it, and after it every distance that padding of
    // so many bytes leads to; of size - (size - n) it knows as little as of the distances behind other items.
    ir::ValueId first_distance()
    {
        const auto first = e_.constant(container_.fixed_size);
        if (!container_.size || !list_.pad_when)
            return first;
        const auto rest = e_.binary(ir::Op::sub, size_, first);
        return e_.binary(ir::Op::bit_and, e_.binary(ir::Op::sub, size_, rest), mask_, mask_);
    }

    // Bytes of the container from there on. What is compared is this number, made anew each time: the verifier learns
    // nothing about the container's size from it, which would make a state of its own of every item.
    ir::ValueId left(ir::ValueId at) { return e_.binary(ir::Op::sub, size_, at); }

    // So many bytes from the item on belong to the list, and lie in the packet.
    void want_bytes(ir::ValueId at, Place place, std::uint32_t bytes)
    {
        if (container_.size)
            want(ir::Cond::ge, left(at), bytes);
        const auto enough = e_.new_block();
        e_.guard(place, bytes, e_.to(enough), absent_);
        e_.start(enough);
    }

    void to_next(ir::ValueId at) { e_.jump({next_, {e_.binary(ir::Op::bit_and, at, mask_, mask_)}}); }

    void item(ir::ValueId at)
    {
        const sema::Header &any = e_.unit_.headers[any_];
        const Place place{e_.offset(first_, at, mask_), first_.delta};
        const Env env{.known = &known_, .self = any_, .self_start = place};
        std::uint32_t read = 0;
        for (const auto &condition : {list_.end_when, list_.pad_when})
            if (condition)
                read = std::max(read, bytes_read(e_.unit_, *condition));
        if (read != 0)
            want_bytes(at, place, read);
        if (list_.end_when) {
            const auto more = e_.new_block();
            e_.test(*list_.end_when, env, absent_, e_.to(more));
            e_.start(more);
        }
        if (list_.pad_when) {
            const auto pad = e_.new_block();
            const auto more = e_.new_block();
            e_.test(*list_.pad_when, env, e_.to(pad), e_.to(more));
            e_.start(pad);
            to_next(e_.binary(ir::Op::add, at, 1));
            e_.start(more);
        }
        if (read < any.fixed_size)
            want_bytes(at, place, any.fixed_size);
        if (any.where) {
            const auto valid = e_.new_block();
            e_.test(*any.where, env, e_.to(valid), absent_);
            e_.start(valid);
        }
        const auto size = any.size ? e_.value(*any.size, env, absent_) : e_.constant(any.fixed_size);
        if (any.check_size)
            want(ir::Cond::ge, size, any.fixed_size);
        if (any.clamp_size)
            want(ir::Cond::le, size, any.max_size);
        const auto behind = e_.binary(ir::Op::add, at, size);
        const Place end{e_.offset(place, size, any.max_size), place.delta};
        if (container_.size) {
            want(ir::Cond::ge, left(at), size);
        } else {
            want(ir::Cond::le, behind, reach_);
            const auto whole = e_.new_block();
            e_.guard(end, 0, e_.to(whole), absent_);
            e_.start(whole);
        }
        const auto matches = e_.new_block();
        for (const auto &way : e_.unit_.headers[item_].ways) {
            const auto other = e_.new_block();
            e_.test(way.condition, env, e_.to(matches), e_.to(other));
            e_.start(other);
        }
        to_next(behind);
        e_.start(matches);
        found(place, size, end);
    }

    void found(Place place, ir::ValueId size, Place end)
    {
        const sema::Header &header = e_.unit_.headers[item_];
        if (header.fixed_size > e_.unit_.headers[any_].fixed_size) {
            want(ir::Cond::ge, size, header.fixed_size);
            const auto enough = e_.new_block();
            e_.guard(place, header.fixed_size, e_.to(enough), absent_);
            e_.start(enough);
        }
        if (header.where) {
            const auto valid = e_.new_block();
            e_.test(*header.where, {.known = &known_, .self = item_, .self_start = place}, e_.to(valid), absent_);
            e_.start(valid);
        }
        Knowledge with = known_;
        with.entry(wanted_) = {Truth::yes, place, end, {}};
        e_.jump(e_.go(node_, with));
    }

    Emitter &e_;
    FactId wanted_;
    NodeId node_;
    const Knowledge &known_;
    sema::HeaderId item_;
    sema::HeaderId any_; // the list's header
    const sema::ListOf &list_;
    const sema::Header &container_;
    Place first_;         // of the container
    std::uint32_t reach_; // no item lies farther from there
    std::uint64_t mask_;
    ir::Edge absent_;
    ir::ValueId size_; // of the container, where it has one
    ir::BlockId next_;
};

bool Emitter::learn_item(FactId id, NodeId node, Knowledge &known)
{
    const auto container = facts_.find({Fact::Kind::present, facts_.container_of(facts_[id].header)});
    if (known[container] == Truth::unknown && !learn(container, node, known))
        return false;
    if (known[container] == Truth::no) {
        known.deny(id);
        return true;
    }
    ListWalk(*this, id, node, known).run();
    return false;
}

} // namespace xdpf::lowering
