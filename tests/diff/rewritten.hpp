// Packets that programs change: what the engines make of them, byte by byte, and what has to come out, said once more
// over plain bytes. Checksums are summed up from scratch (RFC 1071); nothing is shared with the compiler.
#pragma once

#include "tests/diff/dissect.hpp"
#include "tests/diff/packets.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace xdpf::diff {

// What a program makes of a packet; of one that is aborted the bytes do not count.
struct Outcome {
    std::uint32_t verdict = 0;
    Bytes bytes;
};
using Meaning = std::function<Outcome(const Bytes &)>;

// The one problem of a program that the compiler refuses because of its size.
constexpr std::string_view too_large = "too large";

// Runs the source's first program over the packets in the IR interpreter, the bytecode interpreter (both with the
// passes and without them), and in the kernel where it can be used. What is wrong, a handful at most, each with the
// packet. Without a meaning, they are compared with each other only.
[[nodiscard]] std::vector<std::string> rewriting_problems(const std::string &source, std::span<const Packet> packets,
                                                          const Meaning &meaning);

// A packet to work on.
class Rewriter {
public:
    explicit Rewriter(Bytes bytes) : bytes_(std::move(bytes)) {}

    [[nodiscard]] const Bytes &bytes() const { return bytes_; }
    [[nodiscard]] Dissection dissection() const { return Dissection(bytes_); }

    // Bits [first, first + count) of the index-th header of that name; where there is none, nothing is done. `value` is
    // what they become. Checksums stay as right, or as wrong, as they were.
    bool set(std::string_view header, std::size_t first, std::size_t count, std::uint64_t value, std::size_t index = 0);
    // The same of whole bytes.
    bool set_bytes(std::string_view header, std::size_t first_byte, std::span<const std::byte> value);
    // The same of bytes at a distance from the packet's start.
    void set_at(std::size_t at, std::span<const std::byte> value);
    // Exchanges as many bits of two headers; nothing where one of these is absent. Both are where they were before.
    struct Bits {
        std::string_view header;
        std::size_t first = 0;
        std::size_t index = 0;
    };
    bool swap(Bits one, Bits other, std::size_t count);

    bool push_vlan(unsigned tci);
    bool pop_vlan();

    void insert(std::size_t at, std::span<const std::byte> bytes);
    void erase(std::size_t at, std::size_t count);
    void overwrite(std::size_t at, std::uint64_t value, unsigned bytes);

private:
    struct Sum {
        std::size_t at = 0;                                     // of the checksum itself
        std::vector<std::pair<std::size_t, std::size_t>> parts; // [begin, end), each on its own
        bool zero_is_none = false;
    };
    [[nodiscard]] static std::vector<Sum> sums_of(const Dissection &packet);
    [[nodiscard]] static std::uint32_t total(const Bytes &bytes, const Sum &sum);
    // Changes bits of the packet, and those of the sums that cover them.
    void write(std::size_t begin, const std::vector<bool> &bits, const std::vector<Sum> &sums);
    [[nodiscard]] std::vector<bool> bits(std::size_t begin, std::size_t count) const;

    Bytes bytes_;
};

// The internet checksum of these bytes (RFC 1071), as it is written into a header.
[[nodiscard]] std::uint16_t internet_checksum(std::span<const std::byte> bytes, std::uint32_t start = 0);

// Makes the checksums of IPv4, UDP, TCP, ICMP, ICMPv6 right, as far as there are such headers.
[[nodiscard]] Bytes with_right_checksums(Bytes packet);

// Packets of all shapes: right checksums, wrong ones, none of UDP, cut short.
[[nodiscard]] std::vector<Packet> rewriting_packets(std::uint64_t seed, std::size_t count);

} // namespace xdpf::diff
