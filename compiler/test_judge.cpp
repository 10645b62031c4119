// What of the expectations of a test does not hold, and how to say so.
#include "compiler/explain/evaluator.hpp"
#include "compiler/map_text.hpp"
#include "compiler/state.hpp"
#include "compiler/test.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <array>

namespace xdpf {
namespace {

constexpr std::size_t bytes_a_line = 16;

// Lines of hexadecimal digits, each with its offset; `mark` is underlined.
std::string hex_lines(std::span<const std::byte> bytes, std::size_t mark)
{
    std::string out;
    for (std::size_t begin = 0; begin < std::max<std::size_t>(bytes.size(), 1); begin += bytes_a_line) {
        const auto end = std::min(bytes.size(), begin + bytes_a_line);
        out += fmt::format("\n      {:04x} ", begin);
        for (std::size_t i = begin; i < end; ++i)
            out += fmt::format(" {:02x}", std::to_integer<unsigned>(bytes[i]));
        if (mark >= begin && mark < begin + bytes_a_line)
            out += fmt::format("\n           {}{}", std::string(3 * (mark - begin) + 1, ' '), "^^");
    }
    return out;
}

std::size_t first_difference(std::span<const std::byte> a, std::span<const std::byte> b)
{
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

class Judge {
public:
    Judge(const Compilation &compilation, std::size_t program, const TestGroup &group, const TestedGroup &tested,
          const TestEngine &engine)
        : compilation_(compilation), image_(compilation.image()), program_(program), group_(group), tested_(tested),
          engine_(engine)
    {
    }

    std::vector<TestFailure> run()
    {
        for (const Expectation &one : group_.expectations) {
            now_ = &one;
            std::visit([&](const auto &what) { judge(what); }, one.what);
        }
        return std::move(failures_);
    }

private:
    void fail(const std::string &got)
    {
        failures_.push_back({now_->span, fmt::format("expected {}, {}", now_->text, got)});
    }

    // Something that every packet has to be: the first for which it is not so, and how many more there are.
    template <class Holds, class Text> void judge_all(Holds holds, Text text)
    {
        const auto wrong = std::ranges::find_if_not(tested_.packets, holds);
        if (wrong == tested_.packets.end())
            return;
        const auto more = std::count_if(wrong + 1, tested_.packets.end(), [&](const auto &one) { return !holds(one); });
        std::string which;
        if (tested_.packets.size() > 1)
            which = fmt::format(" (packet {}{})", wrong - tested_.packets.begin() + 1,
                                more == 0 ? "" : fmt::format(", and {} more of {}", more, tested_.packets.size()));
        fail(text(*wrong) + which);
    }

    void judge(const ExpectedVerdict &expected)
    {
        judge_all([&](const TestedPacket &packet) { return is_verdict(expected, packet); },
                  [&](const TestedPacket &packet) { return "got " + verdict_text(image_, packet); });
    }

    static bool is_verdict(const ExpectedVerdict &expected, const TestedPacket &packet)
    {
        if (packet.verdict != expected.verdict)
            return false;
        if (expected.verdict != XDP_REDIRECT || !packet.target_known || !expected.map.valid())
            return true;
        if (expected.map != packet.redirect_map)
            return false;
        if (expected.broadcast || packet.broadcast)
            return expected.broadcast == packet.broadcast && expected.exclude_ingress == packet.exclude_ingress;
        return !expected.key || *expected.key == packet.redirect_key;
    }

    void judge(const ExpectedRule &expected)
    {
        const auto &rules = image_.programs[program_].rules;
        judge_all(
            [&](const TestedPacket &packet) {
                return !packet.decided_by || *packet.decided_by == rules[expected.number - 1];
            },
            [&](const TestedPacket &packet) {
                const auto found = std::ranges::find(rules, *packet.decided_by);
                return found == rules.end() ? std::string("no rule decided")
                                            : fmt::format("rule {} decided", found - rules.begin() + 1);
            });
    }

    void judge(const ExpectedPacket &expected)
    {
        if (std::ranges::equal(expected.bytes, tested_.last))
            return;
        const std::size_t at = first_difference(expected.bytes, tested_.last);
        std::string where = fmt::format("byte {} differs", at);
        if (at == expected.bytes.size() || at == tested_.last.size())
            where = fmt::format("it has {} bytes, not {}", tested_.last.size(), expected.bytes.size());
        // Of the packet that has it.
        const bool in_expected = at < expected.bytes.size();
        const auto difference =
            in_expected && at < tested_.last.size() ? expected.bytes[at] ^ tested_.last[at] : std::byte{0x80};
        if (const auto field = evaluator().field_at(in_expected ? expected.bytes : tested_.last, at, difference);
            !field.empty())
            where += fmt::format(" ({})", field);
        failures_.push_back({now_->span, fmt::format("another packet comes out: {}\n    expected{}\n    got{}", where,
                                                     hex_lines(expected.bytes, at), hex_lines(tested_.last, at))});
    }

    void judge(const ExpectedCondition &expected)
    {
        const auto found = evaluator().holds(
            sema::PredId(expected.predicate),
            {tested_.last, tested_.context.rx_queue, tested_.context.ingress_ifindex, tested_.context.now}, maps_);
        if (!found.certain)
            fail("which cannot be told afterwards");
        else if (!found.holds)
            fail(found.reason.empty() ? "which is not so" : "but " + found.reason);
    }

    void judge(const ExpectedEntry &expected)
    {
        const auto value = engine_.lookup(expected.map, expected.key);
        if (value.has_value() != expected.present)
            return fail(fmt::format("but there is {} entry", value ? "an" : "no"));
        if (value)
            compare(expected.fields, expected.value, *value);
    }

    void compare(const std::vector<LayoutField> &fields, std::span<const std::byte> wanted,
                 std::span<const std::byte> found)
    {
        for (const LayoutField &field : fields)
            if (!std::ranges::equal(wanted.subspan(field.offset, field.size), found.subspan(field.offset, field.size)))
                fail(fmt::format("but {} is {}", field.name.empty() ? "it" : fmt::format("'{}'", field.name),
                                 field_text(field, found)));
    }

    void judge(const ExpectedRecord &expected)
    {
        const auto last = std::find_if(tested_.records.rbegin(), tested_.records.rend(),
                                       [&](const RingRecord &one) { return one.map == expected.map; });
        if (last == tested_.records.rend())
            return fail("but there is no record");
        // Behind the time: RecordType.
        const LayoutField type{.name = "type", .offset = 8, .size = 4};
        const auto number = last->bytes.size() >= 12 ? number_of(type, last->bytes) : UINT64_MAX;
        for (const auto &one : expected.alternatives)
            if (one.record == number && one.value.size() <= last->bytes.size())
                return compare(one.fields, one.value, last->bytes);
        fail("but the last record is of another kind");
    }

    explain::Evaluator &evaluator()
    {
        if (!evaluator_)
            evaluator_.emplace(compilation_.state().unit, compilation_.sources(), program_);
        return *evaluator_;
    }

    const Compilation &compilation_;
    const Image &image_;
    std::size_t program_;
    const TestGroup &group_;
    const TestedGroup &tested_;
    const TestEngine &engine_;
    std::optional<explain::Evaluator> evaluator_;
    explain::Overlay maps_{engine_.lookup, [](MapId, std::uint32_t) { return true; }};
    const Expectation *now_ = nullptr;
    std::vector<TestFailure> failures_;
};

} // namespace

std::vector<TestFailure> judge(const Compilation &compilation, std::size_t program, const TestGroup &group,
                               const TestedGroup &tested, const TestEngine &engine)
{
    return Judge(compilation, program, group, tested, engine).run();
}

std::string verdict_text(const Image &image, const TestedPacket &packet)
{
    static constexpr std::array<std::string_view, 4> names{"abort", "drop", "pass", "tx"};
    if (packet.verdict < names.size())
        return std::string(names[packet.verdict]);
    if (packet.verdict != XDP_REDIRECT)
        return fmt::format("verdict {}", packet.verdict);
    if (!packet.target_known)
        return "a redirect";
    const MapSpec &map = image.maps[packet.redirect_map.value];
    const auto word = map.kind == MapKind::xskmap ? "xsk" : "redirect";
    if (packet.broadcast)
        return fmt::format("{} {}[*{}]", word, map.name, packet.exclude_ingress ? " except iface" : "");
    return fmt::format("{} {}[{}]", word, map.name, packet.redirect_key);
}

} // namespace xdpf
