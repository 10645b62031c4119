// Runs a program over given packets in the kernel, without an interface to attach to: BPF_PROG_TEST_RUN
// (Documentation/bpf/bpf_prog_run.rst).
#pragma once

#include "runtime/load.hpp"
#include "runtime/test_device.hpp"
#include "runtime/worker.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xdpf::runtime {

// Where a packet comes from, as the program sees it.
struct Arrival {
    std::uint32_t rx_queue = 0;
    std::uint32_t ingress_ifindex = 1;
};

struct PacketOutcome {
    std::optional<std::uint32_t>
        verdict;                   // the program's result, XDP_… of <linux/bpf.h>; a redirect's target is not known
    std::string skipped;           // why the kernel cannot run this packet
    std::vector<std::byte> left{}; // the metadata and the packet behind it, as the program leaves them
    std::size_t metadata = 0;      // so many bytes of `left`

    [[nodiscard]] std::span<const std::byte> packet() const { return std::span(left).subspan(metadata); }
};

// Of a ring buffer.
struct KernelRecord {
    MapId map;
    std::vector<std::byte> bytes;
};

struct TimedRuns {
    std::uint32_t verdict = 2;     // the last one's
    std::uint32_t nanoseconds = 0; // of one run, with the kernel's loop around it; what is behind the point is cut off
};

// A loaded program with a thread of its own to run on; nothing it does is seen outside. Per-CPU maps: a value is
// written for every CPU, and read where the program ran.
class KernelProgram {
public:
    // Packets outside these sizes (bytes) cannot be run.
    static constexpr std::size_t min_packet = 14;
    static constexpr std::size_t max_packet = 4096 - 256 - 320;

    [[nodiscard]] static Result<KernelProgram> load(const Image &image, std::size_t program = 0);
    KernelProgram(KernelProgram &&) noexcept;
    KernelProgram &operator=(KernelProgram &&) noexcept;
    ~KernelProgram();

    // The verdict of one packet.
    [[nodiscard]] Result<std::uint32_t> run(std::span<const std::byte> packet, Arrival arrival = {});
    // The verdicts of many, in order; quicker than one by one. Packets that cannot be run are skipped.
    [[nodiscard]] Result<std::vector<PacketOutcome>> run_all(std::span<const std::vector<std::byte>> packets,
                                                             Arrival arrival = {});
    [[nodiscard]] Result<std::vector<PacketOutcome>> run_all(std::span<const TestPacket> packets, Arrival arrival = {});
    // Runs it that often over one packet, without a look at the maps or the rings in between. What the program does to
    // the packet stays done for the next time.
    [[nodiscard]] Result<TimedRuns> time(std::span<const std::byte> packet, std::uint32_t repeat);
    // What the program has written into ring buffers since the last call, in order.
    [[nodiscard]] Result<std::vector<KernelRecord>> take_records();
    // Why the kernel cannot run it; empty: it can.
    [[nodiscard]] static std::string cannot_run(std::size_t packet_size, Arrival arrival);
    // The ingress_ifindex a program really sees: for queues other than 0, interface 1 is replaced by another.
    [[nodiscard]] Result<std::uint32_t> real_ifindex(Arrival arrival);

    // Queues, stacks and Bloom filters take no key.
    [[nodiscard]] Result<void> set(MapId map, std::span<const std::byte> key, std::span<const std::byte> value);
    // Puts something into a slot of a redirect map, which is enough for the verdict: an unbound socket, the loopback
    // interface, a processor (of those that the machine has).
    [[nodiscard]] Result<void> fill_slot(MapId map, std::uint32_t slot);
    [[nodiscard]] Result<void> clear_slot(MapId map, std::uint32_t slot);
    // The first 4096 slots at most; of cpumaps those of the machine's processors.
    [[nodiscard]] Result<void> fill_slots(MapId map);
    // Takes everything out; arrays get zeros. Not possible for Bloom filters.
    [[nodiscard]] Result<void> clear(MapId map);
    // The value of exactly this key (of prefix maps: this prefix, not a longer key's match). Of Bloom filters the key
    // is the value that is looked for.
    [[nodiscard]] Result<std::optional<std::vector<std::byte>>> lookup(MapId map, std::span<const std::byte> key) const;

    [[nodiscard]] const Loaded &loaded() const;

private:
    struct State;
    explicit KernelProgram(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

} // namespace xdpf::runtime
