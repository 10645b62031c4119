// The program behind `xdpf capture`, made from a predicate. What the compiler says is about the predicate as it was
// typed, not about the program around it.
#pragma once

#include "compiler/compile.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::cli {

// Bytes that are sampled of a packet at most: the language's limit.
inline constexpr std::uint32_t longest_sample = 65'535;
// What a sample takes of the ring besides the packet's bytes, at most.
inline constexpr std::uint32_t sample_head = 48;

struct CaptureRules {
    std::string predicate; // empty: all packets
    std::vector<std::string> imports;
    bool steal = false;                         // packets go into sockets, and to the stack no more
    bool frags = false;                         // as the attribute of programs; of taps
    std::uint32_t snap_length = longest_sample; // of taps
    std::uint64_t ring_size = 8 << 20;          // of taps, in bytes: a power of two, with room for a sample
    Backend backend = Backend::own;
};

// Maps of taps: how many packets matched; samples of them. What matched and is no sample found the ring full.
inline constexpr std::string_view hits_map = "capture_hits";
inline constexpr std::string_view ring_map = "capture_ring";

struct CaptureProgram {
    Compilation compilation;
    Sources sources;         // the predicate as "<command line>"
    Diagnostics diagnostics; // about these
    // Whether the predicate is one, and nothing more: `udp -> drop match tcp` would make rules of its own.
    bool is_predicate = true;

    [[nodiscard]] bool ok() const { return compilation.ok() && is_predicate; }
};

[[nodiscard]] CaptureProgram compile_capture(const CaptureRules &rules);

} // namespace xdpf::cli
