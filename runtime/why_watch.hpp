// What was seen of a program, its interface, its sockets and their process before, during and after a watch; and what
// follows from it. Private to runtime/why.hpp.
#pragma once

#include "runtime/attached.hpp"
#include "runtime/interface.hpp"
#include "runtime/program_maps.hpp"
#include "runtime/running.hpp"
#include "runtime/why.hpp"
#include "runtime/why_sockets.hpp"
#include "runtime/why_traces.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::runtime::why {

struct Look {
    Interface interface;
    std::map<std::uint32_t, std::uint64_t> queues;   // packets received, as far as the driver counts them
    std::map<std::string, std::uint64_t> interfaces; // packets received, of all there are
    std::optional<VerdictCounts> verdicts;           // nothing: they are not counted
    std::vector<RuleCount> rules;                    // empty: they are not counted
    std::vector<std::optional<SocketState>> sockets; // by Watched::sockets
};

struct Watched {
    const Running &running;
    Look before;
    Look after;
    double seconds = 0;
    AttachedProgram attached; // at the end
    bool ended = false;       // its process is gone, or took it away itself
    std::string process;      // process_state() at the end
    std::vector<SocketView> sockets;
    std::vector<Error> unseen; // sockets and slots that cannot be looked at
    std::vector<SlotView> slots;
    std::vector<Lost> lost;
    std::vector<std::string> no_traces;

    [[nodiscard]] const Registered &entry() const { return running.entry(); }
    [[nodiscard]] std::optional<VerdictCounts> verdicts() const; // during the watch
    [[nodiscard]] std::uint64_t packets() const;                 // that arrived, by verdicts, else by the interface
};

[[nodiscard]] Result<Watched> watch(const Running &running, std::chrono::milliseconds duration);

// "12 packets", "1 packet"
[[nodiscard]] std::string packets_text(std::uint64_t packets);
[[nodiscard]] std::string per_second(std::uint64_t packets, double seconds); // "12.5 k/s"
// The command that puts it to work again, as far as it is known.
[[nodiscard]] std::string how_to_start(const Registered &entry);

void find_program(std::vector<WhyFinding> &out, const Watched &watched);
void find_traffic(std::vector<WhyFinding> &out, const Watched &watched);
void find_queues(std::vector<WhyFinding> &out, const Watched &watched);
void find_sockets(std::vector<WhyFinding> &out, const Watched &watched);
void find_redirects(std::vector<WhyFinding> &out, const Watched &watched);
void find_rules(std::vector<WhyFinding> &out, const Watched &watched);
void tell_flow(std::vector<WhyFinding> &out, const Watched &watched);

} // namespace xdpf::runtime::why
