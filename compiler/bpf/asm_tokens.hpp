// The words and signs of an `asm` block. Private to this folder.
#pragma once

#include "compiler/base/diagnostic.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace xdpf::bpf {

struct AsmToken {
    enum class Kind : std::uint8_t { word, number, sign, separator, end };
    Kind kind = Kind::end;
    std::string_view text; // separators and the end: empty
    Span span;
    std::uint64_t value = 0; // of a number

    [[nodiscard]] bool is(std::string_view sign) const { return kind == Kind::sign && text == sign; }
    [[nodiscard]] bool is_word(std::string_view word) const { return kind == Kind::word && text == word; }
    [[nodiscard]] bool ends_statement() const { return kind == Kind::separator || kind == Kind::end; }
};

// Ends with a token `end`. What is no token is reported and left out.
[[nodiscard]] std::vector<AsmToken> asm_tokens(std::string_view text, Span where, Diagnostics &diagnostics);

} // namespace xdpf::bpf
