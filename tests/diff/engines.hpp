// One program over the same packets in every engine there is: the IR interpreter behind the passes and without them,
// the bytecode interpreter, the kernel. They have to agree about each packet and about what lies in the maps
// afterwards: the verdict, the bytes and the metadata that are left, the records of ring buffers.
#pragma once

#include "compiler/compile.hpp"
#include "tests/diff/packets.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xdpf::diff {

// What lies in a map beforehand; key and value as MapSpec lays them out.
struct Filling {
    std::string map;
    Bytes key;
    Bytes value;
};

struct Subject {
    std::string source; // its first program is run
    std::vector<Filling> fillings;
    std::uint32_t rx_queue = 0;
    bool rule_counters = false; // CompileOptions
    bool chance = false;        // asks for the time, random numbers or the processor: the kernel need not agree
    std::function<Compilation(const CompileOptions &)> make{}; // in place of a source
};

struct Findings {
    std::vector<std::uint32_t> verdicts; // of the unoptimised IR, one a packet
    std::vector<std::string> problems;   // at most a handful, each telling the packet; empty: all agree
    std::uint32_t instructions = 0;      // of the optimised program and the parts it is split into
    std::uint32_t verified = 0;          // instructions that the kernel's verifier walked; 0 where it was not asked
    std::uint32_t verified_of = 0;       // how many the program had that it walked most of
    unsigned through_llvm = 0;           // programs that LLVM made, where it is part of the build
    bool refused_by_compiler = false;    // with `too_large`, the one diagnostic that a right program may get
    bool refused_by_kernel = false;
};

enum class Engines : std::uint8_t { interpreters, all };

// The kernel gets programs of up to `most_instructions`: it patches each inlined helper by moving all that lies behind,
// so that large programs with many lookups take it minutes. Through LLVM go programs of up to XDPF_DIFF_LLVM of our own
// backend's instructions, and a share of the packets; 0 leaves it out.
[[nodiscard]] Findings compare_engines(const Subject &subject, std::span<const Packet> packets, Engines engines,
                                       std::size_t most_instructions = SIZE_MAX);

// Of all programs.
[[nodiscard]] std::size_t instructions_of(const Compilation &compilation);

// Whether programs can be loaded here.
[[nodiscard]] bool kernel_usable();

// An environment variable's number.
[[nodiscard]] std::uint64_t number_from_environment(const char *name, std::uint64_t otherwise);

} // namespace xdpf::diff
