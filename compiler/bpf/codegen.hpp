// The IR of a program to the kernel's BPF instructions.
#pragma once

#include "compiler/bpf/assembler.hpp"
#include "compiler/image.hpp"
#include "compiler/ir/ir.hpp"

#include <expected>

namespace xdpf::bpf {

// What the kernel accepts (kernel/bpf/verifier.c).
constexpr std::size_t max_insns = 1'000'000; // BPF_COMPLEXITY_LIMIT_INSNS; also of all steps that the verifier takes
// It takes several for an instruction that is reached in several states. Measured over random programs and access lists
// of ours: 1.1 to 9.0; more in short programs, most of which are loops.
constexpr std::size_t steps_per_insn = 12;
constexpr std::size_t max_verified_insns = max_insns / steps_per_insn;
constexpr std::size_t max_stack = 512;             // bytes, MAX_BPF_STACK
constexpr std::size_t max_pending_branches = 8192; // on one path; BPF_COMPLEXITY_LIMIT_JMP_SEQ

// A limit that the program does not keep; the IR itself is taken to be right (ir::verify()).
struct CodegenError {
    enum class Kind : std::uint8_t {
        too_many_insns, // for the verifier to walk through
        stack_too_large,
        too_many_branches, // pending on one path when the verifier walks it
        jump_too_far,      // with Options::far_jumps == FarJumps::refuse
    };
    Kind kind{};
    std::uint64_t amount = 0; // what the program has
    std::uint64_t limit = 0;  // what the kernel allows
    std::string program;
    Span span; // the program's
};

// How much of what the kernel's verifier gets through instructions take: 1 is all of it.
[[nodiscard]] double share_of_verifier(const std::vector<Insn> &insns);

struct Options {
    FarJumps far_jumps = FarJumps::relax;
};

// `sources` may be null: then the program has no line entries.
[[nodiscard]] std::expected<ProgramImage, CodegenError> generate(const ir::Program &program, const Sources *sources,
                                                                 const Options &options = {});

// The end of that, for instructions of any origin: the limits, and the lines. `spans`: by the tags of the marks.
[[nodiscard]] std::expected<ProgramImage, CodegenError> finish(const ir::Program &program, Assembly assembly,
                                                               const std::vector<Span> &spans, const Sources *sources);

} // namespace xdpf::bpf
