// Where the rules of one program are cut.
#pragma once

#include "compiler/sema/typed.hpp"

#include <span>
#include <utility>
#include <vector>

namespace xdpf {

// Rules of one part; the last of them goes on with another part where there is one behind.
struct RulesPiece {
    std::vector<sema::Rule> rules;
    std::size_t begin = 0; // of the program's rules with an action, in order: [begin, end)
    std::size_t end = 0;
};

// About how much each rule with an action needs, compared with the others. Rules from a file are one here.
[[nodiscard]] std::vector<double> guessed_weights(const sema::Unit &unit, const std::vector<sema::Rule> &rules);

// The numbers of these, of those from a file the first and the last one's.
[[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> numbers_of_leaves(const std::vector<sema::Rule> &rules);

// At least two pieces of about the same weight, about `parts` of them. The second one will be the unit's program number
// `first_slot`, those behind it follow.
[[nodiscard]] std::vector<RulesPiece> cut_rules(const sema::Program &program, std::span<const double> weights,
                                                std::size_t parts, std::size_t first_slot);

} // namespace xdpf
