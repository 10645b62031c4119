// Kinds of expressions, conditions and steps, put into the typed program by hand: what they mean, whatever the analysis
// makes them from.
#include "compiler/compile.hpp"
#include "compiler/explain/evaluator.hpp"
#include "compiler/state.hpp"

#include <doctest/doctest.h>

#include <cstring>

using namespace xdpf;
using namespace xdpf::sema;

namespace {

using Bytes = explain::Bytes;

Bytes from_hex(std::string_view text)
{
    Bytes out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
    return out;
}

// Ethernet, IPv4 without options from 10.0.0.1 to 192.0.2.1, UDP from 1234 to 53.
const Bytes udp4 = from_hex("0200000000020200000000010800"
                            "45000020000100004011aec50a000001c0000201"
                            "04d2003500080000");

constexpr std::size_t map_m = 0;
constexpr std::size_t map_rates = 1;

// A program under construction over the headers of the standard library.
struct Workshop {
    Compilation base = compile("defmap m : hash<ipv4.src -> u64>[4]\n"
                               "defmap rates : array<u64>[1]\n"
                               "match ipv4.src in m -> drop");
    Unit unit = base.state().unit;
    explain::Overlay maps{[](MapId, std::span<const std::byte>) { return std::optional<Bytes>(); },
                          [](MapId, std::uint32_t) { return true; }};

    Workshop()
    {
        unit.programs[0].rules.clear();
        unit.programs[0].lets = 4;
        unit.maps[MapId(map_m)].value = {
            .size = 16, .fields = {{.name = "a", .offset = 0, .size = 4}, {.name = "b", .offset = 8, .size = 8}}};
    }

    template <class Node> ExprId expr(Node node, ValueType type = ValueType::number, std::uint32_t bits = 64)
    {
        return unit.exprs.add(Expr{type, bits, std::move(node), {}});
    }
    ExprId number(u128 value, ValueType type = ValueType::number) { return expr(Constant{value}, type); }
    template <class Node> PredId pred(Node node) { return unit.preds.add(Pred{std::move(node), {}}); }

    HeaderId header(std::string_view name) const
    {
        for (std::size_t i = 0; i < unit.headers.size(); ++i)
            if (unit.headers[HeaderId(i)].name == name)
                return HeaderId(i);
        FAIL("no such header");
        return {};
    }
    std::size_t field(std::string_view of, std::string_view name) const
    {
        const auto &fields = unit.headers[header(of)].fields;
        for (std::size_t i = 0; i < fields.size(); ++i)
            if (fields[i].name == name)
                return i;
        FAIL("no such field");
        return 0;
    }
    ExprId read(std::string_view of, std::string_view name)
    {
        const Field &what = unit.headers[header(of)].fields[field(of, name)];
        return expr(FieldValue{{header(of)}, field(of, name)}, what.type, what.bits);
    }

    // Steps, then the verdict where the condition holds.
    void rule(PredId when, std::vector<Step> steps, std::optional<std::uint32_t> verdict = 1)
    {
        Action action{.steps = std::move(steps)};
        if (verdict)
            action.decision = Decision{.verdict = *verdict};
        Rule made;
        made.predicate = when;
        made.body = std::move(action);
        unit.programs[0].rules.push_back(std::move(made));
    }
    PredId always() { return pred(Truth{true}); }
    PredId equals(ExprId value, u128 wanted) { return pred(InSet{value, {{wanted, wanted}}}); }

    explain::Outcome run(std::optional<std::uint64_t> now = std::nullopt, const Bytes &packet = udp4)
    {
        explain::Evaluator evaluator(unit, base.sources());
        return evaluator.run({.packet = packet, .now = now}, maps);
    }
    // Whether the expression has this value.
    bool is(ExprId value, u128 wanted)
    {
        unit.programs[0].rules.clear();
        rule(equals(value, wanted), {});
        const auto outcome = run();
        CHECK(outcome.certain);
        return outcome.verdict == 1;
    }
};

} // namespace

TEST_CASE("the first alternative that is there; IPv4 among IPv6 is mapped")
{
    Workshop w;
    const auto either = w.expr(Either{{w.read("ipv6", "src"), w.read("ipv4", "src")}}, ValueType::ipv6, 128);
    CHECK(w.is(either, u128(0xffff) << 32 | 0x0a000001));
    CHECK(w.is(w.expr(Either{{w.read("tcp", "dport"), w.read("udp", "dport")}}), 53));
    CHECK(!w.is(w.expr(Either{{w.read("tcp", "dport"), w.read("arp", "op")}}), 0));
}

TEST_CASE("weights: the first numbers give 0, and so on")
{
    Workshop w;
    const std::uint32_t expected[] = {0, 0, 0, 1, 2, 2, 0};
    for (std::size_t i = 0; i < std::size(expected); ++i)
        CHECK(w.is(w.expr(Weighted{w.number(i), {3, 1, 2}}), expected[i]));
}

TEST_CASE("a hash depends on all values, and has 32 bits")
{
    Workshop w;
    constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
    std::uint64_t state = (golden ^ 53) * golden;
    state ^= state >> 32;
    CHECK(w.is(w.expr(Hash{{w.read("udp", "dport")}}), state * golden >> 32));
    CHECK(!w.is(w.expr(Hash{{w.read("udp", "dport"), w.read("udp", "sport")}}), state * golden >> 32));
    CHECK(!w.is(w.expr(Hash{{w.read("tcp", "dport")}}), state * golden >> 32)); // absent
}

TEST_CASE("a let holds what was there when it was made")
{
    Workshop w;
    const auto let = w.expr(LetValue{2});
    w.rule(w.always(), {{Let{2, w.read("udp", "dport")}, {}}}, std::nullopt);
    w.rule(w.always(), {{SetField{{w.header("udp")}, w.field("udp", "dport"), w.number(99)}, {}}}, std::nullopt);
    w.rule(w.pred(And{w.equals(let, 53), w.equals(w.read("udp", "dport"), 99)}), {});
    CHECK(w.run().rule == 2U);
    w.rule(w.always(), {});
    w.unit.programs[0].rules[0] = w.unit.programs[0].rules[3]; // a let that was never made is absent
    w.unit.programs[0].rules[0].predicate = w.equals(let, 53);
    CHECK(w.run().rule == 3U);
}

TEST_CASE("rewriting changes only the field's bits, and what the packet is")
{
    Workshop w;
    w.rule(w.always(), {{SetField{{w.header("ipv4")}, w.field("ipv4", "dscp"), w.number(0x3f)}, {}}}, std::nullopt);
    w.rule(w.pred(And{w.equals(w.read("ipv4", "dscp"), 0x3f), w.equals(w.read("ipv4", "ecn"), 0)}),
           {{SetField{{w.header("ipv4")}, w.field("ipv4", "protocol"), w.number(1)}, {}}}, std::nullopt);
    w.rule(w.pred(Present{{w.header("udp")}}), {});
    w.rule(w.pred(Present{{w.header("icmp")}}), {});
    CHECK(w.run().rule == 3U);

    Workshop swap;
    const SetField left{{swap.header("ethernet")}, swap.field("ethernet", "src"), swap.read("ethernet", "dst")};
    const SetField right{{swap.header("ethernet")}, swap.field("ethernet", "dst"), swap.read("ethernet", "src")};
    swap.rule(swap.always(), {{Swap{left, right}, {}}}, std::nullopt);
    swap.rule(swap.pred(And{swap.equals(swap.read("ethernet", "src"), 0x020000000002),
                            swap.equals(swap.read("ethernet", "dst"), 0x020000000001)}),
              {});
    CHECK(swap.run().rule == 1U);
}

TEST_CASE("entries of maps: made, changed, read, deleted")
{
    Workshop w;
    const MapId m(map_m);
    const std::vector<ExprId> key{w.read("ipv4", "src")};
    const auto a = w.expr(MapValue{m, key, 0});
    const auto b = w.expr(MapValue{m, key, 1});
    const auto assign = [&](Assign::Op op, std::size_t field, std::uint64_t value, bool whole = false) {
        return Step{Assign{m, key, op, {{field, w.number(value)}}, whole}, {}};
    };
    w.rule(w.equals(a, 0), {}); // not there yet
    w.rule(w.always(), {assign(Assign::Op::add, 1, 5), assign(Assign::Op::set, 0, 7)}, std::nullopt);
    w.rule(w.pred(Not{w.pred(And{w.equals(a, 7), w.equals(b, 5)})}), {});
    w.rule(w.always(), {assign(Assign::Op::subtract, 1, 6)}, std::nullopt);
    w.rule(w.pred(Not{w.equals(b, UINT64_MAX)}), {});
    w.rule(w.always(), {assign(Assign::Op::set, 1, 1, true)}, std::nullopt);
    w.rule(w.pred(Not{w.equals(a, 0)}), {});
    w.rule(w.always(), {{Delete{m, key}, {}}}, std::nullopt);
    w.rule(w.pred(InMap{key, m}), {});
    w.rule(w.always(), {assign(Assign::Op::set, 1, 1)}, std::nullopt);
    w.rule(w.pred(InMap{key, m}), {}, 3);
    CHECK(w.run().verdict == 3);
}

TEST_CASE("a token bucket takes a burst, then one packet an interval")
{
    Workshop w;
    const Exceeds bucket{.map = MapId(map_rates), .interval = 100, .tolerance = 200};
    w.unit.maps[MapId(map_rates)].kind = MapKind::hash; // so that the overlay can begin without an entry
    w.rule(w.pred(bucket), {});
    const auto exceeds = [&](std::uint64_t now) {
        const auto outcome = w.run(now);
        CHECK(outcome.certain);
        return outcome.verdict == 1;
    };
    CHECK(!exceeds(1000));
    CHECK(!exceeds(1000));
    CHECK(!exceeds(1000));
    CHECK(exceeds(1000));
    CHECK(exceeds(1099));
    CHECK(!exceeds(1100));
    CHECK(exceeds(1100));
    CHECK(!w.run().certain); // nobody knows the time
}

TEST_CASE("an if decides, or the rule goes on")
{
    Workshop w;
    const auto branch = [](std::uint32_t verdict) {
        return std::vector<Action>{Action{.decision = Decision{.verdict = verdict}}};
    };
    w.rule(w.always(), {{If{w.equals(w.read("udp", "dport"), 80), branch(1), {}}, {}}}, std::nullopt);
    w.rule(w.always(), {{If{w.equals(w.read("udp", "dport"), 80), branch(1), branch(3)}, {}}}, 1);
    CHECK(w.run().verdict == 3);
    CHECK(w.run().rule == 1U);
}

TEST_CASE("a floating field lies where it says, and only when")
{
    Workshop w;
    const auto udp = w.header("udp");
    Field floating{.name = "late", .bits = 16};
    floating.at = w.expr(Binary{Arithmetic::subtract, w.read("udp", "length"), w.number(4)}); // byte 4: the length
    floating.when = w.equals(w.read("udp", "dport"), 53);
    w.unit.headers[udp].fields.push_back(floating);
    const auto late = w.read("udp", "late");
    CHECK(w.is(late, 8));
    w.unit.headers[udp].fields.back().when = w.equals(w.read("udp", "dport"), 54);
    CHECK(!w.is(late, 8));
    w.unit.headers[udp].fields.back().when.reset();
    w.unit.headers[udp].fields.back().at = w.number(7); // one byte too far
    CHECK(!w.is(late, 0));
}

TEST_CASE("items of a list, with padding and an end")
{
    Workshop w;
    const auto udp = w.header("udp");
    Header item{
        .name = "item",
        .fields = {{.name = "kind", .bit_offset = 0, .bits = 8}, {.name = "length", .bit_offset = 8, .bits = 8}}};
    item.fixed_size = 2;
    item.max_size = 255;
    const HeaderId list = w.unit.headers.next();
    item.size = w.expr(FieldValue{{list}, 1});
    const auto kind = w.expr(FieldValue{{list}, 0});
    item.list = ListOf{.container = udp, .limit = 3, .end_when = w.equals(kind, 0), .pad_when = w.equals(kind, 1)};
    w.unit.headers.add(item);
    Header seven{.name = "seven", .fields = {{.name = "value", .bit_offset = 16, .bits = 8}}, .fixed_size = 3};
    seven.max_size = 3;
    seven.ways.push_back({.parent = list, .condition = w.equals(kind, 7), .through_list = true});
    const HeaderId found = w.unit.headers.add(seven);
    const auto value = w.expr(FieldValue{{found}, 0});
    const auto with = [&](std::string_view options, u128 wanted) {
        Bytes packet = udp4;
        for (const std::byte byte : from_hex(options))
            packet.push_back(byte);
        w.unit.programs[0].rules.clear();
        w.rule(w.equals(value, wanted), {});
        return w.run(std::nullopt, packet).verdict == 1;
    };
    CHECK(with("070342", 0x42));
    CHECK(with("010502070343", 0x43));
    CHECK(!with("01020307034a", 0x4a)); // 02 03 07 is an item, and 03 4a is cut short
    CHECK(with("010503ff070344", 0x44));
    CHECK(!with("00070345", 0x45));     // the end
    CHECK(!with("010101070346", 0x46)); // the fourth item
    CHECK(!with("0703", 0));            // cut short
    CHECK(!with("0500070347", 0x47));   // an item shorter than its own fields
}

TEST_CASE("a tcpdump expression is what libpcap's program says")
{
    Workshop w;
    // `udp dst port 53` without fragments: what pcap_compile() gives, cut to IPv4.
    const auto filter = [&](std::uint32_t port) {
        return w.pred(Pcap{.program = {{0x28, 0, 0, 12},
                                       {0x15, 0, 6, 0x0800},
                                       {0x30, 0, 0, 23},
                                       {0x15, 0, 4, 17},
                                       {0xb1, 0, 0, 14},
                                       {0x48, 0, 0, 16},
                                       {0x15, 0, 1, port},
                                       {0x06, 0, 0, 262144},
                                       {0x06, 0, 0, 0}}});
    };
    w.rule(filter(54), {});
    w.rule(filter(53), {}, 3);
    CHECK(w.run().verdict == 3);
    CHECK(w.run(std::nullopt, Bytes(udp4.begin(), udp4.begin() + 37)).verdict == 2); // the port is cut off
}
