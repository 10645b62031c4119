#include "tests/diff/random_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace xdpf::diff {
namespace {

enum class Type : std::uint8_t { number, mac, ipv4, ipv6 };

struct FieldName {
    const char *name;
    Type type;
    unsigned bits;
};

constexpr FieldName fields[] = {
    {"ethernet.dst", Type::mac, 48},
    {"ethernet.src", Type::mac, 48},
    {"ethernet.type", Type::number, 16},
    {"ethernet.protocol", Type::number, 16},
    {"vlan.id", Type::number, 12},
    {"vlan[0].pcp", Type::number, 3},
    {"vlan[1].id", Type::number, 12},
    {"vlan[1].type", Type::number, 16},
    {"arp.op", Type::number, 16},
    {"arp.sha", Type::mac, 48},
    {"arp.spa", Type::ipv4, 32},
    {"arp.tpa", Type::ipv4, 32},
    {"ipv4.ihl", Type::number, 4},
    {"ipv4.dscp", Type::number, 6},
    {"ipv4.ecn", Type::number, 2},
    {"ipv4.length", Type::number, 16},
    {"ipv4.id", Type::number, 16},
    {"ipv4.flags", Type::number, 3},
    {"ipv4.fragment_offset", Type::number, 13},
    {"ipv4.ttl", Type::number, 8},
    {"ipv4.protocol", Type::number, 8},
    {"ipv4.checksum", Type::number, 16},
    {"ipv4.src", Type::ipv4, 32},
    {"ipv4.dst", Type::ipv4, 32},
    {"ipv6.traffic_class", Type::number, 8},
    {"ipv6.flow_label", Type::number, 20},
    {"ipv6.payload_length", Type::number, 16},
    {"ipv6.next_header", Type::number, 8},
    {"ipv6.hop_limit", Type::number, 8},
    {"ipv6.protocol", Type::number, 8},
    {"ipv6.src", Type::ipv6, 128},
    {"ipv6.dst", Type::ipv6, 128},
    {"icmp.type", Type::number, 8},
    {"icmp.code", Type::number, 8},
    {"icmpv6.type", Type::number, 8},
    {"icmpv6.rest", Type::number, 32},
    {"udp.sport", Type::number, 16},
    {"udp.dport", Type::number, 16},
    {"udp.length", Type::number, 16},
    {"tcp.sport", Type::number, 16},
    {"tcp.dport", Type::number, 16},
    {"tcp.seq", Type::number, 32},
    {"tcp.doff", Type::number, 4},
    {"tcp.flags", Type::number, 8},
    {"tcp.window", Type::number, 16},
    {"packet.length", Type::number, 16},
    {"packet[12:2]", Type::number, 16},
    {"packet[23]", Type::number, 8},
    {"packet[40:4]", Type::number, 32},
    {"packet[26:8]", Type::number, 64},
    {"packet[9:3]", Type::number, 24},
    {"udp.payload[0:4]", Type::number, 32},
    {"tcp.payload[1:2]", Type::number, 16},
    {"ipv4.payload[2:2]", Type::number, 16},
    {"ipv6.payload[0:2]", Type::number, 16},
    {"rx_queue", Type::number, 32},
    {"iface", Type::number, 32},
};

// Fields that several tests of a program ask for make programs in which knowledge matters.
constexpr FieldName frequent[] = {
    {"udp.dport", Type::number, 16}, {"tcp.dport", Type::number, 16}, {"ipv4.src", Type::ipv4, 32},
    {"ipv4.dst", Type::ipv4, 32},    {"ipv6.src", Type::ipv6, 128},   {"ipv6.dst", Type::ipv6, 128},
    {"udp.sport", Type::number, 16}, {"ipv4.ttl", Type::number, 8},   {"vlan.id", Type::number, 12},
};

constexpr const char *bit_fields[] = {"tcp.flags.syn", "tcp.flags.ack", "tcp.flags.fin",
                                      "ipv4.flags.df", "ipv4.flags.mf", "vlan.dei"};

// What tells links of a chain apart multiplies a program; one of them a program, beside the simpler ones.
constexpr const char *chain_tests[] = {
    "any destination_options.length > 0",
    "destination_options[1].next_header == 60",
    "ipv6/hop_by_hop/routing",
    "routing/fragment/udp",
    "destination_options/udp",
    "ipv6/fragment/udp",
    "fragment/tcp",
    "ipv6/destination_options",
    "hop_by_hop",
    "routing",
    "ah",
    "destination_options",
    "hop_by_hop.length > 0",
    "routing.segments_left == 0",
    "ah.spi in 1..0x7fffffff",
    "destination_options.length in {0, 1, 3}",
    "not hop_by_hop",
    "not routing",
    "fragment",
    "fragment.more",
    "fragment.offset > 3",
};

constexpr const char *presences[] = {
    "udp",
    "tcp",
    "icmp",
    "icmpv6",
    "ipv4",
    "ipv6",
    "arp",
    "vlan",
    "vlan[1]",
    "ethernet",
    "ethernet/ipv4/udp",
    "ethernet/ipv4/tcp",
    "ethernet/vlan/ipv4",
    "vlan/ipv6/udp",
    "ipv4/udp",
    "ipv6/tcp",
    "ethernet/vlan/vlan/ipv4/udp",
    "ethernet/ipv6/udp",
    "vlan/vlan",
    "ethernet/arp",
    "any vlan.id in 100..199",
    "any vlan.id == 7",
    "any vlan.pcp in {1, 3..5}",
};

// A set, range or single value of a type; with those that the packets of the tests have.
class Values {
public:
    explicit Values(Random &random) : random_(random) {}

    std::string one(Type type, unsigned bits)
    {
        switch (type) {
        case Type::number: return fmt::format("{}", number(bits));
        case Type::mac: return mac();
        case Type::ipv4: return ipv4();
        case Type::ipv6: return ipv6();
        }
        return "0";
    }

    std::string element(Type type, unsigned bits)
    {
        if (type == Type::ipv4 && random_.one_in(2)) {
            const unsigned length = static_cast<unsigned>(random_.below(33));
            const std::uint64_t address = ipv4_number() & (length == 0 ? 0 : 0xffffffffU << (32 - length));
            return fmt::format("{}/{}", ipv4_text(address), length);
        }
        if (type == Type::ipv6 && random_.one_in(2)) {
            const unsigned group = static_cast<unsigned>(random_.below(5));
            return std::array{"2001:db8::/32", "2001:db8:0:1::/64", "fe80::/10", "2001:db8:bad::/48",
                              "2001:db8:0:0:8000::/65"}[group];
        }
        if (type == Type::number && random_.one_in(2)) {
            const auto first = number(bits);
            const auto last = number(bits);
            return fmt::format("{}..{}", std::min(first, last), std::max(first, last));
        }
        return one(type, bits);
    }

    std::string set(Type type, unsigned bits)
    {
        std::uint64_t count = 1 + random_.below(6);
        if (random_.one_in(10))
            count = 1 + random_.below(200);
        std::string out = "{";
        for (std::uint64_t i = 0; i < count; ++i)
            out += (i == 0 ? "" : ", ") + (count > 6 ? one(type, bits) : element(type, bits));
        return out + "}";
    }

    std::uint64_t number(unsigned bits)
    {
        const std::uint64_t most = bits >= 64 ? UINT64_MAX : (std::uint64_t(1) << bits) - 1;
        constexpr std::array<std::uint64_t, 22> known{
            0,  1,   2,   5,   6,      7,      17,     53,    58,         60,         64,
            80, 100, 128, 443, 0x0800, 0x86dd, 0x8100, 65535, 0x12345678, 0x80000000, 0xffffffff};
        if (random_.one_in(3))
            return most - (random_.one_in(2) ? 0 : random_.next() & most & 3);
        const std::uint64_t value = random_.one_in(3) ? random_.next() : random_.pick(known);
        return value & most;
    }

private:
    std::string mac()
    {
        const std::uint64_t value = random_.one_in(3) ? random_.next() : 0x020000000000 + random_.below(4);
        return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", value >> 40 & 255, value >> 32 & 255,
                           value >> 24 & 255, value >> 16 & 255, value >> 8 & 255, value & 255);
    }
    std::uint64_t ipv4_number()
    {
        constexpr std::array<std::uint64_t, 7> some{0x0a000001, 0x0a000002, 0x0a0000ff, 0xc0000207,
                                                    0xc6336407, 0xffffffff, 0x80000000};
        return random_.one_in(4) ? random_.next() & 0xffffffff : random_.pick(some);
    }
    static std::string ipv4_text(std::uint64_t v)
    {
        return fmt::format("{}.{}.{}.{}", v >> 24 & 255, v >> 16 & 255, v >> 8 & 255, v & 255);
    }
    std::string ipv4() { return ipv4_text(ipv4_number()); }
    std::string ipv6()
    {
        constexpr std::array high{"2001:db8:0:0", "2001:db8:0:1", "2001:db8:bad:0", "fe80:0:0:0", "0:0:0:0"};
        constexpr std::array low{"0:0:0:0", "0:0:0:1", "0:0:0:2", "8000:0:0:0", "ffff:ffff:ffff:ffff"};
        return fmt::format("{}:{}", random_.pick(high), random_.pick(low));
    }

    Random &random_;
};

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed), values_(random_) {}

    Subject program()
    {
        Subject out;
        maps(out);
        std::uint64_t rules = 1 + random_.below(6);
        if (random_.one_in(4))
            rules = 1 + random_.below(60);
        for (std::uint64_t i = 0; i < rules; ++i)
            out.source += rule(rules > 12 ? 1 : random_.one_in(4) ? 3 : 2, 0);
        if (random_.one_in(3))
            out.source += fmt::format("default -> {}\n", verdict());
        out.rx_queue = static_cast<std::uint32_t>(random_.below(4));
        return out;
    }

private:
    FieldName field() { return random_.one_in(2) ? random_.pick(fields) : random_.pick(frequent); }

    FieldName number_field()
    {
        for (;;)
            if (const FieldName found = field(); found.type == Type::number)
                return found;
    }

    void maps(Subject &out)
    {
        if (random_.one_in(3)) {
            has_xsks_ = true;
            out.source += "defmap xsks : xskmap[64]\n";
        }
        if (random_.one_in(4)) {
            out.source += "defmap blocked : lpm_trie<ipv4.src>[64]\n";
            out.fillings.push_back({"blocked", bytes({16, 0, 0, 0, 10, 0, 0, 0}), bytes({1, 0, 0, 0})});
            out.fillings.push_back({"blocked", bytes({32, 0, 0, 0, 192, 0, 2, 7}), bytes({1, 0, 0, 0})});
            sets_.push_back({"blocked", "ipv4.src"});
            sets_.push_back({"blocked", "ipv4.dst"});
        }
        if (random_.one_in(4)) {
            out.source += "defmap wide : hash<ipv6.dst>[64]\n";
            out.fillings.push_back(
                {"wide", bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), bytes({1, 0, 0, 0})});
            sets_.push_back({"wide", "ipv6.src"});
        }
        if (random_.one_in(4)) {
            out.source += "defmap ports : hash<u16>[64]\n";
            out.fillings.push_back({"ports", bytes({53, 0}), bytes({1, 0, 0, 0})});
            out.fillings.push_back({"ports", bytes({187, 1}), bytes({1, 0, 0, 0})});
            sets_.push_back({"ports", "udp.dport"});
            sets_.push_back({"ports", "tcp.sport"});
        }
        if (random_.one_in(3)) {
            out.source +=
                fmt::format("defmap seen : {}<ipv4.src -> {}>[4096]\n", random_.one_in(2) ? "hash" : "percpu_hash",
                            random_.one_in(2) ? "counter" : "u64");
            counts_.push_back("count seen[ipv4.src]");
            counts_.push_back("count seen[ipv4.dst]");
        }
        if (random_.one_in(3)) {
            out.source += fmt::format("defmap slots : {}<{}>[64]\n", random_.one_in(2) ? "array" : "percpu_array",
                                      random_.one_in(2) ? "counter" : "u32");
            for (const char *key : {"5", "ipv4.ttl", "packet.length", "udp.dport & 63", "rx_queue"})
                counts_.push_back(fmt::format("count slots[{}]", key));
        }
    }

    static Bytes bytes(std::initializer_list<unsigned> values)
    {
        Bytes out;
        for (const unsigned value : values)
            out.push_back(static_cast<std::byte>(value));
        return out;
    }

    std::string indent(unsigned depth) { return std::string(depth * 4, ' '); }

    std::string rule(unsigned size, unsigned depth)
    {
        const std::string head = fmt::format("{}match {}", indent(depth), condition(size));
        if (depth >= 2 || !random_.one_in(6))
            return fmt::format("{} -> {}\n", head, action());
        std::string body;
        for (std::uint64_t i = 1 + random_.below(3); i > 0; --i)
            body += rule(size, depth + 1);
        if (random_.one_in(4))
            body += fmt::format("{}default -> {}\n", indent(depth + 1), verdict());
        return fmt::format("{} {{\n{}{}}}\n", head, body, indent(depth));
    }

    std::string verdict()
    {
        switch (random_.below(7)) {
        case 0: return "pass";
        case 1: return "tx";
        case 2: return "abort";
        case 3:
            return has_xsks_ ? fmt::format("xsk xsks[{}] else {}", random_.one_in(2) ? "7" : "ipv4.ttl",
                                           random_.one_in(2) ? "drop" : "tx")
                             : "xsk";
        default: return random_.one_in(4) ? "xsk" : "drop";
        }
    }

    std::string action()
    {
        if (counts_.empty() || random_.one_in(2))
            return verdict();
        const std::string count = counts_[random_.below(counts_.size())];
        switch (random_.below(3)) {
        case 0: return count;
        case 1: return fmt::format("{{ {}; continue }}", count);
        default: return fmt::format("{{ {}; {} }}", count, verdict());
        }
    }

    std::string condition(unsigned size)
    {
        if (size <= 1)
            return test();
        switch (random_.below(6)) {
        case 0: return fmt::format("({} or {})", condition(size - 1), condition(size - 1));
        case 1: return fmt::format("not {}", not_operand(size));
        case 2:
        case 3: return fmt::format("{} and {}", grouped(size - 1), grouped(size - 1));
        default: return test();
        }
    }

    std::string grouped(unsigned size) { return fmt::format("({})", condition(size)); }
    std::string not_operand(unsigned size) { return random_.one_in(2) ? test() : grouped(size - 1); }

    std::string test()
    {
        if (!chain_tested_ && random_.one_in(12)) {
            chain_tested_ = true;
            return random_.pick(chain_tests);
        }
        switch (random_.below(10)) {
        case 0:
        case 1: return random_.pick(presences);
        case 2:
            return random_.one_in(3) ? fmt::format("{} == {}", random_.pick(bit_fields), random_.below(2))
                                     : random_.pick(bit_fields);
        case 3: return arithmetic_test();
        case 4:
            if (!sets_.empty()) {
                const auto &[map, key] = sets_[random_.below(sets_.size())];
                return fmt::format("{} in {}", key, map);
            }
            return two_fields();
        case 5: {
            const FieldName f = field();
            return fmt::format("{} in {}", f.name, values_.set(f.type, f.bits));
        }
        default: {
            const FieldName f = field();
            if (random_.one_in(4))
                return fmt::format("{} in {}", f.name, values_.element(f.type, f.bits));
            return fmt::format("{} {} {}", f.name, comparison(), values_.one(f.type, f.bits));
        }
        }
    }

    std::string comparison() { return random_.pick(std::array{"==", "==", "!=", "<", "<=", ">", ">="}); }

    std::string two_fields()
    {
        const FieldName left = field();
        for (;;)
            if (const FieldName right = field(); right.type == left.type)
                return fmt::format("{} {} {}", left.name, comparison(), right.name);
    }

    std::string number_expression(unsigned depth)
    {
        if (depth == 0 || random_.one_in(4))
            return random_.one_in(3) ? fmt::format("{}", values_.number(random_.one_in(3) ? 64 : 16))
                                     : std::string(number_field().name);
        if (random_.one_in(8))
            return fmt::format("{}{}", random_.one_in(2) ? "-" : "~", number_field().name);
        switch (random_.below(4)) {
        case 0:
            return fmt::format("({} {} {})", number_expression(depth - 1), random_.one_in(2) ? "<<" : ">>",
                               random_.below(64));
        case 1:
            return fmt::format("({} {} {})", number_expression(depth - 1), random_.one_in(2) ? "/" : "%", divisor());
        default:
            return fmt::format("({} {} {})", number_expression(depth - 1),
                               random_.pick(std::array{"+", "-", "*", "&", "|", "^"}), number_expression(depth - 1));
        }
    }

    std::string divisor()
    {
        return random_.one_in(2) ? fmt::format("{}", 1 + random_.below(300)) : std::string(number_field().name);
    }

    // A field first, so that nothing is constant as a whole; a difference is 64 bits wide, so that constants fit.
    std::string arithmetic_test()
    {
        const std::string left = fmt::format("({} {} {})", number_field().name,
                                             random_.pick(std::array{"+", "-", "*", "^"}), number_expression(2));
        if (random_.one_in(2))
            return fmt::format("{} {} {}", left, comparison(), number_field().name);
        const auto mask = 1 + random_.below(0xffff);
        return fmt::format("({} - {}) & {} {} {}", left, number_field().name, mask, comparison(),
                           random_.below(mask + 1));
    }

    Random random_;
    Values values_;
    bool has_xsks_ = false;
    bool chain_tested_ = false;
    std::vector<std::pair<std::string, std::string>> sets_; // map and key
    std::vector<std::string> counts_;
};

} // namespace

Subject random_program(std::uint64_t seed) { return Generator(seed).program(); }

} // namespace xdpf::diff
