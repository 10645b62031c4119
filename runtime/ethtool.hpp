// What ethtool shows of an interface of the calling thread's network namespace: <linux/ethtool.h>. Each is one question
// to the driver; what a driver does not say is empty or 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::runtime::ethtool {

[[nodiscard]] std::string driver_of(const std::string &interface); // "veth", "ixgbe"

struct Channels {
    std::uint32_t receive = 0; // in use, alone or combined with sending
    std::uint32_t send = 0;
    std::uint32_t most_receive = 0; // that `ethtool -L` can set
    bool combined = false;
};
[[nodiscard]] Channels channels_of(const std::string &interface);

struct Offloads {
    std::optional<bool> tx_checksum;
    std::optional<bool> gro;
    std::optional<bool> lro;
    std::optional<bool> rx_vlan;
    std::optional<bool> tx_vlan;
};
[[nodiscard]] Offloads offloads_of(const std::string &interface);

// The queue of each slot that a packet's hash can name; empty where the driver spreads in another way, or not at all.
[[nodiscard]] std::vector<std::uint32_t> indirection_of(const std::string &interface);
// Whether the ports of UDP over IPv4 take part in that hash.
[[nodiscard]] std::optional<bool> udp_ports_hashed(const std::string &interface);

struct Counter {
    std::string name; // the driver's: "rx_queue_0_packets"
    std::uint64_t value = 0;
};
[[nodiscard]] std::vector<Counter> counters_of(const std::string &interface);

// If a counter's name is that of packets received on one queue: the queue. Drivers name them rx_queue_0_packets,
// rx-0.packets, rx0_packets and the like.
[[nodiscard]] std::optional<std::uint32_t> queue_of_counter(std::string_view name);

} // namespace xdpf::runtime::ethtool
