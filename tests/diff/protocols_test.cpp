// Every header of the standard library against what its document says, in every engine: packets that have it are built,
// cut at every length and read again. A header is there, and its fields have their values, from exactly the length on
// that the packet has when nothing is built behind it; the header's bytes stand in the table.
#include "compiler/compile.hpp"
#include "compiler/explain/evaluator.hpp"
#include "compiler/report.hpp"
#include "compiler/state.hpp"
#include "tests/diff/engines.hpp"
#include "tests/diff/protocols.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <ranges>
#include <set>

using namespace xdpf;
using namespace xdpf::diff;

namespace {

std::string_view trimmed(std::string_view text)
{
    while (text.starts_with(' '))
        text.remove_prefix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    return text;
}

std::vector<std::string> parts_of(std::string_view text, char separator)
{
    std::vector<std::string> out;
    for (const auto part : std::views::split(text, separator))
        out.emplace_back(trimmed(std::string_view(part.begin(), part.end())));
    return out;
}

std::string stacked(std::initializer_list<std::string_view> layers)
{
    std::string out;
    for (const std::string_view layer : layers)
        if (!layer.empty())
            out += fmt::format("{}{}", out.empty() ? "" : " / ", layer);
    return out;
}

std::string imports_of(const Row &row)
{
    std::string out;
    if (!row.imports.empty())
        for (const std::string &module : parts_of(row.imports, ' '))
            out += fmt::format("import \"{}\"\n", module);
    return out;
}

// The packets as the compiler builds them for a test.
std::vector<Bytes> built(const Row &row, const std::vector<std::string> &stacks)
{
    std::string source = imports_of(row) + "match ethernet -> pass\ntest \"packets\" {\n";
    for (const std::string &stack : stacks)
        source += fmt::format("    packet {}\n", stack);
    const Compilation compilation = compile(source + "    expect pass\n}\n");
    std::vector<Bytes> out;
    REQUIRE_MESSAGE(compilation.ok(), to_text(compilation.diagnostics(), compilation.sources()));
    for (const TestPacket &packet : compilation.state().unit.tests.front().groups.front().packets)
        out.push_back(packet.bytes);
    REQUIRE(out.size() == stacks.size());
    return out;
}

// A condition, and for each of the row's stacks the length from which on it holds; none: never.
struct Question {
    std::string condition;
    std::vector<std::size_t> from;
};

class Experiment {
public:
    explicit Experiment(const Row &row) : row_(row), fronts_(parts_of(row.fronts, '|'))
    {
        REQUIRE((!row.never.empty() || !row.misses.empty()));
        if (fronts_.empty())
            fronts_.emplace_back();
        build();
        if (!row.holds.empty())
            ask(row.holds, {});
        if (!row.never.empty())
            questions_.push_back({std::string(row.never), {}});
        for (const Claim &claim : row.claims)
            ask(claim.condition, claim.layers);
    }

    void run()
    {
        for (const Question &question : questions_)
            run(question);
    }

    [[nodiscard]] std::size_t questions() const { return questions_.size(); }
    [[nodiscard]] std::size_t packets() const { return packets_.size(); }

private:
    void build()
    {
        ask(row_.header(), {});
        std::vector<std::string> stacks;
        for (const std::string &front : fronts_)
            stacks.push_back(stacked({front, row_.layer, row_.behind}));
        if (!row_.misses.empty())
            std::ranges::copy(parts_of(row_.misses, '|'), std::back_inserter(stacks));
        const std::vector<Bytes> whole = built(row_, stacks);
        for (std::size_t i = 0; i < whole.size(); ++i) {
            const bool miss = i >= fronts_.size();
            if (!miss)
                check_bytes(i, stacks[i], whole[i]);
            for (std::size_t length = 0; length <= whole[i].size(); ++length) {
                packets_.push_back({fmt::format("{}, {} bytes", stacks[i], length),
                                    Bytes(whole[i].begin(), whole[i].begin() + static_cast<std::ptrdiff_t>(length))});
                fronts_of_.push_back(miss ? std::nullopt : std::optional(i));
            }
            if (!miss)
                own_ = packets_.size();
        }
    }

    void ask(std::string_view condition, std::string_view layers)
    {
        std::vector<std::string> stacks;
        for (const std::string &front : fronts_)
            stacks.push_back(stacked({front, row_.layer, layers}));
        Question question{std::string(condition), {}};
        for (const Bytes &bytes : built(row_, stacks))
            question.from.push_back(bytes.size());
        questions_.push_back(std::move(question));
    }

    // Items take the place of what their header was filled up with, and so they can begin in front of where it ended.
    void check_bytes(std::size_t front, const std::string &stack, const Bytes &packet) const
    {
        std::string wanted(row_.bytes);
        std::erase(wanted, ' ');
        const std::size_t end = questions_[0].from[front];
        const std::size_t begin = fronts_[front].empty() ? 0 : built(row_, {fronts_[front]})[0].size();
        INFO(stack);
        REQUIRE(wanted.size() / 2 <= end);
        CHECK(end <= begin + wanted.size() / 2);
        std::string found;
        for (std::size_t i = end - wanted.size() / 2; i < end; ++i)
            found += fmt::format("{:02x}", std::to_integer<unsigned>(packet[i]));
        for (std::size_t i = 0; i < wanted.size(); ++i)
            if (wanted[i] == '?')
                found[i] = '?';
        CHECK(found == wanted);
    }

    [[nodiscard]] bool expected(const Question &question, std::size_t packet) const
    {
        const auto front = fronts_of_[packet];
        return front && !question.from.empty() && packets_[packet].bytes.size() >= question.from[*front];
    }

    void run(const Question &question)
    {
        const Subject subject{fmt::format("{}match {} -> drop", imports_of(row_), question.condition), {}};
        const auto packets = std::span(packets_).first(question.from.empty() ? own_ : packets_.size());
        const Findings found =
            compare_engines(subject, packets, kernel_usable() ? Engines::all : Engines::interpreters);
        INFO(question.condition);
        for (const std::string &problem : found.problems)
            FAIL_CHECK(problem);
        check("the engines", question, found.verdicts);
        check("the evaluation", question, evaluated(subject, packets));
    }

    [[nodiscard]] static std::vector<std::uint32_t> evaluated(const Subject &subject, std::span<const Packet> packets)
    {
        const Compilation compilation = compile(subject.source, "differential.xdpf", {.optimize = false});
        REQUIRE_MESSAGE(compilation.ok(), to_text(compilation.diagnostics(), compilation.sources()));
        explain::Evaluator evaluator(compilation.state().unit, compilation.sources());
        explain::Overlay none([](MapId, std::span<const std::byte>) { return std::nullopt; },
                              [](MapId, std::uint32_t) { return false; });
        std::vector<std::uint32_t> out;
        for (const Packet &packet : packets) {
            const auto outcome = evaluator.run({packet.bytes}, none);
            out.push_back(outcome.certain ? outcome.verdict : UINT32_MAX);
        }
        return out;
    }

    void check(std::string_view who, const Question &question, const std::vector<std::uint32_t> &verdicts) const
    {
        int wrong = 0;
        for (std::size_t i = 0; i < verdicts.size() && wrong < 2; ++i) {
            const std::uint32_t wanted = expected(question, i) ? XDP_DROP : XDP_PASS;
            if (verdicts[i] == wanted)
                continue;
            ++wrong;
            FAIL_CHECK(fmt::format("{}: {}, and it {}\n  packet: {}\n  {}", who, verdicts[i],
                                   wanted == XDP_DROP ? "holds" : "does not hold", packets_[i].name,
                                   hex(packets_[i].bytes)));
        }
    }

    const Row &row_;
    std::vector<std::string> fronts_;
    std::vector<Question> questions_; // the first: whether the header is there
    std::vector<Packet> packets_;
    std::size_t own_ = 0;                               // the first of the packets; near misses come behind them
    std::vector<std::optional<std::size_t>> fronts_of_; // of each packet; none: a near miss
};

void run_all(std::span<const Row> rows)
{
    std::size_t questions = 0;
    std::size_t packets = 0;
    for (const Row &row : rows) {
        INFO(row.layer);
        Experiment experiment(row);
        experiment.run();
        questions += experiment.questions();
        packets += experiment.questions() * experiment.packets();
    }
    MESSAGE(fmt::format("{} rows, {} programs, {} packets in each engine", rows.size(), questions, packets));
    if (!kernel_usable())
        xdpf::testing::note_skip("the kernel's part needs root; the interpreters were compared");
}

} // namespace

TEST_CASE("the link layer") { run_all(link_rows()); }
TEST_CASE("the network layer") { run_all(network_rows()); }
TEST_CASE("options") { run_all(option_rows()); }
TEST_CASE("transport and applications") { run_all(transport_rows()); }
TEST_CASE("tunnels and what they carry") { run_all(tunnel_rows()); }

TEST_CASE("no header of the standard library is left out")
{
    std::set<std::string, std::less<>> told;
    for (const auto rows : {link_rows(), network_rows(), option_rows(), transport_rows(), tunnel_rows()})
        for (const Row &row : rows)
            told.emplace(row.header());
    const std::filesystem::path folder = std::filesystem::path(XDPF_SOURCE_DIR) / "stdlib";
    std::size_t modules = 0;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".xdpf")
            continue;
        const std::string module = entry.path().lexically_relative(folder).replace_extension().generic_string();
        const Compilation compilation = compile(fmt::format("import \"{}\"\nmatch ethernet -> pass", module));
        REQUIRE_MESSAGE(compilation.ok(), to_text(compilation.diagnostics(), compilation.sources()));
        ++modules;
        for (const sema::Header &header : compilation.state().unit.headers) {
            // Of a list's items, those that stand on one are asked for.
            const bool found =
                !header.list ? told.contains(header.name) : std::ranges::any_of(told, [&](const std::string &name) {
                    return name.starts_with(header.name + ".");
                });
            CHECK_MESSAGE(found, fmt::format("{} of {} has no row", header.name, module));
        }
    }
    CHECK(modules > 20);
}
