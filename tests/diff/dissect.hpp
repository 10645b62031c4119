// What a packet is, said once more and without anything of the compiler: read front to back into the list of headers
// that it has. Written for reading; the expectations of the truncation tests come from here.
#pragma once

#include "tests/diff/packets.hpp"

#include <initializer_list>
#include <optional>
#include <string_view>

namespace xdpf::diff {

struct Header {
    std::string_view name;
    std::size_t start = 0; // bytes from the packet's start
    std::size_t size = 0;
};

class Dissection {
public:
    explicit Dissection(std::span<const std::byte> packet);

    [[nodiscard]] std::size_t length() const { return packet_.size(); }
    // The index-th header of that name; null where the packet has fewer.
    [[nodiscard]] const Header *get(std::string_view name, std::size_t index = 0) const;
    [[nodiscard]] bool has(std::string_view name) const { return get(name) != nullptr; }
    // These headers stand right behind each other, anywhere.
    [[nodiscard]] bool has_path(std::initializer_list<std::string_view> names) const;
    // A header's bits, counted from its first one; nothing where the header is absent.
    [[nodiscard]] std::optional<std::uint64_t> bits(std::string_view name, std::size_t first, std::size_t count,
                                                    std::size_t index = 0) const;
    // Bytes of the packet, or of what stands behind a header.
    [[nodiscard]] std::optional<std::uint64_t> bytes(std::size_t offset, std::size_t count) const;
    [[nodiscard]] std::optional<std::uint64_t> behind(std::string_view name, std::size_t offset,
                                                      std::size_t count) const;

    // What the last VLAN tag (or Ethernet itself), and what the last extension header (or IPv6 itself) says comes next;
    // nothing where there are too many, or one is cut short, or a later fragment.
    [[nodiscard]] std::optional<unsigned> ethernet_protocol() const { return ethernet_protocol_; }
    [[nodiscard]] std::optional<unsigned> ipv6_protocol() const { return ipv6_protocol_; }

private:
    bool add(std::string_view name, std::size_t start, std::size_t size);
    void ethernet();
    void ipv4(std::size_t at);
    void ipv6(std::size_t at);
    void behind_ip(unsigned protocol, std::size_t at, bool six);

    std::span<const std::byte> packet_;
    std::vector<Header> headers_;
    std::optional<unsigned> ethernet_protocol_;
    std::optional<unsigned> ipv6_protocol_;
};

} // namespace xdpf::diff
