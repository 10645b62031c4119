// Bounds of numbers as the kernel's verifier derives them (adjust_scalar_min_max_vals and reg_set_min_max in
// kernel/bpf/verifier.c), only where every version since 5.10 does. Private to this folder.
#pragma once

#include "compiler/bpf/asm_state.hpp"
#include "compiler/bpf/insn.hpp"

namespace xdpf::bpf {

// The result of `a op b`; of the lower 32 bits where not `wide`.
[[nodiscard]] Value calculate(Alu op, const Value &a, const Value &b, bool wide);
// What is left of a number.
[[nodiscard]] Value low_half(const Value &value);
// The number where `value test limit` holds.
[[nodiscard]] Value narrowed(const Value &value, Test test, std::uint64_t limit);
// `b mirrored(test) a` is `a test b`.
[[nodiscard]] Test mirrored(Test test);

} // namespace xdpf::bpf
