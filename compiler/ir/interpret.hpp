// The reference meaning of a program: what it does with a packet and with its maps, without a kernel.
//
//   MapStore maps(module.maps);
//   Interpreter interpreter(module.programs[0], maps);
//   auto result = interpreter.run(packet, {.rx_queue = 2});
//
// A program that verify() takes does not fail here.
#pragma once

#include "compiler/ir/ir.hpp"
#include "compiler/ir/map_store.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>

namespace xdpf::ir {

// What the program sees of struct xdp_md besides the packet.
struct Context {
    std::uint32_t rx_queue = 0;
    std::uint32_t ingress_ifindex = 1;
};

struct RedirectTarget {
    MapId map;
    std::uint32_t key = 0;
    bool operator==(const RedirectTarget &) const = default;
};

struct RunResult {
    std::uint32_t verdict = 0;              // XDP_PASS, … of <linux/bpf.h>
    std::optional<RedirectTarget> redirect; // where the verdict is XDP_REDIRECT
    Span decided_by;                        // of the return that was reached: the rule
    std::uint64_t executed = 0;             // instructions and terminators
};

class Interpreter {
public:
    // Both must outlive the interpreter. The program's maps are those of the store.
    Interpreter(const Program &program, MapStore &maps);

    // The error tells of a broken program: it reached for bytes that the packet or a map's value does not have.
    [[nodiscard]] std::expected<RunResult, std::string> run(std::span<std::byte> packet, Context context = {});

private:
    const Program &program_;
    MapStore &maps_;
    IdVector<ValueId, std::uint64_t> values_;
    IdVector<SlotId, std::vector<std::byte>> slots_;
    std::vector<std::uint64_t> arguments_;

    friend class Execution;
};

} // namespace xdpf::ir
