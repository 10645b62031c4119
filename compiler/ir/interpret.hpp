// The reference meaning of a program: what it does with a packet and with its maps, without a kernel.
//
//   MapStore maps(module.maps);
//   Interpreter interpreter(module.programs[0], maps);
//   PacketBuffer packet(bytes);
//   auto result = interpreter.run(packet, {.rx_queue = 2});
//
// A program that verify() takes does not fail here, unless it ends in a block of instructions and nobody runs those.
#pragma once

#include "compiler/ir/ir.hpp"
#include "compiler/ir/map_store.hpp"
#include "compiler/ir/packet_buffer.hpp"

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace xdpf::ir {

// What the device tells of the packet; where it tells nothing, the program gets EOPNOTSUPP.
struct RxMetadata {
    struct Vlan {
        std::uint16_t protocol = 0; // an ethertype
        std::uint16_t tci = 0;
    };
    std::optional<std::uint32_t> hash;
    std::optional<std::uint64_t> timestamp; // ns
    std::optional<Vlan> vlan;
};

// What the program sees besides the packet.
struct Context {
    std::uint32_t rx_queue = 0;
    std::uint32_t ingress_ifindex = 1;
    std::uint32_t egress_ifindex = 0;
    std::uint32_t cpu = 0;
    std::uint64_t now = 0;  // ns of CLOCK_MONOTONIC, the same for the whole run
    std::uint64_t seed = 0; // of RandomNumbers
    RxMetadata rx;
};

// What `random` gives: the same numbers for the same seed, here and wherever else a program is run without a kernel.
class RandomNumbers {
public:
    explicit RandomNumbers(std::uint64_t seed) : state_(seed) {}

    std::uint32_t next();

private:
    std::uint64_t state_;
};

struct RedirectTarget {
    MapId map;
    std::uint32_t key = 0;        // no meaning in a broadcast
    bool broadcast = false;       // to every entry
    bool exclude_ingress = false; // but not to where the packet came from
    bool operator==(const RedirectTarget &) const = default;
};

// What was handed to user space.
struct RingRecord {
    MapId map;
    std::vector<std::byte> bytes;
};

// The slot is filled: the run is over, and whoever started it goes on with the program there, with the packet and the
// maps as they are now. (A program in here does not know which programs the slots hold.)
struct TailCall {
    MapId map;
    std::uint32_t slot = 0;
    bool operator==(const TailCall &) const = default;
};

struct RunResult {
    std::uint32_t verdict = 0;              // XDP_PASS, … of <linux/bpf.h>; no meaning with a tail call
    std::optional<RedirectTarget> redirect; // where the verdict is XDP_REDIRECT
    Span decided_by;                        // of the return or the tail call that was reached: the rule
    std::uint64_t executed = 0;             // instructions and terminators
    std::vector<RingRecord> records;        // in the order in which they were submitted
    std::optional<TailCall> tail_call;
};

// What a block of instructions has to do with: everything is as the program left it. Sets result.verdict, and
// whatever else comes of it.
struct AsmRun {
    const AsmBlock &block;
    PacketBuffer &packet;
    const Context &context;
    RandomNumbers &random;
    MapStore &maps;
    RunResult &result;
};
// The error ends the run. It stands for the machine that this library does not know.
using AsmHook = std::function<std::expected<void, std::string>(AsmRun)>;

class Interpreter {
public:
    // Both must outlive the interpreter. The program's maps are those of the store.
    Interpreter(const Program &program, MapStore &maps);

    // The error tells of a broken program: it reached for bytes that the packet or a map's value does not have.
    [[nodiscard]] std::expected<RunResult, std::string> run(PacketBuffer &packet, const Context &context = {});
    // For programs that leave the packet's ends where they are. Of others, as many bytes are written back as `packet`
    // has and the packet then has, from its new start.
    [[nodiscard]] std::expected<RunResult, std::string> run(std::span<std::byte> packet, const Context &context = {});

    // Without one, a program that comes to a block of instructions fails.
    void set_asm_hook(AsmHook hook) { asm_hook_ = std::move(hook); }

private:
    const Program &program_;
    MapStore &maps_;
    AsmHook asm_hook_;
    PacketBuffer buffer_; // for packets that come as a span
    IdVector<ValueId, std::uint64_t> values_;
    IdVector<SlotId, std::vector<std::byte>> slots_;
    std::vector<std::uint64_t> arguments_;

    friend class Execution;
};

} // namespace xdpf::ir
