#include "compiler/sema/literals.hpp"

#include <doctest/doctest.h>

using namespace xdpf;
using namespace xdpf::sema;
using LiteralKind = ast::Literal::Kind;

namespace {

struct Read {
    std::optional<LiteralValue> value;
    std::string error;
};

Read read(LiteralKind kind, std::string text)
{
    Diagnostics diagnostics;
    Read out{read_literal({kind, std::move(text)}, {}, diagnostics), ""};
    if (diagnostics.has_errors())
        out.error = diagnostics.all().front().message;
    return out;
}

u128 wide(std::uint64_t high, std::uint64_t low) { return u128(high) << 64 | low; }

} // namespace

TEST_CASE("numbers in three bases, with underscores, up to 64 bits")
{
    CHECK(read(LiteralKind::integer, "10_000").value->first == 10000);
    CHECK(read(LiteralKind::integer, "0xff").value->first == 255);
    CHECK(read(LiteralKind::integer, "0b1010").value->first == 10);
    CHECK(read(LiteralKind::integer, "18446744073709551615").value->first == UINT64_MAX);
    CHECK(read(LiteralKind::integer, "18446744073709551616").error == "18446744073709551616 does not fit into 64 bits");
    CHECK_FALSE(read(LiteralKind::integer, "0x1_0000_0000_0000_0000").value);
}

TEST_CASE("addresses are numbers of their width")
{
    CHECK(read(LiteralKind::ipv4, "10.0.0.1").value->first == 0x0a000001);
    CHECK(read(LiteralKind::mac, "02:00:00:00:0a:FF").value->first == 0x020000000aff);
    CHECK(read(LiteralKind::ipv6, "2001:db8::1").value->first == wide(0x20010db800000000, 1));
    CHECK(read(LiteralKind::ipv6, "::ffff:192.0.2.1").value->first == wide(0, 0xffffc0000201));
    CHECK(read(LiteralKind::ipv4, "10.0.0.256").error.find("0 to 255") != std::string::npos);
    CHECK(read(LiteralKind::ipv4, "10.0.0").error.find("3 parts") != std::string::npos);
    CHECK_FALSE(read(LiteralKind::ipv6, "1::2::3").value);
}

TEST_CASE("prefixes are ranges, and bits behind them are an error")
{
    const auto ten = read(LiteralKind::ipv4, "10.0.0.0/8").value;
    REQUIRE(ten);
    CHECK(ten->prefix);
    CHECK(ten->first == 0x0a000000);
    CHECK(ten->last == 0x0affffff);
    const auto all = read(LiteralKind::ipv6, "::/0").value;
    REQUIRE(all);
    CHECK(all->last == ~u128(0));
    const auto one = read(LiteralKind::ipv6, "2001:db8::1/128").value;
    REQUIRE(one);
    CHECK(one->first == one->last);
    CHECK_FALSE(read(LiteralKind::ipv4, "10.0.0.1/8").value);
    CHECK_FALSE(read(LiteralKind::ipv4, "10.0.0.0/33").value);
    CHECK_FALSE(read(LiteralKind::ipv6, "::/129").value);
}

TEST_CASE("values are written as they are read")
{
    CHECK(to_string(ValueType::ipv4, 0xc0000201) == "192.0.2.1");
    CHECK(to_string(ValueType::ipv6, wide(0x20010db800000000, 1)) == "2001:db8::1");
    CHECK(to_string(ValueType::mac, 0x020000000001) == "02:00:00:00:00:01");
    CHECK(to_string(ValueType::number, 53) == "53");
}
