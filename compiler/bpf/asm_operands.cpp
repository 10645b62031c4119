#include "compiler/bpf/asm_operands.hpp"

#include <cstddef>

namespace xdpf::bpf {
namespace {

// Every name comes from <linux/bpf.h>.
#define XDPF_NAMED(name)                                                                                               \
    AsmConstant { #name, static_cast < std::uint64_t>(name) }
const AsmConstant kernel_constants[] = {
    XDPF_NAMED(XDP_ABORTED),      XDPF_NAMED(XDP_DROP),
    XDPF_NAMED(XDP_PASS),         XDPF_NAMED(XDP_TX),
    XDPF_NAMED(XDP_REDIRECT),     XDPF_NAMED(BPF_ANY),
    XDPF_NAMED(BPF_NOEXIST),      XDPF_NAMED(BPF_EXIST),
    XDPF_NAMED(BPF_F_BROADCAST),  XDPF_NAMED(BPF_F_EXCLUDE_INGRESS),
    XDPF_NAMED(BPF_RB_NO_WAKEUP), XDPF_NAMED(BPF_RB_FORCE_WAKEUP),
};
#undef XDPF_NAMED

#define XDPF_FIELD(name)                                                                                               \
    AsmConstant { #name, offsetof(xdp_md, name) }
const AsmConstant context_fields[] = {
    XDPF_FIELD(data),           XDPF_FIELD(data_end),       XDPF_FIELD(data_meta), XDPF_FIELD(ingress_ifindex),
    XDPF_FIELD(rx_queue_index), XDPF_FIELD(egress_ifindex),
};
#undef XDPF_FIELD

std::optional<AsmType> as_type(const AsmToken &token)
{
    for (const unsigned bytes : {1U, 2U, 4U, 8U}) {
        if (token.is_word(fmt::format("u{}", 8 * bytes)))
            return AsmType{size_of(bytes), false};
        if (bytes < 8 && token.is_word(fmt::format("s{}", 8 * bytes)))
            return AsmType{size_of(bytes), true};
    }
    return std::nullopt;
}

const AsmConstant *find(std::span<const AsmConstant> constants, std::string_view name)
{
    const auto found = std::ranges::find(constants, name, &AsmConstant::name);
    return found == constants.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(std::span<const AsmConstant> constants)
{
    std::vector<std::string> names;
    for (const AsmConstant &constant : constants)
        names.push_back(constant.name);
    return names;
}

} // namespace

std::optional<AsmRegister> as_register(const AsmToken &token)
{
    const std::string_view text = token.text;
    if (token.kind != AsmToken::Kind::word || text.size() < 2 || text.size() > 3 || (text[0] != 'r' && text[0] != 'w'))
        return std::nullopt;
    unsigned number = 0;
    for (const char c : text.substr(1)) {
        if (c < '0' || c > '9')
            return std::nullopt;
        number = number * 10 + static_cast<unsigned>(c - '0');
    }
    if (number > 10 || (text[1] == '0' && text.size() > 2))
        return std::nullopt;
    return AsmRegister{static_cast<Reg>(number), text[0] == 'r'};
}

Diagnostic *AsmOperands::expected(std::string_view what)
{
    const AsmToken &token = here();
    const std::string found = token.ends_statement() ? "the end of the instruction" : fmt::format("'{}'", token.text);
    return fail(Kind::asm_syntax, token.span, fmt::format("{}, found {}", what, found));
}

AsmRegister AsmOperands::need_register(std::string_view what)
{
    const auto found = as_register(here());
    if (found)
        ++at_;
    else
        expected(what);
    return found.value_or(AsmRegister{});
}

Reg AsmOperands::need_same_width(AsmRegister first)
{
    const Span span = here().span;
    const std::string_view text = here().text;
    const AsmRegister found = need_register();
    if (!failed_ && found.wide != first.wide)
        suggest(fail(Kind::asm_syntax, span,
                     fmt::format("a register of the same width, and '{}' has {} bits", text, found.wide ? 64 : 32)),
                fmt::format("write {}{}", first.wide ? 'r' : 'w', static_cast<unsigned>(found.reg)));
    return found.reg;
}

AsmNumber AsmOperands::need_number()
{
    AsmNumber number;
    number.span = here().span;
    number.negative = accept("-");
    const AsmToken token = here();
    if (token.kind == AsmToken::Kind::number) {
        number.magnitude = take().value;
    } else if (token.is_word("xdp_md")) {
        number.magnitude = context_field();
    } else if (token.kind == AsmToken::Kind::word && !as_register(token)) {
        number.magnitude = constant();
    } else {
        expected("a register, a number or a constant");
    }
    number.span.end = tokens_[at_ == 0 ? 0 : at_ - 1].span.end;
    return number;
}

std::uint64_t AsmOperands::constant()
{
    const AsmToken token = take();
    for (const auto table : {names_.constants, std::span<const AsmConstant>(kernel_constants)})
        if (const AsmConstant *found = find(table, token.text))
            return found->value;
    std::vector<std::string> known = names_of(names_.constants);
    for (std::string &name : names_of(kernel_constants))
        known.push_back(std::move(name));
    suggest(fail(Kind::asm_name, token.span, "constant", token.text), did_you_mean(token.text, known));
    return 0;
}

std::uint64_t AsmOperands::context_field()
{
    take();
    need(".");
    const AsmToken token = here();
    if (token.kind != AsmToken::Kind::word) {
        suggest(expected("a field of xdp_md"), did_you_mean({}, names_of(context_fields)));
        return 0;
    }
    ++at_;
    if (const AsmConstant *found = find(context_fields, token.text))
        return found->value;
    suggest(fail(Kind::asm_name, token.span, "field of xdp_md", token.text),
            did_you_mean(token.text, names_of(context_fields)));
    return 0;
}

std::int32_t AsmOperands::fit(const AsmNumber &number, bool unsigned_too)
{
    constexpr std::uint64_t most = std::uint64_t{1} << 31;
    if (number.negative ? number.magnitude <= most : number.magnitude < most)
        return static_cast<std::int32_t>(number.negative ? -number.magnitude : number.magnitude);
    if (unsigned_too && !number.negative && number.magnitude <= UINT32_MAX)
        return static_cast<std::int32_t>(number.magnitude);
    suggest(
        fail(Kind::asm_syntax, number.span, fmt::format("a number of {} bits here", unsigned_too ? "32" : "32 signed")),
        "`r1 = NUMBER ll` takes 64 bits; use that register");
    return 0;
}

std::int16_t AsmOperands::need_offset(bool negative)
{
    AsmNumber number = need_number();
    if (negative)
        number.negative = !number.negative;
    if (number.magnitude > (number.negative ? 32768U : 32767U)) {
        fail(Kind::asm_syntax, number.span, "a distance of -32768 to 32767");
        return 0;
    }
    const auto value = static_cast<std::int32_t>(number.magnitude);
    return static_cast<std::int16_t>(number.negative ? -value : value);
}

AsmType AsmOperands::need_type()
{
    const auto type = as_type(here());
    if (type)
        ++at_;
    else
        expected("u8, u16, u32 or u64");
    return type.value_or(AsmType{});
}

Address AsmOperands::need_address()
{
    need("(");
    const Span span = here().span;
    const AsmRegister base = need_register();
    if (!failed_ && !base.wide)
        fail(Kind::asm_syntax, span, "an address, which has 64 bits: r and not w");
    std::int16_t off = 0;
    if (accept("+"))
        off = need_offset(false);
    else if (accept("-"))
        off = need_offset(true);
    if (!here().is(")"))
        expected("'+', '-' or ')'");
    accept(")");
    return {base.reg, off};
}

AsmPlace AsmOperands::need_place()
{
    need("*");
    need("(");
    const AsmType type = need_type();
    need("*");
    need(")");
    return {type.size, type.is_signed, need_address()};
}

Label AsmOperands::need_label()
{
    const AsmToken token = here();
    if (token.kind != AsmToken::Kind::word) {
        const bool distance = token.is("+") || token.is("-") || token.kind == AsmToken::Kind::number;
        Diagnostic *diagnostic = expected("a label");
        if (distance)
            suggest(diagnostic, "jumps name the label they go to: `goto out`, and `out:` before an instruction");
        return {};
    }
    ++at_;
    Name &name = named(token.text);
    if (!name.used)
        name.used = token.span;
    if (name.stands)
        if (Diagnostic *diagnostic =
                fail(Kind::asm_flow, token.span, fmt::format("a jump back to '{}': jumps go forward only", token.text)))
            diagnostic->note(*name.stands, "the label stands here");
    return name.label;
}

AsmOperands::Name &AsmOperands::named(std::string_view text)
{
    const auto [place, added] = labels_.try_emplace(text);
    if (added)
        place->second.label = code_.label();
    return place->second;
}

} // namespace xdpf::bpf
