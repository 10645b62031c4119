// A classic BPF program (the kernel's Documentation/networking/filter.rst): an accumulator A, an index register X and
// sixteen cells of memory, all of 32 bits, and jumps that only go forward. It ends in a number; 0 means no.
#pragma once

#include <cstdint>
#include <vector>

namespace xdpf::pcap {

struct Instruction {
    std::uint16_t code = 0; // BPF_CLASS, BPF_OP, … of <linux/bpf_common.h>
    std::uint8_t jt = 0;    // of a conditional jump: instructions to skip if it holds
    std::uint8_t jf = 0;    // and if not
    std::uint32_t k = 0;
    bool operator==(const Instruction &) const = default;
};

using Program = std::vector<Instruction>;

} // namespace xdpf::pcap
