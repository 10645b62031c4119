// Runs the tests that stand in a source file in the kernel. Comparing with what they expect is the caller's: the
// interpreter's outcomes have the same shape.
#pragma once

#include "compiler/image.hpp"
#include "runtime/kernel_program.hpp"

#include <set>
#include <string>

namespace xdpf::runtime {

// What came of a group's packets.
struct KernelGroup {
    std::vector<PacketOutcome> packets; // one for each packet and time
    std::vector<KernelRecord> records;  // of all of them
    // As the program saw them. The interface differs from the test's where that is 1 and the queue is not 0: the
    // kernel's interface 1 is the loopback, which has one queue.
    Arrival arrival;
};

// A slot of a map to redirect into.
struct RedirectSlot {
    MapId map;
    std::uint32_t slot = 0;
    auto operator<=>(const RedirectSlot &) const = default;
};

// A program and its maps, over which the groups of a test run one after the other.
class KernelTest {
public:
    // Why the kernel cannot run it without a device; empty: it can.
    [[nodiscard]] static std::string cannot_run(const Image &image, std::size_t program);
    // Why the slots cannot be filled on this machine; empty: they can.
    [[nodiscard]] static std::string cannot_fill(const Image &image, const std::set<RedirectSlot> &met);
    // Slots of the redirect maps are filled: those that packets meet, as the interpreter says, and the first ones.
    [[nodiscard]] static Result<KernelTest> start(const Image &image, std::size_t program,
                                                  const std::set<RedirectSlot> &met = {});

    // Sets what the group sets, and runs its packets. Of its surroundings the receive queue and the interface: tests
    // that set others are not for the kernel (TestImage::not_in_kernel).
    [[nodiscard]] Result<KernelGroup> run(const TestGroup &group);

    // Its maps as the packets left them: program().lookup(map, key)
    [[nodiscard]] KernelProgram &program() { return program_; }

private:
    KernelTest(const Image &image, KernelProgram program) : image_(&image), program_(std::move(program)) {}

    [[nodiscard]] Result<void> set_contents(const TestContents &contents);
    [[nodiscard]] Result<void> set_parameters(const TestGroup &group);

    const Image *image_;
    KernelProgram program_;
    Arrival arrival_;
};

} // namespace xdpf::runtime
