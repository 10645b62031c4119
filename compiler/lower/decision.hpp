// The decision graph: single tests with two ways on, steps, and decisions. It knows nothing about what has been found
// out before; knowledge.hpp does.
#pragma once

#include "compiler/lower/facts.hpp"
#include "compiler/sema/typed.hpp"

#include <vector>

namespace xdpf::lowering {

using NodeId = Id<struct NodeTag>;

struct Node {
    enum class Kind : std::uint8_t { test, step, decide };
    Kind kind = Kind::decide;
    sema::PredId test;                        // test: anything but and, or, not
    NodeId yes;                               // test; step: what comes next
    NodeId no;                                // test
    const sema::Step *step = nullptr;         // step; not an If
    const sema::Decision *decision = nullptr; // decide; null: pass, since no rule matched
    Span span;
    Asked asked; // by the node itself
};

struct DecisionGraph {
    IdVector<NodeId, Node> nodes; // successors stand before their predecessors
    NodeId root;
    std::vector<FactSet> needs; // by node: facts that it or anything behind it asks for
    // Headers that many nodes ask for. They are looked for once, in front of the first node that something behind needs
    // them for, and not anew behind each test that comes before the question.
    std::vector<FactId> early;
};

[[nodiscard]] DecisionGraph build_decisions(const sema::Unit &unit, const sema::Program &program, Facts &facts);

} // namespace xdpf::lowering
