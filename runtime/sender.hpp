// Puts packets on the wire, at a rate: over the TX ring of an AF_XDP socket, or made by the kernel itself
// (BPF_F_TEST_XDP_LIVE_FRAMES, Documentation/bpf/bpf_prog_run.rst).
#pragma once

#include "runtime/queue.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xdpf::runtime {

struct OutgoingPacket {
    std::vector<std::byte> bytes;
    std::chrono::nanoseconds since_last{}; // what `timed` keeps
};

struct SendOptions {
    std::string interface {
    };
    std::uint32_t queue = 0;
    std::optional<std::uint64_t> count{};                // packets; none: each once, with `duration` until then
    std::optional<std::chrono::milliseconds> duration{}; // the list begins anew as often as that takes
    double rate = 0;                                     // packets a second; 0: as fast as it goes
    std::uint32_t burst = 64;                            // packets that go at once
    bool timed = false; // as far apart as OutgoingPacket::since_last says, not by `rate`
    // The kernel makes the frames, all copies of one packet before the next one's. They leave by the driver's
    // ndo_xdp_xmit, which veth has only if its peer receives by NAPI (an XDP program or GRO there).
    bool live_frames = false;
    QueueOptions socket{};
};

struct SendSummary {
    std::uint64_t packets = 0; // given to the kernel
    std::uint64_t bytes = 0;
    std::uint64_t completed = 0; // of these, what it is done with
    std::uint64_t refused = 0;   // what it did not take (tx_invalid_descs)
    std::uint64_t kicks = 0;     // system calls
    std::chrono::duration<double> elapsed{};
    std::optional<InterfaceCounters> interface; // gained meanwhile
};

// Until the count or the duration is over, or `stop` says so, which is asked now and then. Errors: no such interface,
// no rights, a packet that the interface does not take, the interface goes away.
[[nodiscard]] Result<SendSummary> send(std::span<const OutgoingPacket> packets, const SendOptions &options,
                                       const std::function<bool()> &stop);

} // namespace xdpf::runtime
