// What the kernel says about a network interface, in the calling thread's network namespace.
#pragma once

#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace xdpf::runtime {

// The interface's own counters (struct rtnl_link_stats64 of <linux/if_link.h>), in packets and bytes since it exists.
struct InterfaceCounters {
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t rx_dropped = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_dropped = 0;
};
// What was counted since.
[[nodiscard]] InterfaceCounters operator-(const InterfaceCounters &now, const InterfaceCounters &before);

struct Interface {
    std::string name;
    int index = 0;
    std::uint32_t mtu = 0;
    bool up = false;      // administratively
    bool running = false; // and has a carrier
    std::uint32_t receive_queues = 1;
    InterfaceCounters counters;
    std::string kind;                  // "veth", "bridge", "loopback"; empty for hardware
    int peer = 0;                      // of a veth: the index of its other end; 0: it has none
    std::optional<int> peer_namespace; // where that is another network namespace: its id there (rtnetlink's netnsid)
};

// `stage` begins the error's text, e.g. "cannot attach to 'eth9'".
[[nodiscard]] Result<Interface> find_interface(const std::string &name, const std::string &stage);

// By index, which stays when an interface is renamed.
[[nodiscard]] Result<Interface> find_interface(int index, const std::string &stage);

// The processor that the interrupt of a receive queue goes to; nothing where there is none (veth) or it is not to be
// found (/proc/interrupts, whose names are the driver's).
[[nodiscard]] std::optional<unsigned> interrupt_processor(const std::string &interface, std::uint32_t queue);

// Hears of links that change, so that a vanished interface can end a wait: AF_XDP never wakes a poller for that.
class LinkWatch {
public:
    enum class State : std::uint8_t { up, down, gone };

    [[nodiscard]] static Result<LinkWatch> open(const Interface &interface);
    [[nodiscard]] int fd() const { return fd_.get(); } // readable when there is news
    // Reads the news; the interface's state after it.
    [[nodiscard]] State read();
    [[nodiscard]] const std::string &name() const { return name_; } // which changes

private:
    Fd fd_;
    int index_ = 0;
    std::string name_;
    State state_ = State::up;
};

} // namespace xdpf::runtime
