// The operands of the instructions in an `asm` block: registers, numbers by name or digit, places in memory, labels.
// Private to this folder.
#pragma once

#include "compiler/bpf/asm_text.hpp"
#include "compiler/bpf/asm_tokens.hpp"
#include "compiler/bpf/assembler.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace xdpf::bpf {

struct AsmRegister {
    Reg reg{};
    bool wide = true; // r; otherwise w
};

struct AsmType {
    Size size{};
    bool is_signed = false;
};

struct AsmPlace {
    Size size{};
    bool is_signed = false;
    Address address{r0, 0};
};

struct AsmNumber {
    std::uint64_t magnitude = 0;
    bool negative = false;
    Span span;
};

[[nodiscard]] std::optional<AsmRegister> as_register(const AsmToken &token);

// Reads on token by token. The first mistake in an instruction is reported and sets failed_; what is read after it has
// no meaning.
class AsmOperands {
protected:
    AsmOperands(std::string_view text, Span where, const AsmNames &names, Diagnostics &diagnostics)
        : names_(names), diagnostics_(diagnostics), before_(diagnostics.errors()),
          tokens_(asm_tokens(text, where, diagnostics))
    {
    }

    struct Name {
        Label label;
        std::optional<Span> stands;
        std::optional<Span> used;
    };

    [[nodiscard]] bool any_errors() const { return diagnostics_.errors() != before_; }
    [[nodiscard]] const AsmToken &here() const { return tokens_[at_]; }
    [[nodiscard]] const AsmToken &next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    AsmToken take()
    {
        const AsmToken token = here();
        if (!token.ends_statement())
            ++at_;
        return token;
    }
    bool accept(std::string_view sign)
    {
        if (!here().is(sign))
            return false;
        ++at_;
        return true;
    }
    bool accept_word(std::string_view word)
    {
        if (!here().is_word(word))
            return false;
        ++at_;
        return true;
    }

    template <class... Args> Diagnostic *fail(Kind kind, Span span, const Args &...args)
    {
        if (std::exchange(failed_, true))
            return nullptr;
        return &diagnostics_.report(kind, span, args...);
    }
    void suggest(Diagnostic *diagnostic, std::string help)
    {
        if (diagnostic != nullptr)
            diagnostic->suggest(std::move(help));
    }
    Diagnostic *expected(std::string_view what);
    void need(std::string_view sign)
    {
        if (!accept(sign))
            expected(fmt::format("'{}'", sign));
    }

    AsmRegister need_register(std::string_view what = "a register (r0 to r10)");
    // The other side of an operation, which has the width of `first`.
    Reg need_same_width(AsmRegister first);
    AsmNumber need_number();
    std::uint64_t constant();
    std::uint64_t context_field();
    // A number of 32 bits. `unsigned_too`: it is used as 32 bits, so 0xffffffff is -1; in 64 bits it would become
    // 0xffffffffffffffff, so there it is refused.
    std::int32_t fit(const AsmNumber &number, bool unsigned_too);
    std::int16_t need_offset(bool negative);
    AsmType need_type();
    // (r1 + 4), its first parenthesis included.
    Address need_address();
    // *(u32 *)(r1 + 4)
    AsmPlace need_place();
    // Forward only: a label that stands already is a mistake.
    Label need_label();
    Name &named(std::string_view text);

    const AsmNames &names_;
    Diagnostics &diagnostics_;
    std::size_t before_;
    std::vector<AsmToken> tokens_;
    std::size_t at_ = 0;
    bool failed_ = false;
    Assembler code_;
    std::map<std::string_view, Name> labels_;
};

} // namespace xdpf::bpf
