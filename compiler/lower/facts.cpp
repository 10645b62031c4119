#include "compiler/lower/facts.hpp"

#include <algorithm>

namespace xdpf::lowering {

FactId Facts::find(const Fact &fact) const
{
    const auto found = index_.find(fact);
    return found == index_.end() ? FactId() : found->second;
}

FactId Facts::intern(const Fact &fact)
{
    if (const auto known = find(fact); known.valid())
        return known;
    const FactId id = facts_.add(fact);
    index_.emplace(fact, id);
    const sema::Header &header = unit_.headers[fact.header];
    switch (fact.kind) {
    case Fact::Kind::present:
        if (header.is_link()) {
            chain_end(header.ways[0].parent);
            break;
        }
        for (std::size_t way = 0; way < header.ways.size(); ++way) {
            way_open(fact.header, way);
            present(header.ways[way].in_front());
            if (header.ways[way].through_chain)
                chain_end(header.ways[way].parent);
        }
        break;
    case Fact::Kind::reached_by: present({fact.header}); break;
    case Fact::Kind::chain_end: present({fact.header}); break;
    case Fact::Kind::link_count:
    case Fact::Kind::link_is: chain_end(fact.header); break;
    case Fact::Kind::way_open: break;
    }
    return id;
}

void Facts::asked_by(sema::ExprId id, std::vector<FactId> &out)
{
    const auto &node = unit_.exprs[id].node;
    if (const auto *field = std::get_if<sema::FieldValue>(&node)) {
        out.push_back(present(field->header));
    } else if (const auto *end = std::get_if<sema::ChainEnd>(&node)) {
        out.push_back(chain_end(end->base));
    } else if (const auto *slice = std::get_if<sema::Slice>(&node)) {
        if (slice->behind)
            out.push_back(present(*slice->behind));
    } else if (const auto *binary = std::get_if<sema::Binary>(&node)) {
        asked_by(binary->left, out);
        asked_by(binary->right, out);
    } else if (const auto *unary = std::get_if<sema::Unary>(&node)) {
        asked_by(unary->operand, out);
    }
}

void Facts::asked_by(const sema::Pred &pred, std::vector<FactId> &out)
{
    if (const auto *has = std::get_if<sema::Present>(&pred.node)) {
        out.push_back(present(has->header));
    } else if (const auto *reached = std::get_if<sema::ReachedBy>(&pred.node)) {
        out.push_back(reached_by(reached->header, reached->way));
    } else if (const auto *count = std::get_if<sema::LinkCount>(&pred.node)) {
        out.push_back(intern({Fact::Kind::link_count, count->base, count->count}));
    } else if (const auto *link = std::get_if<sema::LinkIs>(&pred.node)) {
        out.push_back(intern({Fact::Kind::link_is, link->base, link->position, link->link}));
    } else if (const auto *compare = std::get_if<sema::Compare>(&pred.node)) {
        asked_by(compare->left, out);
        asked_by(compare->right, out);
    } else if (const auto *set = std::get_if<sema::InSet>(&pred.node)) {
        asked_by(set->value, out);
    } else if (const auto *map = std::get_if<sema::InMap>(&pred.node)) {
        for (const auto key : map->key)
            asked_by(key, out);
    }
}

void Facts::asked_by(const sema::Step &step, std::vector<FactId> &asks, std::vector<FactId> &)
{
    if (const auto *count = std::get_if<sema::Count>(&step.node))
        for (const auto key : count->key)
            asked_by(key, asks);
}

} // namespace xdpf::lowering
