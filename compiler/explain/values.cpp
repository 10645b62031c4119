// Numbers are unsigned and have 64 bits; addresses are numbers as wide as they are; bytes are views of the packet or of
// the source's strings.
#include "compiler/explain/evaluation.hpp"

namespace xdpf::explain {
namespace {

std::string_view text_of(std::span<const std::byte> bytes)
{
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

u128 big_endian(std::span<const std::byte> bytes)
{
    u128 out = 0;
    for (const std::byte byte : bytes)
        out = out << 8 | std::to_integer<unsigned>(byte);
    return out;
}

std::uint64_t calculate(sema::Arithmetic op, std::uint64_t a, std::uint64_t b)
{
    switch (op) {
    case sema::Arithmetic::add: return a + b;
    case sema::Arithmetic::subtract: return a - b;
    case sema::Arithmetic::multiply: return a * b;
    case sema::Arithmetic::divide: return b == 0 ? 0 : a / b;
    case sema::Arithmetic::modulo: return b == 0 ? a : a % b;
    case sema::Arithmetic::bit_and: return a & b;
    case sema::Arithmetic::bit_or: return a | b;
    case sema::Arithmetic::bit_xor: return a ^ b;
    case sema::Arithmetic::shift_left: return a << (b % 64);
    case sema::Arithmetic::shift_right: return a >> (b % 64);
    }
    return 0;
}

} // namespace

std::optional<Value> Evaluation::value(ExprId id, const Context &context)
{
    const sema::Expr &expr = unit_.exprs[id];
    return std::visit(
        [&](const auto &node) -> std::optional<Value> {
            if constexpr (requires { this->value_of(node, expr, context); })
                return value_of(node, expr, context);
            doubt();
            return std::nullopt;
        },
        expr.node);
}

std::optional<std::uint64_t> Evaluation::number(ExprId id, const Context &context)
{
    const auto found = value(id, context);
    return found ? std::optional(static_cast<std::uint64_t>(found->number)) : std::nullopt;
}

// Where a field's bytes lie; a floating one's place is computed.
std::optional<Extent> Evaluation::place_of(const sema::Field &field, HeaderId id, std::size_t header)
{
    std::uint64_t first = field.bit_offset / 8;
    std::uint64_t size = (field.bit_offset + field.bits + 7) / 8 - first;
    if (field.floating()) {
        const Context inside{.self = id, .at = header};
        const auto at = field.when && !holds(*field.when, inside) ? std::nullopt : number(*field.at, inside);
        if (!at)
            return std::nullopt;
        first = *at;
        size = field.bits / 8;
    }
    if (header > packet_.size() || first > packet_.size() - header || size > packet_.size() - header - first)
        return std::nullopt;
    return Extent{header + static_cast<std::size_t>(first), header + static_cast<std::size_t>(first + size)};
}

std::optional<Value> Evaluation::field_at(HeaderId id, std::size_t index, std::size_t header)
{
    const sema::Field &field = unit_.headers[id].fields[index];
    const auto place = place_of(field, id, header);
    if (!place)
        return std::nullopt;
    const auto &checksum = unit_.headers[id].checksum;
    if (has_changed_ && checksum && checksum->field == index)
        doubt();
    const auto bytes = packet_.subspan(place->begin, place->end - place->begin);
    if (field.type == sema::ValueType::bytes)
        return Value{.bytes = text_of(bytes)};
    u128 number = 0;
    if (field.little_endian)
        for (std::size_t i = bytes.size(); i-- > 0;)
            number = number << 8 | std::to_integer<unsigned>(bytes[i]);
    else
        number = big_endian(bytes) >> (field.floating() ? 0 : bytes.size() * 8 - field.bit_offset % 8 - field.bits);
    return Value{.number = field.bits >= 128 ? number : number & ((u128(1) << field.bits) - 1)};
}

std::optional<Value> Evaluation::value_of(const sema::Constant &node, const sema::Expr &, const Context &)
{
    return Value{.number = node.value};
}

std::optional<Value> Evaluation::value_of(const sema::BytesConstant &node, const sema::Expr &, const Context &)
{
    return Value{.bytes = node.value};
}

std::optional<Value> Evaluation::value_of(const sema::FieldValue &node, const sema::Expr &, const Context &context)
{
    if (node.header.header == context.self)
        return field_at(node.header.header, node.field, context.at);
    const auto header = extent_of(node.header);
    return header ? field_at(node.header.header, node.field, header->begin) : std::nullopt;
}

std::optional<Value> Evaluation::value_of(const sema::ChainEnd &node, const sema::Expr &, const Context &context)
{
    if (context.chain == node.base)
        return Value{.number = context.selector};
    const Chain &chain = chain_of(node.base);
    return chain.end == Chain::End::well ? std::optional(Value{.number = chain.selector}) : std::nullopt;
}

std::optional<Value> Evaluation::value_of(const sema::Metadata &node, const sema::Expr &, const Context &)
{
    switch (node) {
    case sema::Metadata::packet_length: return Value{.number = packet_.size()};
    case sema::Metadata::rx_queue: return Value{.number = arrival_.rx_queue};
    case sema::Metadata::iface: return Value{.number = arrival_.ingress_ifindex};
    case sema::Metadata::now:
        if (arrival_.now)
            return Value{.number = *arrival_.now};
        break;
    default: break; // what a driver or a processor tells
    }
    doubt();
    return std::nullopt;
}

std::optional<Value> Evaluation::value_of(const sema::Slice &node, const sema::Expr &expr, const Context &)
{
    std::size_t from = 0;
    if (node.behind) {
        const auto header = extent_of(*node.behind);
        if (!header)
            return std::nullopt;
        from = header->end;
    }
    if (packet_.size() - from < std::size_t(node.offset) + node.length)
        return std::nullopt;
    const auto bytes = packet_.subspan(from + node.offset, node.length);
    // Up to 8 bytes are a number, which may also be compared with a string.
    return Value{.number = expr.type == sema::ValueType::bytes ? 0 : big_endian(bytes), .bytes = text_of(bytes)};
}

std::optional<Value> Evaluation::value_of(const sema::Binary &node, const sema::Expr &, const Context &context)
{
    const auto left = number(node.left, context);
    const auto right = number(node.right, context);
    if (!left || !right)
        return std::nullopt;
    return Value{.number = calculate(node.op, *left, *right)};
}

std::optional<Value> Evaluation::value_of(const sema::Unary &node, const sema::Expr &, const Context &context)
{
    const auto operand = number(node.operand, context);
    if (!operand)
        return std::nullopt;
    return Value{.number = node.op == sema::UnaryArithmetic::negate ? 0 - *operand : ~*operand};
}

// The first that is there. An IPv4 address among IPv6 ones is IPv4-mapped (RFC 4291, section 2.5.5.2).
std::optional<Value> Evaluation::value_of(const sema::Either &node, const sema::Expr &expr, const Context &context)
{
    for (const ExprId one : node.alternatives) {
        auto found = value(one, context);
        if (!found)
            continue;
        if (expr.type == sema::ValueType::ipv6 && unit_.exprs[one].type == sema::ValueType::ipv4)
            found->number |= sema::mapped_ipv4;
        return found;
    }
    return std::nullopt;
}

std::optional<Value> Evaluation::value_of(const sema::LetValue &node, const sema::Expr &, const Context &)
{
    return node.let < lets_.size() ? lets_[node.let] : std::nullopt;
}

// As grammar/reference.md says it, "Hashes".
std::optional<Value> Evaluation::value_of(const sema::Hash &node, const sema::Expr &, const Context &context)
{
    constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
    std::uint64_t state = golden;
    for (const ExprId id : node.values) {
        const auto found = value(id, context);
        if (!found)
            return std::nullopt;
        const bool wide = unit_.exprs[id].type == sema::ValueType::ipv6;
        for (int piece = wide ? 1 : 0; piece >= 0; --piece) {
            state = (state ^ static_cast<std::uint64_t>(found->number >> (64 * piece))) * golden;
            state ^= state >> 32;
        }
        if (unit_.exprs[id].type == sema::ValueType::bytes)
            doubt();
    }
    return Value{.number = state * golden >> 32};
}

std::optional<Value> Evaluation::value_of(const sema::Weighted &node, const sema::Expr &, const Context &context)
{
    const auto drawn = number(node.value, context);
    std::uint64_t all = 0;
    for (const std::uint32_t weight : node.weights)
        all += weight;
    if (!drawn || all == 0)
        return std::nullopt;
    std::uint64_t left = *drawn % all;
    std::size_t index = 0;
    while (left >= node.weights[index])
        left -= node.weights[index++];
    return Value{.number = index};
}

} // namespace xdpf::explain
