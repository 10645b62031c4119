// The decision graph: single tests with two ways on, steps, and decisions. It knows nothing about what has been found
// out before; knowledge.hpp does.
#pragma once

#include "compiler/lower/facts.hpp"
#include "compiler/sema/typed.hpp"

#include <deque>
#include <vector>

namespace xdpf::lowering {

using NodeId = Id<struct NodeTag>;

struct Node {
    enum class Kind : std::uint8_t { test, step, decide, run };
    Kind kind = Kind::decide;
    sema::PredId test;                        // test: anything but and, or, not
    NodeId yes;                               // test; step: what comes next
    NodeId no;                                // test
    const sema::Step *step = nullptr;         // step; not an If
    const sema::Decision *decision = nullptr; // decide; null: pass, since no rule matched
    std::size_t run = 0;                      // run: of DecisionGraph::runs; `no` is what comes behind all of its rules
    Span span;
    Asked asked; // by the node itself
};

// A field and the numbers that it may be, as a predicate of the source says it, or its negation.
struct RunTest {
    sema::PredId pred; // sema::InSet
    bool negated = false;
    sema::FieldValue field;
    std::vector<sema::Interval> intervals; // sorted
};

// A rule that is a conjunction of such tests, or one of the alternatives of a rule: those stand side by side.
struct RunRule {
    std::vector<RunTest> tests;
    std::vector<FactId> presents;         // headers that it asks for, those of its tests included
    std::vector<FactId> absents;          // headers that the packet must not have
    NodeId target;                        // what it says
    std::optional<std::uint32_t> counted; // in this entry of the program's rule counters, before the target
    Span head;
};

inline constexpr std::uint32_t widest_interval = 32; // bits of a field whose intervals can become a table

// Consecutive rules of that form: the first match decides.
struct Run {
    std::vector<RunRule> rules;
    std::vector<NodeId> targets;            // of the rules, each once
    const sema::RuleTable *table = nullptr; // the rules are from a file, and others may take their place
    NodeId xsk;                             // of a table: what a rule says that redirects
};

struct DecisionGraph {
    IdVector<NodeId, Node> nodes; // successors stand before their predecessors
    std::vector<Run> runs;
    std::deque<sema::Decision> made; // decisions that no rule has written down
    NodeId root;
    std::vector<FactSet> needs; // by node: facts that it or anything behind it asks for
    // Headers that many nodes ask for. They are looked for once, in front of the first node that something behind needs
    // them for, and not anew behind each test that comes before the question.
    std::vector<FactId> early;
};

// `runs`: whether long runs of rules become nodes of their own.
[[nodiscard]] DecisionGraph build_decisions(const sema::Unit &unit, const sema::Program &program, Facts &facts,
                                            bool runs);

} // namespace xdpf::lowering
