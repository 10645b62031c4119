// Packets that the kernel gives up, counted at its tracepoints (include/trace/events/xdp.h). Programs there are told of
// every network namespace and every program: what is of interest is the reader's to choose.
#pragma once

#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xdpf::runtime::why {

enum class Event : std::uint32_t {
    redirect_error, // subject: the map's id, 0 without one; object: the key, or an interface; owner: the program's id
    exception,      // subject: XDP_…; owner: the program's id
    devmap_drop,    // subject: the interface from which, object: to which; owner: the network namespace's inode
    tx_drop,        // subject: the interface; owner: the network namespace's inode
    cpumap_full,    // subject: the map's id; object: the processor
    cpumap_drop     // subject: the map's id; packets that its thread could not make an skb of
};

struct Lost {
    Event event{};
    std::uint32_t subject = 0;
    std::uint32_t object = 0;
    std::uint32_t owner = 0;
    std::int32_t error = 0; // -errno; 0: the tracepoint tells none
    std::uint64_t packets = 0;
};

// Counts as long as it lives.
class Traces {
public:
    // Attaches what this kernel has.
    Traces();
    // Tracepoints that are not there or cannot be used, each with the reason.
    [[nodiscard]] const std::vector<std::string> &missing() const { return missing_; }
    [[nodiscard]] Result<std::vector<Lost>> read() const;

private:
    Fd counts_;
    std::vector<Fd> attached_; // the tracepoint's, behind its program's
    std::vector<std::string> missing_;
};

} // namespace xdpf::runtime::why
