// Names of drivers' counters, as drivers of the kernel's drivers/net spell them.
#include "runtime/ethtool.hpp"

#include <doctest/doctest.h>

using xdpf::runtime::ethtool::queue_of_counter;

TEST_CASE("the queue of a counter of received packets")
{
    CHECK(queue_of_counter("rx_queue_0_packets") == 0);       // ixgbe, virtio_net
    CHECK(queue_of_counter("rx_queue_13_xdp_packets") == 13); // veth
    CHECK(queue_of_counter("rx-3.packets") == 3);             // i40e
    CHECK(queue_of_counter("rx7_packets") == 7);              // mlx5
    CHECK(queue_of_counter("rx_0_packets") == 0);             // gve and others
}

TEST_CASE("other counters are of no queue")
{
    for (const char *name :
         {"", "rx", "rx_", "rx_packets", "tx_queue_0_packets", "rx_queue_0_bytes", "rx_queue_0_drops",
          "rx_queue_packets", "peer_ifindex", "rx0_xdp_drop", "rx_queue_99999999999_packets", "rx-3.packets_64"})
        CHECK_FALSE(queue_of_counter(name).has_value());
}
