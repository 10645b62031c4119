// Packets for comparing engines, built byte by byte from the protocols' own documents, without the compiler's help:
// valid headers, invalid ones, and those that are cut short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::diff {

using Bytes = std::vector<std::byte>;

// splitmix64: the same numbers on every machine.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    std::uint64_t below(std::uint64_t end) { return next() % end; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    template <class Range> auto pick(const Range &range) { return range[below(std::size(range))]; }

private:
    std::uint64_t state_;
};

// A packet under construction; numbers go in in network byte order.
class Frame {
public:
    explicit Frame(Random &random) : random_(random) {}
    Frame &number(std::uint64_t value, unsigned bytes);
    Frame &fill(std::size_t bytes); // with random ones
    [[nodiscard]] const Bytes &bytes() const { return bytes_; }

    // Ethernet with VLAN tags of these TPIDs, outermost first, and the EtherType behind them.
    Frame &ethernet(std::span<const std::uint16_t> tpids, std::uint16_t type);
    // `fragment` is the 16-bit word of flags and offset. An ihl below 5 still takes 20 bytes.
    Frame &ipv4(unsigned ihl, unsigned protocol, unsigned fragment = 0, unsigned version = 4);
    Frame &ipv6(unsigned next_header, unsigned version = 6);
    // An extension header by its number; `length` is its length field, `offset` the 13 bits of a fragment header.
    Frame &extension(unsigned kind, unsigned next_header, unsigned length = 0, unsigned offset = 0);
    // UDP (17), TCP (6), ICMP (1), ICMPv6 (58), else nothing; then a few bytes of payload.
    Frame &transport(unsigned protocol, unsigned doff = 5);
    Frame &arp();

private:
    Frame &ipv4_address();
    Frame &ipv6_address();
    Frame &port();

    Random &random_;
    Bytes bytes_;
};

struct Packet {
    std::string name; // "vlan vlan ipv4(ihl 7) udp, 43 bytes"
    Bytes bytes;
};

// One of each shape, not cut.
[[nodiscard]] std::vector<Packet> whole_packets(std::uint64_t seed);
// Each of these at every length from 0 to its own; equal ones once.
[[nodiscard]] std::vector<Packet> truncations(std::span<const Packet> packets);
// `count` packets for random programs: whole, cut at random, and with some bytes changed.
[[nodiscard]] std::vector<Packet> mixed_packets(std::uint64_t seed, std::size_t count);

[[nodiscard]] std::string hex(std::span<const std::byte> bytes);

} // namespace xdpf::diff
