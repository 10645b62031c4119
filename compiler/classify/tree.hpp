// First match over rules that are boxes: an interval for each of a few numbers. A tree of comparisons leads to a leaf
// with the few rules that are left, in their order.
//
// Equal subtrees are one node, so the tree is a graph without cycles. Rules that what stands before or behind them
// makes superfluous are left out: the rest of a leaf behind a rule that covers all of it, and rules at its end that say
// what the leaf says without them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xdpf::classify {

struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = UINT32_MAX; // included
    bool operator==(const Range &) const = default;
};

// A match is a number in every range; `action` is what the rule says, and equal ones are interchangeable.
struct Rule {
    std::vector<Range> ranges; // one for each dimension
    std::uint32_t action = 0;
};

struct RuleSet {
    std::vector<std::uint32_t> largest; // the largest number of each dimension
    std::vector<Rule> rules;            // the first match decides
    std::uint32_t otherwise = 0;        // the action where none matches
};

// A node or a leaf of a Tree.
struct Place {
    std::uint32_t index = 0;
    bool is_leaf = false;
    auto operator<=>(const Place &) const = default;
};

struct Node {
    std::uint32_t dimension = 0;
    std::uint32_t threshold = 0; // numbers below it go one way, it and those above the other
    Place below;
    Place from;
    auto operator<=>(const Node &) const = default;
};

// A rule in a leaf, and which of its dimensions are still to be tested there.
struct Candidate {
    std::uint32_t rule = 0;
    std::uint32_t open = 0; // bit d: dimension d
    auto operator<=>(const Candidate &) const = default;
};

struct Leaf {
    std::vector<Candidate> candidates;
    std::uint32_t otherwise = 0; // the action behind them
    auto operator<=>(const Leaf &) const = default;
};

struct Tree {
    std::vector<Node> nodes; // children stand before their parents
    std::vector<Leaf> leaves;
    Place root;
    std::size_t depth = 0;   // nodes on the longest way
    std::size_t widest = 0;  // candidates of the largest leaf
    std::size_t entries = 0; // candidates of all leaves
};

struct TreeOptions {
    std::size_t leaf = 4; // what has as few rules is not divided any more
    double eagerness = 3; // above 1; larger: shorter ways, more rules that stand in several leaves
    // With more of any of these the tree is built again: with larger leaves and less eagerness where it becomes too
    // large or too deep, with more eagerness where a leaf becomes too wide.
    std::size_t most_entries = SIZE_MAX;
    std::size_t widest = SIZE_MAX;
    std::size_t deepest = SIZE_MAX;
};

// Time and memory grow with the entries and the depth.
[[nodiscard]] Tree build_tree(const RuleSet &set, const TreeOptions &options);

// What the rules say of a packet, rule by rule; and by way of the tree.
[[nodiscard]] std::uint32_t first_match(const RuleSet &set, const std::vector<std::uint32_t> &numbers);
[[nodiscard]] std::uint32_t look_up(const Tree &tree, const RuleSet &set, const std::vector<std::uint32_t> &numbers);

} // namespace xdpf::classify
