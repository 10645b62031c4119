#include "parsing.hpp"

#include <doctest/doctest.h>

using namespace xdpf;

namespace {

struct Case {
    std::string_view text;
    std::string_view dump;
};

void check(std::initializer_list<Case> cases)
{
    for (const auto &[text, dump] : cases) {
        CAPTURE(text);
        CHECK(expression(text) == dump);
    }
}

std::optional<ast::Literal> literal(std::string_view text)
{
    const Parsed parsed("const x = " + std::string(text));
    if (!parsed.clean())
        return std::nullopt;
    const auto &node = parsed.file->exprs[std::get<ast::Const>(parsed.file->decls.at(0).node).value].node;
    const auto *it = std::get_if<ast::Literal>(&node);
    return it != nullptr ? std::optional(*it) : std::nullopt;
}

int height(const ast::File &file, ast::ExprId id)
{
    const auto *binary = std::get_if<ast::Binary>(&file.exprs[id].node);
    return binary == nullptr ? 1 : 1 + std::max(height(file, binary->left), height(file, binary->right));
}

} // namespace

TEST_CASE("operators bind as the grammar says")
{
    check({
        {"a or b and not c == d", "(or a (and b (not (== c d))))"},
        {"a and b or c and d", "(or (and a b) (and c d))"},
        {"a | b ^ c & d << e + f * -g", "(| a (^ b (& c (<< d (+ e (* f (- g)))))))"},
        {"a - b - c", "(- (- a b) c)"},
        {"a / b * c % d", "(% (* (/ a b) c) d)"},
        {"a << b >> c", "(>> (<< a b) c)"},
        {"(a - (b - c))", "(- a (- b c))"},
        {"a & 1 == 0", "(== (& a 1) 0)"},
        {"a != b", "(!= a b)"},
        {"a < b", "(< a b)"},
        {"a <= b", "(<= a b)"},
        {"a > b", "(> a b)"},
        {"a >= b", "(>= a b)"},
        {"not not a", "(not (not a))"},
        {"- ~ -a", "(- (~ (- a)))"},
        {"any vlan.id in 100..199", "(in (any vlan.id) (.. 100 199))"},
        {"ethernet/ipv4/udp", "(/ (/ ethernet ipv4) udp)"},
        {"a or b or c or d", "(or (or a b) (or c d))"},
        {"a or b or c", "(or (or a b) c)"},
    });
}

TEST_CASE("sets and ranges")
{
    check({
        {"a in {22, 80, 8000..8999}", "(in a {22, 80, (.. 8000 8999)})"},
        {"a in {}", "(in a {})"},
        {"a in {1, 2,}", "(in a {1, 2})"},
        {"a in 1 + 1 .. 2 * 4", "(in a (.. (+ 1 1) (* 2 4)))"},
        {"a in blocklist", "(in a blocklist)"},
        {"m[1] == {packets = 1, bytes = 60}", "(== m[1] {packets = 1, bytes = 60})"},
        {"{10.0.0.0/8, 2001:db8::/32}", "{10.0.0.0/8, 2001:db8::/32}"},
        {"8000..8999", "(.. 8000 8999)"},
        {"10.0.0.1..10.0.0.9", "(.. 10.0.0.1 10.0.0.9)"},
        {"fe80::1..fe80::ff", "(.. fe80::1 fe80::ff)"},
        {"{a == b, c}", "{(== a b), c}"},
        {"{count = 1, in = 2}", "{count = 1, in = 2}"},
    });
}

TEST_CASE("members, indices, slices, calls and strings")
{
    check({
        {"udp.dport", "udp.dport"},
        {"tcp.flags.syn", "tcp.flags.syn"},
        {"vlan[0].id", "vlan[0].id"},
        {"flows[ipv4.src, udp.dport]", "flows[ipv4.src, udp.dport]"},
        {"packet[12:2]", "packet[12:2]"},
        {"packet[ab:cd]", "packet[ab:cd]"},
        {"packet[ 0x10 : 2 + 2 ]", "packet[0x10:(+ 2 2)]"},
        {"udp.payload[0:4]", "udp.payload[0:4]"},
        {"packet.length", "packet.length"},
        {"a.count.default.in", "a.count.default.in"},
        {"f()", "f()"},
        {"checksum(header, payload, zero = 0xffff)", "checksum(header, payload, zero = 0xffff)"},
        {"f(test = 1, drop = 2)", "f(test = 1, drop = 2)"},
        {R"("a\n\x41\"\\\0")", R"("a\x0aA\"\\\x00")"},
        {"\"\"", "\"\""},
    });
}

TEST_CASE("words with a place of their own are names elsewhere")
{
    for (const std::string_view word :
         {"type",    "length", "size",   "on",   "then", "where", "end",  "of",  "at", "most",
          "payload", "packet", "header", "when", "for",  "hex",   "next", "xdp", "s",  "ms"}) {
        CAPTURE(word);
        CHECK(expression(word) == word);
        CHECK(expression(fmt::format("{} + 1", word)) == fmt::format("(+ {} 1)", word));
    }
}

TEST_CASE("literals are told by their shape")
{
    using enum ast::Literal::Kind;
    const std::vector<std::pair<std::string_view, ast::Literal::Kind>> cases{
        {"0", integer},
        {"10_000", integer},
        {"0xff", integer},
        {"0xDEAD_beef", integer},
        {"0b1010", integer},
        {"99999999999999999999999", integer},
        {"1000/s", quantity},
        {"10ms", quantity},
        {"5s", quantity},
        {"7us", quantity},
        {"1_000ns", quantity},
        {"10.0.0.1", ipv4},
        {"10.0", ipv4},
        {"10.0.0.256", ipv4},
        {"1.2.3.4.5", ipv4},
        {"10.0.0.0/8", ipv4},
        {"10.0.0.0/99", ipv4},
        {"02:00:00:00:00:01", mac},
        {"de:ad:BE:EF:00:01", mac},
        {"fe80::1", ipv6},
        {"::", ipv6},
        {"::1", ipv6},
        {"::/0", ipv6},
        {"2001:db8::/32", ipv6},
        {"2001:db8:0:0:0:0:0:1", ipv6},
        {"::ffff:10.0.0.1", ipv6},
        {"1:2:3:4:5:6:10.0.0.1", ipv6},
        {"::ffff:10.0.0.0/104", ipv6},
        {"abcd::", ipv6},
    };
    for (const auto &[text, kind] : cases) {
        CAPTURE(text);
        const auto it = literal(text);
        REQUIRE(it);
        CHECK(it->kind == kind);
        CHECK(it->text == text);
    }
}

TEST_CASE("what only looks like an address or a quantity")
{
    check({
        {"fe80", "fe80"},
        {"face", "face"},
        {"1000/size", "(/ 1000 size)"},
        {"1000 / s", "(/ 1000 s)"},
        {"packet[1:2]", "packet[1:2]"},
        {"10.0.0.1 / 8", "(/ 10.0.0.1 8)"},
        {"a.b", "a.b"},
    });
}

TEST_CASE("long chains of associative operators stay flat")
{
    for (const std::string_view op : {"or", "and", "|", "^", "&"}) {
        std::string text = "const x = t0";
        for (int i = 1; i < 50'000; ++i)
            text += fmt::format(" {} t{}", op, i);
        const Parsed parsed(text);
        REQUIRE(parsed.clean());
        const auto value = std::get<ast::Const>(parsed.file->decls[0].node).value;
        CHECK(height(*parsed.file, value) == 17);
        const auto dump = parsed.dump();
        CHECK(dump.find("t0 t1)") != std::string::npos);
        CHECK(dump.find("t24999") < dump.find("t25000"));
    }
}
