// The passes, one a file. Each takes any sound program.
#pragma once

#include "compiler/ir/ir.hpp"

namespace xdpf::passes {

// Computes what can be computed now, simplifies arithmetic, decides branches. Leaves constants as right-hand operands
// and comparisons with constants in the branch itself.
void fold(ir::Program &program);

// Leaves out masks that change nothing by what branches on the way have shown. Leaves arithmetic that nobody uses.
void use_ranges(ir::Program &program);

// Removes unreachable blocks (the kernel's verifier refuses dead code), skips blocks that only jump, joins a block to
// the only one that jumps to it, makes a branch with two equal edges a jump, drops parameters that are always the same,
// shares the blocks that return one verdict.
void simplify_cfg(ir::Program &program);

// Computes things once, and anew after what they depend on may have changed: packet bytes after a store, the packet's
// ends after they were moved. Packet pointers are shared wherever the first stands on every path, so that a guard of
// one is a guard of all. Numbers are shared within a block only: a field that is kept in a register from rule to rule
// makes the kernel's verifier walk each path apart, since no two of its states are alike any more.
void share_values(ir::Program &program);

// The same, and numbers where few tests one behind the other look at them, with no other way in between.
void share_values_nearby(ir::Program &program);

// Makes one test of several that ask for bytes side by side and fail alike. Needs straight chains of blocks. Leaves
// tests that are jumps, and loads that nobody uses.
void merge_tests(ir::Program &program);

// Counts the constant part of a distance apart. Leaves arithmetic that nobody uses.
void split_distances(ir::Program &program);

// Leaves a rebase out where the kernel's verifier can as well walk what follows several times.
void drop_rebases(ir::Program &program);

// Makes each guard ask for all the bytes without which the packet ends where that guard leads anyway, and drops those
// that are answered then. Needs one value for one pointer and one block for one verdict.
void anticipate_guards(ir::Program &program);

// Drops guards whose answer is known, and widens a guard to the next one on the same pointer where both fail alike.
void merge_guards(ir::Program &program);

// Has the comparisons that lead out of a loop come before those that stay in it, and leaves out those that lead where
// all other values do. Needs comparisons with constants in the branch itself, and no blocks that only jump. Leaves no
// unreachable blocks.
void order_tests(ir::Program &program);

// In a chain of tests that fail alike, has those that few packets pass come first. Needs straight chains of blocks.
void decisive_first(ir::Program &program);

// Makes one of parts that do the same with different packet pointers, where it does not matter for which rule. Leaves
// blocks in a new order.
void share_tails(ir::Program &program);

// Turns big-endian loads that are only compared for equality (also behind a mask), or only stored big-endian, into
// little-endian ones, with the constants swapped instead.
void choose_byte_order(ir::Program &program);

// Drops results nobody uses, parameters nobody reads, slots nobody reads from or looks up with.
void remove_dead_code(ir::Program &program);

} // namespace xdpf::passes
