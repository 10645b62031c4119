#include "compiler/sema/shadow_tests.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::sema {

void ShadowTests::put(std::string_view kind, std::initializer_list<std::uint64_t> numbers)
{
    text_ += kind;
    for (const auto number : numbers)
        fmt::format_to(std::back_inserter(text_), "{}.", number);
}

// Writes out what an expression reads; false where two packets with the same bytes can give two values.
bool ShadowTests::text(ExprId id)
{
    const auto &node = unit_.exprs[id].node;
    if (const auto *field = std::get_if<FieldValue>(&node)) {
        headers_.push_back(field->header.header);
        put("f", {field->header.header.value, field->header.index, field->field});
    } else if (const auto *end = std::get_if<ChainEnd>(&node)) {
        headers_.push_back(end->base);
        put("c", {end->base.value});
    } else if (const auto *what = std::get_if<Metadata>(&node)) {
        put("m", {static_cast<std::uint64_t>(*what)});
        return *what != Metadata::now && *what != Metadata::random;
    } else if (const auto *constant = std::get_if<Constant>(&node)) {
        put("k", {static_cast<std::uint64_t>(constant->value >> 64), static_cast<std::uint64_t>(constant->value)});
    } else if (const auto *bytes = std::get_if<BytesConstant>(&node)) {
        put("b", {bytes->value.size()});
        text_ += bytes->value;
    } else if (const auto *slice = std::get_if<Slice>(&node)) {
        if (slice->behind) {
            headers_.push_back(slice->behind->header);
            put("s", {slice->behind->header.value, slice->behind->index});
        }
        put("s", {slice->offset, slice->length});
    } else if (const auto *two = std::get_if<Binary>(&node)) {
        put("2", {static_cast<std::uint64_t>(two->op)});
        return text(two->left) && text(two->right);
    } else if (const auto *one = std::get_if<Unary>(&node)) {
        put("1", {static_cast<std::uint64_t>(one->op)});
        return text(one->operand);
    } else if (const auto *param = std::get_if<ParamValue>(&node)) {
        put("p", {param->field});
    } else if (const auto *either = std::get_if<Either>(&node)) {
        put("e", {either->alternatives.size()});
        return std::ranges::all_of(either->alternatives, [&](ExprId each) { return text(each); });
    } else {
        return false; // what a map holds; hashes, which nobody compares twice
    }
    return true;
}

bool ShadowTests::text(PredId id)
{
    const auto &node = unit_.preds[id].node;
    const auto header = [&](HeaderId of) {
        headers_.push_back(of);
        return of.value;
    };
    if (const auto *truth = std::get_if<Truth>(&node)) {
        put("T", {static_cast<std::uint64_t>(truth->value)});
    } else if (const auto *negated = std::get_if<Not>(&node)) {
        put("N", {});
        return text(negated->operand);
    } else if (const auto *both = std::get_if<And>(&node)) {
        put("A", {});
        return text(both->left) && text(both->right);
    } else if (const auto *any = std::get_if<Or>(&node)) {
        put("O", {});
        return text(any->left) && text(any->right);
    } else if (const auto *has = std::get_if<Present>(&node)) {
        put("P", {header(has->header.header), has->header.index});
    } else if (const auto *reached = std::get_if<ReachedBy>(&node)) {
        put("R", {header(reached->header), reached->way});
    } else if (const auto *count = std::get_if<LinkCount>(&node)) {
        put("L", {header(count->base), count->count});
    } else if (const auto *link = std::get_if<LinkIs>(&node)) {
        put("I", {header(link->base), link->position, header(link->link)});
    } else if (const auto *compare = std::get_if<Compare>(&node)) {
        put("C", {static_cast<std::uint64_t>(compare->op)});
        return text(compare->left) && text(compare->right);
    } else if (const auto *set = std::get_if<InSet>(&node)) {
        put("S", {set->intervals.size()});
        for (const Interval &one : set->intervals)
            put("", {static_cast<std::uint64_t>(one.first >> 64), static_cast<std::uint64_t>(one.first),
                     static_cast<std::uint64_t>(one.last >> 64), static_cast<std::uint64_t>(one.last)});
        return text(set->value);
    } else if (const auto *pcap = std::get_if<Pcap>(&node)) {
        put("X", {pcap->text.size()});
        text_ += pcap->text;
    } else {
        return false;
    }
    return true;
}

std::size_t ShadowTests::intern(const std::string &what, std::vector<ShadowInterval> intervals, PredId pred)
{
    const auto number = whats_.try_emplace(what, whats_.size()).first->second;
    std::string key = fmt::format("{}:", number);
    for (const ShadowInterval &one : intervals)
        for (const ShadowValue &end : {one.first, one.last})
            fmt::format_to(std::back_inserter(key), "{}.{:x}.{:x} ", end.alternative,
                           static_cast<std::uint64_t>(end.value >> 64), static_cast<std::uint64_t>(end.value));
    const auto [at, is_new] = index_.try_emplace(std::move(key), all_.size());
    if (is_new)
        all_.push_back({number, std::move(intervals), pred, headers_});
    return at->second;
}

void ShadowTests::add_present(HeaderRef header, PredId pred, std::vector<std::size_t> &out)
{
    text_.clear();
    headers_.assign(1, header.header);
    put("P", {header.header.value, header.index});
    out.push_back(intern(text_, {{{}, {}}}, pred));
}

// ip.src in {…}: one of the alternatives that the analyzer makes of it, each behind the absence of those before.
bool ShadowTests::add_union(PredId id, Conjunction &out)
{
    text_.clear();
    headers_.clear();
    std::vector<ShadowInterval> intervals;
    for (unsigned alternative = 0;; ++alternative) {
        const auto *either = std::get_if<Or>(&unit_.preds[id].node);
        const auto *here = std::get_if<InSet>(&unit_.preds[either != nullptr ? either->left : id].node);
        if (here == nullptr || !text(here->value))
            return false;
        for (const Interval &one : here->intervals)
            intervals.push_back({{alternative, one.first}, {alternative, one.last}});
        if (either == nullptr)
            break;
        const auto *rest = std::get_if<And>(&unit_.preds[either->right].node);
        const auto *absent = rest != nullptr ? std::get_if<Not>(&unit_.preds[rest->left].node) : nullptr;
        const auto *there = absent != nullptr ? std::get_if<InSet>(&unit_.preds[absent->operand].node) : nullptr;
        if (there == nullptr || there->value != here->value || there->intervals.size() != 1)
            return false;
        id = rest->right;
    }
    if (intervals.empty())
        return false;
    out.tests.push_back(intern("U" + text_, std::move(intervals), id));
    return true;
}

void ShadowTests::add(PredId id, Conjunction &out)
{
    const auto &node = unit_.preds[id].node;
    if (const auto *both = std::get_if<And>(&node)) {
        add(both->left, out);
        add(both->right, out);
        return;
    }
    if (const auto *truth = std::get_if<Truth>(&node); truth != nullptr && truth->value)
        return;
    if (const auto *has = std::get_if<Present>(&node))
        return add_present(has->header, id, out.tests);
    if (std::holds_alternative<Or>(node) && add_union(id, out))
        return;
    text_.clear();
    headers_.clear();
    const auto *set = std::get_if<InSet>(&node);
    if (!(set != nullptr ? text(set->value) : text(id))) {
        out.fixed = false;
        return;
    }
    std::vector<ShadowInterval> intervals;
    if (set != nullptr)
        for (const Interval &one : set->intervals)
            intervals.push_back({{0, one.first}, {0, one.last}});
    else
        intervals.push_back({});
    if (intervals.empty()) { // holds for no packet
        out.fixed = false;
        return;
    }
    out.tests.push_back(intern(text_, std::move(intervals), id));
    const auto *field = set != nullptr ? std::get_if<FieldValue>(&unit_.exprs[set->value].node) : nullptr;
    const auto *reached = std::get_if<ReachedBy>(&node);
    if (field != nullptr)
        add_present(field->header, id, out.implied);
    else if (reached != nullptr)
        add_present({reached->header}, id, out.implied);
}

} // namespace xdpf::sema
