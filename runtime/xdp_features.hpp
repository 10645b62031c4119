// What a driver says it can do with XDP: the generic netlink family "netdev", kernel 6.3
// (Documentation/netlink/specs/netdev.yaml; <linux/netdev.h> is younger than the headers of some distributions).
#pragma once

#include <cstdint>
#include <optional>

namespace xdpf::runtime {

// enum netdev_xdp_act.
struct XdpFeatures {
    bool basic = false;    // a program in native mode: drop, pass, tx, aborted
    bool redirect = false; // and redirect
    bool ndo_xmit = false; // others' programs can redirect to this interface
    bool zero_copy = false;
    bool offload = false;
    bool rx_sg = false;       // packets in several pieces
    bool ndo_xmit_sg = false; // and takes them, too
    std::uint32_t zero_copy_pieces = 0;
    // enum netdev_xdp_rx_metadata
    bool rx_timestamp = false;
    bool rx_hash = false;
    bool rx_vlan = false;
    // enum netdev_xsk_flags
    bool tx_timestamp = false;
    bool tx_checksum = false;
};

// Nothing where the kernel does not say.
[[nodiscard]] std::optional<XdpFeatures> xdp_features_of(int interface);

} // namespace xdpf::runtime
