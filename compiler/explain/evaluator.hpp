// What a program means for one packet, straight from the typed program: headers are looked for in the bytes, conditions
// are evaluated as they are written, rules are tried in order. No intermediate representation has a part in it, which
// makes it a second opinion about everything behind the analysis; and since it follows the source, it can say why a
// rule did not match.
//
//   Evaluator evaluator(unit, sources);
//   const Outcome outcome = evaluator.run({packet}, maps, Detail::reasons);
//   outcome.rule                // the rule that decided
//   outcome.tried[0].reason     // "udp.dport is 80, not 53"
#pragma once

#include "compiler/explain/maps.hpp"
#include "compiler/sema/typed.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xdpf::explain {

// A packet and what a program sees besides its bytes.
struct Arrival {
    std::span<const std::byte> packet;
    std::uint32_t rx_queue = 0;
    std::uint32_t ingress_ifindex = 1;
    std::optional<std::uint64_t> now = std::nullopt; // nanoseconds; without it, what reads it is uncertain
};

// A rule with an action; those of nested matches are counted, the match around them is not.
struct RuleInfo {
    std::size_t number = 0; // from 1, in source order
    Span head;              // `match udp`, `default`
};

// A rule in front of the one that decided.
struct Tried {
    std::size_t rule = 0; // index into Evaluator::rules()
    bool matched = false; // and went on to the next
    std::string reason;   // which comparison failed, and with which value
};

struct Outcome {
    std::uint32_t verdict = 2;       // XDP_… of <linux/bpf.h>
    MapId redirect_map;              // of a redirect
    std::uint32_t redirect_key = 0;  // of a redirect
    std::optional<std::size_t> rule; // the one that decided, an index into Evaluator::rules(); none: no rule matched
    std::vector<Tried> tried;        // with Detail::reasons
    // Part of the program cannot be evaluated here (instructions, random numbers): another engine may say otherwise.
    bool certain = true;
    std::size_t sure = 0; // so many of `tried` are certain in any case
};

enum class Detail : std::uint8_t { outcome, reasons };

// Whether a condition holds for a packet.
struct Answer {
    bool holds = false;
    bool certain = true; // as Outcome::certain
    std::string reason;  // why it does not hold
};

class Evaluation;

// One program of a unit. Unit and sources must outlive it.
class Evaluator {
public:
    Evaluator(const sema::Unit &unit, const Sources &sources, std::size_t program = 0);
    Evaluator(Evaluator &&) noexcept;
    Evaluator &operator=(Evaluator &&) noexcept;
    ~Evaluator();

    [[nodiscard]] const std::vector<RuleInfo> &rules() const;
    // What the steps of rules do to the maps is done.
    [[nodiscard]] Outcome run(const Arrival &arrival, Maps &maps, Detail detail = Detail::outcome);

    // The last packet as the program left it, its checksums not followed; as long as the packet and this live.
    [[nodiscard]] std::span<const std::byte> packet() const;

    // Of any condition of the unit.
    [[nodiscard]] Answer holds(sema::PredId predicate, const Arrival &arrival, Maps &maps);
    // The field that the first of these bits of a byte belongs to, "ipv4.ttl"; "payload" behind all headers, nothing
    // where no field is known there.
    [[nodiscard]] std::string field_at(std::span<const std::byte> packet, std::size_t byte, std::byte bits);

private:
    std::unique_ptr<Evaluation> evaluation_;
};

} // namespace xdpf::explain
