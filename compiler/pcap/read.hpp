// Packets out of a capture file: pcap and pcapng, of Ethernet.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

namespace xdpf::pcap {

// What the file holds of each packet, in order. The error says why not: the file cannot be opened, is no capture, is
// damaged, has another link layer or more than `most` packets.
[[nodiscard]] std::expected<std::vector<std::vector<std::byte>>, std::string> read(const std::string &path,
                                                                                   std::size_t most);

} // namespace xdpf::pcap
