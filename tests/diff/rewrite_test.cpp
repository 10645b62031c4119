// Programs that change packets: every field that can be set, exchanged addresses and ports, tags put in and taken out,
// and random combinations of such steps with matches between them, in every engine and against plain bytes.
#include "tests/diff/engines.hpp"
#include "tests/diff/rewritten.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <array>

using namespace xdpf::diff;

namespace {

struct FieldPlace {
    std::string_view header;
    std::string_view name;
    std::size_t first; // bit of its header
    std::size_t bits;
    unsigned index = 0;
};

// Where the protocols' documents have them.
constexpr auto fields = std::to_array<FieldPlace>({
    {"ethernet", "type", 96, 16},
    {"vlan", "pcp", 0, 3},
    {"vlan", "dei", 3, 1},
    {"vlan", "id", 4, 12},
    {"vlan", "type", 16, 16},
    {"vlan", "id", 4, 12, 1},
    {"vlan", "pcp", 0, 3, 1},
    {"arp", "op", 48, 16},
    {"ipv4", "version", 0, 4},
    {"ipv4", "ihl", 4, 4},
    {"ipv4", "dscp", 8, 6},
    {"ipv4", "ecn", 14, 2},
    {"ipv4", "length", 16, 16},
    {"ipv4", "id", 32, 16},
    {"ipv4", "flags", 48, 3},
    {"ipv4", "flags.df", 49, 1},
    {"ipv4", "fragment_offset", 51, 13},
    {"ipv4", "ttl", 64, 8},
    {"ipv4", "protocol", 72, 8},
    {"ipv4", "checksum", 80, 16},
    {"ipv6", "version", 0, 4},
    {"ipv6", "traffic_class", 4, 8},
    {"ipv6", "flow_label", 12, 20},
    {"ipv6", "payload_length", 32, 16},
    {"ipv6", "next_header", 48, 8},
    {"ipv6", "hop_limit", 56, 8},
    {"hop_by_hop", "next_header", 0, 8},
    {"hop_by_hop", "length", 8, 8},
    {"routing", "segments_left", 24, 8},
    {"destination_options", "next_header", 0, 8},
    {"fragment", "offset", 16, 13},
    {"fragment", "more", 31, 1},
    {"fragment", "id", 32, 32},
    {"ah", "spi", 32, 32},
    {"udp", "sport", 0, 16},
    {"udp", "dport", 16, 16},
    {"udp", "length", 32, 16},
    {"udp", "checksum", 48, 16},
    {"tcp", "sport", 0, 16},
    {"tcp", "dport", 16, 16},
    {"tcp", "seq", 32, 32},
    {"tcp", "ack", 64, 32},
    {"tcp", "doff", 96, 4},
    {"tcp", "reserved", 100, 4},
    {"tcp", "flags", 104, 8},
    {"tcp", "flags.syn", 110, 1},
    {"tcp", "flags.cwr", 104, 1},
    {"tcp", "window", 112, 16},
    {"tcp", "checksum", 128, 16},
    {"tcp", "urgent", 144, 16},
    {"icmp", "type", 0, 8},
    {"icmp", "code", 8, 8},
    {"icmp", "checksum", 16, 16},
    {"icmp", "rest", 32, 32},
    {"icmpv6", "type", 0, 8},
    {"icmpv6", "code", 8, 8},
    {"icmpv6", "rest", 32, 32},
});

struct AddressPlace {
    std::string_view header;
    std::string_view name;
    std::size_t byte;
    std::size_t bytes;
};
constexpr auto addresses = std::to_array<AddressPlace>({{"ethernet", "dst", 0, 6},
                                                        {"ethernet", "src", 6, 6},
                                                        {"arp", "sha", 8, 6},
                                                        {"arp", "spa", 14, 4},
                                                        {"arp", "tha", 18, 6},
                                                        {"arp", "tpa", 24, 4},
                                                        {"ipv4", "src", 12, 4},
                                                        {"ipv4", "dst", 16, 4},
                                                        {"ipv6", "src", 8, 16},
                                                        {"ipv6", "dst", 24, 16}});

std::string path_of(const FieldPlace &field)
{
    return field.header == "vlan" ? fmt::format("vlan[{}].{}", field.index, field.name)
                                  : fmt::format("{}.{}", field.header, field.name);
}

std::optional<std::uint64_t> read(const Rewriter &packet, const FieldPlace &field)
{
    return packet.dissection().bits(field.header, field.first, field.bits, field.index);
}

// What stands in a rule, and what it does.
struct Step {
    std::string text;
    std::function<void(Rewriter &)> apply;
};
struct Condition {
    std::string text;
    std::function<bool(const Rewriter &)> holds;
};
struct Rule {
    Condition condition;
    std::vector<Step> steps;
    std::uint32_t verdict = XDP_PASS + 100; // go on
    std::string_view says = "continue";
};

Step set_constant(const FieldPlace &field, std::uint64_t value)
{
    return {fmt::format("set {} = {}", path_of(field), value),
            [=](Rewriter &packet) { packet.set(field.header, field.first, field.bits, value, field.index); }};
}

Step add_constant(const FieldPlace &field, std::uint64_t more)
{
    return {fmt::format("set {0} = {0} + {1}", path_of(field), more), [=](Rewriter &packet) {
                if (const auto old = read(packet, field))
                    packet.set(field.header, field.first, field.bits, *old + more, field.index);
            }};
}

Step copy_field(const FieldPlace &to, const FieldPlace &from)
{
    const auto mask = (std::uint64_t(1) << to.bits) - 1;
    return {fmt::format("set {} = {} & {}", path_of(to), path_of(from), mask), [=](Rewriter &packet) {
                if (const auto value = read(packet, from))
                    packet.set(to.header, to.first, to.bits, *value & mask, to.index);
            }};
}

Step swap_fields(const FieldPlace &one, const FieldPlace &other)
{
    return {fmt::format("swap {}, {}", path_of(one), path_of(other)), [=](Rewriter &packet) {
                packet.swap({one.header, one.first, one.index}, {other.header, other.first, other.index}, one.bits);
            }};
}

Step swap_addresses(const AddressPlace &one, const AddressPlace &other)
{
    return {fmt::format("swap {}.{}, {}.{}", one.header, one.name, other.header, other.name), [=](Rewriter &packet) {
                packet.swap({one.header, one.byte * 8}, {other.header, other.byte * 8}, one.bytes * 8);
            }};
}

Step set_address(const AddressPlace &field, Random &random)
{
    Bytes bytes;
    for (std::size_t i = 0; i < field.bytes; ++i)
        bytes.push_back(static_cast<std::byte>(random.one_in(4) ? random.pick(std::array{0, 0xff}) : random.next()));
    const auto at = [&](std::size_t i) { return static_cast<unsigned>(bytes[i]); };
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += field.bytes == 16 ? 2 : 1)
        text += field.bytes == 16  ? fmt::format("{}{:x}", i == 0 ? "" : ":", at(i) << 8 | at(i + 1))
                : field.bytes == 6 ? fmt::format("{}{:02x}", i == 0 ? "" : ":", at(i))
                                   : fmt::format("{}{}", i == 0 ? "" : ".", at(i));
    return {fmt::format("set {}.{} = {}", field.header, field.name, text),
            [=](Rewriter &packet) { packet.set_bytes(field.header, field.byte, bytes); }};
}

Step copy_address(const AddressPlace &to, const AddressPlace &from)
{
    return {fmt::format("set {}.{} = {}.{}", to.header, to.name, from.header, from.name), [=](Rewriter &packet) {
                const Dissection parts = packet.dissection();
                const Header *header = parts.get(from.header);
                if (header == nullptr || !parts.has(to.header))
                    return;
                const auto begin = packet.bytes().begin() + static_cast<std::ptrdiff_t>(header->start + from.byte);
                packet.set_bytes(to.header, to.byte, Bytes(begin, begin + static_cast<std::ptrdiff_t>(from.bytes)));
            }};
}

Step push_tag(unsigned id, unsigned pcp)
{
    return {fmt::format("push vlan(id = {}, pcp = {})", id, pcp),
            [=](Rewriter &packet) { packet.push_vlan(pcp << 13 | id); }};
}
Step push_computed(const FieldPlace &from)
{
    return {fmt::format("push vlan(id = {} & 0xfff)", path_of(from)), [=](Rewriter &packet) {
                if (const auto id = read(packet, from))
                    packet.push_vlan(*id & 0xfff);
            }};
}
Step pop_tag()
{
    return {"pop vlan", [](Rewriter &packet) { packet.pop_vlan(); }};
}
Step union_ttl()
{
    return {"set ip.ttl = ip.ttl - 1", [](Rewriter &packet) {
                if (const auto four = packet.dissection().bits("ipv4", 64, 8))
                    packet.set("ipv4", 64, 8, *four - 1);
                else if (const auto six = packet.dissection().bits("ipv6", 56, 8))
                    packet.set("ipv6", 56, 8, *six - 1);
            }};
}
Step union_swap()
{
    return {"swap ip.src, ip.dst", [](Rewriter &packet) {
                packet.swap({"ipv4", 96}, {"ipv4", 128}, 32);
                packet.swap({"ipv6", 64}, {"ipv6", 192}, 128);
            }};
}

Condition always()
{
    return {"packet.length >= 0", [](const Rewriter &) { return true; }};
}
Condition has(std::string_view name)
{
    return {std::string(name), [=](const Rewriter &packet) { return packet.dissection().has(name); }};
}
Condition equals(const FieldPlace &field, std::uint64_t value)
{
    return {fmt::format("{} == {}", path_of(field), value),
            [=](const Rewriter &packet) { return read(packet, field) == value; }};
}
Condition exceeds(const FieldPlace &field, std::uint64_t value)
{
    return {fmt::format("{} > {}", path_of(field), value), [=](const Rewriter &packet) {
                const auto is = read(packet, field);
                return is && *is > value;
            }};
}

std::string text_of(const std::vector<Rule> &rules)
{
    std::string out;
    for (const Rule &rule : rules) {
        out += fmt::format("match {} -> {{ ", rule.condition.text);
        for (const Step &step : rule.steps)
            out += step.text + "; ";
        out += fmt::format("{} }}\n", rule.says);
    }
    return out;
}

Outcome outcome_of(const std::vector<Rule> &rules, const Bytes &bytes)
{
    Rewriter packet(bytes);
    for (const Rule &rule : rules) {
        if (!rule.condition.holds(packet))
            continue;
        for (const Step &step : rule.steps)
            step.apply(packet);
        if (rule.says != "continue")
            return {rule.verdict, packet.bytes()};
    }
    return {XDP_PASS, packet.bytes()};
}

// False: the program was too large.
bool check(const std::vector<Rule> &rules, std::span<const Packet> packets)
{
    const std::string source = text_of(rules);
    INFO(source);
    const auto problems =
        rewriting_problems(source, packets, [&](const Bytes &bytes) { return outcome_of(rules, bytes); });
    if (problems == std::vector{std::string(too_large)})
        return false;
    for (const std::string &problem : problems)
        FAIL_CHECK(problem);
    return true;
}

const std::vector<Packet> &packets()
{
    static const std::vector<Packet> all = rewriting_packets(number_from_environment("XDPF_DIFF_SEED", 1), 700);
    return all;
}

class Programs {
public:
    explicit Programs(std::uint64_t seed) : random_(seed) {}

    std::vector<Rule> next()
    {
        std::vector<Rule> out;
        for (std::uint64_t count = 1 + random_.below(4); count > 0; --count) {
            Rule rule{.condition = condition(), .steps = {}};
            for (std::uint64_t steps = random_.below(4) + (out.empty() ? 1 : 0); steps > 0; --steps)
                rule.steps.push_back(step());
            if (random_.one_in(3)) {
                constexpr std::array<std::pair<std::uint32_t, std::string_view>, 3> verdicts{
                    {{XDP_DROP, "drop"}, {XDP_TX, "tx"}, {XDP_PASS, "pass"}}};
                std::tie(rule.verdict, rule.says) = random_.pick(verdicts);
            }
            out.push_back(std::move(rule));
        }
        return out;
    }

private:
    std::uint64_t value_for(const FieldPlace &field)
    {
        constexpr std::array<std::uint64_t, 12> likely{0, 1, 4, 5, 6, 17, 58, 44, 0x0800, 0x86dd, 0x8100, 53};
        const auto value = random_.one_in(3) ? random_.pick(likely) : random_.next();
        return value & ((std::uint64_t(1) << field.bits) - 1);
    }

    Condition condition()
    {
        constexpr std::array<std::string_view, 10> names{"ethernet", "vlan", "ipv4",   "ipv6",     "udp",
                                                         "tcp",      "icmp", "icmpv6", "fragment", "arp"};
        const FieldPlace field = random_.pick(fields);
        switch (random_.below(4)) {
        case 0: return has(random_.pick(names));
        case 1: return equals(field, value_for(field));
        case 2: return exceeds(field, value_for(field));
        default: return always();
        }
    }

    AddressPlace address(std::size_t bytes)
    {
        AddressPlace found = random_.pick(addresses);
        while (found.bytes != bytes)
            found = random_.pick(addresses);
        return found;
    }

    FieldPlace field(std::size_t bits)
    {
        FieldPlace found = random_.pick(fields);
        while (found.bits != bits)
            found = random_.pick(fields);
        return found;
    }

    Step step()
    {
        const FieldPlace one = random_.pick(fields);
        const AddressPlace place = random_.pick(addresses);
        switch (random_.below(12)) {
        case 0:
        case 1:
        case 2: return set_constant(one, value_for(one));
        case 3: return add_constant(one, random_.below(300));
        case 4: return copy_field(one, random_.pick(fields));
        case 5: return swap_fields(one, field(one.bits));
        case 6: return set_address(place, random_);
        case 7: return swap_addresses(place, address(place.bytes));
        case 8: return copy_address(place, address(place.bytes));
        case 9: return random_.one_in(2) ? union_ttl() : union_swap();
        case 10:
            return random_.one_in(3)
                       ? push_computed(one)
                       : push_tag(static_cast<unsigned>(random_.below(4096)), static_cast<unsigned>(random_.below(8)));
        default: return pop_tag();
        }
    }

    Random random_;
};

} // namespace

TEST_CASE("every field is set, and its checksums with it")
{
    for (const FieldPlace &field : fields) {
        const auto most = (std::uint64_t(1) << field.bits) - 1;
        CHECK(check({{always(), {set_constant(field, most / 3)}}}, packets()));
        check({{exceeds(field, 1), {add_constant(field, most)}, XDP_TX, "tx"}}, packets());
    }
    if (!kernel_usable())
        xdpf::testing::note_skip("the kernel's part needs root; the interpreters were compared");
}

TEST_CASE("every address is set and exchanged")
{
    Random random(7);
    for (const AddressPlace &field : addresses) {
        check({{always(), {set_address(field, random)}}}, packets());
        for (const AddressPlace &other : addresses)
            if (other.bytes == field.bytes)
                check({{has(field.header), {swap_addresses(field, other)}, XDP_TX, "tx"}}, packets());
    }
}

TEST_CASE("tags are put in and taken out")
{
    const FieldPlace ttl{"ipv4", "ttl", 64, 8};
    const FieldPlace id{"vlan", "id", 4, 12};
    check({{always(), {push_tag(7, 3)}}}, packets());
    check({{always(), {push_tag(4095, 0), push_tag(1, 7)}, XDP_TX, "tx"}}, packets());
    check({{has("vlan"), {pop_tag()}, XDP_TX, "tx"}}, packets());
    check({{has("vlan"), {pop_tag(), pop_tag()}, XDP_TX, "tx"}}, packets());
    check({{always(), {push_computed(ttl), add_constant(ttl, 255)}}, {equals(id, 64), {pop_tag()}, XDP_TX, "tx"}},
          packets());
}

// An option at an odd distance from the header whose checksum covers it.
TEST_CASE("options are set, wherever they stand")
{
    Random random(3);
    for (unsigned pads = 0; pads < 6; ++pads) {
        Bytes options(pads, std::byte(1));
        for (const unsigned byte : {2U, 4U, 5U, 180U})
            options.push_back(static_cast<std::byte>(byte));
        options.resize(12);
        std::vector<Packet> of;
        for (int i = 0; i < 40; ++i) {
            Frame frame(random);
            frame.ethernet({}, i % 2 == 0 ? 0x0800 : 0x86dd);
            i % 2 == 0 ? frame.ipv4(5 + random.below(3), 6) : frame.ipv6(6);
            frame.transport(6, 8);
            Rewriter made(frame.bytes());
            made.set_bytes("tcp", 20, options);
            of.push_back({fmt::format("TCP, {} pads", pads), with_right_checksums(made.bytes())});
        }
        const auto place = 22 + pads;
        const auto problems = rewriting_problems("match tcp.option.mss -> { set tcp.option.mss.value = 1300; tx }", of,
                                                 [&](const Bytes &bytes) {
                                                     Rewriter packet(bytes);
                                                     const auto at = packet.dissection().get("tcp")->start + place;
                                                     packet.set_at(at, std::array{std::byte(1300 >> 8), std::byte(20)});
                                                     CHECK(with_right_checksums(packet.bytes()) == packet.bytes());
                                                     return Outcome{XDP_TX, packet.bytes()};
                                                 });
        for (const std::string &problem : problems)
            FAIL_CHECK(problem);
    }
}

TEST_CASE("IPv4's checksum covers its options")
{
    std::vector<Packet> of;
    Random random(4);
    for (unsigned pads = 0; pads < 4; ++pads) {
        Bytes options(pads, std::byte(1));
        for (const unsigned byte : {148U, 4U, 0U, 0U})
            options.push_back(static_cast<std::byte>(byte));
        options.resize(8);
        Rewriter made(Frame(random).ethernet({}, 0x0800).ipv4(7, 17).transport(17).bytes());
        made.set_bytes("ipv4", 20, options);
        of.push_back({fmt::format("router alert behind {} pads", pads), with_right_checksums(made.bytes())});
    }
    const auto problems =
        rewriting_problems("match ipv4.option.router_alert -> { set ipv4.option.router_alert.value = 0xabcd; tx }", of,
                           [&](const Bytes &bytes) {
                               Rewriter packet(bytes);
                               std::size_t at = 34;
                               while (bytes[at] == std::byte(1))
                                   ++at;
                               packet.set_at(at + 2, std::array{std::byte(0xab), std::byte(0xcd)});
                               CHECK(with_right_checksums(packet.bytes()) == packet.bytes());
                               return Outcome{XDP_TX, packet.bytes()};
                           });
    for (const std::string &problem : problems)
        FAIL_CHECK(problem);
}

TEST_CASE("matches behind a step see the packet as it is then")
{
    const FieldPlace ttl{"ipv4", "ttl", 64, 8};
    const FieldPlace protocol{"ipv4", "protocol", 72, 8};
    const FieldPlace type{"ethernet", "type", 96, 16};
    check({{equals(ttl, 64), {set_constant(ttl, 5)}}, {equals(ttl, 5), {}, XDP_DROP, "drop"}}, packets());
    check(
        {{has("udp"), {set_constant(protocol, 6)}}, {has("tcp"), {}, XDP_DROP, "drop"}, {has("udp"), {}, XDP_TX, "tx"}},
        packets());
    check({{has("ipv4"), {set_constant(type, 0x86dd)}}, {has("ipv4"), {}, XDP_DROP, "drop"}}, packets());
    check({{has("vlan"), {pop_tag()}}, {has("vlan"), {}, XDP_DROP, "drop"}, {has("udp"), {}, XDP_TX, "tx"}}, packets());
}

TEST_CASE("random steps with matches between them")
{
    const auto seed = number_from_environment("XDPF_DIFF_SEED", 1);
    const auto count = number_from_environment("XDPF_DIFF_COUNT", 120);
    Programs programs(seed);
    std::uint64_t refused = 0;
    for (std::uint64_t i = 0; i < count; ++i)
        refused += check(programs.next(), std::span(packets()).subspan((i * 37) % 400, 300)) ? 0 : 1;
    CHECK(refused <= count / 10);
}
