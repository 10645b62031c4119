#include "tests/diff/packets.hpp"

#include <fmt/format.h>

#include <array>
#include <unordered_set>

namespace xdpf::diff {
namespace {

constexpr unsigned icmp = 1;
constexpr unsigned tcp = 6;
constexpr unsigned udp = 17;
constexpr unsigned icmpv6 = 58;
constexpr unsigned hop_by_hop = 0;
constexpr unsigned routing = 43;
constexpr unsigned fragment = 44;
constexpr unsigned ah = 51;
constexpr unsigned destination = 60;

constexpr std::uint16_t ipv4_type = 0x0800;
constexpr std::uint16_t ipv6_type = 0x86dd;

using Tags = std::vector<std::uint16_t>;

const std::vector<Tags> &tag_stacks()
{
    static const std::vector<Tags> stacks{{},
                                          {0x8100},
                                          {0x88a8},
                                          {0x9100},
                                          {0x88a8, 0x8100},
                                          {0x8100, 0x8100},
                                          {0x9100, 0x88a8},
                                          {0x8100, 0x88a8, 0x9100},
                                          {0x8100, 0x8100, 0x8100, 0x8100}};
    return stacks;
}

struct Extension {
    unsigned kind;
    unsigned length = 0;
    unsigned offset = 0;
};

const std::vector<std::vector<Extension>> &extension_chains()
{
    static const std::vector<std::vector<Extension>> chains = [] {
        std::vector<std::vector<Extension>> out{{}};
        for (const unsigned kind : {hop_by_hop, routing, destination, ah})
            for (const unsigned length : {0U, 1U, 3U})
                out.push_back({{kind, length}});
        out.push_back({{ah, 4}});
        out.push_back({{destination, 255}});
        for (const unsigned offset : {0U, 1U, 185U, 8191U})
            out.push_back({{fragment, 255, offset}});
        out.push_back({{destination, 1}, {fragment, 0, 0}, {destination, 0}});
        out.push_back({{routing, 2}, {fragment, 3, 5}, {destination, 0}});
        constexpr std::array<unsigned, 5> kinds{hop_by_hop, destination, routing, fragment, ah};
        for (std::size_t count = 2; count <= 7; ++count) {
            for (const unsigned first : {0U, 3U}) {
                std::vector<Extension> chain;
                for (std::size_t i = 0; i < count; ++i)
                    chain.push_back({kinds[(i + first) % kinds.size()], static_cast<unsigned>(i % 3)});
                out.push_back(chain);
            }
            out.emplace_back(count, Extension{destination});
        }
        return out;
    }();
    return chains;
}

std::string_view protocol_name(unsigned protocol)
{
    switch (protocol) {
    case icmp: return "icmp";
    case tcp: return "tcp";
    case udp: return "udp";
    case icmpv6: return "icmpv6";
    default: return "other";
    }
}

class Corpus {
public:
    explicit Corpus(std::uint64_t seed) : random_(seed) {}

    std::vector<Packet> all()
    {
        over_ipv4();
        over_ipv6();
        tcp_sizes();
        odd_ones();
        return std::move(packets_);
    }

private:
    Frame frame() { return Frame(random_); }
    void add(std::string name, const Frame &made) { packets_.push_back({std::move(name), made.bytes()}); }

    void over_ipv4()
    {
        for (const Tags &tags : tag_stacks())
            for (unsigned ihl = 0; ihl <= 15; ++ihl)
                for (const unsigned protocol : {udp, tcp, icmp})
                    if (tags.empty() || ihl == 4 || ihl == 5 || ihl == 6 || ihl == 15)
                        add(fmt::format("{} tags, ipv4(ihl {}), {}", tags.size(), ihl, protocol_name(protocol)),
                            frame().ethernet(tags, ipv4_type).ipv4(ihl, protocol).transport(protocol));
        for (const unsigned flags : {0x2000U, 0x4000U, 0x8000U, 0x0001U, 0x2001U, 0x1fffU, 0x6000U})
            for (const unsigned protocol : {udp, tcp})
                add(fmt::format("ipv4(fragment {:#x}), {}", flags, protocol_name(protocol)),
                    frame().ethernet({}, ipv4_type).ipv4(5, protocol, flags).transport(protocol));
        for (const unsigned version : {0U, 5U, 6U, 15U})
            add(fmt::format("ipv4 of version {}, udp", version),
                frame().ethernet({}, ipv4_type).ipv4(5, udp, 0, version).transport(udp));
        for (const unsigned protocol : {icmpv6, ah, 4U, 50U, hop_by_hop, destination})
            add(fmt::format("ipv4(protocol {})", protocol),
                frame().ethernet({}, ipv4_type).ipv4(5, protocol).transport(icmpv6).fill(24));
    }

    void over_ipv6()
    {
        for (const auto &chain : extension_chains())
            for (const unsigned protocol : {udp, tcp, icmpv6})
                if (protocol == udp || chain.size() < 2 || chain.size() > 5)
                    add_ipv6({}, chain, protocol);
        for (const Tags &tags : tag_stacks())
            for (const std::size_t chain : {0U, 4U, 8U, 22U})
                if (!tags.empty())
                    add_ipv6(tags, extension_chains()[chain], chain == 4 ? tcp : udp);
        for (const unsigned version : {0U, 4U, 7U})
            add(fmt::format("ipv6 of version {}, udp", version),
                frame().ethernet({}, ipv6_type).ipv6(udp, version).transport(udp));
        for (const unsigned protocol : {icmp, 50U, 59U, 135U, 41U, 4U})
            add(fmt::format("ipv6(next header {})", protocol),
                frame().ethernet({}, ipv6_type).ipv6(protocol).transport(icmpv6).fill(24));
    }

    void add_ipv6(const Tags &tags, const std::vector<Extension> &chain, unsigned protocol)
    {
        Frame made = frame();
        std::string name = fmt::format("{} tags, ipv6", tags.size());
        made.ethernet(tags, ipv6_type).ipv6(chain.empty() ? protocol : chain[0].kind);
        for (std::size_t i = 0; i < chain.size(); ++i) {
            const unsigned next = i + 1 < chain.size() ? chain[i + 1].kind : protocol;
            made.extension(chain[i].kind, next, chain[i].length, chain[i].offset);
            name += fmt::format(", {}(length {}, offset {})", chain[i].kind, chain[i].length, chain[i].offset);
        }
        add(fmt::format("{}, {}", name, protocol_name(protocol)), made.transport(protocol));
    }

    void tcp_sizes()
    {
        for (unsigned doff = 0; doff <= 15; ++doff) {
            add(fmt::format("ipv4, tcp(doff {})", doff),
                frame().ethernet({}, ipv4_type).ipv4(5, tcp).transport(tcp, doff));
            add(fmt::format("ipv4(ihl 7), tcp(doff {})", doff),
                frame().ethernet(tag_stacks()[4], ipv4_type).ipv4(7, tcp).transport(tcp, doff));
            add(fmt::format("ipv6, tcp(doff {})", doff),
                frame().ethernet({}, ipv6_type).ipv6(tcp).transport(tcp, doff));
            add(fmt::format("ipv6, routing, tcp(doff {})", doff),
                frame().ethernet({}, ipv6_type).ipv6(routing).extension(routing, tcp, 1).transport(tcp, doff));
        }
    }

    void odd_ones()
    {
        for (const Tags &tags : tag_stacks()) {
            add(fmt::format("{} tags, arp", tags.size()), frame().ethernet(tags, 0x0806).arp());
            add(fmt::format("{} tags, nothing known", tags.size()), frame().ethernet(tags, 0x88b5).fill(30));
        }
        for (const unsigned type : {0x0000U, 0x05dcU, 0x8847U, 0x0801U, 0xffffU})
            add(fmt::format("type {:#06x}", type), frame().ethernet({}, static_cast<std::uint16_t>(type)).fill(40));
        add("long udp", frame().ethernet({}, ipv4_type).ipv4(5, udp).transport(udp).fill(60));
    }

    Random random_;
    std::vector<Packet> packets_;
};

} // namespace

std::uint64_t Random::next()
{
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

Frame &Frame::number(std::uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;)
        bytes_.push_back(static_cast<std::byte>(value >> (i * 8)));
    return *this;
}

Frame &Frame::fill(std::size_t bytes)
{
    for (std::size_t i = 0; i < bytes; ++i)
        bytes_.push_back(static_cast<std::byte>(random_.next()));
    return *this;
}

Frame &Frame::ethernet(std::span<const std::uint16_t> tpids, std::uint16_t type)
{
    constexpr std::array<std::uint64_t, 3> macs{0x020000000001, 0x020000000002, 0xffffffffffff};
    number(random_.pick(macs), 6).number(random_.pick(macs), 6);
    constexpr std::array<std::uint64_t, 7> ids{0, 1, 7, 100, 150, 199, 4095};
    for (const std::uint16_t tpid : tpids)
        number(tpid, 2).number(random_.pick(ids) | random_.below(16) << 12, 2);
    return number(type, 2);
}

Frame &Frame::ipv4(unsigned ihl, unsigned protocol, unsigned fragment_word, unsigned version)
{
    number(version << 4 | ihl, 1).number(random_.below(256), 1).number(random_.below(1500), 2);
    number(random_.below(65536), 2).number(fragment_word, 2).number(random_.pick(std::array{0, 1, 2, 64, 128, 255}), 1);
    number(protocol, 1).fill(2);
    ipv4_address().ipv4_address();
    return fill(ihl > 5 ? (ihl - 5) * 4 : 0);
}

Frame &Frame::ipv6(unsigned next_header, unsigned version)
{
    number(static_cast<std::uint64_t>(version) << 28 | random_.below(1U << 28), 4).number(random_.below(1500), 2);
    number(next_header, 1).number(random_.pick(std::array{0, 1, 64, 255}), 1);
    return ipv6_address().ipv6_address();
}

Frame &Frame::extension(unsigned kind, unsigned next_header, unsigned length, unsigned offset)
{
    number(next_header, 1).number(length, 1);
    if (kind == fragment)
        return number(offset << 3 | random_.below(8), 2).fill(4);
    // Past 300 bytes only the claim counts: the packet is cut short.
    const std::size_t size = kind == ah ? (length + 2) * 4 : (length + 1) * 8;
    return fill(std::min<std::size_t>(size, 300) - 2);
}

Frame &Frame::transport(unsigned protocol, unsigned doff)
{
    switch (protocol) {
    case udp: port().port().fill(4); break;
    case tcp:
        port().port().fill(8).number(doff << 4 | random_.below(16), 1).number(random_.below(256), 1).fill(6);
        fill(doff > 5 ? (doff - 5) * 4 : 0);
        break;
    case icmp: number(random_.pick(std::array{0, 3, 8, 8, 11}), 1).fill(7); break;
    case icmpv6: number(random_.pick(std::array{1, 128, 129, 133, 135, 137}), 1).fill(7); break;
    default: break;
    }
    return number(random_.pick(std::array{0x12345678, 0x00000000, 0x7fffffff}), 4).fill(3);
}

Frame &Frame::arp()
{
    number(1, 2).number(ipv4_type, 2).number(6, 1).number(4, 1).number(1 + random_.below(2), 2);
    fill(6).ipv4_address().fill(6);
    return ipv4_address();
}

Frame &Frame::ipv4_address()
{
    constexpr std::array<std::uint64_t, 8> some{0x0a000001, 0x0a000002, 0x0a0000ff, 0xc0000207,
                                                0xc6336407, 0xffffffff, 0x80000000, 0x00000000};
    return number(random_.one_in(6) ? 0x0a000000 | random_.below(1U << 24) : random_.pick(some), 4);
}

Frame &Frame::ipv6_address()
{
    constexpr std::array<std::uint64_t, 5> high{0x20010db800000000, 0x20010db800000001, 0x20010db80bad0000,
                                                0xfe80000000000000, 0};
    constexpr std::array<std::uint64_t, 5> low{0, 1, 2, 0x8000000000000000, 0xffffffffffffffff};
    return number(random_.pick(high), 8).number(random_.pick(low), 8);
}

Frame &Frame::port()
{
    constexpr std::array<std::uint64_t, 12> some{53, 80, 443, 22, 1234, 4789, 8080, 8999, 9000, 0, 1023, 65535};
    return number(random_.one_in(8) ? random_.below(65536) : random_.pick(some), 2);
}

std::vector<Packet> whole_packets(std::uint64_t seed) { return Corpus(seed).all(); }

std::vector<Packet> truncations(std::span<const Packet> packets)
{
    std::vector<Packet> out;
    std::unordered_set<std::string> seen;
    for (const Packet &packet : packets) {
        for (std::size_t size = 0; size <= packet.bytes.size(); ++size) {
            if (!seen.emplace(reinterpret_cast<const char *>(packet.bytes.data()), size).second)
                continue;
            const auto end = packet.bytes.begin() + static_cast<std::ptrdiff_t>(size);
            out.push_back({fmt::format("{}: {} of {} bytes", packet.name, size, packet.bytes.size()),
                           {packet.bytes.begin(), end}});
        }
    }
    return out;
}

std::vector<Packet> mixed_packets(std::uint64_t seed, std::size_t count)
{
    Random random(seed);
    std::vector<Packet> pool;
    std::vector<Packet> out;
    while (out.size() < count) {
        if (pool.empty())
            pool = whole_packets(random.next());
        const std::size_t at = random.below(pool.size());
        Packet packet = std::move(pool[at]);
        pool[at] = std::move(pool.back());
        pool.pop_back();
        if (random.one_in(3))
            packet.bytes.resize(14 + random.below(packet.bytes.size() - 13));
        for (std::uint64_t change = random.one_in(3) ? 1 + random.below(3) : 0; change > 0; --change)
            packet.bytes[random.below(packet.bytes.size())] = static_cast<std::byte>(random.next());
        out.push_back(std::move(packet));
    }
    return out;
}

std::string hex(std::span<const std::byte> bytes)
{
    std::string out;
    for (const std::byte byte : bytes)
        out += fmt::format("{:02x}", static_cast<unsigned>(byte));
    return out;
}

} // namespace xdpf::diff
