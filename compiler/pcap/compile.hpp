// tcpdump's filter language (pcap-filter(7)) through libpcap, for Ethernet. The only part that includes libpcap.
#pragma once

#include "compiler/pcap/program.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>

namespace xdpf::pcap {

// A text that is no expression, or one that cannot be had here.
struct Refusal {
    // A part of the text, in bytes.
    struct Place {
        std::size_t offset = 0;
        std::size_t length = 0;
    };
    std::string message;        // libpcap's own words where it is libpcap that refuses
    std::optional<Place> place; // of the word that the message names
};

// The program is sound: it ends in a return on every way, its jumps go forward and stay inside, it divides by no
// constant 0, and it loads nothing but bytes of the packet and its length. An empty text is every packet. Names of
// hosts, networks and services are looked up by libpcap on this machine, as tcpdump does.
[[nodiscard]] std::expected<Program, Refusal> compile(const std::string &text);

} // namespace xdpf::pcap
