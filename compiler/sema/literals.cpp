#include "compiler/sema/literals.hpp"

#include "compiler/base/number.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace xdpf::sema {
namespace {

std::optional<std::uint64_t> read_integer(std::string_view text, Span span, Diagnostics &diagnostics)
{
    const auto value = read_whole_number(text);
    if (!value)
        diagnostics.report(Kind::number_too_large, span, text)
            .suggest("numbers are unsigned and 64 bits wide: at most 18446744073709551615");
    return value;
}

u128 mask_of(unsigned bits, unsigned length)
{
    if (length == 0)
        return 0;
    const u128 all = bits == 128 ? ~u128(0) : (u128(1) << bits) - 1;
    return all & ~((length == bits) ? u128(0) : ((u128(1) << (bits - length)) - 1));
}

std::string ipv4_trouble(std::string_view text)
{
    const auto dots = std::ranges::count(text, '.');
    if (dots != 3)
        return fmt::format("it has {} parts, and an IPv4 address has 4", dots + 1);
    return "each of its parts goes from 0 to 255, without leading zeros";
}

std::optional<u128> read_ipv4(const std::string &text, Span span, Diagnostics &diagnostics)
{
    in_addr address{};
    if (inet_pton(AF_INET, text.c_str(), &address) != 1) {
        diagnostics.report(Kind::bad_address, span, text, "IPv4", ipv4_trouble(text)).suggest("write it as 192.0.2.1");
        return std::nullopt;
    }
    return ntohl(address.s_addr);
}

std::optional<u128> read_ipv6(const std::string &text, Span span, Diagnostics &diagnostics)
{
    in6_addr address{};
    if (inet_pton(AF_INET6, text.c_str(), &address) != 1) {
        diagnostics
            .report(Kind::bad_address, span, text, "IPv6",
                    "it needs eight groups of up to four hex digits, or one '::'")
            .suggest("write it as 2001:db8::1");
        return std::nullopt;
    }
    u128 value = 0;
    for (const auto byte : address.s6_addr)
        value = value << 8 | byte;
    return value;
}

u128 read_mac(std::string_view text)
{
    u128 value = 0;
    for (const char c : text)
        if (c != ':')
            value = value << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    return value;
}

std::optional<LiteralValue> with_prefix(LiteralValue value, std::string_view length_text, std::string_view whole,
                                        Span span, Diagnostics &diagnostics)
{
    const unsigned bits = bits_of(value.type);
    unsigned length = bits + 1;
    std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
    if (length > bits) {
        diagnostics.report(Kind::bad_prefix, span, whole, fmt::format("its length must be 0 to {}", bits));
        return std::nullopt;
    }
    const u128 mask = mask_of(bits, length);
    if ((value.first & mask) != value.first) {
        diagnostics.report(Kind::bad_prefix, span, whole, fmt::format("bits behind its first {} are set", length))
            .suggest(fmt::format("write {}/{}", to_string(value.type, value.first & mask), length));
        return std::nullopt;
    }
    value.prefix = true;
    value.prefix_length = static_cast<std::uint8_t>(length);
    const u128 all = bits == 128 ? ~u128(0) : (u128(1) << bits) - 1;
    value.last = value.first | (all & ~mask);
    return value;
}

} // namespace

unsigned bits_of(ValueType type)
{
    switch (type) {
    case ValueType::mac: return 48;
    case ValueType::ipv4: return 32;
    case ValueType::ipv6: return 128;
    default: return 64;
    }
}

std::optional<LiteralValue> read_literal(const ast::Literal &literal, Span span, Diagnostics &diagnostics)
{
    using LiteralKind = ast::Literal::Kind;
    LiteralValue value;
    const auto slash = literal.text.find('/');
    const std::string address = literal.text.substr(0, slash);
    std::optional<u128> number;
    switch (literal.kind) {
    case LiteralKind::integer: number = read_integer(literal.text, span, diagnostics); break;
    case LiteralKind::quantity: {
        if (literal.text.ends_with("/s")) {
            diagnostics.report(Kind::misplaced_quantity, span, literal.text)
                .suggest("a rate belongs to a limit: exceeds(1000/s per ipv4.src)");
            return std::nullopt;
        }
        const auto duration = read_quantity(literal, span, diagnostics);
        if (!duration)
            return std::nullopt;
        value.first = value.last = *duration;
        return value;
    }
    case LiteralKind::mac:
        value.type = ValueType::mac;
        number = read_mac(literal.text);
        break;
    case LiteralKind::ipv4:
        value.type = ValueType::ipv4;
        number = read_ipv4(address, span, diagnostics);
        break;
    case LiteralKind::ipv6:
        value.type = ValueType::ipv6;
        number = read_ipv6(address, span, diagnostics);
        break;
    }
    if (!number)
        return std::nullopt;
    value.first = value.last = *number;
    if (slash == std::string::npos)
        return value;
    return with_prefix(value, std::string_view(literal.text).substr(slash + 1), literal.text, span, diagnostics);
}

std::optional<std::uint64_t> read_quantity(const ast::Literal &literal, Span span, Diagnostics &diagnostics)
{
    const auto quantity = split_quantity(literal.text);
    if (!quantity || !read_integer(quantity->number, span, diagnostics))
        return std::nullopt;
    const auto value = value_of(*quantity);
    if (!value)
        diagnostics.report(Kind::number_too_large, span, fmt::format("{} in nanoseconds", literal.text));
    return value;
}

std::string counted(std::uint64_t count, std::string_view what)
{
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string to_string(ValueType type, u128 value)
{
    char text[INET6_ADDRSTRLEN] = {};
    if (type == ValueType::ipv4) {
        const in_addr address{htonl(static_cast<std::uint32_t>(value))};
        return inet_ntop(AF_INET, &address, text, sizeof text);
    }
    if (type == ValueType::ipv6) {
        in6_addr address{};
        for (int i = 15; i >= 0; --i, value >>= 8)
            address.s6_addr[i] = static_cast<std::uint8_t>(value);
        return inet_ntop(AF_INET6, &address, text, sizeof text);
    }
    if (type == ValueType::mac) {
        std::string out;
        for (int shift = 40; shift >= 0; shift -= 8)
            out += fmt::format("{}{:02x}", out.empty() ? "" : ":", static_cast<unsigned>(value >> shift & 0xff));
        return out;
    }
    return fmt::format("{}", static_cast<std::uint64_t>(value));
}

} // namespace xdpf::sema
