// Lists of rules that ask for one field, as a table of intervals, against the same rules tested one after the other.
// The packets have the ends of the intervals, and what is beside them.
#include "compiler/compile.hpp"
#include "compiler/rule_tables.hpp"
#include "tests/diff/engines.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace xdpf::diff;

namespace {

constexpr std::size_t most_kernel_instructions = 30'000; // without the passes there are as many as rules

std::string address(std::uint64_t number)
{
    return fmt::format("{}.{}.{}.{}", number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255);
}

struct List {
    std::string source;
    std::vector<std::uint64_t> ends;
};

std::string verdict(Random &random) { return random.pick(std::array{"pass", "drop", "tx", "xsk", "drop"}); }

void add_prefix(List &list, std::string_view field, std::uint64_t number, unsigned length, const std::string &then)
{
    const std::uint64_t below = (std::uint64_t{1} << (32 - length)) - 1;
    const std::uint64_t first = number & ~below & UINT32_MAX;
    list.source += fmt::format("match {} in {}/{} -> {}\n", field, address(first), length, then);
    list.ends.insert(list.ends.end(), {first, first | below});
}

// Spread over all addresses, or crowded in a few networks, so that further levels are needed.
List prefixes(Random &random, std::string_view field, std::size_t rules, bool crowded)
{
    List list;
    for (std::size_t i = 0; i < rules; ++i) {
        const std::uint64_t number = random.next() & UINT32_MAX;
        if (crowded)
            add_prefix(list, field, (number & 0x1ffff) | 0xc6330000, 22 + random.below(11), verdict(random));
        else
            add_prefix(list, field, number, random.one_in(9) ? random.below(9) : 12 + random.below(21),
                       verdict(random));
    }
    return list;
}

List ranges(Random &random, std::string_view field, unsigned bits, std::size_t rules)
{
    const std::uint64_t largest = (std::uint64_t{1} << bits) - 1;
    List list;
    for (std::size_t i = 0; i < rules; ++i) {
        const std::uint64_t first = random.next() & largest;
        const std::uint64_t last = std::min(largest, first + (random.one_in(3) ? 0 : random.below(largest / 64 + 2)));
        list.source += fmt::format("match {} in {}..{} -> {}\n", field, first, last, verdict(random));
        list.ends.insert(list.ends.end(), {first, last});
    }
    return list;
}

// Numbers of a field as far as the bits of `most` go; the field is one of the four that a frame is made of.
struct Numbers {
    std::uint64_t src = 0x0a000001;
    std::uint64_t dst = 0xc0a80001;
    std::uint64_t dport = 53;
    std::uint64_t ttl = 64;
};

Packet packet(Random &random, const Numbers &numbers)
{
    Frame frame(random);
    frame.ethernet(random.one_in(6) ? std::vector<std::uint16_t>{0x8100} : std::vector<std::uint16_t>{}, 0x0800);
    frame.number(0x45, 1).number(0, 1).number(60, 2).number(1, 2).number(0, 2).number(numbers.ttl, 1);
    frame.number(random.one_in(8) ? 6 : 17, 1).number(0, 2).number(numbers.src, 4).number(numbers.dst, 4);
    frame.number(1000, 2).number(numbers.dport, 2).number(8, 2).number(0, 2).number(0, 4).number(0x5010, 2).fill(6);
    return {"a packet at an end", frame.bytes()};
}

std::vector<Packet> packets(Random &random, const List &list, std::uint64_t Numbers::*field, std::size_t count)
{
    const std::uint64_t largest = field == &Numbers::ttl     ? UINT8_MAX
                                  : field == &Numbers::dport ? UINT16_MAX
                                                             : UINT32_MAX;
    auto out = mixed_packets(random.next(), count / 8);
    for (const std::uint64_t any : {std::uint64_t{0}, largest}) {
        Numbers numbers;
        numbers.*field = any;
        out.push_back(packet(random, numbers));
    }
    while (out.size() < count) {
        Numbers numbers;
        const std::uint64_t end = list.ends[random.below(list.ends.size())];
        numbers.*field = (random.one_in(5) ? random.next() : end + random.below(3) - 1) & largest;
        out.push_back(packet(random, numbers));
    }
    return out;
}

void check(const Subject &subject, std::span<const Packet> packets)
{
    const Findings found = compare_engines(subject, packets, kernel_usable() ? Engines::all : Engines::interpreters,
                                           most_kernel_instructions);
    INFO(subject.source.substr(0, 2000));
    REQUIRE_MESSAGE(found.problems.empty(), found.problems.front());
}

// So that these are tests of the form that they are meant for.
void check_form(const std::string &source)
{
    const auto compilation = xdpf::compile(source, "intervals.xdpf");
    REQUIRE(compilation.explain_forms().find("a table of intervals in a map") != std::string::npos);
}

// In front of rules from a file.
struct WithFile {
    explicit WithFile(List rules) : list(std::move(rules))
    {
        std::filesystem::create_directories(folder);
        std::ofstream(folder / "acl.csv") << "src,proto,dport,verdict\n198.51.100.0/24,udp,53,tx\n*,udp,0-99,drop\n";
        std::ofstream(folder / "acl.xdpf") << list.source << "match from \"acl.csv\"\n";
    }
    ~WithFile() { std::filesystem::remove_all(folder); }
    WithFile(const WithFile &) = delete;
    WithFile &operator=(const WithFile &) = delete;

    [[nodiscard]] xdpf::Compilation compile(const xdpf::CompileOptions &options) const
    {
        return xdpf::compile_file(folder / "acl.xdpf", options);
    }

    List list;
    std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("xdpf-intervals-{}", getpid());
};

} // namespace

TEST_CASE("prefixes and ranges of one field")
{
    Random random(number_from_environment("XDPF_DIFF_SEED", 1));
    for (const std::size_t rules : {12U, 24U, 400U, 10'000U}) {
        const std::size_t count = rules > 1000 ? 400 : 900;
        for (const bool crowded : {false, true}) {
            const List list = prefixes(random, "ipv4.src", rules, crowded);
            check_form(list.source);
            check({list.source, {}, 0, rules == 400}, packets(random, list, &Numbers::src, count));
        }
        const List ports = ranges(random, "udp.dport", 16, rules);
        check_form(ports.source);
        check({ports.source, {}, 0, rules == 24}, packets(random, ports, &Numbers::dport, count));
    }
    const List lives = ranges(random, "ipv4.ttl", 8, 60);
    check_form(lives.source);
    check({lives.source, {}}, packets(random, lives, &Numbers::ttl, 600));
}

TEST_CASE("prefixes that lie in each other, in both orders")
{
    Random random(2);
    for (const bool narrow_first : {true, false}) {
        List list;
        for (unsigned i = 0; i < 32; ++i)
            for (const std::uint64_t number : {0xc6336417U, 0U, UINT32_MAX})
                add_prefix(list, "ipv4.dst", number, narrow_first ? 32 - i : i + 1, verdict(random));
        check_form(list.source);
        list.source += "default -> tx\n";
        check({list.source, {}, 0, narrow_first}, packets(random, list, &Numbers::dst, 900));
    }
}

TEST_CASE("several tables of intervals beside other rules")
{
    Random random(number_from_environment("XDPF_DIFF_SEED", 3));
    for (const std::size_t others : {9U, 700U}) {
        const List sources = prefixes(random, "ipv4.src", 300, true);
        const List ports = ranges(random, "udp.dport", 16, 40);
        std::string mixed;
        for (std::size_t i = 0; i < others; ++i)
            mixed += fmt::format("match ipv4.dst in 192.168.{}.0/24 and udp.dport in {}..{} -> {}\n", i % 2,
                                 random.below(30000), 30000 + random.below(30000), verdict(random));
        std::string exact;
        for (std::size_t i = 0; i < 30; ++i)
            exact += fmt::format("match ipv4.src == {} and udp.dport == {} -> tx\n",
                                 address(sources.ends[random.below(sources.ends.size())]), random.below(100));
        const auto source = fmt::format("{}{}{}{}", sources.source, mixed, exact, ports.source);
        check_form(source);
        check({source, {}}, packets(random, sources, &Numbers::src, 600));
        check({fmt::format("{}{}{}", ports.source, mixed, sources.source), {}, 0, true},
              packets(random, ports, &Numbers::dport, 600));
        check({fmt::format("{0}{1}{0}", mixed, sources.source), {}}, packets(random, sources, &Numbers::src, 600));
    }
}

TEST_CASE("rules of one field that do more than decide, and sets of many intervals")
{
    Random random(4);
    std::string source = "defmap seen : array<u32 -> u64>[4]\n";
    List list = prefixes(random, "ipv4.src", 200, true);
    for (std::size_t i = 0; i < 200; ++i)
        source += fmt::format("match ipv4.src in {}/{} -> {}\n", address(list.ends[2 * i]), 32,
                              i % 3 == 0 ? fmt::format("{{ seen[{}] += 1; drop }}", i % 4) : "tx");
    check_form(source);
    check({source, {}}, packets(random, list, &Numbers::src, 600));
    source = {};
    for (unsigned i = 0; i < 20; ++i) {
        std::string set = address(list.ends[i] & 0xffffff00) + "/24";
        for (unsigned j = 0; j < 90; ++j)
            set += fmt::format(", {}", address(list.ends[random.below(list.ends.size())]));
        source += fmt::format("match {}ipv4.src in {{{}}} -> {}\n", i == 18 ? "not " : "", set, verdict(random));
    }
    check_form(source);
    check({source, {}}, packets(random, list, &Numbers::src, 600));
}

TEST_CASE("few rules with large sets")
{
    Random random(5);
    const List list = prefixes(random, "ipv4.src", 120, true);
    std::string set;
    for (std::size_t i = 0; i < list.ends.size(); i += 2)
        set += fmt::format("{}{}..{}", i == 0 ? "" : ", ", address(list.ends[i]), address(list.ends[i + 1]));
    const std::string others = "match tcp -> tx\nmatch not ipv4 -> { seen[1] += 1; drop }\n";
    for (const std::string_view negation : {"", "not "}) {
        const auto large = fmt::format("match {}ipv4.src in {{{}}} -> {{ seen[0] += 1; drop }}\n", negation, set);
        const auto source = fmt::format("defmap seen : array<u32 -> u64>[4]\n{}{}{}", others, large, others);
        check_form(source);
        check({source, {}, 0, negation.empty()}, packets(random, list, &Numbers::src, 600));
    }
}

TEST_CASE("intervals beside rules from a file")
{
    Random random(6);
    const WithFile made(prefixes(random, "ipv4.src", 100, true));
    Subject subject;
    subject.make = [&](const xdpf::CompileOptions &options) { return made.compile(options); };
    REQUIRE(subject.make({}).explain_forms().find("a table of intervals in a map") != std::string::npos);
    check(subject, packets(random, made.list, &Numbers::src, 600));
}

TEST_CASE("a large table of intervals leaves rules from a file the room to grow")
{
    Random random(7);
    const WithFile made(prefixes(random, "ipv4.src", 5'000, false));
    const auto alone = xdpf::compile(made.list.source);
    const auto beside = made.compile({});
    REQUIRE(alone.ok());
    REQUIRE(beside.ok());
    const auto &table = xdpf::rule_tables::find(alone.image(), alone.image().programs[0])->initial;
    std::uint32_t room = 0;
    const auto &shared = xdpf::rule_tables::find(beside.image(), beside.image().programs[0])->initial;
    std::memcpy(&room, &shared[xdpf::rule_tables::room_at], sizeof room);
    CHECK(table.size() > 32'000);
    CHECK(room >= table.size() + 30'000);
}
