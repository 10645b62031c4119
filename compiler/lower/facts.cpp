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
        if (is_item(fact.header)) {
            present({container_of(fact.header)});
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

void Facts::asked_by(const std::vector<sema::ExprId> &ids, Asked &out)
{
    for (const auto id : ids)
        asked_by(id, out);
}

void Facts::asked_by(sema::ExprId id, Asked &out)
{
    const auto &node = unit_.exprs[id].node;
    if (const auto *field = std::get_if<sema::FieldValue>(&node)) {
        out.asks.push_back(present(field->header));
    } else if (const auto *end = std::get_if<sema::ChainEnd>(&node)) {
        out.asks.push_back(chain_end(end->base));
    } else if (const auto *slice = std::get_if<sema::Slice>(&node)) {
        if (slice->behind)
            out.asks.push_back(present(*slice->behind));
    } else if (const auto *binary = std::get_if<sema::Binary>(&node)) {
        asked_by(binary->left, out);
        asked_by(binary->right, out);
    } else if (const auto *unary = std::get_if<sema::Unary>(&node)) {
        asked_by(unary->operand, out);
    } else if (const auto *entry = std::get_if<sema::MapValue>(&node)) {
        asked_by(entry->key, out);
    } else if (const auto *hash = std::get_if<sema::Hash>(&node)) {
        asked_by(hash->values, out);
    } else if (const auto *weighted = std::get_if<sema::Weighted>(&node)) {
        asked_by(weighted->value, out);
    } else if (const auto *either = std::get_if<sema::Either>(&node)) {
        Asked alternatives;
        asked_by(either->alternatives, alternatives);
        out.looks.insert(out.looks.end(), alternatives.asks.begin(), alternatives.asks.end());
        out.eithers.push_back(id);
    }
}

void Facts::asked_by(const sema::Pred &pred, Asked &out)
{
    if (const auto *has = std::get_if<sema::Present>(&pred.node)) {
        out.asks.push_back(present(has->header));
    } else if (const auto *reached = std::get_if<sema::ReachedBy>(&pred.node)) {
        out.asks.push_back(reached_by(reached->header, reached->way));
    } else if (const auto *count = std::get_if<sema::LinkCount>(&pred.node)) {
        out.asks.push_back(intern({Fact::Kind::link_count, count->base, count->count}));
    } else if (const auto *link = std::get_if<sema::LinkIs>(&pred.node)) {
        out.asks.push_back(intern({Fact::Kind::link_is, link->base, link->position, link->link}));
    } else if (const auto *compare = std::get_if<sema::Compare>(&pred.node)) {
        asked_by(compare->left, out);
        asked_by(compare->right, out);
    } else if (const auto *set = std::get_if<sema::InSet>(&pred.node)) {
        asked_by(set->value, out);
    } else if (const auto *map = std::get_if<sema::InMap>(&pred.node)) {
        asked_by(map->key, out);
    } else if (const auto *rate = std::get_if<sema::Exceeds>(&pred.node)) {
        asked_by(rate->key, out);
    }
}

void Facts::asked_by(const sema::Step &step, Asked &out)
{
    if (const auto *count = std::get_if<sema::Count>(&step.node)) {
        asked_by(count->key, out);
    } else if (const auto *assign = std::get_if<sema::Assign>(&step.node)) {
        asked_by(assign->key, out);
        for (const auto &to : assign->fields)
            asked_by(to.value, out);
    } else if (const auto *erased = std::get_if<sema::Delete>(&step.node)) {
        asked_by(erased->key, out);
    } else if (const auto *add = std::get_if<sema::AddTo>(&step.node)) {
        asked_by(add->value, out);
    } else if (const auto *let = std::get_if<sema::Let>(&step.node)) {
        asked_by(let->value, out);
    } else if (const auto *emit = std::get_if<sema::Emit>(&step.node)) {
        asked_by(emit->fields, out);
    } else if (const auto *area = std::get_if<sema::MetadataArea>(&step.node)) {
        for (const auto &field : area->fields)
            asked_by(field.value, out);
    } else {
        asked_by_rewrite(step, out);
    }
}

} // namespace xdpf::lowering
