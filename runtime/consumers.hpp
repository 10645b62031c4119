// What a run can do with packets besides counting them, as RunCallbacks::batch.
#pragma once

#include "runtime/session.hpp"

#include <atomic>
#include <cstdint>
#include <span>

namespace xdpf::runtime {

// Turns a packet around in place: Ethernet addresses, IPv4 or IPv6 addresses (behind up to two VLAN tags), UDP or TCP
// ports. Checksums stay right, since their sums do; one that its sender left to the hardware to complete (veth delivers
// such: only the pseudo header is summed, RFC 768, RFC 9293) is completed. Of fragments only the addresses are swapped.
// `packet` is what is changed, the packet's first bytes; `whole` is all of it (Batch::head and Batch::operator[]).
void turn_around(std::span<std::byte> packet, std::span<std::byte> whole);
inline void turn_around(std::span<std::byte> packet) { turn_around(packet, packet); } // of one frame

// Sends each packet back to where it came from, by the queue it came from.
class Echo {
public:
    Result<void> operator()(Queue &queue, Batch &batch);
    [[nodiscard]] std::uint64_t not_sent() const { return not_sent_; } // the TX ring was full

private:
    std::atomic<std::uint64_t> not_sent_ = 0;
};

// Sends what comes from one of two sessions by the other one, by the queue of the same place in the order. The sessions
// share memory.
class Forward {
public:
    explicit Forward(std::span<Session> two) : sessions_(two) {}
    Result<void> operator()(std::size_t session, Queue &queue, Batch &batch);
    [[nodiscard]] std::uint64_t not_sent() const { return not_sent_; }

private:
    std::span<Session> sessions_;
    std::atomic<std::uint64_t> not_sent_ = 0;
};

} // namespace xdpf::runtime
