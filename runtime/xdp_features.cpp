#include "runtime/xdp_features.hpp"

#include "runtime/netlink.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <cstring>

namespace xdpf::runtime {
namespace {

// Of <linux/netdev.h>, kernel 6.18.
constexpr std::uint8_t netdev_cmd_dev_get = 1;
constexpr std::uint16_t netdev_a_dev_ifindex = 1;
constexpr std::uint16_t netdev_a_dev_xdp_features = 3;
constexpr std::uint16_t netdev_a_dev_xdp_zc_max_segs = 4;
constexpr std::uint16_t netdev_a_dev_xdp_rx_metadata_features = 5;
constexpr std::uint16_t netdev_a_dev_xsk_features = 6;

// A u32 or a u64.
std::uint64_t number_in(std::span<const std::byte> value)
{
    std::uint64_t wide = 0;
    std::uint32_t narrow = 0;
    if (value.size() == sizeof wide)
        std::memcpy(&wide, value.data(), sizeof wide);
    else if (value.size() == sizeof narrow)
        std::memcpy(&narrow, value.data(), sizeof narrow);
    return wide | narrow;
}

void read_attribute(XdpFeatures &features, std::uint16_t type, std::uint64_t bits)
{
    const auto bit = [bits](unsigned number) { return (bits >> number & 1) != 0; };
    switch (type) {
    case netdev_a_dev_xdp_features:
        features.basic = bit(0);
        features.redirect = bit(1);
        features.ndo_xmit = bit(2);
        features.zero_copy = bit(3);
        features.offload = bit(4);
        features.rx_sg = bit(5);
        features.ndo_xmit_sg = bit(6);
        break;
    case netdev_a_dev_xdp_zc_max_segs: features.zero_copy_pieces = static_cast<std::uint32_t>(bits); break;
    case netdev_a_dev_xdp_rx_metadata_features:
        features.rx_timestamp = bit(0);
        features.rx_hash = bit(1);
        features.rx_vlan = bit(2);
        break;
    case netdev_a_dev_xsk_features:
        features.tx_timestamp = bit(0);
        features.tx_checksum = bit(1);
        break;
    default: break;
    }
}

} // namespace

std::optional<XdpFeatures> xdp_features_of(int interface)
{
    const Result<Fd> fd = netlink::open_generic();
    const std::uint16_t family = fd ? netlink::generic_family(fd->get(), "netdev") : 0;
    if (family == 0)
        return std::nullopt;
    netlink::Request request(family, 0);
    request.add_struct(genlmsghdr{.cmd = netdev_cmd_dev_get, .version = 1, .reserved = 0});
    request.attribute(netdev_a_dev_ifindex, static_cast<std::uint32_t>(interface));
    XdpFeatures features;
    const int code = netlink::ask(fd->get(), request, [&](const nlmsghdr &message) {
        netlink::for_each_attribute(netlink::generic_attributes(message),
                                    [&](std::uint16_t type, std::span<const std::byte> value) {
                                        read_attribute(features, type, number_in(value));
                                    });
    });
    return code == 0 ? std::optional(features) : std::nullopt;
}

} // namespace xdpf::runtime
