// Packets beside mixed_packets(): tunnels, labels, options.
#include "tests/diff/random_source.hpp"

#include <array>

namespace xdpf::diff {
namespace {

constexpr std::uint16_t ipv4_type = 0x0800;
constexpr std::uint16_t ipv6_type = 0x86dd;
constexpr std::array<std::uint16_t, 1> one_tag{0x8100};

class Layered {
public:
    explicit Layered(Random &random) : random_(random), frame_(random) {}

    Packet packet()
    {
        const unsigned tags = random_.one_in(4) ? 1 : 0;
        switch (random_.below(8)) {
        case 0: return done("labels", labels(tags));
        case 1: return done("tcp options", begin(tags, 6, 5).number_of_options());
        case 2: return done("ip options", begin(tags, 17, 7).ip_options());
        case 3: return done("ipip", begin(tags, 4, 5).inner());
        case 4: return done("gre", begin(tags, 47, 5).gre());
        case 5: return done("vxlan", begin(tags, 17, 5).udp(4789).vxlan());
        case 6: return done("gtpu", begin(tags, 17, 5).udp(2152).gtpu());
        default: return done("geneve", begin(tags, 17, 5).udp(6081).geneve());
        }
    }

private:
    static Packet done(const char *name, const Layered &made) { return {name, made.frame_.bytes()}; }

    Layered &begin(unsigned tags, unsigned protocol, unsigned ihl)
    {
        frame_.ethernet(std::span(one_tag).first(tags), ipv4_type);
        if (ihl > 5) { // with options of our own behind the 20 bytes
            frame_.number(0x40 | ihl, 1).fill(1).number(100, 2).fill(4).number(64, 1).number(protocol, 1).fill(2);
            frame_.number(0x0a000001, 4).number(0x0a000002, 4);
        } else {
            frame_.ipv4(ihl, protocol);
        }
        return *this;
    }
    Layered &labels(unsigned tags)
    {
        frame_.ethernet(std::span(one_tag).first(tags), 0x8847);
        const std::uint64_t depth = 1 + random_.below(5);
        for (std::uint64_t i = 0; i < depth; ++i)
            frame_.number(random_.below(8) << 12 | (i + 1 == depth ? 1U : 0U) << 8 | random_.below(3), 4);
        return inner();
    }
    Layered &inner()
    {
        const unsigned protocol = random_.one_in(2) ? 17 : 6;
        if (random_.one_in(3))
            frame_.ipv6(protocol);
        else
            frame_.ipv4(random_.one_in(4) ? 6 : 5, protocol);
        frame_.transport(protocol);
        return *this;
    }
    Layered &inner_frame()
    {
        const bool tag = random_.one_in(4);
        frame_.ethernet(std::span(one_tag).first(tag ? 1 : 0), random_.one_in(3) ? ipv6_type : ipv4_type);
        return inner();
    }
    Layered &number_of_options()
    {
        frame_.number(80, 2).number(53, 2).fill(8).number(10 << 4, 1).number(random_.below(256), 1).fill(6);
        for (unsigned left = 20; left > 0;) {
            const auto kind = random_.pick(std::array<unsigned, 8>{0, 1, 2, 3, 4, 5, 8, 30});
            unsigned size = random_.pick(std::array<unsigned, 5>{2, 3, 4, 10, 10});
            if (kind == 1)
                size = 1;
            if (size > left)
                size = left;
            frame_.number(kind, 1);
            if (size > 1)
                frame_.number(random_.one_in(8) ? random_.below(12) : size, 1).fill(size - 2);
            left -= size;
        }
        frame_.fill(5);
        return *this;
    }
    Layered &ip_options()
    {
        frame_.number(random_.one_in(2) ? 148 : 7, 1).number(4, 1).fill(2).number(random_.below(3), 1).fill(3);
        return udp(53);
    }
    Layered &udp(unsigned port)
    {
        frame_.number(1234, 2).number(port, 2).fill(2).number(random_.one_in(2) ? 0 : random_.below(65536), 2);
        return *this;
    }
    Layered &gre()
    {
        const unsigned flags = static_cast<unsigned>(random_.pick(std::array{0, 8, 2, 10, 3, 1, 11}));
        const unsigned type = random_.pick(std::array{0x0800, 0x0800, 0x86dd, 0x6558, 0x8847});
        frame_.number(flags << 12, 2).number(type, 2);
        for (const unsigned bit : {8U, 2U, 1U})
            if ((flags & bit) != 0)
                frame_.fill(4);
        return type == 0x6558 ? inner_frame() : inner();
    }
    Layered &vxlan()
    {
        frame_.number(0x08, 1).fill(3).number(random_.below(9), 3).fill(1);
        return inner_frame();
    }
    Layered &gtpu()
    {
        const auto flags = random_.pick(std::array<unsigned, 5>{0, 2, 4, 1, 6});
        frame_.number(0x30 | flags, 1).number(255, 1).fill(6);
        if (flags != 0)
            frame_.fill(3).number(random_.one_in(2) ? 0x85 : 0, 1);
        if ((flags & 4) != 0)
            frame_.number(1, 1).fill(2).number(0, 1);
        return inner();
    }
    Layered &geneve()
    {
        const auto words = random_.below(3) * 2;
        frame_.number(words, 1).fill(1).number(random_.one_in(2) ? 0x6558 : ipv4_type, 2).number(random_.below(9), 3);
        frame_.fill(1);
        for (std::uint64_t i = 0; i < words / 2; ++i)
            frame_.number(0x0102, 2).number(random_.one_in(2) ? 0x80 : 1, 1).number(1, 1).fill(4);
        return inner_frame();
    }

    Random &random_;
    Frame frame_;
};

} // namespace

std::vector<Packet> layered_packets(std::uint64_t seed, std::size_t count)
{
    Random random(seed ^ 0x1a7e7ed);
    std::vector<Packet> out;
    while (out.size() < count) {
        Packet packet = Layered(random).packet();
        if (random.one_in(4))
            packet.bytes.resize(14 + random.below(packet.bytes.size() - 13));
        if (random.one_in(4))
            packet.bytes[random.below(packet.bytes.size())] = static_cast<std::byte>(random.next());
        out.push_back(std::move(packet));
    }
    return out;
}

} // namespace xdpf::diff
