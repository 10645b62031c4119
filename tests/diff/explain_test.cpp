// The evaluation of the typed program against the interpreter of the lowered one: two implementations of the language's
// meaning that share nothing behind the analysis. They have to agree about each packet's verdict, about where a
// redirect goes, about the rule that decided, and about what lies in the maps afterwards. Environment as for
// diff_random and diff_pcap: XDPF_DIFF_PROGRAMS, XDPF_DIFF_SEED, XDPF_DIFF_PACKETS, XDPF_PCAPS.
#include "compiler/compile.hpp"
#include "compiler/explain/evaluator.hpp"
#include "compiler/interpret.hpp"
#include "compiler/report.hpp"
#include "compiler/state.hpp"
#include "runtime/capture_file.hpp"
#include "tests/diff/engines.hpp"
#include "tests/diff/random_source.hpp"
#include "tests/diff/rewritten.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace xdpf;
using namespace xdpf::diff;

namespace {

// Every slot of a redirect map is filled.
class OwnMaps : public explain::Maps {
public:
    explicit OwnMaps(Interpreter &maps) : maps_(maps) {}
    std::optional<explain::Bytes> lookup(MapId map, std::span<const std::byte> key) override
    {
        return maps_.lookup(map, key);
    }
    void update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value) override
    {
        (void)maps_.update(map, key, value);
    }
    void erase(MapId map, std::span<const std::byte> key) override { (void)maps_.erase(map, key); }
    bool is_filled(MapId map, std::uint32_t slot) override { return maps_.is_filled(map, slot); }

private:
    Interpreter &maps_;
};

struct Statistics {
    std::size_t packets = 0;
    std::size_t decided = 0;   // by a rule
    std::size_t uncertain = 0; // one a program at most
};

// Both over the same packets, with maps of their own.
class Comparison {
public:
    Comparison(const Compilation &compilation, const Subject &subject)
        : compilation_(compilation), subject_(subject), interpreter_(compilation), kept_(compilation),
          evaluator_(compilation.state().unit, compilation.sources()), maps_(kept_)
    {
        for (const Filling &filling : subject.fillings)
            for (std::size_t i = 0; i < compilation.image().maps.size(); ++i)
                if (compilation.image().maps[i].name == filling.map) {
                    (void)interpreter_.update(MapId(i), filling.key, filling.value);
                    (void)kept_.update(MapId(i), filling.key, filling.value);
                }
    }
    Comparison(const Comparison &) = delete;
    Comparison &operator=(const Comparison &) = delete;

    // Up to the first packet about which they differ, or which the evaluation is not sure of: the maps part there.
    void run(std::span<const Packet> packets, Statistics &statistics)
    {
        for (const Packet &packet : packets)
            if (!run(packet, statistics))
                return;
        for (std::size_t i = 0; i < compilation_.image().maps.size(); ++i) {
            const MapSpec &map = compilation_.image().maps[i];
            if (!has(map.kind, map_trait::keyless) && interpreter_.entries(MapId(i)) != kept_.entries(MapId(i)))
                FAIL_CHECK(fmt::format("other contents of map {}\n{}", map.name, subject_.source));
        }
    }

    // How many packets came out as others.
    std::size_t run_and_compare_bytes(std::span<const Packet> packets, Statistics &statistics)
    {
        std::size_t changed = 0;
        for (const Packet &packet : packets) {
            if (!run(packet, statistics))
                return changed;
            const Bytes out(evaluator_.packet().begin(), evaluator_.packet().end());
            const Bytes wanted = Interpreter(compilation_).run(packet.bytes, context()).bytes;
            changed += out != packet.bytes ? 1 : 0;
            if (out != wanted)
                FAIL_CHECK(fmt::format("other bytes\n  packet: {}\n  here:   {}\n  there:  {}\n{}", hex(packet.bytes),
                                       hex(out), hex(wanted), subject_.source));
        }
        return changed;
    }

private:
    [[nodiscard]] PacketContext context() const { return {.rx_queue = subject_.rx_queue, .now = 5'000'000'000}; }

    bool run(const Packet &packet, Statistics &statistics)
    {
        const PacketContext context = this->context();
        const auto expected = interpreter_.run(packet.bytes, context);
        const auto found = evaluator_.run({packet.bytes, context.rx_queue, context.ingress_ifindex, context.now}, maps_,
                                          explain::Detail::reasons);
        if (!found.certain) {
            ++statistics.uncertain;
            return false;
        }
        ++statistics.packets;
        statistics.decided += found.rule ? 1 : 0;
        const Span program = compilation_.state().unit.programs[0].span;
        const Span span = found.rule ? evaluator_.rules()[*found.rule].head
                                     : Span{program.file, program.begin, program.begin}; // no rule's
        const bool told = std::ranges::all_of(
            found.tried, [](const explain::Tried &tried) { return tried.matched == tried.reason.empty(); });
        if (found.verdict == expected.verdict && found.redirect_map == expected.redirect_map &&
            found.redirect_key == expected.redirect_key && span == expected.decided_by && told)
            return true;
        FAIL_CHECK(fmt::format("verdict {} by '{}', and the interpreter says {} by '{}'{}\n  packet: {}\n  {}\n{}",
                               found.verdict, text(span), expected.verdict, text(expected.decided_by),
                               told ? "" : ", and a reason is missing", packet.name, hex(packet.bytes),
                               subject_.source));
        return false;
    }

    [[nodiscard]] std::string_view text(Span span) const { return compilation_.sources().text(span); }

    const Compilation &compilation_;
    const Subject &subject_;
    Interpreter interpreter_;
    Interpreter kept_; // only its maps are used
    explain::Evaluator evaluator_;
    OwnMaps maps_;
};

// Without the passes, which may let two rules with the same verdict share their last instruction.
void compare(const Subject &subject, std::span<const Packet> packets, Statistics &statistics)
{
    const Compilation compilation = compile(subject.source, "differential.xdpf", {.optimize = false});
    const bool too_large = std::ranges::any_of(compilation.diagnostics().all(),
                                               [](const Diagnostic &one) { return one.kind == Kind::too_large; });
    if (too_large)
        return;
    REQUIRE_MESSAGE(compilation.ok(), to_text(compilation.diagnostics(), compilation.sources()));
    Comparison(compilation, subject).run(packets, statistics);
}

void compare_random_programs(std::span<const Packet> packets, std::uint64_t programs)
{
    const std::uint64_t seed = number_from_environment("XDPF_DIFF_SEED", 1);
    Statistics statistics;
    for (std::uint64_t i = 0; i < programs; ++i) {
        CAPTURE(seed + i);
        compare(random_program(seed + i), packets, statistics);
    }
    MESSAGE(fmt::format("{} packets, {} decided by a rule; {} of {} programs uncertain", statistics.packets,
                        statistics.decided, statistics.uncertain, programs));
    CHECK(statistics.packets * 2 > programs * packets.size()); // else little is said
    CHECK(statistics.decided * 4 > statistics.packets);
}

} // namespace

TEST_CASE("random programs mean the same to the interpreter and to the evaluation of what was written")
{
    const auto packets =
        mixed_packets(number_from_environment("XDPF_DIFF_SEED", 1), number_from_environment("XDPF_DIFF_PACKETS", 400));
    compare_random_programs(packets, number_from_environment("XDPF_DIFF_PROGRAMS", 150));
}

TEST_CASE("every truncation means the same to both")
{
    const auto packets = truncations(whole_packets(number_from_environment("XDPF_DIFF_SEED", 1)));
    compare_random_programs(packets, number_from_environment("XDPF_DIFF_PROGRAMS", 150) / 10);
}

// Programs that put headers on and take them off, and ask afterwards; no `set`, since the evaluation leaves checksums
// as they are. The packets that come out have to be the same, too.
TEST_CASE("headers that come and go mean the same to both")
{
    const std::string imports = "import \"tunnel/ipip\" import \"tunnel/vxlan\" import \"gre\" import \"mpls\"\n";
    const std::vector<std::string> steps{
        "push vlan(id = 7, pcp = 3)",
        "push vlan(id = 8); push vlan(id = packet.length & 0xfff)",
        "pop vlan",
        "encap ipv4(src = 192.0.2.1, dst = 192.0.2.2) / ipip",
        "encap ipv4(src = 192.0.2.1, dst = ipv4.src, ttl = ipv4.ttl) / ipip",
        "encap ipv6(hop_limit = 9) / sit",
        "encap ipv4(dst = 192.0.2.2) / gre(key = 77, sequence = 9)",
        "encap ipv4(dst = 192.0.2.2) / gre(sequence = packet.length, key = packet.length * 3)",
        "encap mpls(label = 77)",
        "encap ethernet / ipv4(src = 192.0.2.1, dst = 192.0.2.2) / udp / vxlan(vni = 7)",
        "decap gre",
        "decap mpls",
        "decap ipip",
        "decap vxlan",
        "encap mpls(label = 77); push vlan(id = 7); decap mpls",
        "encap ethernet / ipv4(src = 192.0.2.1, dst = 192.0.2.2) / udp / vxlan(vni = 7); decap vxlan",
        "encap ipv4(dst = 192.0.2.2) / gre; pop vlan",
    };
    const auto packets = rewriting_packets(number_from_environment("XDPF_DIFF_SEED", 1) + 9, 400);
    std::size_t changed = 0;
    for (const std::string &one : steps) {
        const std::string source = fmt::format(
            "{}match ethernet -> {{ {}; continue }}\nmatch vlan.id == 7 -> drop\nmatch ipv4.ttl < 64 -> abort\n"
            "match udp.dport == 4789 -> tx\nmatch gre -> drop\nmatch mpls.label == 77 -> tx\n",
            imports, one);
        const Compilation compilation = compile(source, "differential.xdpf", {.optimize = false});
        REQUIRE_MESSAGE(compilation.ok(), to_text(compilation.diagnostics(), compilation.sources()));
        Statistics statistics;
        Comparison comparison(compilation, {.source = source, .fillings = {}});
        changed += comparison.run_and_compare_bytes(packets, statistics);
        CHECK(statistics.uncertain == 0);
        CHECK(statistics.packets == packets.size());
    }
    CHECK(changed > packets.size() * 3);
}

TEST_CASE("captures mean the same to both")
{
    const char *folder = std::getenv("XDPF_PCAPS");
    if (folder == nullptr)
        return;
    std::vector<Packet> packets;
    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
        auto capture = runtime::CaptureFile::open(entry.path());
        if (!capture)
            continue;
        for (auto packet = capture->next(); packet && *packet; packet = capture->next())
            packets.push_back(
                {entry.path().filename().string(), Bytes((*packet)->bytes.begin(), (*packet)->bytes.end())});
    }
    CHECK(packets.size() > 100);
    compare_random_programs(packets, number_from_environment("XDPF_DIFF_PROGRAMS", 150));
}
