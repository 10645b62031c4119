// What stands behind a point of the text, where the grammar needs more than one token to decide. Nothing is read.
#pragma once

#include <string_view>

namespace xdpf::lookahead {

// A keyword with what stands behind it in a declaration; the word alone may be a field's or an argument's name.
[[nodiscard]] bool begins_declaration(std::string_view word, const char *end);

// Whether a brace stands here, behind `def … =`, that opens a set (and not a block of actions): at once closed, or its
// first element is followed by `,`, `->` or `}` and is no action. xdpf.ebnf has the rule in full.
[[nodiscard]] bool begins_set(const char *brace, const char *end);

// Whether a name begins an action here: an assignment, or the use of a definition. A name with another name, a number,
// a string or a `{` behind it on the same line is none; it may be a misspelt keyword.
[[nodiscard]] bool begins_named_action(const char *at, const char *end);

// What makes the word in front of it more than a name.
[[nodiscard]] bool is_brace(const char *at, const char *end);  // metadata {
[[nodiscard]] bool is_quote(const char *at, const char *end);  // pcap "
[[nodiscard]] bool is_name(const char *at, const char *end);   // packet ethernet: a name, no keyword
[[nodiscard]] bool is_number(const char *at, const char *end); // rule 2: a name or a number
[[nodiscard]] bool no_colon(const char *at, const char *end);  // at 4, and not the field `at : u8`
[[nodiscard]] bool no_target(const char *at, const char *end); // add x, and not add[k] = 1

// The `}` that closes the `{` at `brace`, with comments passed over; `end` if there is none.
[[nodiscard]] const char *closing_brace(const char *brace, const char *end);

} // namespace xdpf::lookahead
