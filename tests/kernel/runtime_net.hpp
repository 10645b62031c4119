// A network namespace for one test, and packets to send in it.
#pragma once

#include "compiler/bpf/insn.hpp"
#include "runtime/fd.hpp"
#include "runtime/netlink.hpp"
#include "runtime/test_device.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace xdpf::testing {

// Runs a test in a network namespace of its own, which ends with it: with a veth pair, "xdpfrt0" to receive on and
// "xdpfrt1" to send from.
inline void with_veth(std::uint32_t queues, const std::function<void()> &test)
{
    std::exception_ptr failed; // of a REQUIRE, which must not end the thread
    std::thread([&] {
        try {
            REQUIRE(unshare(CLONE_NEWNET) == 0);
            REQUIRE(
                runtime::make_veth({.name = "xdpfrt0", .peer = "xdpfrt1", .queues = queues, .peer_queues = queues}));
            test();
        } catch (...) {
            failed = std::current_exception();
        }
    }).join();
    if (failed)
        std::rethrow_exception(failed);
}

inline void set_up(const char *interface, bool up)
{
    auto fd = runtime::netlink::open();
    REQUIRE(fd);
    runtime::netlink::Request request(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(if_nametoindex(interface));
    info.ifi_flags = up ? IFF_UP : 0;
    info.ifi_change = IFF_UP;
    request.add_struct(info);
    REQUIRE(runtime::netlink::ask(fd->get(), request) == 0);
}

inline void set_mtu(const char *interface, std::uint32_t mtu)
{
    auto fd = runtime::netlink::open();
    REQUIRE(fd);
    runtime::netlink::Request request(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(if_nametoindex(interface));
    request.add_struct(info);
    request.attribute(IFLA_MTU, mtu);
    REQUIRE(runtime::netlink::ask(fd->get(), request) == 0);
}

inline void remove_interface(const char *interface)
{
    auto fd = runtime::netlink::open();
    REQUIRE(fd);
    runtime::netlink::Request request(RTM_DELLINK, 0);
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(if_nametoindex(interface));
    request.add_struct(info);
    REQUIRE(runtime::netlink::ask(fd->get(), request) == 0);
}

// Puts frames on the wire as they are.
class Sender {
public:
    explicit Sender(const char *interface, int priority = 0) : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0))
    {
        REQUIRE(fd_);
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
        REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
        REQUIRE(setsockopt(fd_.get(), SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority) == 0);
    }
    void send(const std::vector<std::byte> &frame)
    {
        REQUIRE(::send(fd_.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
    }

private:
    runtime::Fd fd_;
};

// Frames that leave by the interface take the queue that their sender's priority names: queue_mapping counts from 1.
class SteerByPriority {
public:
    explicit SteerByPriority(const char *interface)
    {
        const std::array program{bpf::ldx(bpf::u32, bpf::r2, bpf::r1 + offsetof(__sk_buff, priority)),
                                 bpf::add(bpf::r2, 1),
                                 bpf::stx(bpf::u32, bpf::r1 + offsetof(__sk_buff, queue_mapping), bpf::r2),
                                 bpf::mov(bpf::r0, 0), bpf::exit()};
        program_ =
            runtime::Fd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "steer", "GPL",
                                      reinterpret_cast<const bpf_insn *>(program.data()), program.size(), nullptr));
        REQUIRE(program_);
        DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(if_nametoindex(interface)),
                            .attach_point = BPF_TC_EGRESS);
        REQUIRE(bpf_tc_hook_create(&hook) == 0);
        DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program_.get());
        REQUIRE(bpf_tc_attach(&hook, &options) == 0);
    }

private:
    runtime::Fd program_; // the hook goes with the namespace
};

inline std::vector<std::byte> bytes_of(std::initializer_list<int> values)
{
    std::vector<std::byte> bytes;
    for (const int value : values)
        bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

// Ethernet, IPv4, UDP, and the number as payload; the number also makes the source port.
inline std::vector<std::byte> udp_frame(std::uint32_t number, int protocol = 17, std::size_t size = 64)
{
    std::vector<std::byte> frame =
        bytes_of({2, 0,  0,        0, 0, 1,  2, 0, 0, 0,  0, 2, 8, 0,    0x45, 0,    0, 50, 0,  0, 0,
                  0, 64, protocol, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1, 0x10, 0,    0x20, 0, 0,  30, 0, 0});
    frame.resize(size);
    frame[34] = static_cast<std::byte>(0x10 + (number >> 8 & 15));
    frame[35] = static_cast<std::byte>(number & 255);
    std::memcpy(frame.data() + 42, &number, sizeof number);
    for (std::size_t i = 46; i < size; ++i)
        frame[i] = static_cast<std::byte>(number * 31 + i);
    return frame;
}

} // namespace xdpf::testing
