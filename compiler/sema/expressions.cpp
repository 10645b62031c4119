#include "compiler/sema/nested.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace xdpf::sema {
namespace {

std::uint32_t bits_for(u128 value)
{
    const auto high = static_cast<std::uint64_t>(value >> 64);
    const auto low = static_cast<std::uint64_t>(value);
    return static_cast<std::uint32_t>(high != 0 ? 128 - std::countl_zero(high) : 64 - std::countl_zero(low));
}

std::optional<Arithmetic> arithmetic(ast::BinaryOp op)
{
    switch (op) {
    case ast::BinaryOp::add: return Arithmetic::add;
    case ast::BinaryOp::subtract: return Arithmetic::subtract;
    case ast::BinaryOp::multiply: return Arithmetic::multiply;
    case ast::BinaryOp::divide: return Arithmetic::divide;
    case ast::BinaryOp::modulo: return Arithmetic::modulo;
    case ast::BinaryOp::bit_and: return Arithmetic::bit_and;
    case ast::BinaryOp::bit_or: return Arithmetic::bit_or;
    case ast::BinaryOp::bit_xor: return Arithmetic::bit_xor;
    case ast::BinaryOp::shift_left: return Arithmetic::shift_left;
    case ast::BinaryOp::shift_right: return Arithmetic::shift_right;
    default: return std::nullopt;
    }
}

std::uint64_t fold(Arithmetic op, std::uint64_t a, std::uint64_t b)
{
    switch (op) {
    case Arithmetic::add: return a + b;
    case Arithmetic::subtract: return a - b;
    case Arithmetic::multiply: return a * b;
    case Arithmetic::divide: return b == 0 ? 0 : a / b;
    case Arithmetic::modulo: return b == 0 ? a : a % b;
    case Arithmetic::bit_and: return a & b;
    case Arithmetic::bit_or: return a | b;
    case Arithmetic::bit_xor: return a ^ b;
    case Arithmetic::shift_left: return a << (b & 63);
    case Arithmetic::shift_right: return a >> (b & 63);
    }
    return 0;
}

// Most bits a result needs.
std::uint32_t result_bits(Arithmetic op, std::uint32_t a, std::uint32_t b, std::optional<u128> right)
{
    const auto shift = right ? static_cast<std::uint32_t>(*right) : 64;
    switch (op) {
    case Arithmetic::add: return std::min(64U, std::max(a, b) + 1);
    case Arithmetic::multiply: return std::min(64U, a + b);
    case Arithmetic::bit_and: return std::min(a, b);
    case Arithmetic::bit_or:
    case Arithmetic::bit_xor: return std::max(a, b);
    case Arithmetic::divide:
    case Arithmetic::modulo: return a;
    case Arithmetic::shift_left: return std::min(64U, a + shift);
    case Arithmetic::shift_right: return right && a > shift ? a - shift : a;
    case Arithmetic::subtract: return 64;
    }
    return 64;
}

} // namespace

std::string describe(ValueType type, std::uint32_t bits)
{
    switch (type) {
    case ValueType::number: return bits == 64 ? "a number" : fmt::format("a number of {}", counted(bits, "bit"));
    case ValueType::mac: return "a MAC address";
    case ValueType::ipv4: return "an IPv4 address";
    case ValueType::ipv6: return "an IPv6 address";
    case ValueType::bytes: return counted(bits / 8, "raw byte");
    }
    return {};
}

u128 largest(std::uint32_t bits) { return bits >= 128 ? ~u128(0) : (u128(1) << bits) - 1; }

std::string Analyzer::describe(ExprId id) const
{
    const Expr &expr = unit_.exprs[id];
    if (std::holds_alternative<Constant>(expr.node) && expr.type == ValueType::number)
        return "a number";
    return sema::describe(expr.type, expr.bits);
}

ExprId Analyzer::add_constant(std::uint64_t value, Span span)
{
    return add(Expr{ValueType::number, std::max(1U, bits_for(value)), Constant{value}, span});
}

std::optional<u128> Analyzer::constant_of(ExprId id) const
{
    const auto *constant = std::get_if<Constant>(&unit_.exprs[id].node);
    return constant ? std::optional(constant->value) : std::nullopt;
}

bool Analyzer::is_constant(ExprId id) const
{
    return constant_of(id) || std::holds_alternative<BytesConstant>(unit_.exprs[id].node);
}

std::nullopt_t Analyzer::too_deep(Span span)
{
    if (!std::exchange(deep_told_, true))
        diagnostics_.report(Kind::nesting_too_deep, span, most_nested)
            .suggest("names that stand for others: fewer of them one behind the other");
    return std::nullopt;
}

std::optional<ExprId> Analyzer::value(ast::ExprId written, const Scope &outer)
{
    const auto [id, where] = unbound(written, outer);
    const Scope &scope = *where;
    const ast::Expr &expr = scope[id];
    const Nested level(*this);
    if (level.too_deep())
        return too_deep(expr.span);
    if (const auto use = use_of_def(id, scope))
        return def_value(*use, scope);
    if (const auto *literal = std::get_if<ast::Literal>(&expr.node)) {
        const auto read = read_literal(*literal, expr.span, diagnostics_);
        if (!read)
            return std::nullopt;
        if (read->prefix) {
            diagnostics_.report(Kind::not_a_value, expr.span, "a prefix")
                .suggest("a prefix stands behind 'in': ipv4.src in 10.0.0.0/8");
            return std::nullopt;
        }
        const auto bits = read->type == ValueType::number ? std::max(1U, bits_for(read->first)) : bits_of(read->type);
        return add(Expr{read->type, bits, Constant{read->first}, expr.span});
    }
    if (const auto *string = std::get_if<ast::String>(&expr.node))
        return add(Expr{ValueType::bytes, static_cast<std::uint32_t>(string->value.size() * 8),
                        BytesConstant{string->value}, expr.span});
    if (const auto *identifier = std::get_if<ast::Identifier>(&expr.node))
        return identifier_value(*identifier, expr.span, scope);
    if (std::holds_alternative<ast::Member>(expr.node))
        return member_value(id, scope);
    if (std::holds_alternative<ast::Slice>(expr.node) || std::holds_alternative<ast::Index>(expr.node))
        return slice_value(id, scope);
    if (const auto *unary = std::get_if<ast::Unary>(&expr.node))
        return unary_value(*unary, expr.span, scope);
    if (const auto *binary = std::get_if<ast::Binary>(&expr.node))
        return binary_value(*binary, expr.span, scope);
    if (const auto *call = std::get_if<ast::Call>(&expr.node))
        return call_value(*call, expr.span, scope);
    if (std::holds_alternative<ast::Pcap>(expr.node) || std::holds_alternative<ast::Exceeds>(expr.node)) {
        diagnostics_.report(Kind::not_a_value, expr.span, "a condition");
        return std::nullopt;
    }
    if (std::holds_alternative<ast::Tuple>(expr.node)) {
        diagnostics_.report(Kind::not_a_value, expr.span, "several values")
            .suggest("they make a key together: (ipv4.src, udp.dport) in seen, seen[ipv4.src, udp.dport]");
        return std::nullopt;
    }
    const bool range = std::holds_alternative<ast::Range>(expr.node);
    diagnostics_.report(Kind::not_a_value, expr.span, range ? "a range" : "a set")
        .suggest("sets and ranges stand behind 'in'");
    return std::nullopt;
}

std::optional<ExprId> Analyzer::identifier_value(const ast::Identifier &node, Span span, const Scope &scope)
{
    if (scope.self.valid())
        if (find_field(scope.self, node.text))
            return field_value({scope.self}, node.text, span, span);
    for (const LetScope *let = scope.lets; let != nullptr; let = let->outer)
        if (let->name == node.text)
            return let->broken ? std::nullopt
                               : std::optional(add(Expr{let->type, let->bits, LetValue{let->let}, span}));
    if (const auto outside = surroundings(node.text, span))
        return *outside;
    Symbol *symbol = find(node.text);
    if (symbol == nullptr && damaged(node.text))
        return std::nullopt;
    if (symbol == nullptr) {
        report_unknown_name(node.text, span, scope);
        return std::nullopt;
    }
    if (auto *constant = std::get_if<ConstSymbol>(&symbol->what)) {
        const auto result = constant_value(node.text, *constant, span);
        if (result)
            unit_.exprs[*result].span = span;
        return result;
    }
    if (std::holds_alternative<ParamSymbol>(symbol->what))
        return param_value(node.text, span);
    const bool header = std::holds_alternative<HeaderId>(symbol->what);
    auto &report = diagnostics_.report(Kind::not_a_value, span, header ? "a header" : "a map");
    if (header) {
        const auto &fields = unit_.headers[std::get<HeaderId>(symbol->what)].fields;
        if (!fields.empty())
            report.suggest(fmt::format("name one of its fields, e.g. {}.{}", node.text, fields.front().name));
    }
    return std::nullopt;
}

void Analyzer::report_unknown_name(const std::string &name, Span span, const Scope &scope)
{
    struct Function {
        std::string_view name;
        std::string_view example;
    };
    static constexpr std::array functions{
        Function{"hash", "hash(ipv4.src, ipv4.dst)"}, Function{"weighted", "weighted(hash(ipv4.src), 3, 1)"},
        Function{"one_in", "one_in(1000)"}, Function{"exceeds", "exceeds(1000/s per ipv4.src)"}};
    if (const auto *function = std::ranges::find(functions, name, &Function::name); function != functions.end()) {
        diagnostics_.report(Kind::argument_count, span, name, "one argument or more", "none")
            .suggest(std::string(function->example));
        return;
    }
    if (name == "packet" || name == "payload") {
        diagnostics_.report(Kind::not_a_value, span, name == "packet" ? "the packet" : "a payload")
            .suggest("say which bytes of it: packet[12:2], udp.payload[0:4]");
        return;
    }
    auto &report = diagnostics_.report(Kind::unknown_name, span, name);
    if (const auto module = stdlib_module_of(name); !module.empty())
        report.suggest_import(module);
    else
        report.suggest_near(name, scope.self.valid() ? field_names(scope.self) : names());
}

// What is not in the packet. The outer optional: the name is one of these.
std::optional<std::optional<ExprId>> Analyzer::surroundings(std::string_view name, Span span)
{
    struct Name {
        std::string_view text;
        Metadata what;
        std::uint32_t bits;
    };
    static constexpr std::array names{Name{"rx_queue", Metadata::rx_queue, 32},
                                      Name{"iface", Metadata::iface, 32},
                                      Name{"egress_iface", Metadata::egress_iface, 32},
                                      Name{"now", Metadata::now, 64},
                                      Name{"random", Metadata::random, 32},
                                      Name{"cpu", Metadata::cpu, 32},
                                      Name{"rx_hash", Metadata::rx_hash, 32},
                                      Name{"rx_timestamp", Metadata::rx_timestamp, 64},
                                      Name{"rx_vlan", Metadata::rx_vlan, 16}};
    const auto found = std::ranges::find(names, name, &Name::text);
    if (found == names.end())
        return std::nullopt;
    const bool received =
        found->what == Metadata::rx_hash || found->what == Metadata::rx_timestamp || found->what == Metadata::rx_vlan;
    if (found->what == Metadata::egress_iface && place_ != ProgramImage::Place::devmap) {
        diagnostics_.report(Kind::not_here, span, name, "only a program on a devmap knows where a packet goes")
            .suggest("defprogram NAME on devmap { … }");
        return std::optional<ExprId>();
    }
    if (received && place_ != ProgramImage::Place::interface) {
        diagnostics_.report(Kind::not_here, span, name, "only a program on an interface can ask its driver");
        return std::optional<ExprId>();
    }
    if (received && !asks_driver_)
        asks_driver_ = span;
    return add(Expr{ValueType::number, found->bits, found->what, span});
}

// What a constant stands for where one value is wanted.
std::optional<ExprId> Analyzer::constant_value(const std::string &name, ConstSymbol &constant, Span span)
{
    if (constant.broken)
        return std::nullopt;
    if (constant.in_use) {
        diagnostics_.report(Kind::const_cycle, span, name);
        constant.broken = true;
        return std::nullopt;
    }
    if (constant.value)
        return add(Expr(unit_.exprs[*constant.value]));
    const auto &expr = constant.file->exprs[constant.decl->value];
    if (std::holds_alternative<ast::Set>(expr.node) || std::holds_alternative<ast::Range>(expr.node)) {
        diagnostics_.report(Kind::not_a_value, span, "a set")
            .suggest("sets and ranges stand behind 'in'")
            .note(expr.span, "this is what it stands for");
        return std::nullopt;
    }
    const Nested levels(*this, through_a_name);
    constant.in_use = true;
    auto result = value(constant.decl->value, {constant.file});
    constant.in_use = false;
    if (result && !constant_of(*result) && !std::holds_alternative<BytesConstant>(unit_.exprs[*result].node)) {
        diagnostics_.report(Kind::not_constant, expr.span);
        result = std::nullopt;
    }
    constant.broken = constant.broken || !result;
    constant.value = result;
    return result;
}

std::optional<ExprId> Analyzer::number_value(ast::ExprId id, const Scope &scope)
{
    const auto result = value(id, scope);
    if (!result)
        return std::nullopt;
    if (unit_.exprs[*result].type != ValueType::number) {
        diagnostics_.report(Kind::not_a_number, scope[id].span, describe(*result));
        return std::nullopt;
    }
    return result;
}

std::optional<ExprId> Analyzer::unary_value(const ast::Unary &node, Span span, const Scope &scope)
{
    if (node.op == ast::UnaryOp::logical_not) {
        diagnostics_.report(Kind::not_a_value, span, "a condition");
        return std::nullopt;
    }
    if (node.op == ast::UnaryOp::any) {
        if (scope.any_index >= 0)
            return value(node.operand, scope);
        diagnostics_.report(Kind::any_without_link, span).suggest("write: any vlan.id in 100..199");
        return std::nullopt;
    }
    const auto operand = number_value(node.operand, scope);
    if (!operand)
        return std::nullopt;
    const auto op = node.op == ast::UnaryOp::negate ? UnaryArithmetic::negate : UnaryArithmetic::complement;
    if (const auto constant = constant_of(*operand)) {
        const auto number = static_cast<std::uint64_t>(*constant);
        return add_constant(op == UnaryArithmetic::negate ? 0 - number : ~number, span);
    }
    return add(Expr{ValueType::number, 64, Unary{op, *operand}, span});
}

std::optional<ExprId> Analyzer::binary_value(const ast::Binary &node, Span span, const Scope &scope)
{
    const auto op = arithmetic(node.op);
    if (!op) {
        diagnostics_.report(Kind::not_a_value, span, "a condition")
            .suggest("a one-bit field or a condition stands alone, without a comparison");
        return std::nullopt;
    }
    const auto left = number_value(node.left, scope);
    const auto right = number_value(node.right, scope);
    if (!left || !right)
        return std::nullopt;
    const auto a = constant_of(*left);
    const auto b = constant_of(*right);
    if (b && *b == 0 && (*op == Arithmetic::divide || *op == Arithmetic::modulo)) {
        diagnostics_.report(Kind::division_by_zero, scope[node.right].span);
        return std::nullopt;
    }
    if (b && *b > 63 && (*op == Arithmetic::shift_left || *op == Arithmetic::shift_right)) {
        diagnostics_.report(Kind::shift_too_far, scope[node.right].span, static_cast<std::uint64_t>(*b));
        return std::nullopt;
    }
    if (a && b)
        return add_constant(fold(*op, static_cast<std::uint64_t>(*a), static_cast<std::uint64_t>(*b)), span);
    const auto bits = result_bits(*op, unit_.exprs[*left].bits, unit_.exprs[*right].bits, b);
    return add(Expr{ValueType::number, bits, Binary{*op, *left, *right}, span});
}

std::optional<std::uint64_t> Analyzer::constant(ast::ExprId id, const Scope &scope)
{
    const auto result = number_value(id, scope);
    if (!result)
        return std::nullopt;
    const auto number = constant_of(*result);
    if (!number) {
        diagnostics_.report(Kind::not_constant, scope[id].span);
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(*number);
}

} // namespace xdpf::sema
