// One run of rules for packets of which the same is known; private to compiler/lower.
//
//   classify.cpp            which rules are left, as boxes; tests in a row; a tree of comparisons
//   classify_parts.cpp      which rules get a table of their own
//   classify_map.cpp        tables in a map
//   classify_points.cpp     a hash table in a map
//   classify_intervals.cpp  a table of intervals in a map
#pragma once

#include "compiler/classify/tree.hpp"
#include "compiler/lower/emitter.hpp"

namespace xdpf::lowering {

inline constexpr std::size_t most_in_code = 400; // rules of a tree; more become tables

// Rules that stand in a row. Of points each has the same fields, and compares each with one number; of intervals each
// has one test, of the same field.
struct RunPart {
    enum class Kind : std::uint8_t { mixed, points, intervals };
    std::vector<const RunRule *> rules;
    Kind kind = Kind::mixed;
};

[[nodiscard]] std::vector<RunPart> split_parts(const sema::Unit &unit, const std::vector<const RunRule *> &rules);

class RunWriter {
public:
    RunWriter(Emitter &emitter, NodeId id, const Knowledge &known)
        : e_(emitter), node_(emitter.graph_.nodes[id]), run_(emitter.graph_.runs[node_.run]),
          known_(known), otherwise_{node_.no, {}}
    {
    }

    // Ends the emitter's block.
    void write();

private:
    // What a rule comes to: it may be counted, then the decision goes on with a node.
    struct Outcome {
        NodeId target;
        std::optional<std::uint32_t> counted;
        auto operator<=>(const Outcome &) const = default;
    };
    static Outcome outcome_of(const RunRule &rule) { return {rule.target, rule.counted}; }
    const ir::Edge &edge_to(const Outcome &outcome);
    void count(ir::ValueId index);
    void write_counts();
    void write_parts();
    void write_run();
    bool write_points();
    ir::BlockId ask_bucket(ir::ValueId bucket);
    bool write_intervals();
    void ask_levels(const classify::IntervalTable &table);
    ir::ValueId code_in_leaf(const classify::IntervalTable &table, ir::ValueId leaf);
    void find_rules();
    std::optional<std::size_t> dimension_of(const sema::FieldValue &of);
    bool find_boxes();
    std::uint32_t action_of(const Outcome &outcome);
    bool add_boxes(const RunRule &rule);
    void in_a_row(std::string why);
    void note(RunForm form);
    [[nodiscard]] std::size_t written_rules() const;
    void note(const classify::Tree &tree, RunForm::Kind kind, std::string why);
    void load_fields();
    bool find_table_fields();
    void forget_fields();
    void write_tree(const classify::Tree &tree);
    void write_leaf(const classify::Leaf &leaf);

    // classify_map.cpp
    struct Loop {
        ir::BlockId head;
        ir::ValueId at;
        ir::ValueId left;
        std::uint32_t rounds = 0;
    };
    void write_tables(std::string why);
    [[nodiscard]] std::uint32_t jump_code(std::size_t target) const;
    [[nodiscard]] std::uint32_t code_of(std::uint32_t action) const;
    [[nodiscard]] unsigned counter_shift() const;
    [[nodiscard]] std::optional<std::vector<std::uint32_t>> codes_of_actions() const;
    [[nodiscard]] std::uint64_t steps_to_verify() const;
    ir::ValueId start_decision();
    ir::ValueId load_map(ir::ValueId pointer, std::uint32_t offset, std::uint8_t width);
    ir::ValueId element(ir::ValueId base, ir::ValueId at, std::uint64_t mask);
    ir::ValueId table(ir::ValueId at);
    // Bytes in the map. Where they begin is known, unless others can take their place.
    struct Stored {
        std::uint32_t number = 0;
        std::uint64_t mask = 0; // of offsets
        ir::ValueId begin;
    };
    Stored stored(std::vector<std::byte> bytes);
    ir::ValueId inside(const Stored &where, ir::ValueId offset);
    void make_key();
    ir::SlotId cache_slot();
    ir::BlockId ask_cache(ir::ValueId entry);
    Loop loop(ir::ValueId first, std::uint32_t rounds);
    void next_round(const Loop &loop);
    void again(const Loop &loop, ir::ValueId at);
    void walk_tables(ir::ValueId entry);
    ir::ValueId child_of(ir::ValueId node);
    ir::ValueId outside(ir::ValueId rule);
    void remember(ir::ValueId entry, ir::ValueId code);
    void dispatch(ir::ValueId code);
    void dispatch(ir::ValueId code, std::span<const std::uint32_t> codes);

    Emitter &e_;
    const Node &node_;
    const Run &run_;
    const Knowledge &known_;
    Outcome otherwise_; // without a target: what comes next is another part of the rules
    ir::BlockId next_;  // where that part begins
    ir::Edge behind_;   // to there
    // A dimension: a field, or 32 bits of one that is wider, the uppermost first.
    struct Part {
        sema::HeaderRef header;
        sema::Field field;
    };
    std::vector<const RunRule *> rules_;                                        // that this packet can match
    std::map<std::pair<sema::HeaderRef, std::size_t>, std::size_t> dimensions_; // of each field the first
    std::vector<Part> parts_;                                                   // by dimension
    std::vector<ir::ValueId> values_;                                           // by dimension
    classify::RuleSet set_;
    std::vector<Outcome> actions_; // by classify::Rule::action
    std::map<Outcome, std::uint32_t> numbers_;
    std::vector<NodeId> targets_; // of the actions, each once
    std::map<NodeId, std::size_t> target_numbers_;
    bool counting_ = false; // some of the actions are counted
    std::map<Outcome, ir::Edge> edges_;
    std::vector<std::pair<ir::BlockId, Outcome>> to_count_; // blocks that are still to be written
    std::vector<ir::ValueId> words_;                        // of the key
    std::uint32_t class_ = 0;
    std::uint32_t most_nodes_ = 0;      // on one way
    std::uint32_t most_candidates_ = 0; // in one leaf
    ir::BlockId decide_;                // takes the action's code
    ir::ValueId head_;                  // of the tables
    ir::ValueId tag_;                   // of a cache entry, without the action
};

} // namespace xdpf::lowering
