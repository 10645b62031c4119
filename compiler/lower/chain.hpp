// Walks the links behind a base header; private to chain.cpp and chain_loops.cpp.
#pragma once

#include "compiler/lower/emitter.hpp"

#include <algorithm>

namespace xdpf::lowering {

class ChainWalk {
public:
    ChainWalk(Emitter &emitter, sema::HeaderId base, NodeId node, const Knowledge &known)
        : e_(emitter), base_(base), node_(node), chain_(*e_.unit_.headers[base].chain)
    {
        for (std::size_t i = 0; i < e_.unit_.headers.size(); ++i)
            if (e_.unit_.headers[sema::HeaderId(i)].is_link() &&
                e_.unit_.headers[sema::HeaderId(i)].ways[0].parent == base)
                links_.push_back(sema::HeaderId(i));
        find_facts(known);
        for (const auto link : links_)
            longest_ = std::max(longest_, e_.unit_.headers[link].max_size);
        const auto &header = e_.unit_.headers[base];
        reach_ = header.max_position + header.max_size + longest_ * chain_.limit;
    }

    void run(const Knowledge &known);

private:
    struct Step {
        unsigned level = 0; // links behind us
        Place place;        // of what comes next
        ir::ValueId selector;
        std::map<std::uint32_t, unsigned> seen; // by link header that facts ask for: how many so far
    };
    struct Pending {
        ir::BlockId block;
        Step step;
        Knowledge known;
    };
    // Links that are read in the same way and that no fact tells apart.
    struct Group {
        std::vector<sema::HeaderId> links;
        std::vector<sema::Interval> selectors;
    };

    void find_facts(const Knowledge &known);

    // chain_loops.cpp
    void loop(Place first, ir::ValueId selector, const Knowledge &known);
    [[nodiscard]] bool alike(const Entry &entry) const;
    void loop_alike(const Entry &entry, const Knowledge &known);
    // A size of so many bytes and `unit` for each that the link's length field counts; without one it is constant.
    struct LinearSize {
        std::uint64_t bytes = 0;
        std::uint64_t unit = 0;
        std::optional<std::size_t> length; // field
    };

    std::optional<LinearSize> linear(const sema::Header &header, sema::ExprId id) const;
    std::vector<LinearSize> linear_sizes() const;
    void loop_linear(Place first, ir::ValueId selector, const std::vector<LinearSize> &sizes, const Knowledge &known);
    // How a link's size is counted: `least` bytes, and units behind them.
    struct Scale {
        std::uint64_t least;
        std::uint64_t unit;
    };
    // See size_table().
    struct SizeTable {
        std::uint64_t links = 0;
        std::uint64_t units = 0;
        std::uint64_t last = 0;                                       // that names a link
        std::optional<std::pair<sema::HeaderId, std::size_t>> length; // field
    };
    [[nodiscard]] std::optional<SizeTable> size_table(const std::vector<LinearSize> &sizes) const;
    [[nodiscard]] Knowledge ends_first(const Step &step, const Knowledge &known);
    // Jump to `body` with the size of what stands at the step, if it is a link.
    void units_by_table(const SizeTable &table, std::uint64_t least, ir::BlockId body, const Step &step,
                        const Knowledge &known);
    void units_by_tests(const std::vector<LinearSize> &sizes, const Scale &scale, ir::BlockId body, const Step &step,
                        const Knowledge &known);
    static std::uint64_t common_unit(const std::vector<LinearSize> &sizes, std::uint64_t least);
    ir::ValueId units_of(sema::HeaderId id, const LinearSize &size, const Scale &scale, const Step &step,
                         const Knowledge &known);
    Place rebased_in_front(Place place);
    const std::vector<sema::Interval> &selectors_of(sema::HeaderId link) const;
    [[nodiscard]] std::uint64_t largest_selector(ir::ValueId first) const;

    // chain.cpp
    void level(const Step &step, const Knowledge &known);
    void test_selector(const Step &step, const ir::Edge &is_link, const ir::Edge &other);
    // The next header is a link: which, and what comes behind it.
    void links(const Step &step, const Knowledge &known);
    void link(const Group &group, Step step, Knowledge known);
    [[nodiscard]] bool is_tracked(FactId fact) const { return std::ranges::find(tracked_, fact) != tracked_.end(); }
    ir::Edge to_level(Step step, Knowledge known);
    void bind(Step &step, ir::Block &block, ir::Edge *edge);
    // The chain has ended well: everything about it is known. Where no fact tells its lengths apart, they meet again.
    ir::Edge done(const Step &step, Knowledge known);
    // A link too many, one cut short, or nothing behind the last: what links were there stays known.
    ir::Edge fail(const Step &step, Knowledge known);
    void settle(const Step &step, Knowledge &known, bool ended);
    std::vector<Group> grouped() const;
    // How a link is read, so that those read alike share their code.
    std::string recipe(sema::HeaderId id) const;
    std::string recipe(const sema::Header &header, sema::ExprId id) const;

    Emitter &e_;
    sema::HeaderId base_;
    NodeId node_;
    const sema::Chain &chain_;
    std::vector<sema::HeaderId> links_;
    std::vector<FactId> tracked_;
    std::map<std::uint32_t, unsigned> told_apart_; // link header, and how many of it facts ask for
    std::uint32_t longest_ = 0;                    // of the links, in bytes
    std::uint64_t reach_ = 0;                      // no farther than this does the chain's end lie, in bytes
    std::unordered_map<std::string, ir::BlockId> blocks_;
    std::vector<Pending> pending_;
    ir::BlockId head_;            // of the loop; none: unrolled
    ir::ValueId left_;            // how many links it may still find
    bool rebases_itself_ = false; // the loop, in each round
};

} // namespace xdpf::lowering
