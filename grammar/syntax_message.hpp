// How a syntax error is worded.
#pragma once

#include "grammar/parse_state.hpp"

namespace xdpf {

// "'->' or '{'", "an expression", "'a', 'b' or 'c'": each label once, in order.
[[nodiscard]] std::string list_expected(const std::vector<Expected> &expected);

// What to do about it: the keyword that was meant, the operator of this language for another's, or the example. `text`
// reaches from the offending token to the end of the file.
struct SyntaxHelp {
    std::string text;
    std::string word; // the keyword, where it was misspelt
};
[[nodiscard]] SyntaxHelp syntax_help(std::string_view text, const std::vector<Expected> &expected,
                                     std::string_view example);

} // namespace xdpf
