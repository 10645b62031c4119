#include "compiler/classify/tables.hpp"

#include <bit>

namespace xdpf::classify {

KeyShape shape_of(std::span<const std::uint32_t> largest)
{
    KeyShape shape;
    std::uint32_t used = 64;
    for (const auto number : largest) {
        const auto bits = static_cast<std::uint32_t>(std::bit_width(number));
        if (used + bits > 64) {
            ++shape.words;
            used = 0;
        }
        shape.lanes.push_back({shape.words - 1, used});
        used += bits;
    }
    return shape;
}

void TableWriter::put(std::uint64_t number, std::size_t bytes)
{
    for (std::size_t i = 0; i < bytes; ++i)
        bytes_.push_back(static_cast<std::byte>(number >> (8 * i)));
}

void TableWriter::set(std::size_t at, std::uint32_t number)
{
    for (std::size_t i = 0; i < 4; ++i)
        bytes_[at + i] = static_cast<std::byte>(number >> (8 * i));
}

void TableWriter::put_node(const Node &node, const RuleSet &set, const KeyShape &shape, std::uint32_t below,
                           std::uint32_t from)
{
    const Lane lane = shape.lanes[node.dimension];
    for (std::uint32_t word = 0; word < shape.words; ++word)
        put(word == lane.word ? std::uint64_t{set.largest[node.dimension]} << lane.shift : 0, 8);
    put(lane.shift, 4);
    put(node.threshold - 1, 4);
    put(below, 4);
    put(from, 4);
}

// Rules first, then the leaves that name them, then the nodes, children in front of their parents.
void TableWriter::add(std::size_t tree, const Tree &from, const RuleSet &set, std::span<const std::uint32_t> actions)
{
    const KeyShape shape = shape_of(set.largest);
    std::vector<bool> wanted(set.rules.size());
    for (const Leaf &leaf : from.leaves)
        for (const Candidate &candidate : leaf.candidates)
            wanted[candidate.rule] = true;
    std::vector<std::uint32_t> rules(set.rules.size());
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (!wanted[i])
            continue;
        rules[i] = here();
        for (const Range &range : set.rules[i].ranges) {
            put(range.first, 4);
            put(range.last, 4);
        }
        put(actions[set.rules[i].action], 8);
    }
    std::vector<std::uint32_t> leaves;
    for (const Leaf &leaf : from.leaves) {
        leaves.push_back(here() | 1);
        for (const Candidate &candidate : leaf.candidates)
            put(rules[candidate.rule], 4);
        put(std::uint64_t{actions[leaf.otherwise]} << 1 | 1, 4);
    }
    if (bytes_.size() % 8 != 0)
        put(0, 4);
    std::vector<std::uint32_t> nodes;
    const auto place = [&](Place at) { return at.is_leaf ? leaves[at.index] : nodes[at.index]; };
    for (const Node &node : from.nodes) {
        const auto at = here();
        put_node(node, set, shape, place(node.below), place(node.from));
        nodes.push_back(at);
    }
    this->set(4 * tree, place(from.root));
}

std::uint32_t TableWriter::add(std::size_t tree, std::span<const std::byte> bytes)
{
    constexpr std::size_t cache_line = 64;
    while (bytes_.size() % cache_line != 0)
        put(0, 4);
    const auto begin = here();
    this->set(4 * tree, begin);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return begin;
}

} // namespace xdpf::classify
