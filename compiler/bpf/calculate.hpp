// What arithmetic and comparisons come to (the kernel's Documentation/bpf/standardization/instruction-set.rst).
#pragma once

#include "compiler/bpf/insn.hpp"

#include <optional>

namespace xdpf::bpf {

// Newer than the headers of Linux 6.1.
inline constexpr unsigned mode_mem_sx = 0x80; // BPF_MEMSX: a load that extends by the sign

// Of an instruction of class BPF_ALU or BPF_ALU64: `a` is what the destination holds, `b` the other operand. Nothing
// for an instruction that there is not.
[[nodiscard]] std::optional<std::uint64_t> calculate(Insn insn, std::uint64_t a, std::uint64_t b);

// Of a conditional jump.
[[nodiscard]] std::optional<bool> holds(Insn insn, std::uint64_t a, std::uint64_t b);

// Of an atomic instruction on `bytes` bytes that hold `old`: what they hold afterwards. `other` is r0, for comparing
// exchanges.
[[nodiscard]] std::optional<std::uint64_t> exchange(Insn insn, std::uint64_t old, std::uint64_t operand,
                                                    std::uint64_t other);

// The lowest bits extended by their sign; 8, 16, 32 or 64.
[[nodiscard]] std::uint64_t sign_extended(std::uint64_t number, unsigned bits);

} // namespace xdpf::bpf
