// The tests of xdpf.ebnf as Spirit X3 rules, in its order.
#include "grammar/rules.hpp"

namespace xdpf::syntax {
namespace {

constexpr Contextual<lookahead::is_quote> hex_word{"hex", {}};
constexpr Contextual<lookahead::is_quote> pcap_word{"pcap", {}};
constexpr Contextual<lookahead::is_name> expected_packet{"packet", {}};
constexpr Contextual<lookahead::is_number> expected_rule{"rule", {}};
constexpr Part<ast::ExprId, read_set> set_literal{};
constexpr Part<ast::ActionId, read_plain_action> action{};
constexpr Part<ast::Layer, read_layer> layer{};

using StatementNode = std::variant<ast::PacketStatement, ast::WithStatement, ast::ExpectStatement>;
struct Statement {
    std::optional<StatementNode> node;
};

const x3::rule<struct test_id, ast::Test> test = "test";
const x3::rule<struct bytes_id, ast::PacketStatement> bytes = "bytes";
const x3::rule<struct packet_id, ast::PacketStatement> packet = "packet";
const x3::rule<struct with_id, ast::WithStatement> with = "with";
const x3::rule<struct expect_id, ast::ExpectStatement> expect = "expect";
const x3::rule<struct expected_id, ast::PacketStatement> expected = "expected";
const x3::rule<struct number_id, ast::ExpectRule> number = "number";
const x3::rule<struct statement_id, Statement> statement = "statement";

constexpr auto set_title = [](auto &ctx) {
    x3::_val(ctx).name = std::move(x3::_attr(ctx).value);
    x3::_val(ctx).name_span = x3::_attr(ctx).span;
};
constexpr auto set_text = [](auto member) {
    return [member](auto &ctx) { x3::_val(ctx).*member = std::move(x3::_attr(ctx).value); };
};
constexpr auto set_what = [](auto &ctx) { x3::_val(ctx).what = std::move(x3::_attr(ctx)); };
constexpr auto append_statement = [](auto &ctx) {
    if (auto &node = x3::_attr(ctx).node)
        x3::_val(ctx).statements.push_back(std::move(*node));
};

const auto bytes_def = (hex_word >> quoted_string[set_text(&ast::PacketStatement::hex)]) |
                       (pcap_word >> quoted_string[set_text(&ast::PacketStatement::pcap)]) |
                       (layer[append(&ast::PacketStatement::layers)] % slash);
const auto packet_def = spanned[quoted("packet", "'packet'")[example("packet ethernet / ipv4 / udp(dport = 53)")] >
                                bytes[pass_on] > -(silent("times") > expression[set(&ast::PacketStatement::times)])];
const auto with_def =
    spanned[quoted("with", "'with'")[example("with rx_queue = 2")] > name[set(&ast::WithStatement::name)] > equals >
            (set_literal[set(&ast::WithStatement::value)] | expression[set(&ast::WithStatement::value)])];
const auto expected_def = spanned[expected_packet[example("expect packet ethernet / ipv4(ttl = 63)")] > bytes[pass_on]];
const auto number_def = expected_rule[example("expect rule 2")] > expression[set(&ast::ExpectRule::number)];
const auto expect_def = spanned[quoted("expect", "'expect'")[example("expect drop")] >
                                (expected[set_what] | number[set_what] | action[set_what] | expression[set_what])];
const auto statement_def = (packet[as_node] | with[as_node] | expect[as_node]) >> -semicolon;
const auto test_def =
    quoted("test",
           "a declaration")[example("test \"a query is dropped\" { packet ethernet / ipv4 / udp  expect drop }")] >
    string[set_title] > -(quoted("for", "'for'") > name[set(&ast::Test::program)]) > open_block >
    *each_line[statement][append_statement] > close_block;

BOOST_SPIRIT_DEFINE(test, bytes, packet, with, expect, expected, number, statement)

} // namespace

bool read_test(Iterator &first, Iterator last, ParseState &state, ast::Test &out)
{
    return run(test, first, last, state, out);
}

} // namespace xdpf::syntax
