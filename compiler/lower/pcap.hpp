// A classic BPF program as a piece of IR.
#pragma once

#include "compiler/ir/ir.hpp"
#include "compiler/pcap/program.hpp"

#include <span>

namespace xdpf::lowering {

// Where the piece begins: a block without an end, and the packet's pointers that are in force there.
struct PcapSite {
    ir::Program &program;
    ir::BlockId block;
    ir::ValueId packet_start;
    ir::ValueId packet_end;
    ir::Op length; // that asks for the packet's
    Span span;     // of everything that is made
};

// Ends the block, with more blocks behind it, in `yes` where the classic program returns something else than 0. What
// bpf_filter() of libpcap answers for a packet of up to 65,535 bytes, the whole of it captured: a load behind its end
// and a division by 0 are a no. `code` is sound in the sense of pcap::compile().
void lower_pcap(std::span<const pcap::Instruction> code, PcapSite site, const ir::Edge &yes, const ir::Edge &no);

} // namespace xdpf::lowering
