// tcpdump's expressions and captures, straight from libpcap.
#pragma once

#include "tests/diff/packets.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace xdpf::diff {

// A tcpdump expression for Ethernet.
class Expression {
public:
    explicit Expression(const std::string &text);
    Expression(const Expression &) = delete;
    Expression &operator=(const Expression &) = delete;
    ~Expression();
    [[nodiscard]] bool good() const { return code_ != nullptr; }
    // What pcap_offline_filter() says of a packet of which everything was captured.
    [[nodiscard]] bool matches(const Bytes &packet) const;
    // A packet that goes a way of its own through the expression: at each comparison of bytes with a number the bytes
    // are made equal to it, or nearly, every other time.
    [[nodiscard]] Bytes packet_for(Random &random) const;

private:
    struct Code;
    std::unique_ptr<Code> code_;
};

// The Ethernet packets of a capture; none for other links and for files that are no captures.
[[nodiscard]] std::vector<Packet> packets_in(const std::filesystem::path &file);
// Those of all captures in the folder that XDPF_PCAPS names; none where it names none.
[[nodiscard]] std::vector<Packet> captured_packets();

} // namespace xdpf::diff
