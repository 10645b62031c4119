#include "compiler/bpf/asm_tokens.hpp"

#include <algorithm>
#include <charconv>

namespace xdpf::bpf {
namespace {

// Longer ones before those they begin with.
constexpr std::string_view signs[] = {"s>>=", "<<=", ">>=", "s/=", "s%=", "s>=", "s<=", "s>", "s<", "+=", "-=", "*=",
                                      "/=",   "%=",  "&=",  "|=",  "^=",  "==",  "!=",  ">=", "<=", "=",  ">",  "<",
                                      "&",    "+",   "-",   "*",   "(",   ")",   "[",   "]",  ":",  ",",  ".",  "#"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_wordy(char c) { return begins_word(c) || is_digit(c); }

class Lexer {
public:
    Lexer(std::string_view text, Span where, Diagnostics &diagnostics)
        : text_(text), where_(where), diagnostics_(diagnostics)
    {
    }

    std::vector<AsmToken> run()
    {
        while (at_ < text_.size())
            step();
        take(AsmToken::Kind::end, 0);
        return std::move(tokens_);
    }

private:
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    [[nodiscard]] Span span(std::size_t length) const
    {
        const auto begin = static_cast<std::uint32_t>(where_.begin + at_);
        return {where_.file, begin, static_cast<std::uint32_t>(begin + length)};
    }
    [[nodiscard]] std::size_t run_of(bool (*wanted)(char)) const
    {
        return static_cast<std::size_t>(std::ranges::find_if_not(rest(), wanted) - rest().begin());
    }

    void take(AsmToken::Kind kind, std::size_t length)
    {
        tokens_.push_back({kind, rest().substr(0, length), span(length), 0});
        at_ += length;
    }

    void step()
    {
        const char c = text_[at_];
        if (c == '\n' || c == ';') {
            tokens_.push_back({AsmToken::Kind::separator, {}, span(1), 0});
            ++at_;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            ++at_;
        } else if (c == '#' && !is_helper_number()) {
            at_ = std::min(text_.find('\n', at_), text_.size());
        } else if (is_digit(c)) {
            number();
        } else if (const auto sign = sign_here(); !sign.empty()) {
            take(AsmToken::Kind::sign, sign.size());
        } else if (begins_word(c)) {
            take(AsmToken::Kind::word, run_of(is_wordy));
        } else {
            stray();
        }
    }

    // The kernel's tools print calls with their number: bpf_redirect_map#51.
    [[nodiscard]] bool is_helper_number() const
    {
        return at_ > 0 && is_wordy(text_[at_ - 1]) && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    }

    [[nodiscard]] std::string_view sign_here() const
    {
        for (const std::string_view sign : signs)
            if (rest().starts_with(sign))
                return sign;
        return {};
    }

    void number()
    {
        const std::string_view written = rest().substr(0, run_of(is_wordy));
        std::string digits(written);
        std::erase(digits, '_');
        const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
        const char *begin = digits.data() + (hex ? 2 : 0);
        const char *end = digits.data() + digits.size();
        std::uint64_t value = 0;
        const auto [stopped, error] = std::from_chars(begin, end, value, hex ? 16 : 10);
        if (error == std::errc::result_out_of_range)
            diagnostics_.report(Kind::number_too_large, span(written.size()), written);
        else if (error != std::errc{} || stopped != end)
            diagnostics_.report(Kind::asm_syntax, span(written.size()),
                                fmt::format("a number, and '{}' is none", written));
        take(AsmToken::Kind::number, written.size());
        tokens_.back().value = value;
    }

    void stray()
    {
        const auto odd = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
        const std::size_t length = odd(text_[at_]) ? run_of(odd) : 1;
        const bool shown = static_cast<unsigned char>(text_[at_]) >= 0x20;
        diagnostics_.report(Kind::asm_syntax, span(length),
                            fmt::format("an instruction, and {} is no part of one",
                                        shown ? fmt::format("'{}'", rest().substr(0, length)) : "this character"));
        at_ += length;
    }

    std::string_view text_;
    Span where_;
    Diagnostics &diagnostics_;
    std::size_t at_ = 0;
    std::vector<AsmToken> tokens_;
};

} // namespace

std::vector<AsmToken> asm_tokens(std::string_view text, Span where, Diagnostics &diagnostics)
{
    return Lexer(text, where, diagnostics).run();
}

} // namespace xdpf::bpf
