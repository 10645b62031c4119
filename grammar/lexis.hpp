// The words of the language: where blanks, names, literals and strings begin and end. Nothing here fails or reports;
// the parser, its recovery after an error and the messages all cut the text with these same functions.
#pragma once

#include "grammar/ast.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace xdpf::lexis {

// The arrow's second form, in UTF-8.
inline constexpr std::string_view unicode_arrow = "\u2192";

[[nodiscard]] bool is_digit(char c);
[[nodiscard]] bool is_name_start(char c);
[[nodiscard]] bool is_name(char c);

// Past white space and comments.
[[nodiscard]] const char *skip_blank(const char *at, const char *end);

// The name or keyword that begins here; empty if none does.
[[nodiscard]] std::string_view word_at(const char *at, const char *end);

// Keywords that are never names. `header` and `packet` are names within expressions only; other words that mean
// something in their places (`on`, `at`, `when`, `times` …) are names elsewhere.
[[nodiscard]] bool is_reserved(std::string_view word);
// Whether an action may begin with this word; `add` and `metadata` are no keywords.
[[nodiscard]] bool is_action(std::string_view word);
[[nodiscard]] std::span<const std::string_view> action_words();
[[nodiscard]] std::span<const std::string_view> keywords();         // is_reserved
[[nodiscard]] std::span<const std::string_view> contextual_words(); // that mean something in their places only
// Whether a word means something in some place.
[[nodiscard]] bool is_known(std::string_view word);
// All that do, sorted.
[[nodiscard]] std::vector<std::string_view> known_words();

struct LiteralText {
    ast::Literal::Kind kind;
    std::string_view text;
};

// The number or address that begins here, told by its shape: 10.0 is an address (a bad one), 8000..8999 is two numbers,
// 12:2 is a number and a colon, fe80::1 an address and fe80 a name (so none here).
[[nodiscard]] std::optional<LiteralText> literal_at(const char *at, const char *end);

// From an opening quote past the closing one, or to the end of the line where there is none.
struct StringText {
    std::string_view text; // with its quotes
    bool closed = false;
};
[[nodiscard]] StringText string_at(const char *at, const char *end);

// What a message underlines: a word, number, string or operator; one character of anything else; empty at the end.
[[nodiscard]] std::string_view token_at(const char *at, const char *end);

// The offset of the first byte that is not part of valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] std::optional<std::size_t> find_invalid_utf8(std::string_view text);

} // namespace xdpf::lexis
