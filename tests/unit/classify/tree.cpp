#include "compiler/classify/tree.hpp"
#include "compiler/classify/tables.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace xdpf::classify;

namespace {

// Nested prefixes, hosts, ranges and wildcards, as access lists have them.
RuleSet random_set(std::mt19937 &draw, std::size_t rules)
{
    RuleSet set{{UINT32_MAX, UINT32_MAX, 65535, 255}, {}, 2};
    const auto below = [&](std::uint32_t end) { return static_cast<std::uint32_t>(draw() % end); };
    for (std::size_t i = 0; i < rules; ++i) {
        Rule rule{{}, below(4)};
        for (std::size_t d = 0; d < 2; ++d) {
            const auto length = below(4) == 0 ? 0 : 8 + below(25);
            const std::uint32_t host = length == 0 ? UINT32_MAX : length == 32 ? 0 : UINT32_MAX >> length;
            const std::uint32_t network = (10U << 24 | below(8) << 16 | below(4) << 8 | below(256)) & ~host;
            rule.ranges.push_back({network, network | host});
        }
        const std::uint32_t port = below(65536);
        rule.ranges.push_back(below(3) == 0 ? Range{0, 65535} : Range{port, std::min(65535U, port + below(3) * 500)});
        rule.ranges.push_back(below(2) == 0 ? Range{0, 255} : Range{6, below(2) == 0 ? 6U : 17U});
        set.rules.push_back(std::move(rule));
    }
    return set;
}

// Inside a rule, at its edges, or one number beyond them.
std::vector<std::uint32_t> near(std::mt19937 &draw, const RuleSet &set)
{
    std::vector<std::uint32_t> numbers;
    const Rule &rule = set.rules[draw() % set.rules.size()];
    for (std::size_t d = 0; d < set.largest.size(); ++d) {
        const Range range = rule.ranges[d];
        const std::uint64_t inside = range.first + draw() % (std::uint64_t{range.last} - range.first + 1);
        const std::uint64_t choices[] = {inside,
                                         inside,
                                         inside,
                                         range.first,
                                         range.last,
                                         std::uint64_t{range.last} + 1,
                                         range.first - std::uint64_t{range.first > 0}};
        numbers.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(choices[draw() % 7], set.largest[d])));
    }
    return numbers;
}

void check_tree(const RuleSet &set, const Tree &tree, std::mt19937 &draw)
{
    for (int i = 0; i < 2000; ++i) {
        const auto numbers = near(draw, set);
        REQUIRE(look_up(tree, set, numbers) == first_match(set, numbers));
    }
}

} // namespace

TEST_CASE("a tree says what the rules say in their order")
{
    std::mt19937 draw(1);
    for (const std::size_t rules : {1U, 2U, 10U, 100U, 700U})
        for (const std::size_t leaf : {1U, 4U, 16U})
            for (const double eagerness : {1.5, 3.0}) {
                const RuleSet set = random_set(draw, rules);
                check_tree(set, build_tree(set, {.leaf = leaf, .eagerness = eagerness}), draw);
            }
}

TEST_CASE("no rules, rules that cover everything, rules that say what the end says")
{
    RuleSet set{{65535}, {}, 7};
    Tree tree = build_tree(set, {});
    CHECK(tree.root.is_leaf);
    CHECK(look_up(tree, set, {5}) == 7);
    set.rules = {{{{10, 20}}, 1}, {{{0, 65535}}, 2}, {{{15, 15}}, 3}};
    tree = build_tree(set, {});
    CHECK(look_up(tree, set, {15}) == 1);
    CHECK(look_up(tree, set, {21}) == 2);
    CHECK(tree.entries == 2); // one rule, and what lies behind it
    set.rules = {{{{10, 20}}, 7}, {{{5, 6}}, 7}};
    CHECK(build_tree(set, {}).entries == 1);
}

TEST_CASE("limits: fewer entries, narrower leaves")
{
    std::mt19937 draw(2);
    const RuleSet set = random_set(draw, 600);
    const Tree large = build_tree(set, {.leaf = 2, .eagerness = 4});
    const Tree small = build_tree(set, {.leaf = 2, .eagerness = 4, .most_entries = large.entries / 3});
    CHECK(small.entries <= large.entries / 3);
    check_tree(set, small, draw);
    const Tree wide = build_tree(set, {.leaf = 8, .eagerness = 1.3});
    const Tree narrow = build_tree(set, {.leaf = 8, .eagerness = 1.3, .widest = wide.widest / 2});
    CHECK(narrow.widest <= wide.widest / 2);
    check_tree(set, narrow, draw);
}

TEST_CASE("children stand before their parents, and equal subtrees are one")
{
    std::mt19937 draw(3);
    const RuleSet set = random_set(draw, 300);
    const Tree tree = build_tree(set, {.leaf = 3, .eagerness = 3});
    for (std::uint32_t i = 0; i < tree.nodes.size(); ++i)
        for (const Place child : {tree.nodes[i].below, tree.nodes[i].from})
            CHECK((child.is_leaf ? child.index < tree.leaves.size() : child.index < i));
    auto nodes = tree.nodes;
    std::ranges::sort(nodes);
    CHECK(std::ranges::adjacent_find(nodes) == nodes.end());
}

TEST_CASE("numbers lie side by side in the words of a key")
{
    const std::uint32_t largest[] = {UINT32_MAX, UINT32_MAX, 65535, 255, UINT32_MAX};
    const KeyShape shape = shape_of(largest);
    CHECK(shape.words == 2);
    CHECK(shape.lanes[0].word == 0);
    CHECK(shape.lanes[1].shift == 32);
    CHECK(shape.lanes[2].word == 1);
    CHECK(shape.lanes[3].shift == 16);
    CHECK(shape.lanes[4].shift == 24);
}

TEST_CASE("behind a rule that covers all that the rules reach nothing is looked at")
{
    RuleSet set{{UINT32_MAX, 65535}, {}, 9};
    for (std::uint32_t i = 0; i < 200; ++i)
        set.rules.push_back({{{5000, 6000}, {i == 20 ? 0 : 100 + i, i == 20 ? 65535U : 400U}}, i});
    const Tree tree = build_tree(set, {});
    CHECK(tree.widest <= 21);
    for (const std::uint32_t first : {0U, 4999U, 5000U, 5500U, 6000U, 6001U, UINT32_MAX})
        for (const std::uint32_t second : {0U, 99U, 100U, 250U, 400U, 401U, 65535U})
            CHECK(look_up(tree, set, {first, second}) == first_match(set, {first, second}));
}
