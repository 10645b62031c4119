// A source file as the formatter sees it: tokens, the comments between them, and what is to stand between two tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace xdpf::format {

inline constexpr std::size_t no_partner = std::numeric_limits<std::uint32_t>::max();

struct Comment {
    std::string_view text;     // from # on, without blanks at its end
    bool trailing = false;     // on the line of the token in front
    bool blank_before = false; // an empty line stands in front
    bool continued = false;    // right below a trailing comment or its continuation, with its # in the same column
};

// Where a long line may be broken, in front of a token: the loosest first.
enum class Joint : std::uint8_t { none, operation, conjunction, disjunction, arrow };

struct Token {
    enum class Kind : std::uint8_t { word, literal, string, symbol, assembly, end };

    std::string_view text;
    std::uint32_t first_comment = 0;                                // of the gap in front; the next token's is the end
    std::uint32_t partner = static_cast<std::uint32_t>(no_partner); // of a bracket: the other one
    Kind kind = Kind::end;
    bool blank_before = false; // an empty line between the token, or the last comment of its gap, and what is in front

    // Decided by the shape of the statement it stands in:
    std::uint8_t spaces = 1; // in front, on one line
    char separator = 0;      // behind, where another item follows: ',' or ';'
    bool dropped = false;    // a separator as written; `separator` takes its place
    bool broken = false;     // a brace that never stays on one line
    bool set = false;        // a brace that takes a ',' behind its last element
    Joint joint = Joint::none;

    [[nodiscard]] bool is(std::string_view wanted) const { return text == wanted && kind != Kind::string; }
};

struct Tokens {
    std::vector<Token> all; // ends with one of Kind::end
    std::vector<Comment> comments;
};

// Cuts a text that parses. The views point into it.
[[nodiscard]] Tokens tokenize(std::string_view text);

} // namespace xdpf::format
