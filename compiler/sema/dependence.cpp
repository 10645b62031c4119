#include "compiler/sema/dependence.hpp"

#include "compiler/sema/range.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

// Whether an expression or a condition reads the field, or bytes that may be the field's.
class Reader {
public:
    Reader(const Unit &unit, HeaderId header, const Field &field) : unit_(unit), header_(header), field_(field) {}

    bool operator()(ExprId id) const
    {
        const auto &node = unit_.exprs[id].node;
        if (const auto *read = std::get_if<FieldValue>(&node))
            return same_bytes(read->header.header) && overlap(unit_.headers[read->header.header].fields[read->field]);
        if (const auto *two = std::get_if<Binary>(&node))
            return (*this)(two->left) || (*this)(two->right);
        if (const auto *one = std::get_if<Unary>(&node))
            return (*this)(one->operand);
        if (const auto *either = std::get_if<Either>(&node))
            return std::ranges::any_of(either->alternatives, *this);
        return std::holds_alternative<Slice>(node);
    }

    bool operator()(PredId id) const
    {
        const auto &node = unit_.preds[id].node;
        if (const auto *both = std::get_if<And>(&node))
            return (*this)(both->left) || (*this)(both->right);
        if (const auto *either = std::get_if<Or>(&node))
            return (*this)(either->left) || (*this)(either->right);
        if (const auto *negated = std::get_if<Not>(&node))
            return (*this)(negated->operand);
        if (const auto *set = std::get_if<InSet>(&node))
            return (*this)(set->value);
        if (const auto *two = std::get_if<Compare>(&node))
            return (*this)(two->left) || (*this)(two->right);
        return false;
    }

    template <class What> bool operator()(const std::optional<What> &what) const { return what && (*this)(*what); }

    [[nodiscard]] bool overlap(const Field &other) const
    {
        if (other.floating())
            return true;
        if (field_.floating()) // it may begin anywhere from the first place on that is computed for it
            return range_of(unit_, header_, *field_.at).low * 8 < other.bit_offset + other.bits;
        return other.bit_offset < field_.bit_offset + field_.bits && field_.bit_offset < other.bit_offset + other.bits;
    }

private:
    [[nodiscard]] bool same_bytes(HeaderId other) const
    {
        return other == header_ || stands_on(header_, other) || stands_on(other, header_) || coincide(other, header_);
    }

    // `header` begins where the item of a list does.
    [[nodiscard]] bool stands_on(HeaderId header, HeaderId item) const
    {
        return std::ranges::any_of(unit_.headers[header].ways,
                                   [&](const Way &way) { return way.through_list && way.parent == item; });
    }

    [[nodiscard]] bool coincide(HeaderId a, HeaderId b) const
    {
        if (told_apart(a, b))
            return false;
        for (const Way &one : unit_.headers[a].ways)
            for (const Way &other : unit_.headers[b].ways)
                if (one.parent == other.parent && one.through_chain == other.through_chain && one.link == other.link &&
                    !disjoint(one.condition, other.condition))
                    return true;
        return false;
    }

    // By what they say of themselves: IPv4 and IPv6 behind MPLS labels.
    [[nodiscard]] bool told_apart(HeaderId a, HeaderId b) const
    {
        const auto one = own_values(a);
        const auto other = own_values(b);
        return std::ranges::any_of(one, [&](const OwnValue &left) {
            return std::ranges::any_of(other, [&](const OwnValue &right) {
                return left.field->bit_offset == right.field->bit_offset && left.field->bits == right.field->bits &&
                       apart(*left.set, *right.set);
            });
        });
    }

    struct OwnValue {
        const Field *field;
        const InSet *set;
    };
    [[nodiscard]] std::vector<OwnValue> own_values(HeaderId id) const
    {
        std::vector<OwnValue> out;
        std::vector<PredId> open;
        if (unit_.headers[id].where)
            open.push_back(*unit_.headers[id].where);
        while (!open.empty()) {
            const auto &node = unit_.preds[open.back()].node;
            open.pop_back();
            if (const auto *both = std::get_if<And>(&node))
                open.insert(open.end(), {both->left, both->right});
            const auto *set = std::get_if<InSet>(&node);
            const auto *field = set != nullptr ? std::get_if<FieldValue>(&unit_.exprs[set->value].node) : nullptr;
            if (field != nullptr && field->header.header == id)
                out.push_back({&unit_.headers[id].fields[field->field], set});
        }
        return out;
    }

    static bool apart(const InSet &one, const InSet &other)
    {
        return std::ranges::none_of(one.intervals, [&](const Interval &left) {
            return std::ranges::any_of(other.intervals, [&](const Interval &right) {
                return left.first <= right.last && right.first <= left.last;
            });
        });
    }

    [[nodiscard]] bool disjoint(PredId a, PredId b) const
    {
        const auto *one = std::get_if<InSet>(&unit_.preds[a].node);
        const auto *other = std::get_if<InSet>(&unit_.preds[b].node);
        return one != nullptr && other != nullptr && same_value(one->value, other->value) && apart(*one, *other);
    }

    [[nodiscard]] bool same_value(ExprId a, ExprId b) const
    {
        const auto *one = std::get_if<FieldValue>(&unit_.exprs[a].node);
        const auto *other = std::get_if<FieldValue>(&unit_.exprs[b].node);
        if (one != nullptr && other != nullptr)
            return one->header == other->header && one->field == other->field;
        const auto *end = std::get_if<ChainEnd>(&unit_.exprs[a].node);
        const auto *other_end = std::get_if<ChainEnd>(&unit_.exprs[b].node);
        return end != nullptr && other_end != nullptr && end->base == other_end->base;
    }

    const Unit &unit_;
    HeaderId header_;
    const Field &field_;
};

// What depends on what, until nothing is added.
class Closure {
public:
    Closure(const Unit &unit, HeaderId header, const Field &field)
        : unit_(unit), reads_(unit, header, field), header_(header)
    {
        out_.headers.resize(unit.headers.size());
        out_.chains.resize(unit.headers.size());
    }

    Dependents run()
    {
        for (bool again = true; again;) {
            again = false;
            for (std::size_t i = 0; i < unit_.headers.size(); ++i) {
                const Header &header = unit_.headers[HeaderId(i)];
                again |= mark(out_.headers, i, depends(header));
                again |= header.chain && mark(out_.chains, i, chain_depends(HeaderId(i)));
            }
        }
        return std::move(out_);
    }

private:
    static bool mark(std::vector<bool> &in, std::size_t at, bool holds)
    {
        const bool is_new = holds && !in[at];
        in[at] = in[at] || holds;
        return is_new;
    }

    bool depends(const Header &header) const
    {
        if (reads_(header.where) || reads_(header.size))
            return true;
        if (header.list && (out_.headers[header.list->container.value] || reads_(header.list->end_when) ||
                            reads_(header.list->pad_when)))
            return true;
        return std::ranges::any_of(header.ways, [&](const Way &way) {
            const Header &parent = unit_.headers[way.parent];
            const bool chained = (way.through_chain || header.is_link()) && out_.chains[way.parent.value];
            return chained || out_.headers[way.parent.value] || reads_(way.condition) || reads_(parent.payload_when);
        });
    }

    bool chain_depends(HeaderId base) const
    {
        const Header &header = unit_.headers[base];
        const bool selects =
            header_ == base && !header.chain->constant && reads_.overlap(header.fields[header.chain->selector]);
        if (selects || out_.headers[base.value] || reads_(header.payload_when))
            return true;
        return std::ranges::any_of(unit_.headers, [&](const Header &link) {
            if (!link.is_link() || link.ways[0].parent != base)
                return false;
            const bool itself = &link == &unit_.headers[header_] && reads_.overlap(link.fields[*link.then]);
            return itself || reads_(link.where) || reads_(link.size) || reads_(link.payload_when);
        });
    }

    const Unit &unit_;
    Reader reads_;
    HeaderId header_;
    Dependents out_;
};

} // namespace

bool Dependents::any() const
{
    return std::ranges::find(headers, true) != headers.end() || std::ranges::find(chains, true) != chains.end();
}

bool reads_field(const Unit &unit, PredId condition, HeaderId header, const Field &field)
{
    return Reader(unit, header, field)(condition);
}

Dependents dependents_of(const Unit &unit, HeaderId header, const Field &field)
{
    return Closure(unit, header, field).run();
}

} // namespace xdpf::sema
