// From rules to IR. Rules become a decision graph of single tests; then the graph is walked together with what is known
// about the packet so far, and each pair of a test and a knowledge becomes one block. A header is looked for when the
// first test asks for it; from then on the code after it knows whether it is there and where. What a packet cannot
// have any more costs nothing: behind "this is UDP" no test of a TCP field is left.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/sema/typed.hpp"

#include <string>
#include <vector>

namespace xdpf {

// What became of a run of rules, for packets that have the same headers.
struct RunForm {
    enum class Kind : std::uint8_t { row, tree, tables, points, intervals };
    std::string program;
    std::string headers; // "ipv4, tcp"
    Kind kind = Kind::row;
    std::size_t rules = 0;   // that such packets can match
    std::size_t fields = 0;  // that tell them apart; of a row 0
    std::size_t depth = 0;   // of a tree: comparisons on the longest way; of intervals: levels
    std::size_t widest = 0;  // rules tested at its end, at most; ends that a number is compared with
    std::size_t entries = 0; // rules in all leaves; intervals
    std::string why;
};

struct LowerOptions {
    // Long runs of rules become a tree of comparisons, or tables in a map (classify.cpp); otherwise each rule is tested
    // after the one before, and the instruction that decides stands for its own rule.
    bool classify = true;
    TableBytes table_bytes{};
    std::vector<RunForm> *forms = nullptr;                // gets what became of each run
    const std::vector<sema::Program> *programs = nullptr; // in place of the unit's, of which they are made
    // Gets the programs that become far too large, and that are left out. Without it the first of them is the end.
    std::vector<std::size_t> *given_up = nullptr;
};

// One IR program for each program of the unit. Behind the unit's maps stand those that the programs need besides.
// Limits that are passed (a program that would become too large) go to `diagnostics`, as do warnings about keys that
// can be absent.
[[nodiscard]] ir::Module lower(const sema::Unit &unit, Diagnostics &diagnostics, const LowerOptions &options = {});

} // namespace xdpf
