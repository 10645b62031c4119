// Runs BPF instructions over a packet without a kernel, more strictly than the machine would: a read of a register or
// of stack bytes that nothing was written to, any access outside context, packet, metadata, stack, map values and
// records, a pointer to the packet from before its ends were moved, a record that is not submitted, and an unknown
// instruction are errors. Knows every instruction that a program without loops and subprograms can have, and the
// helpers that this compiler calls or lets be called.
#pragma once

#include "compiler/image.hpp"
#include "compiler/ir/interpret.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xdpf::bpf {

struct Outcome {
    std::uint32_t verdict = 0;                  // XDP_PASS, … of <linux/bpf.h>; no meaning with a tail call
    std::optional<ir::RedirectTarget> redirect; // where the verdict is XDP_REDIRECT and a map was named
    std::uint64_t executed = 0;                 // instructions
    std::vector<ir::RingRecord> records;        // in the order in which they were submitted
    std::optional<ir::TailCall> tail_call;      // the caller goes on with that program
};

// `maps` are those that the program's references number. The error says what the program did, and at which instruction.
[[nodiscard]] std::expected<Outcome, std::string> interpret(const ProgramImage &program, ir::MapStore &maps,
                                                            ir::PacketBuffer &packet, const ir::Context &context = {});
// For programs that leave the packet's ends where they are; of others, as many bytes are written back as there are.
[[nodiscard]] std::expected<Outcome, std::string> interpret(const ProgramImage &program, ir::MapStore &maps,
                                                            std::span<std::byte> packet,
                                                            const ir::Context &context = {});

// What the interpreter of the IR wants for blocks of instructions: ir::Interpreter::set_asm_hook(bpf::run_asm).
[[nodiscard]] std::expected<void, std::string> run_asm(ir::AsmRun run);

} // namespace xdpf::bpf
