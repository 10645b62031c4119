// How a syntax error is worded.
#pragma once

#include "grammar/parse_state.hpp"

namespace xdpf {

// "'->' or '{'", "an expression", "'a', 'b' or 'c'": each label once, in order.
[[nodiscard]] std::string list_expected(const std::vector<Expected> &expected);

// What to do about it: the keyword that was meant, the operator of this language for another's, or the example. `text`
// reaches from the offending token to the end of the file.
[[nodiscard]] std::string syntax_help(std::string_view text, const std::vector<Expected> &expected,
                                      std::string_view example);

} // namespace xdpf
