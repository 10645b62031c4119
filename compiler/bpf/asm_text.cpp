#include "compiler/bpf/asm_text.hpp"

#include "compiler/bpf/asm_operands.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace xdpf::bpf {
namespace {

constexpr std::string_view helper_names[] = {
#define XDPF_HELPER(name) std::string_view("bpf_" #name)
    __BPF_FUNC_MAPPER(XDPF_HELPER)
#undef XDPF_HELPER
};

struct AluSign {
    std::string_view sign;
    Alu op;
    bool is_signed = false;
};
constexpr AluSign alu_signs[] = {
    {"=", Alu::mov},   {"+=", Alu::add},        {"-=", Alu::sub},        {"*=", Alu::mul},    {"/=", Alu::div},
    {"%=", Alu::mod},  {"s/=", Alu::div, true}, {"s%=", Alu::mod, true}, {"&=", Alu::and_},   {"|=", Alu::or_},
    {"^=", Alu::xor_}, {"<<=", Alu::lsh},       {">>=", Alu::rsh},       {"s>>=", Alu::arsh},
};

constexpr std::pair<std::string_view, Test> test_signs[] = {
    {"==", Test::eq}, {"!=", Test::ne},  {">", Test::gt},    {">=", Test::ge},  {"<", Test::lt},    {"<=", Test::le},
    {"&", Test::set}, {"s>", Test::sgt}, {"s>=", Test::sge}, {"s<", Test::slt}, {"s<=", Test::sle},
};

constexpr std::pair<std::string_view, unsigned> atomic_signs[] = {
    {"+=", BPF_ADD}, {"|=", BPF_OR}, {"&=", BPF_AND}, {"^=", BPF_XOR}};

// One pass over the tokens. The first mistake in an instruction is reported; reading goes on behind the instruction.
class Reader : AsmOperands {
public:
    Reader(std::string_view text, Span where, const AsmNames &names, Diagnostics &diagnostics)
        : AsmOperands(text, where, names, diagnostics), whole_{where.file, where.begin,
                                                               static_cast<std::uint32_t>(where.begin + text.size())}
    {
    }

    std::optional<AsmBlock> run()
    {
        while (here().kind != AsmToken::Kind::end)
            line();
        check_labels();
        if (spans_.empty() && !any_errors())
            diagnostics_.report(Kind::asm_syntax, whole_, "instructions between the braces");
        if (any_errors())
            return std::nullopt;
        return finish();
    }

private:
    // ---- Instructions -------------------------------------------------------------------------------------------

    void line()
    {
        failed_ = false;
        if (here().kind == AsmToken::Kind::separator) {
            ++at_;
            return;
        }
        if (here().kind == AsmToken::Kind::word && next().is(":")) {
            label();
            return;
        }
        const std::size_t begin = at_;
        code_.mark(static_cast<std::uint32_t>(spans_.size()));
        spans_.push_back(here().span);
        instruction();
        if (!failed_ && !here().ends_statement())
            suggest(expected("the end of the instruction"), "an instruction ends with its line or with ';'");
        spans_.back() = join(spans_.back(), tokens_[std::max(at_, begin + 1) - 1].span);
        while (!here().ends_statement())
            ++at_;
    }

    void label()
    {
        const AsmToken token = take();
        ++at_;
        Name &name = named(token.text);
        if (name.stands) {
            diagnostics_.report(Kind::redefined, token.span, token.text).note(*name.stands, "it stands here already");
            return;
        }
        name.stands = token.span;
        code_.bind(name.label);
    }

    void instruction()
    {
        if (here().is("*"))
            store();
        else if (accept_word("exit"))
            code_ << bpf::exit();
        else if (accept_word("goto"))
            unconditional();
        else if (accept_word("if"))
            conditional();
        else if (accept_word("call"))
            helper_call();
        else if (accept_word("lock"))
            atomic();
        else if (const auto dst = as_register(here()))
            assignment(*dst);
        else
            suggest(expected("an instruction"),
                    here().kind == AsmToken::Kind::word && !nearest(here().text, statements()).empty()
                        ? did_you_mean(here().text, statements())
                        : "e.g. `r1 = 5`, `r2 = *(u32 *)(r1 + 4)`, `if r2 > r3 goto out`, `call bpf_redirect_map`, "
                          "`exit`");
    }

    static const std::vector<std::string> &statements()
    {
        static const std::vector<std::string> words{"exit", "goto", "if", "call", "lock"};
        return words;
    }

    void emit(Insn insn)
    {
        if (!failed_)
            code_ << insn;
    }

    void store()
    {
        const AsmPlace place = need_place();
        if (!failed_ && place.is_signed)
            expected("u8, u16, u32 or u64 in a store");
        need("=");
        if (const auto src = as_register(here())) {
            if (!src->wide)
                suggest(expected("r and not w as what is stored"), "the type says how many of its bits are stored");
            ++at_;
            emit(stx(place.size, place.address, src->reg));
        } else {
            const std::int32_t value = fit(need_number(), place.size != u64);
            emit(st(place.size, place.address, value));
        }
    }

    void atomic()
    {
        const Span span = here().span;
        const AsmPlace place = need_place();
        if (!failed_ && (place.is_signed || bytes_of(place.size) < 4))
            fail(Kind::asm_syntax, join(span, tokens_[at_ - 1].span), "u32 or u64 behind 'lock'");
        for (const auto &[sign, operation] : atomic_signs) {
            if (!accept(sign))
                continue;
            const AsmRegister src = need_register();
            if (!failed_ && !src.wide)
                fail(Kind::asm_syntax, tokens_[at_ - 1].span, "r and not w behind 'lock'");
            if (failed_)
                return;
            Insn insn = atomic_add(place.size, place.address, src.reg);
            insn.imm = static_cast<std::int32_t>(operation);
            emit(insn);
            return;
        }
        expected("+=, |=, &= or ^=");
    }

    void assignment(AsmRegister dst)
    {
        const std::string_view written = take().text;
        const auto *operation =
            std::ranges::find_if(alu_signs, [&](const AluSign &sign) { return here().is(sign.sign); });
        if (operation == std::end(alu_signs)) {
            expected("= or an operator like += &= >>=");
            return;
        }
        ++at_;
        if (operation->op == Alu::mov && special(dst, written))
            return;
        Insn insn;
        if (as_register(here())) {
            const Reg src = need_same_width(dst);
            insn = dst.wide ? alu(operation->op, dst.reg, src) : alu32(operation->op, dst.reg, src);
        } else {
            const AsmNumber number = need_number();
            if (operation->op == Alu::mov && dst.wide && accept_word("ll")) {
                if (!failed_)
                    code_ << ld_imm64(dst.reg, number.negative ? -number.magnitude : number.magnitude);
                return;
            }
            const std::int32_t imm = fit(number, !dst.wide);
            insn = dst.wide ? alu(operation->op, dst.reg, imm) : alu32(operation->op, dst.reg, imm);
        }
        insn.off = operation->is_signed ? 1 : 0; // since Linux 6.6
        emit(insn);
    }

    // What can stand behind `dst =` and is neither a register nor a number.
    bool special(AsmRegister dst, std::string_view written)
    {
        if (here().is("-") && as_register(next())) {
            ++at_;
            need_itself(written);
            emit(dst.wide ? alu(Alu::neg, dst.reg, 0) : alu32(Alu::neg, dst.reg, 0));
        } else if (here().is("*")) {
            load(dst);
        } else if (here().is("(")) {
            sign_extension(dst);
        } else if (here().is_word("map") && !next().ends_statement()) {
            map_address(dst);
        } else {
            return byte_order(dst, written);
        }
        return true;
    }

    void need_itself(std::string_view written)
    {
        if (!here().is_word(written))
            suggest(expected(fmt::format("'{}', the register that is assigned", written)),
                    "this instruction works in place; copy first");
        else
            ++at_;
    }

    void load(AsmRegister dst)
    {
        const AsmPlace place = need_place();
        if (!failed_ && !dst.wide)
            fail(Kind::asm_syntax, spans_.back(), "r and not w: a load fills the whole register");
        Insn insn = ldx(place.size, dst.reg, place.address);
        if (place.is_signed)
            insn.code = static_cast<std::uint8_t>(BPF_LDX | memory_signed | unsigned(place.size));
        emit(insn);
    }

    void sign_extension(AsmRegister dst)
    {
        need("(");
        const Span span = here().span;
        const AsmType type = need_type();
        need(")");
        if (!failed_ && (!type.is_signed || (!dst.wide && type.size == u32)))
            fail(Kind::asm_syntax, span, dst.wide ? "s8, s16 or s32" : "s8 or s16");
        const Reg src = need_same_width(dst);
        Insn insn = dst.wide ? mov(dst.reg, src) : mov32(dst.reg, src);
        insn.off = static_cast<std::int16_t>(8 * bytes_of(type.size));
        emit(insn);
    }

    void map_address(AsmRegister dst)
    {
        ++at_;
        const bool brackets = accept("[");
        const AsmToken token = here();
        if (token.kind != AsmToken::Kind::word || !dst.wide) {
            expected(dst.wide ? "the name of a map" : "r and not w: a map's address has 64 bits");
            return;
        }
        ++at_;
        if (brackets)
            need("]");
        const auto found = std::ranges::find(names_.maps, token.text, &MapSpec::name);
        if (found != names_.maps.end()) {
            code_.ld_map(dst.reg, MapId(static_cast<std::size_t>(found - names_.maps.begin())));
            return;
        }
        std::vector<std::string> known;
        for (const MapSpec &map : names_.maps)
            known.push_back(map.name);
        suggest(fail(Kind::unknown_map, token.span, token.text), did_you_mean(token.text, known));
    }

    bool byte_order(AsmRegister dst, std::string_view written)
    {
        struct Order {
            std::string_view name;
            unsigned code;
        };
        for (const Order order :
             {Order{"be", BPF_ALU | BPF_END | BPF_TO_BE}, Order{"le", BPF_ALU | BPF_END | BPF_TO_LE},
              Order{"bswap", BPF_ALU64 | BPF_END | BPF_TO_LE}})
            for (const int bits : {16, 32, 64}) {
                if (!accept_word(fmt::format("{}{}", order.name, bits)))
                    continue;
                if (!dst.wide)
                    fail(Kind::asm_syntax, spans_.back(), "r and not w: the name says how many bits are swapped");
                need_itself(written);
                Insn insn = be16(dst.reg);
                insn.code = static_cast<std::uint8_t>(order.code);
                insn.imm = bits;
                emit(insn);
                return true;
            }
        return false;
    }

    void conditional()
    {
        const AsmRegister left = need_register();
        const auto *test = std::ranges::find_if(test_signs, [&](const auto &sign) { return here().is(sign.first); });
        if (test == std::end(test_signs)) {
            expected("a comparison: == != > >= < <= s> s>= s< s<= &");
            return;
        }
        ++at_;
        const Test asked = test->second;
        if (as_register(here())) {
            const Reg right = need_same_width(left);
            const Label target = need_target();
            if (!failed_)
                left.wide ? code_.jump_if(asked, left.reg, right, target)
                          : code_.jump32_if(asked, left.reg, right, target);
        } else {
            const std::int32_t imm = fit(need_number(), !left.wide);
            const Label target = need_target();
            if (!failed_)
                left.wide ? code_.jump_if(asked, left.reg, imm, target) : code_.jump32_if(asked, left.reg, imm, target);
        }
    }

    void unconditional()
    {
        const Label target = need_label();
        if (!failed_)
            code_.jump(target);
    }

    Label need_target()
    {
        if (accept_word("goto"))
            return need_label();
        expected("'goto'");
        return {};
    }

    void helper_call()
    {
        const AsmToken token = here();
        if (token.kind != AsmToken::Kind::word) {
            suggest(expected("the name of a helper"), "e.g. `call bpf_redirect_map`");
            return;
        }
        ++at_;
        const auto *found = std::ranges::find(helper_names, token.text);
        if (found == std::end(helper_names) || found == std::begin(helper_names)) {
            const std::vector<std::string> known(std::begin(helper_names) + 1, std::end(helper_names));
            const std::string near = nearest(token.text, known);
            suggest(fail(Kind::asm_name, token.span, "helper", token.text),
                    near.empty() ? "the helpers' names begin with bpf_, as in bpf_redirect_map"
                                 : fmt::format("did you mean '{}'?", near));
            return;
        }
        const auto number = static_cast<std::uint64_t>(found - std::begin(helper_names));
        if (accept("#")) {
            const AsmToken written = take();
            if (written.value != number)
                fail(Kind::asm_syntax, written.span, fmt::format("{}, the number of {}", number, token.text));
        }
        emit(call(static_cast<bpf_func_id>(number)));
    }

    // ---- The end ------------------------------------------------------------------------------------------------

    void check_labels()
    {
        std::vector<std::string> known;
        for (const auto &[text, name] : labels_)
            if (name.stands)
                known.emplace_back(text);
        for (const auto &[text, name] : labels_)
            if (!name.stands)
                diagnostics_.report(Kind::asm_name, *name.used, "label", text).suggest_near(text, known);
    }

    AsmBlock finish()
    {
        auto assembled = code_.finish();
        AsmBlock block;
        auto mark = assembled->marks.begin();
        Span span;
        for (std::uint32_t i = 0; i < assembled->insns.size(); ++i) {
            for (; mark != assembled->marks.end() && mark->insn <= i; ++mark)
                span = spans_[mark->tag];
            block.spans.push_back(span);
        }
        block.insns = std::move(assembled->insns);
        block.map_references = std::move(assembled->map_references);
        return block;
    }

    static constexpr unsigned memory_signed = 0x80; // BPF_MEMSX, not in the headers before Linux 6.6

    Span whole_;
    std::vector<Span> spans_;
};

} // namespace

std::optional<AsmBlock> read_asm(std::string_view text, Span where, const AsmNames &names, Diagnostics &diagnostics)
{
    return Reader(text, where, names, diagnostics).run();
}

} // namespace xdpf::bpf
