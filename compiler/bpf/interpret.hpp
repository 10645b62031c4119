// Runs BPF instructions over a packet without a kernel, more strictly than the machine would: a read of a register or
// of stack bytes that nothing was written to, any access outside context, packet, stack and map values, and an unknown
// instruction are errors. Knows the instructions and helpers that this compiler makes.
#pragma once

#include "compiler/image.hpp"
#include "compiler/ir/interpret.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>

namespace xdpf::bpf {

struct Outcome {
    std::uint32_t verdict = 0;                  // XDP_PASS, … of <linux/bpf.h>
    std::optional<ir::RedirectTarget> redirect; // where the verdict is XDP_REDIRECT
    std::uint64_t executed = 0;                 // instructions
};

// `maps` are those that the program's references number. The error says what the program did, and at which instruction.
[[nodiscard]] std::expected<Outcome, std::string> interpret(const ProgramImage &program, ir::MapStore &maps,
                                                            std::span<std::byte> packet, ir::Context context = {});

} // namespace xdpf::bpf
