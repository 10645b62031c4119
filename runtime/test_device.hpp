// Interfaces that exist only to be named as the one a packet came from: veth pairs in a network namespace that goes
// when its thread does.
#pragma once

#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace xdpf::runtime {

struct VethOptions {
    std::string name;
    std::string peer;
    std::uint32_t index = 0; // 0: the kernel chooses
    std::uint32_t peer_index = 0;
    std::uint32_t queues = 1; // of `name`, for receiving and sending; at most 4096
    std::uint32_t peer_queues = 1;
};
// A veth pair in the calling thread's namespace, both ends up.
[[nodiscard]] Result<void> make_veth(const VethOptions &options);

// All functions, and the destructor, belong to the thread that the first call was made on: it moves to a network
// namespace of its own.
class TestDevices {
public:
    static constexpr std::uint32_t max_queues = 4096;

    // The index of an interface with that receive queue, registered for XDP. It is `wanted` unless that is 1, the
    // loopback interface, which has no queues to speak of: then it is another.
    [[nodiscard]] Result<std::uint32_t> with_queue(std::uint32_t wanted, std::uint32_t queue);

private:
    Result<void> enter_namespace();

    bool entered_ = false;
    Fd program_;                                    // attached to each, which is what registers the queues
    std::map<std::uint32_t, std::uint32_t> queues_; // by interface index
};

} // namespace xdpf::runtime
