// Division by the best of all thresholds: the one after which least work is left, where n rules are n to the power of
// `eagerness` work. That weighs balance against rules that have to stand on both sides. The ends of the rules' ranges
// are sorted once; a division keeps their order.
#include "compiler/classify/tree.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>

namespace xdpf::classify {
namespace {

using Box = std::vector<Range>;
using Ids = std::vector<std::uint32_t>;

bool meets(const Range &range, const Range &box) { return range.first <= box.last && box.first <= range.last; }
bool covers(const Range &range, const Range &box) { return range.first <= box.first && box.last <= range.last; }

// The rules of a part of the space: in their order, and by the ends of their ranges.
struct Part {
    Ids rules;
    std::vector<Ids> by_first; // by dimension
    std::vector<Ids> by_last;
};

struct Division {
    std::size_t dimension = 0;
    std::uint32_t threshold = 0;
};

struct Hash {
    static std::size_t mix(std::size_t hash, std::uint64_t number)
    {
        hash = (hash ^ number) * 0x9e3779b97f4a7c15;
        return hash ^ hash >> 29;
    }
    static std::size_t mix(std::size_t hash, Place place)
    {
        return mix(hash, std::uint64_t{place.index} << 1 | (place.is_leaf ? 1 : 0));
    }
    std::size_t operator()(const Leaf &leaf) const
    {
        std::size_t hash = leaf.otherwise;
        for (const Candidate &candidate : leaf.candidates)
            hash = mix(hash, std::uint64_t{candidate.rule} << 32 | candidate.open);
        return hash;
    }
    std::size_t operator()(const Node &node) const
    {
        const auto own = std::uint64_t{node.dimension} << 32 | node.threshold;
        return mix(mix(mix(0, own), node.below), node.from);
    }
};

class Builder {
public:
    Builder(const RuleSet &set, const TreeOptions &options)
        : set_(set), options_(options), dimensions_(set.largest.size()), side_(set.rules.size())
    {
        work_.resize(set.rules.size() + 1);
        for (std::size_t n = 1; n < work_.size(); ++n)
            work_[n] = std::pow(static_cast<double>(n), options.eagerness);
    }

    // Nothing where it comes to more entries than are allowed.
    std::optional<Tree> run()
    {
        Box whole;
        for (const auto largest : set_.largest)
            whole.push_back({0, largest});
        tree_.root = place(everything(), whole, set_.otherwise, 0);
        return full() ? std::nullopt : std::optional(std::move(tree_));
    }

private:
    Part everything() const
    {
        Part part;
        part.rules.resize(set_.rules.size());
        std::iota(part.rules.begin(), part.rules.end(), 0U);
        part.by_first.assign(dimensions_, part.rules);
        part.by_last.assign(dimensions_, part.rules);
        for (std::size_t d = 0; d < dimensions_; ++d) {
            std::ranges::sort(part.by_first[d], {}, [&](std::uint32_t rule) { return range(rule, d).first; });
            std::ranges::sort(part.by_last[d], {}, [&](std::uint32_t rule) { return range(rule, d).last; });
        }
        return part;
    }

    const Range &range(std::uint32_t rule, std::size_t d) const { return set_.rules[rule].ranges[d]; }
    bool full() const { return tree_.entries > options_.most_entries; }

    // `otherwise`: the action where none of the part's rules matches.
    Place place(Part part, const Box &box, std::uint32_t otherwise, std::size_t depth)
    {
        tree_.depth = std::max(tree_.depth, depth);
        if (full())
            return {};
        Leaf leaf = leaf_of(part.rules, box, otherwise);
        otherwise = leaf.otherwise;
        if (leaf.candidates.size() != part.rules.size())
            part = only(std::move(part), leaf);
        auto division = part.rules.size() > options_.leaf ? edge_of_rules(part, box) : std::nullopt;
        if (!division && part.rules.size() > options_.leaf)
            division = best_division(part, box);
        if (!division)
            return add(std::move(leaf));
        Box lower = box;
        Box upper = box;
        lower[division->dimension].last = division->threshold - 1;
        upper[division->dimension].first = division->threshold;
        Part first = meeting(part, *division, lower);
        Part second = meeting(part, *division, upper);
        part = {};
        const Place below = place(std::move(first), lower, otherwise, depth + 1);
        const Place from = place(std::move(second), upper, otherwise, depth + 1);
        if (below == from)
            return below;
        return add(Node{static_cast<std::uint32_t>(division->dimension), division->threshold, below, from});
    }

    // In order, up to a rule that covers all of the box; without those at the end that make no difference.
    Leaf leaf_of(const Ids &rules, const Box &box, std::uint32_t otherwise) const
    {
        Leaf leaf{{}, otherwise};
        for (const auto rule : rules) {
            Candidate candidate{rule, 0};
            for (std::size_t d = 0; d < dimensions_; ++d)
                if (!covers(range(rule, d), box[d]))
                    candidate.open |= 1U << d;
            if (candidate.open == 0) {
                leaf.otherwise = set_.rules[rule].action;
                break;
            }
            leaf.candidates.push_back(candidate);
        }
        while (!leaf.candidates.empty() && set_.rules[leaf.candidates.back().rule].action == leaf.otherwise)
            leaf.candidates.pop_back();
        return leaf;
    }

    // Without the rules that the leaf has left out.
    Part only(Part part, const Leaf &leaf)
    {
        for (const auto rule : part.rules)
            side_[rule] = 0;
        for (const auto &candidate : leaf.candidates)
            side_[candidate.rule] = 1;
        keep(part);
        return part;
    }

    void keep(Part &part) const
    {
        const auto out = [&](std::uint32_t rule) { return side_[rule] == 0; };
        std::erase_if(part.rules, out);
        for (std::size_t d = 0; d < dimensions_; ++d) {
            std::erase_if(part.by_first[d], out);
            std::erase_if(part.by_last[d], out);
        }
    }

    Part meeting(const Part &part, const Division &division, const Box &box)
    {
        for (const auto rule : part.rules)
            side_[rule] = meets(range(rule, division.dimension), box[division.dimension]) ? 1 : 0;
        const auto pick = [&](const Ids &from) {
            Ids out;
            out.reserve(from.size());
            for (const auto rule : from)
                if (side_[rule] != 0)
                    out.push_back(rule);
            return out;
        };
        Part out{pick(part.rules), {}, {}};
        for (std::size_t d = 0; d < dimensions_; ++d) {
            out.by_first.push_back(pick(part.by_first[d]));
            out.by_last.push_back(pick(part.by_last[d]));
        }
        return out;
    }

    // Where none of the rules reaches an end of the space, and one that has others behind it covers all that they
    // reach: once that end is cut off, the others need not be looked at.
    std::optional<Division> edge_of_rules(const Part &part, const Box &box) const
    {
        Box reached;
        std::optional<Division> edge;
        for (std::size_t d = 0; d < dimensions_; ++d) {
            reached.push_back({std::max(range(part.by_first[d].front(), d).first, box[d].first),
                               std::min(range(part.by_last[d].back(), d).last, box[d].last)});
            if (reached[d].first > box[d].first)
                edge = Division{d, reached[d].first};
            else if (reached[d].last < box[d].last)
                edge = Division{d, reached[d].last + 1};
        }
        if (!edge)
            return std::nullopt;
        const auto covering = std::ranges::find_if(part.rules, [&](std::uint32_t rule) {
            for (std::size_t d = 0; d < dimensions_; ++d)
                if (!covers(range(rule, d), reached[d]))
                    return false;
            return true;
        });
        constexpr std::ptrdiff_t share = 4; // of the rules has to be behind it, or a node costs more
        return (part.rules.end() - covering) * share > std::ssize(part.rules) ? edge : std::nullopt;
    }

    std::optional<Division> best_division(const Part &part, const Box &box) const
    {
        std::optional<Division> best;
        double least = work_[part.rules.size()] * enough_;
        for (std::size_t d = 0; d < dimensions_; ++d)
            divide(part, box[d], d, best, least);
        return best;
    }

    // Tries all thresholds of a dimension: where a range begins, and behind where one ends.
    void divide(const Part &part, const Range &box, std::size_t d, std::optional<Division> &best, double &least) const
    {
        const std::size_t count = part.rules.size();
        std::size_t begun = 0; // ranges that begin below the threshold
        std::size_t ended = 0; // and that end below it
        const auto &first = part.by_first[d];
        const auto &last = part.by_last[d];
        while (begun < count || ended < count) {
            const std::uint64_t begin = begun < count ? range(first[begun], d).first : UINT64_MAX;
            const std::uint64_t end = ended < count ? std::uint64_t{range(last[ended], d).last} + 1 : UINT64_MAX;
            const std::uint64_t threshold = std::min(begin, end);
            while (ended < count && std::uint64_t{range(last[ended], d).last} + 1 <= threshold)
                ++ended;
            if (threshold > box.first && threshold <= box.last) {
                const double work = work_[begun] + work_[count - ended];
                if (begun < count && ended > 0 && work < least) {
                    least = work;
                    best = Division{d, static_cast<std::uint32_t>(threshold)};
                }
            }
            while (begun < count && range(first[begun], d).first <= threshold)
                ++begun;
        }
    }

    Place add(Leaf leaf)
    {
        const auto [at, is_new] = leaves_.try_emplace(leaf, static_cast<std::uint32_t>(tree_.leaves.size()));
        if (is_new) {
            tree_.widest = std::max(tree_.widest, leaf.candidates.size());
            tree_.entries += leaf.candidates.size() + 1;
            tree_.leaves.push_back(std::move(leaf));
        }
        return {at->second, true};
    }

    Place add(const Node &node)
    {
        const auto [at, is_new] = nodes_.try_emplace(node, static_cast<std::uint32_t>(tree_.nodes.size()));
        if (is_new)
            tree_.nodes.push_back(node);
        return {at->second, false};
    }

    // A division that leaves this much of the work is not worth a node.
    static constexpr double enough_ = 0.99;

    const RuleSet &set_;
    const TreeOptions &options_;
    std::size_t dimensions_;
    std::vector<std::uint8_t> side_; // by rule, of the division at hand
    std::vector<double> work_;       // by number of rules
    Tree tree_;
    std::unordered_map<Leaf, std::uint32_t, Hash> leaves_;
    std::unordered_map<Node, std::uint32_t, Hash> nodes_;
};

bool matches(const Rule &rule, const std::vector<std::uint32_t> &numbers, std::uint32_t dimensions)
{
    for (std::size_t d = 0; d < numbers.size(); ++d)
        if ((dimensions >> d & 1) != 0 && (numbers[d] < rule.ranges[d].first || rule.ranges[d].last < numbers[d]))
            return false;
    return true;
}

} // namespace

Tree build_tree(const RuleSet &set, const TreeOptions &options)
{
    TreeOptions now = options;
    for (;;) {
        if (now.leaf >= set.rules.size())
            now.most_entries = SIZE_MAX; // one leaf: no tree has fewer
        auto tree = Builder(set, now).run();
        if (!tree) {
            now.leaf *= 2;
            now.eagerness = 1 + (now.eagerness - 1) * 0.85;
            continue;
        }
        // As it is where nothing helps: whoever asked looks at what became of it.
        if ((tree->widest <= now.widest && tree->depth <= now.deepest) || now.eagerness > 8)
            return std::move(*tree);
        now.eagerness += 1;
    }
}

std::uint32_t first_match(const RuleSet &set, const std::vector<std::uint32_t> &numbers)
{
    for (const Rule &rule : set.rules)
        if (matches(rule, numbers, UINT32_MAX))
            return rule.action;
    return set.otherwise;
}

std::uint32_t look_up(const Tree &tree, const RuleSet &set, const std::vector<std::uint32_t> &numbers)
{
    Place at = tree.root;
    while (!at.is_leaf) {
        const Node &node = tree.nodes[at.index];
        at = numbers[node.dimension] < node.threshold ? node.below : node.from;
    }
    const Leaf &leaf = tree.leaves[at.index];
    for (const Candidate &candidate : leaf.candidates)
        if (matches(set.rules[candidate.rule], numbers, candidate.open))
            return set.rules[candidate.rule].action;
    return leaf.otherwise;
}

} // namespace xdpf::classify
