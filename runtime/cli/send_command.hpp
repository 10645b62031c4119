// `xdpf send`: packets as a test writes them, or a capture's, put on the wire.
#pragma once

#include "runtime/cli/source.hpp"
#include "runtime/sender.hpp"

#include <string>
#include <vector>

namespace xdpf::cli {

struct SendCommandOptions {
    runtime::SendOptions send;
    std::vector<std::string> packets; // as in tests: ethernet / ipv4 / udp(dport = 53)
    std::string capture;              // or a pcap or pcapng file; "-" is standard input
    bool json = false;
    bool quiet = false;
};

// Sends until a limit or a signal. Status 0, or 1 after an error or where packets were lost on the way into the kernel.
[[nodiscard]] int send(const SendCommandOptions &options);

} // namespace xdpf::cli
