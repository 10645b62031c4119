// The parts of the doctor, private to it.
#pragma once

#include "runtime/doctor.hpp"
#include "runtime/ethtool.hpp"
#include "runtime/fd.hpp"
#include "runtime/interface.hpp"
#include "runtime/worker.hpp"
#include "runtime/xdp_features.hpp"

#include <linux/bpf.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xdpf::runtime::doctor {

// A network namespace with a veth pair of two queues, both ends up, in which things can be tried. It belongs to a
// thread of its own and goes with it.
class ProbeNetwork {
public:
    static constexpr const char *near = "xdpf0"; // both with queues 0 and 1
    static constexpr const char *far = "xdpf1";

    ProbeNetwork();
    // Why it is not there; empty: it is.
    [[nodiscard]] const std::string &missing() const { return missing_; }
    template <class Function> auto in(Function &&function) { return worker_.call(std::forward<Function>(function)); }

private:
    Worker worker_;
    std::string missing_;
};

// The remedy of what only another kernel has.
inline constexpr const char *newer_kernel = "apt search linux-image   (a newer kernel)";

// A program for interfaces of these instructions; without one, errno says why.
[[nodiscard]] Fd load_xdp(std::span<const bpf_insn> instructions, std::uint32_t flags = 0);
[[nodiscard]] std::span<const bpf_insn> pass_program(); // lets every packet pass

// The first word of a file under /proc or /sys; empty: it cannot be read.
[[nodiscard]] std::string word_of(const std::string &path);

// The other end of a veth pair.
struct Peer {
    std::string name;
    std::string enter; // what a command needs in front of it to run in the peer's namespace: "ip netns exec b "
    ethtool::Channels channels;
    ethtool::Offloads offloads;
    bool napi = false; // takes packets that are redirected to the near end
};
// Nothing where it is in a namespace that has no name, and of other kinds of interfaces.
[[nodiscard]] std::optional<Peer> find_peer(const Interface &interface);

// Packets received by queue since the interface exists, as far as the driver counts them.
[[nodiscard]] std::map<std::uint32_t, std::uint64_t> packets_by_queue(const Interface &interface);

// Whether it is up and has a carrier: "interface.link".
[[nodiscard]] Finding link_state(const Interface &interface, const std::optional<Peer> &peer);

// Parts of check_interface(). The features are empty where the kernel does not say.
using Features = std::optional<XdpFeatures>;
void check_modes(std::vector<Finding> &out, const Interface &interface, const Features &features,
                 const std::optional<Peer> &peer);
void check_mtu(std::vector<Finding> &out, const Interface &interface, const Features &features);
void check_attached(std::vector<Finding> &out, const Interface &interface);
void check_queues(std::vector<Finding> &out, const Interface &interface);
void check_socket_memory(std::vector<Finding> &out, const Interface &interface);
void check_spread(std::vector<Finding> &out, const Interface &interface);
void check_interrupts(std::vector<Finding> &out, const Interface &interface);
void check_napi(std::vector<Finding> &out, const Interface &interface);
void check_offloads(std::vector<Finding> &out, const Interface &interface);
void check_peer(std::vector<Finding> &out, const Interface &interface, const Features &features,
                const std::optional<Peer> &peer);

} // namespace xdpf::runtime::doctor
