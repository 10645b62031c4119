// Runs the tests that stand in a source file in the kernel. Comparing with what they expect is the caller's: the
// interpreter's outcomes have the same shape.
#pragma once

#include "compiler/image.hpp"
#include "runtime/kernel_program.hpp"

namespace xdpf::runtime {

struct KernelOutcome {
    std::vector<PacketOutcome> packets; // as TestImage::packets
    // As the program saw it. Differs from the test's where that is 1 and the queue is not 0: the kernel's interface 1
    // is the loopback, which has one queue.
    std::uint32_t ingress_ifindex = 1;
    KernelProgram program; // with its maps as the packets left them: program.lookup(map, key)
};

// Every slot of the XSKMAPs is filled, except of those in `cleared`, which hold the test's entries only.
[[nodiscard]] Result<KernelOutcome> run_in_kernel(const Image &image, const TestImage &test);

} // namespace xdpf::runtime
