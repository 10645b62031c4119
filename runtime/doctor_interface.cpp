// An interface: whether it is there and up, which modes its driver has, whether packets fit.
#include "runtime/attached.hpp"
#include "runtime/doctor_parts.hpp"
#include "runtime/ethtool.hpp"
#include "runtime/umem.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>

#include <memory>
#include <utility>

namespace xdpf::runtime {
namespace {

// What native mode leaves of a page of 4096 bytes for a packet and its Ethernet header: XDP_PACKET_HEADROOM (256) and
// the kernel's struct skb_shared_info (320) go off.
constexpr std::uint32_t native_mtu = 4096 - 256 - 320 - 14;

std::string driver_text(const Interface &interface)
{
    std::string driver = ethtool::driver_of(interface.name);
    if (!driver.empty())
        return driver;
    return interface.kind.empty() ? "its driver gives no name" : interface.kind;
}

Finding no_carrier(const Interface &interface, const std::string &name, const std::optional<doctor::Peer> &peer)
{
    const bool veth = interface.kind == "veth";
    return {"interface.link", Level::problem, fmt::format("{} has no carrier", name),
            veth ? "nothing arrives: the other end of the veth pair is down"
                 : "nothing arrives: no cable, or the other side is down",
            peer   ? fmt::format("{}ip link set dev {} up", peer->enter, peer->name)
            : veth ? "ip link set dev PEER up   (in the namespace of the other end)"
                   : fmt::format("ethtool {}", interface.name)};
}

void check_drops(std::vector<Finding> &out, const Interface &interface)
{
    const InterfaceCounters &counters = interface.counters;
    const std::string received =
        fmt::format("{} packet{} received", counters.rx_packets, counters.rx_packets == 1 ? "" : "s");
    if (counters.rx_dropped == 0)
        out.push_back({"interface.drops", Level::ok, received + ", none dropped by the interface", "", ""});
    else
        out.push_back(
            {"interface.drops", Level::note,
             fmt::format("{}, and {} dropped by the interface", received, counters.rx_dropped),
             "since it exists: for want of buffers, or of somebody who wanted them; what a program or a socket "
             "drops is counted elsewhere",
             fmt::format("ip -stats -stats link show dev {}", interface.name)});
}

std::string abilities(const XdpFeatures &features)
{
    std::vector<std::string_view> words;
    for (const auto &[there, word] :
         {std::pair(features.redirect, "redirect"), std::pair(features.ndo_xmit, "takes redirected packets"),
          std::pair(features.zero_copy, "zero-copy"), std::pair(features.rx_sg, "frags"),
          std::pair(features.offload, "offload"), std::pair(features.rx_hash, "rx_hash"),
          std::pair(features.rx_timestamp, "rx_timestamp"), std::pair(features.rx_vlan, "rx_vlan"),
          std::pair(features.tx_checksum, "tx checksums"), std::pair(features.tx_timestamp, "tx timestamps")})
        if (there)
            words.emplace_back(word);
    return fmt::format("{}", fmt::join(words, ", "));
}

struct FreeNames {
    void operator()(struct if_nameindex *names) const { if_freenameindex(names); }
};

// A veth has native XDP while it has a queue for each that its peer sends on.
Finding no_native(const Interface &interface, const std::optional<doctor::Peer> &peer)
{
    const std::string why = "programs run in skb mode, which is slower and always copies; --mode=native is refused";
    if (interface.kind != "veth")
        return {"interface.native", Level::note, "its driver has no native XDP", why,
                fmt::format("ethtool -i {}   (which driver it is)", interface.name)};
    const std::string what = "no native XDP now: the peer sends on more queues than this end has";
    if (!peer)
        return {"interface.native", Level::warning, what, why,
                fmt::format("ethtool -l {}   (here, and at the peer)", interface.name)};
    const bool can_grow = ethtool::channels_of(interface.name).most_receive >= peer->channels.send;
    return {"interface.native", Level::warning, what, why,
            can_grow ? fmt::format("ethtool -L {} rx {}", interface.name, peer->channels.send)
                     : fmt::format("{}ethtool -L {} tx {}", peer->enter, peer->name, interface.receive_queues)};
}

} // namespace

namespace doctor {

Finding link_state(const Interface &interface, const std::optional<Peer> &peer)
{
    const std::string name = fmt::format("{} ({})", interface.name, driver_text(interface));
    if (!interface.up)
        return {"interface.link", Level::problem, fmt::format("{} is down", name),
                "nothing arrives, and a zero-copy socket cannot be bound",
                fmt::format("ip link set dev {} up", interface.name)};
    if (!interface.running)
        return no_carrier(interface, name, peer);
    return {"interface.link", Level::ok, fmt::format("{} is up and has a carrier", name), "", ""};
}

void check_modes(std::vector<Finding> &out, const Interface &interface, const Features &features,
                 const std::optional<Peer> &peer)
{
    if (!features) {
        out.push_back(
            {"interface.native", Level::note, "the kernel does not say what the driver can do with XDP",
             "it tells since 6.3; `xdpf run` finds out by trying",
             fmt::format("xdpf run -e 'match udp -> pass' -i {} --mode native --duration 1s", interface.name)});
        return;
    }
    if (!features->basic) {
        out.push_back(no_native(interface, peer));
        return;
    }
    const std::string more = abilities(*features);
    out.push_back(
        {"interface.native", Level::ok, fmt::format("native XDP{}{}", more.empty() ? "" : ": ", more), "", ""});
    if (!features->redirect)
        out.push_back({"interface.redirect", Level::problem, "its driver has native XDP, and no redirect",
                       "packets that go to sockets or other interfaces are lost in native mode",
                       fmt::format("xdpf run FILE -i {} --mode skb", interface.name)});
    if (!features->zero_copy)
        out.push_back({"interface.zero_copy", Level::note, "no zero-copy: packets are copied into the sockets",
                       "--zero-copy is refused; copying takes some 50 ns a packet", ""});
}

void check_mtu(std::vector<Finding> &out, const Interface &interface, const Features &features)
{
    const std::uint32_t frame = frame_room(4096, UmemOptions().headroom);
    const bool native = !features || features->basic;
    if (interface.mtu <= native_mtu) {
        out.push_back({"interface.mtu", Level::ok,
                       fmt::format("the MTU of {} fits into a page, and a packet into a frame", interface.mtu), "",
                       ""});
    } else if (native) {
        out.push_back(
            {"interface.mtu", Level::warning,
             fmt::format("the MTU is {}, and native mode wants {} or less", interface.mtu, native_mtu),
             fmt::format("native mode is refused unless the filter says `frags`; packets longer than {} bytes do "
                         "not fit into a socket's frame",
                         frame),
             fmt::format("ip link set dev {} mtu 1500   (on both ends of a veth pair)", interface.name)});
    } else {
        out.push_back({"interface.mtu", Level::note,
                       fmt::format("the MTU is {}, and a socket's frame takes {} bytes", interface.mtu, frame),
                       "longer packets that go to a socket are dropped",
                       fmt::format("ip link set dev {} mtu 1500", interface.name)});
    }
}

void check_attached(std::vector<Finding> &out, const Interface &interface)
{
    const AttachedProgram there = find_attached(interface);
    if (there.id == 0)
        out.push_back({"interface.attached", Level::ok, "no XDP program is attached", "", ""});
    else
        out.push_back({"interface.attached", Level::warning, describe(there),
                       "an interface takes one program: `xdpf run` is refused as long as it is there",
                       how_to_remove(there, interface)});
}

} // namespace doctor

std::vector<Finding> check_interface(const std::string &name)
{
    using namespace doctor;
    Result<Interface> found = find_interface(name, fmt::format("no interface '{}'", name));
    if (!found)
        return {{"interface.exists", Level::problem, fmt::format("there is no interface '{}'", printable(name)),
                 found.error().cause, found.error().remedy}};
    const Interface &interface = *found;
    const Features features = xdp_features_of(interface.index);
    const std::optional<Peer> peer = find_peer(interface);
    std::vector<Finding> out{link_state(interface, peer)};
    check_modes(out, interface, features, peer);
    check_attached(out, interface);
    check_mtu(out, interface, features);
    check_queues(out, interface);
    check_socket_memory(out, interface);
    check_spread(out, interface);
    check_interrupts(out, interface);
    check_napi(out, interface);
    check_offloads(out, interface);
    check_peer(out, interface, features, peer);
    check_drops(out, interface);
    return out;
}

std::vector<Finding> list_interfaces()
{
    std::vector<Finding> out;
    const std::unique_ptr<struct if_nameindex, FreeNames> all(::if_nameindex());
    for (const auto *one = all.get(); one != nullptr && one->if_index != 0; ++one) {
        const Result<Interface> found = find_interface(one->if_name, "");
        if (!found)
            continue; // gone in between
        const Interface &interface = *found;
        const auto features = xdp_features_of(interface.index);
        const AttachedProgram there = find_attached(interface);
        const char *state = !interface.up ? "down" : !interface.running ? "no carrier" : "up";
        const char *native = !features ? "" : features->basic ? ", native XDP" : ", no native XDP";
        out.push_back({"interfaces." + interface.name, Level::ok,
                       fmt::format("{}: {}, {}{}{}, {} queue{}, MTU {}{}", interface.name, driver_text(interface),
                                   state, native, features && features->zero_copy ? " with zero-copy" : "",
                                   interface.receive_queues, interface.receive_queues == 1 ? "" : "s", interface.mtu,
                                   there.id == 0 ? ""
                                   : there.seen  ? fmt::format(", '{}' attached", there.name)
                                                 : ", a program attached"),
                       "", ""});
    }
    return out;
}

} // namespace xdpf::runtime
