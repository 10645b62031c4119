// Actions of random programs.
#include "tests/diff/random_generator.hpp"

#include <fmt/format.h>

#include <array>

namespace xdpf::diff {
namespace {

constexpr FieldName settable[] = {
    {"ethernet.dst", Type::mac, 48},
    {"ethernet.src", Type::mac, 48},
    {"vlan.id", Type::number, 12},
    {"vlan.pcp", Type::number, 3},
    {"vlan[1].id", Type::number, 12},
    {"ipv4.ttl", Type::number, 8},
    {"ipv4.dscp", Type::number, 6},
    {"ipv4.ecn", Type::number, 2},
    {"ipv4.id", Type::number, 16},
    {"ipv4.src", Type::ipv4, 32},
    {"ipv4.dst", Type::ipv4, 32},
    {"ipv6.hop_limit", Type::number, 8},
    {"ipv6.traffic_class", Type::number, 8},
    {"ipv6.flow_label", Type::number, 20},
    {"ipv6.src", Type::ipv6, 128},
    {"ipv6.dst", Type::ipv6, 128},
    {"udp.sport", Type::number, 16},
    {"udp.dport", Type::number, 16},
    {"udp.length", Type::number, 16},
    {"udp.checksum", Type::number, 16},
    {"tcp.sport", Type::number, 16},
    {"tcp.dport", Type::number, 16},
    {"tcp.seq", Type::number, 32},
    {"tcp.window", Type::number, 16},
    {"tcp.flags", Type::number, 8},
    {"tcp.flags.syn", Type::number, 1},
    {"icmp.code", Type::number, 8},
    {"icmpv6.type", Type::number, 8},
    {"icmp.rest", Type::number, 32},
    {"arp.op", Type::number, 16},
    {"arp.sha", Type::mac, 48},
    {"arp.tpa", Type::ipv4, 32},
    {"ipv4.protocol", Type::number, 8},
    {"ethernet.type", Type::number, 16},
    {"ipv4.fragment_offset", Type::number, 13},
    {"ipv4.ihl", Type::number, 4},
    {"ip.ttl", Type::number, 8},
};

constexpr std::pair<const char *, const char *> swappable[] = {
    {"ethernet.src", "ethernet.dst"}, {"ipv4.src", "ipv4.dst"},      {"udp.sport", "udp.dport"},
    {"tcp.sport", "tcp.dport"},       {"ip.src", "ip.dst"},          {"arp.spa", "arp.tpa"},
    {"ipv6.src", "ipv6.dst"},         {"ipv4.ttl", "ipv4.protocol"},
};

constexpr const char *blocks_of_instructions[] = {
    "asm {\n    r0 = 1\n    exit\n}",
    "asm {\n    r2 = *(u32 *)(r1 + xdp_md.data)\n    r3 = *(u32 *)(r1 + xdp_md.data_end)\n    r4 = r2\n"
    "    r4 += 14\n    if r4 > r3 goto short\n    r5 = *(u8 *)(r2 + 12)\n    *(u8 *)(r2 + 0) = r5\n"
    "short:\n    r0 = 2\n    exit\n}",
    "asm {\n    r6 = r1\n    r0 = *(u32 *)(r6 + xdp_md.rx_queue_index)\n    r0 &= 1\n    r0 += 1\n    exit\n}",
};

} // namespace

std::string Generator::plain_verdict() { return random_.pick(std::array{"pass", "drop", "abort", "tx"}); }

std::string Generator::redirect()
{
    std::string out = redirects_[random_.below(redirects_.size())];
    if (const auto key = out.find('?'); key != std::string::npos)
        out.replace(key, 1, random_.one_in(3) ? fmt::format("{}", random_.below(2)) : "(rx_queue + " + number(1) + ")");
    return random_.one_in(2) ? out + " else " + plain_verdict() : out;
}

std::string Generator::verdict()
{
    switch (random_.below(10)) {
    case 0: return "pass";
    case 1: return "tx";
    case 2: return "abort";
    case 3:
        return has_xsks_ ? fmt::format("xsk xsks[{}] else {}",
                                       random_.one_in(3) ? std::string("7") : "(rx_queue ^ " + number(1) + ")",
                                       plain_verdict())
                         : "xsk";
    case 4:
        if (!redirects_.empty())
            return redirect();
        return "drop";
    case 5:
        if (!programs_.empty() && random_.one_in(2))
            return "goto " + programs_[random_.below(programs_.size())];
        return "drop";
    case 6: return random_.one_in(4) ? random_.pick(blocks_of_instructions) : std::string("drop");
    default: return random_.one_in(4) ? "xsk" : "drop";
    }
}

std::string Generator::action(unsigned depth)
{
    switch (random_.below(5)) {
    case 0:
    case 1: return verdict();
    case 2: return random_.one_in(2) && !actions_.empty() ? block(depth, false) : step(depth);
    default: return block(depth, random_.one_in(2));
    }
}

// What `let` names is known to the end of its block.
std::string Generator::block(unsigned depth, bool decides)
{
    const std::size_t known = names_.size();
    std::string out = "{ ";
    for (std::uint64_t i = 1 + random_.below(4); i > 0; --i)
        out += step(depth) + "\n    ";
    if (decides)
        out += verdict() + "\n";
    else if (random_.one_in(3))
        out += "continue";
    names_.resize(known);
    return out + " }";
}

std::string Generator::step(unsigned depth)
{
    switch (random_.below(10)) {
    case 0:
        if (!actions_.empty())
            return actions_[random_.below(actions_.size())];
        return count_step();
    case 1: return let_step();
    case 2:
    case 3: return rewrite_step();
    case 4: return record_step();
    case 5:
        if (depth < 2)
            return if_step(depth + 1);
        return count_step();
    case 6:
    case 7: return count_step();
    default: return assign_step();
    }
}

std::string Generator::count_step()
{
    for (unsigned tries = 0; tries < 4 && !maps_.empty(); ++tries)
        if (const RandomMap &map = maps_[random_.below(maps_.size())]; map.counts)
            return map.array && random_.one_in(4) ? "count " + map.name
                                                  : fmt::format("count {}[{}]", map.name, key_of(map, 1));
    return assign_step();
}

std::string Generator::assign_step()
{
    if (!pushed_.empty() && random_.one_in(5)) {
        const auto &[map, type] = pushed_[random_.below(pushed_.size())];
        return fmt::format("add {} to {}", value_of(type, 1), map);
    }
    if (maps_.empty())
        return rewrite_step();
    const RandomMap &map = maps_[random_.below(maps_.size())];
    const std::string key = key_of(map, 1);
    if (map.value.empty() || (!map.array && random_.one_in(4)))
        return map.array ? rewrite_step() : fmt::format("delete {}[{}]", map.name, key);
    if (!map.value[0].name.empty() && random_.one_in(3)) {
        std::string fields;
        for (const Typed &part : map.value)
            if (fields.empty() || random_.one_in(2))
                fields += fmt::format("{}{} = {}", fields.empty() ? "" : ", ", part.name, value_of(part, 1));
        return fmt::format("{}[{}] = {{{}}}", map.name, key, fields);
    }
    const Typed &part = map.value[random_.below(map.value.size())];
    const char *op = part.type == Type::number ? random_.pick(std::array{"=", "+=", "-="}) : "=";
    return fmt::format("{}[{}]{}{} {} {}", map.name, key, part.name.empty() ? "" : ".", part.name, op,
                       value_of(part, 1));
}

std::string Generator::let_step()
{
    Typed made{fmt::format("x{}", names_.size()),
               random_.pick(std::array{Type::number, Type::number, Type::ipv4, Type::mac}), 64};
    const std::string value = made.type == Type::number ? number(2) : address(made.type, 1);
    std::string out = fmt::format("let {} = {}", made.name, value);
    names_.push_back(std::move(made));
    return out;
}

std::string Generator::rewrite_step()
{
    if (big_steps_ < 2 && random_.one_in(4)) {
        ++big_steps_;
        return tunnel_step();
    }
    if (random_.one_in(4)) {
        const auto &[left, right] = random_.pick(swappable);
        return fmt::format("swap {}, {}", left, right);
    }
    if (group_ != nullptr && group_->decap == std::string_view("gre") && random_.one_in(3))
        return random_.one_in(4)
                   ? "swap gre.key, gre.sequence"
                   : fmt::format("set gre.{} = {}", random_.pick(std::array{"key", "sequence", "vsid", "flow"}),
                                 number_of_bits(8, 1));
    const bool near = group_ != nullptr && !group_->neighbours.empty() && random_.one_in(2);
    const FieldName target = near ? random_.pick(group_->neighbours) : random_.pick(settable);
    if (target.type == Type::ipv6) // of a union it is no address of IPv6 alone
        return fmt::format("set {} = {}", target.name, random_.one_in(2) ? values_.one(Type::ipv6, 0) : "ip.src");
    return fmt::format("set {} = {}", target.name, value_of({"", target.type, target.bits}, 1));
}

std::string Generator::tunnel_step()
{
    const bool group = group_ != nullptr && *group_->decap != '\0';
    if (group && random_.one_in(2)) {
        const std::string name = group_->decap;
        if (random_.one_in(2))
            return "decap " + name;
        if (name == "ipip")
            return fmt::format("encap ipv4(src = {}, dst = 192.0.2.7, ttl = {}) / ipip", address(Type::ipv4, 0),
                               number_of_bits(8, 0));
        if (name == "gre")
            return "encap ipv4(dst = 192.0.2.8) / gre";
        if (name == "vxlan")
            return fmt::format("encap ethernet / ipv4(dst = 192.0.2.9) / udp(sport = {}) / vxlan(vni = {})",
                               number_of_bits(16, 1), number_of_bits(24, 1));
        if (name == "geneve")
            return fmt::format("encap ethernet(src = {}) / ipv4 / udp / geneve(vni = {})", address(Type::mac, 0),
                               number_of_bits(24, 1));
        if (name == "mpls")
            return fmt::format("encap mpls(label = {}, ttl = {})", number_of_bits(20, 1), number_of_bits(8, 1));
        return "decap " + name;
    }
    switch (random_.below(3)) {
    case 0: return "pop vlan";
    default: return fmt::format("push vlan(id = {}, pcp = {})", number_of_bits(12, 1), number_of_bits(3, 1));
    }
}

std::string Generator::record_step()
{
    if (random_.one_in(3)) {
        std::string out;
        for (std::uint64_t i = 0, end = 1 + random_.below(3); i < end; ++i)
            out += fmt::format("{}m{} = {}", i == 0 ? "" : ", ", i, number(1));
        return fmt::format("metadata {{{}}}", out);
    }
    if (rings_.empty())
        return assign_step();
    const std::string &ring = rings_[random_.below(rings_.size())];
    if (random_.one_in(3))
        return random_.one_in(2) ? "sample " + ring : fmt::format("sample {}[{}]", ring, 1 + random_.below(200));
    std::string out;
    for (std::uint64_t i = 0, end = 1 + random_.below(5); i < end; ++i)
        out += fmt::format(
            "{}f{} = {}", i == 0 ? "" : ", ", i,
            value_of({"", random_.pick(std::array{Type::number, Type::mac, Type::ipv4, Type::ipv6}), 64}, 1));
    return fmt::format("emit {} {{{}}}", ring, out);
}

std::string Generator::if_step(unsigned depth)
{
    std::string out = fmt::format("if {} {}", condition(2), block(depth, random_.one_in(3)));
    if (random_.one_in(2))
        out += " else " + block(depth, random_.one_in(4));
    return out;
}

} // namespace xdpf::diff
