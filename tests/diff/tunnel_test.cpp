// Packets that go into tunnels and come out of them, in every engine, against headers written out here.
#include "tests/diff/engines.hpp"
#include "tests/diff/rewritten.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <array>

using namespace xdpf::diff;

namespace {

const std::vector<Packet> &packets()
{
    static const std::vector<Packet> all = rewriting_packets(number_from_environment("XDPF_DIFF_SEED", 1) + 5, 600);
    return all;
}

class Builder {
public:
    Builder &number(std::uint64_t value, unsigned bytes)
    {
        for (unsigned i = bytes; i-- > 0;)
            bytes_.push_back(static_cast<std::byte>(value >> (i * 8)));
        return *this;
    }
    // An IPv4 header from 192.0.2.1 to 192.0.2.2 in front of `behind` bytes.
    Builder &ipv4(unsigned protocol, std::size_t behind)
    {
        const std::size_t start = bytes_.size();
        number(0x4500, 2).number(20 + behind, 2).number(0, 4).number(64, 1).number(protocol, 1).number(0, 2);
        number(0xc0000201, 4).number(0xc0000202, 4);
        const auto sum = internet_checksum(std::span(bytes_).subspan(start));
        bytes_[start + 10] = static_cast<std::byte>(sum >> 8);
        bytes_[start + 11] = static_cast<std::byte>(sum);
        return *this;
    }
    Builder &ipv6(unsigned next, std::size_t behind)
    {
        number(0x60000000, 4).number(behind, 2).number(next, 1).number(9, 1);
        return number(0x20010db800000000, 8).number(1, 8).number(0x20010db800000000, 8).number(2, 8);
    }
    [[nodiscard]] const Bytes &bytes() const { return bytes_; }

private:
    Bytes bytes_;
};

// Where the headers behind the link layer begin, and what the packet says they are.
struct Network {
    std::size_t at = 0;
    unsigned type = 0;
    std::size_t size = 0; // from there to the packet's end
};
std::optional<Network> network_of(const Bytes &bytes, bool labels = false)
{
    const Dissection parts(bytes);
    const auto type = parts.ethernet_protocol().value_or(0);
    if (labels && (type == 0x8847 || type == 0x8848)) {
        const std::size_t at = 14 + (parts.has("vlan") ? 4 : 0) + (parts.get("vlan", 1) != nullptr ? 4 : 0);
        return Network{at, 0x8847, bytes.size() - at};
    }
    for (const std::string_view name : {"ipv4", "ipv6"})
        if (const Header *header = parts.get(name))
            return Network{header->start, name == "ipv4" ? 0x0800U : 0x86ddU, bytes.size() - header->start};
    return std::nullopt;
}

// The packet with new headers behind its link layer, which says now that `type` comes next.
Bytes tunnelled(const Bytes &bytes, const Network &network, const Bytes &headers, unsigned type)
{
    Rewriter packet(bytes);
    packet.overwrite(network.at - 2, type, 2);
    packet.insert(network.at, headers);
    return packet.bytes();
}

using Wrap = std::function<Bytes(const Bytes &)>; // unchanged where the tunnel does not carry it

Bytes in_ip(const Bytes &bytes)
{
    const auto network = network_of(bytes);
    if (!network || network->type != 0x0800)
        return bytes;
    return tunnelled(bytes, *network, Builder().ipv4(4, network->size).bytes(), 0x0800);
}
Bytes in_sit(const Bytes &bytes)
{
    const auto network = network_of(bytes);
    if (!network || network->type != 0x86dd)
        return bytes;
    return tunnelled(bytes, *network, Builder().ipv4(41, network->size).bytes(), 0x0800);
}
Bytes in_ip6(const Bytes &bytes)
{
    const auto network = network_of(bytes);
    if (!network || network->type != 0x86dd)
        return bytes;
    return tunnelled(bytes, *network, Builder().ipv6(41, network->size).bytes(), 0x86dd);
}
Bytes in_gre(const Bytes &bytes)
{
    const auto network = network_of(bytes, true);
    if (!network)
        return bytes;
    return tunnelled(bytes, *network,
                     Builder().ipv4(47, network->size + 4).number(0, 2).number(network->type, 2).bytes(), 0x0800);
}
Bytes in_gre_with_key(const Bytes &bytes)
{
    const auto network = network_of(bytes, true);
    if (!network)
        return bytes;
    Builder headers;
    headers.ipv4(47, network->size + 12).number(0x3000, 2).number(network->type, 2).number(77, 4).number(9, 4);
    return tunnelled(bytes, *network, headers.bytes(), 0x0800);
}
// The key is the packet's length as it came, and stands in front of the sequence number.
Bytes in_gre_with_length(const Bytes &bytes)
{
    const auto network = network_of(bytes, true);
    if (!network)
        return bytes;
    Builder headers;
    headers.ipv4(47, network->size + 12)
        .number(0x3000, 2)
        .number(network->type, 2)
        .number(bytes.size(), 4)
        .number(9, 4);
    return tunnelled(bytes, *network, headers.bytes(), 0x0800);
}
Bytes in_mpls(const Bytes &bytes)
{
    const auto network = network_of(bytes, true);
    if (!network)
        return bytes;
    const auto last = network->type == 0x8847 ? 0U : 1U << 8;
    return tunnelled(bytes, *network, Builder().number(77U << 12 | last | 64, 4).bytes(), 0x8847);
}
Bytes in_vxlan(const Bytes &bytes)
{
    Builder headers;
    headers.number(0x020000000002, 6).number(0x020000000001, 6).number(0x0800, 2).ipv4(17, bytes.size() + 16);
    headers.number(1234, 2).number(4789, 2).number(bytes.size() + 16, 2).number(0, 2);
    headers.number(0x08000000, 4).number(7 << 8, 4);
    Rewriter packet(bytes);
    packet.insert(0, headers.bytes());
    return packet.bytes();
}

struct Tunnel {
    std::string_view name;
    std::string_view encap;
    Wrap wrap;
};
const std::vector<Tunnel> &tunnels()
{
    static const std::vector<Tunnel> all{
        {"ipip", "ipv4(src = 192.0.2.1, dst = 192.0.2.2) / ipip", in_ip},
        {"sit", "ipv4(src = 192.0.2.1, dst = 192.0.2.2) / sit", in_sit},
        {"sit", "ipv6(hop_limit = 9) / sit", in_ip6},
        {"gre", "ipv4(src = 192.0.2.1, dst = 192.0.2.2) / gre", in_gre},
        {"gre", "ipv4(src = 192.0.2.1, dst = 192.0.2.2) / gre(key = 77, sequence = 9)", in_gre_with_key},
        {"gre", "ipv4(src = 192.0.2.1, dst = 192.0.2.2) / gre(sequence = 9, key = packet.length)", in_gre_with_length},
        {"mpls", "mpls(label = 77)", in_mpls},
        {"vxlan", "ethernet / ipv4(src = 192.0.2.1, dst = 192.0.2.2) / udp / vxlan(vni = 7)", in_vxlan},
    };
    return all;
}

constexpr std::string_view imports =
    "import \"tunnel/ipip\"\nimport \"tunnel/vxlan\"\nimport \"gre\"\nimport \"mpls\"\n";

void check(const std::string &source, std::span<const Packet> of, const Meaning &meaning)
{
    INFO(source);
    for (const std::string &problem : rewriting_problems(source, of, meaning))
        FAIL_CHECK(problem);
}

} // namespace

TEST_CASE("packets go into tunnels")
{
    for (const Tunnel &tunnel : tunnels())
        check(fmt::format("{}match ethernet -> {{ encap {}; tx }}", imports, tunnel.encap), packets(),
              [&](const Bytes &bytes) {
                  return Outcome{XDP_TX, tunnel.wrap(bytes)};
              });
    if (!kernel_usable())
        xdpf::testing::note_skip("the kernel's part needs root; the interpreters were compared");
}

TEST_CASE("packets come out of tunnels as they went in, and others are left alone")
{
    for (const Tunnel &tunnel : tunnels()) {
        std::vector<Packet> inside;
        std::vector<Bytes> wanted;
        for (const Packet &packet : packets()) {
            // Labels and tunnels of their own would come off with it.
            const Dissection parts(packet.bytes);
            const Header *ip = parts.get("ipv4") != nullptr ? parts.get("ipv4") : parts.get("ipv6");
            const auto protocol =
                ip == nullptr ? 0U : parts.bits(ip->name, ip->name == "ipv4" ? 72 : 48, 8).value_or(0);
            if (protocol == 4 || protocol == 41 || protocol == 47 || parts.bytes(12, 2) == 0x8847)
                continue;
            inside.push_back({packet.name, tunnel.wrap(packet.bytes)});
            wanted.push_back(packet.bytes);
        }
        std::size_t next = 0;
        check(
            fmt::format("{}match {} -> {{ decap {}; drop }}", imports, tunnel.name, tunnel.name), inside,
            [&](const Bytes &bytes) {
                while (inside[next].bytes != bytes)
                    next = (next + 1) % inside.size();
                return Outcome{bytes == wanted[next] ? std::uint32_t(XDP_PASS) : std::uint32_t(XDP_DROP), wanted[next]};
            });
    }
}

TEST_CASE("one tunnel in another, with a match and a step between them")
{
    check(fmt::format("{}match udp -> {{ encap ipv4(src = 192.0.2.1, dst = 192.0.2.2) / ipip; set ipv4.ttl = 33; encap "
                      "ipv4(src = 192.0.2.1, dst = 192.0.2.2) / gre; continue }}\nmatch gre.inner.ipip -> tx",
                      imports),
          packets(), [](const Bytes &bytes) {
              Rewriter packet(bytes);
              if (!packet.dissection().has("udp"))
                  return Outcome{XDP_PASS, bytes};
              if (!packet.dissection().has("ipv4"))
                  return Outcome{XDP_PASS, in_gre(bytes)};
              packet = Rewriter(in_ip(bytes));
              packet.set("ipv4", 64, 8, 33);
              return Outcome{XDP_TX, in_gre(packet.bytes())};
          });
}
