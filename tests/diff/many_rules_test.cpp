// Lists of many rules in each form that they can get (a row, a tree of comparisons, tables in a map), against the same
// rules tested one after the other: the unoptimised program, in the interpreter.
#include "compiler/compile.hpp"
#include "tests/diff/engines.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace xdpf::diff;

namespace {

// The addresses and ports of the rules that the frames below have, too, so that many match.
std::string address(Random &random)
{
    return fmt::format("10.{}.{}.{}", random.below(3), random.below(3), random.below(4));
}
std::uint64_t port(Random &random) { return random.pick(std::array{22U, 53U, 80U, 443U, 4789U, 8080U}); }

std::string prefix(Random &random)
{
    const auto length = random.pick(std::array{8U, 14U, 16U, 24U, 30U, 31U, 32U});
    return fmt::format("10.{}.{}.{}/{}", length >= 16 ? random.below(3) : 0, length >= 24 ? random.below(3) : 0,
                       length == 32   ? random.below(4)
                       : length == 31 ? 2 * random.below(2)
                                      : 0,
                       length);
}

std::string rule(Random &random, std::string_view verdict)
{
    std::vector<std::string> tests;
    const auto protocol = random.pick(std::array{"tcp", "udp", "udp", "icmp", ""});
    if (!random.one_in(3))
        tests.push_back(fmt::format("ipv4.src in {}", prefix(random)));
    if (!random.one_in(4))
        tests.push_back(fmt::format("ipv4.dst in {}", prefix(random)));
    if (const std::string name = protocol; name == "tcp" || name == "udp") {
        if (!random.one_in(3))
            tests.push_back(fmt::format("{}.dport == {}", name, port(random)));
        if (random.one_in(4))
            tests.push_back(
                fmt::format("{}.sport in {{{}, 1000..{}}}", name, port(random), 2000 + random.below(40000)));
    } else if (name == "icmp") {
        tests.push_back(random.one_in(2) ? "icmp" : fmt::format("icmp.type in {{{}, 8}}", random.below(5)));
    }
    if (random.one_in(8))
        tests.push_back(fmt::format("ipv4.ttl in 0..{}", 30 + random.below(200)));
    if (tests.empty())
        tests.emplace_back(random.one_in(2) ? "ipv6" : "tcp");
    return fmt::format("match {} -> {}\n", fmt::join(tests, " and "), verdict);
}

// Likewise of IPv6, where what differs is in each of the 32-bit parts.
std::string address6(Random &random)
{
    return fmt::format("2001:db8:{}::{}:{:x}:{:x}", random.below(3), random.below(2), random.below(2) * 0x8000,
                       random.below(4));
}

std::string prefix6(Random &random)
{
    switch (random.below(5)) {
    case 0: return fmt::format("2001:db8:{}::/48", random.below(3));
    case 1: return fmt::format("2001:db8:{}::/47", 2 * random.below(2));
    case 2: return fmt::format("2001:db8:{}::{}:0:0/96", random.below(3), random.below(2));
    case 3: return fmt::format("2001:db8:{}::{}:8000:{}/126", random.below(3), random.below(2), 0);
    default: return address6(random) + "/128";
    }
}

std::string mac(Random &random) { return fmt::format("02:00:0{}:00:00:0{}", random.below(2), random.below(3)); }

// Alternatives, negations, unions, and fields of more than 32 bits.
std::string wide_test(Random &random)
{
    switch (random.below(10)) {
    case 0: return fmt::format("ipv6.src in {}", prefix6(random));
    case 1: return fmt::format("ipv6.dst in {} and ipv6.src != {}", prefix6(random), address6(random));
    case 2: return fmt::format("ipv6.dst in {{{}, {}}}", address6(random), prefix6(random));
    case 3: return fmt::format("ip.src in {}", random.one_in(2) ? prefix(random) : prefix6(random));
    case 4: return fmt::format("not ip.dst in {}", random.one_in(2) ? prefix(random) : prefix6(random));
    case 5: return fmt::format("(udp.dport == {} or tcp.dport == {})", port(random), port(random));
    case 6: return fmt::format("not (udp or ipv4.src in {})", prefix(random));
    case 7: return fmt::format("(not tcp.dport == {} and ip)", port(random));
    case 8: return fmt::format("ethernet.dst == {}", mac(random));
    default:
        return fmt::format("ethernet.src in {{{}, {}}} and ip.src in {}", mac(random), mac(random), prefix6(random));
    }
}

std::string wide_list(Random &random, std::size_t rules)
{
    std::string out;
    for (std::size_t i = 0; i < rules; ++i) {
        std::string tests = wide_test(random);
        if (random.one_in(2))
            tests += " and " + wide_test(random);
        if (random.one_in(3))
            tests += fmt::format(" and udp.sport in 0..{}", random.below(3000));
        out += fmt::format("match {} -> {}\n", tests, random.pick(std::array{"pass", "drop", "tx", "xsk", "drop"}));
    }
    return out;
}

std::string list(Random &random, std::size_t rules)
{
    std::string out;
    for (std::size_t i = 0; i < rules; ++i)
        out += rule(random, random.pick(std::array{"pass", "drop", "tx", "xsk", "drop"}));
    return out + random.pick(std::array{"", "default -> drop\n", "match arp -> tx\n"});
}

std::vector<Packet> frames(Random &random, std::size_t count)
{
    auto out = mixed_packets(random.next(), count / 4);
    const auto bytes_of = [&](Frame &frame, const std::string &text) {
        unsigned parts[4] = {};
        std::sscanf(text.c_str(), "%u.%u.%u.%u", &parts[0], &parts[1], &parts[2], &parts[3]);
        for (const unsigned part : parts)
            frame.number(part, 1);
    };
    while (out.size() < count) {
        Frame frame(random);
        const auto protocol = random.pick(std::array{6U, 17U, 17U, 1U, 50U});
        frame.ethernet(random.one_in(6) ? std::vector<std::uint16_t>{0x8100} : std::vector<std::uint16_t>{}, 0x0800);
        frame.number(0x45, 1).number(0, 1).number(60, 2).number(1, 2).number(0, 2).number(random.below(256), 1);
        frame.number(protocol, 1).number(0, 2);
        bytes_of(frame, address(random));
        bytes_of(frame, address(random));
        if (protocol == 6)
            frame.number(random.one_in(2) ? port(random) : 1500, 2)
                .number(port(random), 2)
                .number(0, 8)
                .number(0x5010, 2)
                .number(0, 6);
        else if (protocol == 17)
            frame.number(random.one_in(2) ? port(random) : 1500, 2).number(port(random), 2).number(8, 2).number(0, 2);
        else
            frame.number(random.below(9), 1).number(0, 7);
        out.push_back({"a listed packet", frame.bytes()});
    }
    return out;
}

// A third of them over IPv6 or with the addresses of Ethernet that the rules ask for.
std::vector<Packet> wide_frames(Random &random, std::size_t count)
{
    auto out = frames(random, count * 2 / 3);
    const auto put_address = [&](Frame &frame) {
        frame.number(0x20010db8, 4).number(random.below(3), 2).number(0, 2);
        frame.number(random.below(2), 4).number(random.below(2) * 0x8000, 2).number(random.below(4), 2);
    };
    while (out.size() < count) {
        Frame frame(random);
        for (int i = 0; i < 2; ++i)
            frame.number(0x0200, 2).number(random.below(2), 1).number(0, 2).number(random.below(3), 1);
        const auto protocol = random.pick(std::array{6U, 17U, 58U});
        if (random.one_in(4)) {
            frame.number(0x0800, 2).number(0x45, 1).number(0, 8).number(protocol, 1).number(0, 2);
            for (int i = 0; i < 2; ++i)
                frame.number(10, 1).number(random.below(3), 1).number(random.below(3), 1).number(random.below(4), 1);
        } else {
            frame.number(0x86dd, 2).number(0x60000000, 4).number(20, 2).number(protocol, 1).number(64, 1);
            put_address(frame);
            put_address(frame);
        }
        frame.number(random.below(4000), 2).number(port(random), 2).number(8, 4).number(0, 4).number(0x50, 1).fill(7);
        out.push_back({"a packet with wide fields", frame.bytes()});
    }
    return out;
}

void check(const Subject &subject, std::span<const Packet> packets)
{
    const Findings found = compare_engines(subject, packets, kernel_usable() ? Engines::all : Engines::interpreters);
    INFO(subject.source.substr(0, 2000));
    REQUIRE_MESSAGE(found.problems.empty(), found.problems.front());
}

} // namespace

TEST_CASE("rules say the same in every form")
{
    Random random(number_from_environment("XDPF_DIFF_SEED", 1));
    for (const std::size_t rules : {12U, 20U, 60U, 200U, 1500U}) {
        const auto packets = frames(random, 600);
        check({list(random, rules), {}}, packets);
        check({fmt::format("match not ipv6 {{\n{}}}\nmatch udp -> drop\n", list(random, rules)), {}}, packets);
    }
}

TEST_CASE("rules of wide fields, alternatives and negations say the same in every form")
{
    Random random(number_from_environment("XDPF_DIFF_SEED", 1));
    for (const std::size_t rules : {12U, 20U, 60U, 150U, 700U}) {
        const auto packets = wide_frames(random, 600);
        check({wide_list(random, rules), {}}, packets);
        check({list(random, rules / 2) + wide_list(random, rules / 2), {}, 0, rules < 100}, packets);
    }
}

TEST_CASE("rules that compare the same fields with one number each")
{
    Random random(number_from_environment("XDPF_DIFF_SEED", 1));
    const auto point = [&](unsigned shape) {
        switch (shape) {
        case 0: return fmt::format("ipv4.src == {}", address(random));
        case 1: return fmt::format("udp.dport == {} and ipv4.dst == {}", port(random), address(random));
        case 2: return fmt::format("ipv6.src == {} and ipv6.dst == {}", address6(random), address6(random));
        case 3: return fmt::format("ethernet.dst == {} and ip.src == {}", mac(random), address6(random));
        default:
            return fmt::format("ipv4.src == {} and ipv4.dst == {} and tcp.sport == {} and tcp.dport == {}",
                               address(random), address(random), 1500, port(random));
        }
    };
    for (unsigned shape = 0; shape < 5; ++shape)
        for (const std::size_t rules : {33U, 300U}) {
            std::string source = list(random, rules == 33 ? 5 : 700); // the longer one as tables
            for (std::size_t i = 0; i < rules; ++i)                   // some say something else of the same numbers
                source +=
                    fmt::format("match {} -> {}\n", point(shape), random.pick(std::array{"pass", "drop", "tx", "xsk"}));
            source += wide_list(random, 20);
            for (std::size_t i = 0; i < 40; ++i)
                source += fmt::format("match {} -> tx\n", point((shape + 1) % 5));
            check({source, {}, 0, rules == 33}, wide_frames(random, 900));
        }
}

TEST_CASE("rules that do more than decide")
{
    Random random(7);
    std::string source = "defmap seen : array<u32 -> u64>[4]\n";
    for (int i = 0; i < 40; ++i)
        source += rule(random, fmt::format("{{ seen[{}] += 1; {} }}", i % 4, i % 3 == 0 ? "drop" : "pass"));
    check({source, {}}, frames(random, 400));
    for (const std::size_t rules : {14U, 80U, 1500U}) // each rule counted
        check({list(random, rules), {}, 0, true}, frames(random, 400));
    source = "defmap seen : array<u32 -> u64>[4]\n"; // nodes of their own behind the tables
    for (unsigned i = 0; i < 900; ++i)
        source += rule(random, i % 40 == 0 ? fmt::format("{{ seen[{}] += 1; drop }}", i % 4) : "tx");
    check({source, {}}, frames(random, 400));
}

TEST_CASE("rules of which many match the same packet")
{
    Random random(5);
    for (const unsigned rules : {40U, 600U, 1300U}) {
        std::string source;
        for (unsigned i = 0; i < rules; ++i)
            source += fmt::format("match udp.dport in 20..{} and udp.sport in 20..{} -> {}\n", 9000 - 5 * i, 25 + 5 * i,
                                  i % 2 == 0 ? "drop" : "tx");
        check({source, {}}, frames(random, 300));
    }
}

TEST_CASE("rules from a file")
{
    Random random(3);
    const auto folder = std::filesystem::temp_directory_path() / fmt::format("xdpf-many-rules-{}", getpid());
    std::filesystem::create_directories(folder);
    std::ofstream file(folder / "acl.csv");
    file << "rule,src,dst,proto,sport,dport,verdict\n";
    for (int i = 0; i < 300; ++i) {
        const std::string protocol = random.pick(std::array{"tcp", "udp", "icmp", "*"});
        const bool ports = protocol == "tcp" || protocol == "udp";
        file << fmt::format("{},{},{},{},{},{},{}\n", i, random.one_in(3) ? "*" : prefix(random),
                            random.one_in(4) ? "" : prefix(random), protocol,
                            ports && random.one_in(4) ? "1024-65535" : "any",
                            ports && !random.one_in(3) ? fmt::format("{}|{}", port(random), port(random)) : "*",
                            random.pick(std::array{"pass", "drop", "tx", "xsk"}));
    }
    file.close();
    std::ofstream(folder / "acl.xdpf") << "match from \"acl.csv\"\nmatch udp.dport == 9 -> drop\n";
    Subject subject;
    subject.make = [&](const xdpf::CompileOptions &options) {
        return xdpf::compile_file(folder / "acl.xdpf", options);
    };
    check(subject, frames(random, 800));
    std::filesystem::remove_all(folder);
}
