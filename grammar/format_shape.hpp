// Where statements and their parts end, and what stands between their tokens on one line: blanks, commas, semicolons,
// and the joints at which a long line may be broken. It follows the grammar without checking it: the text has parsed.
#pragma once

#include "grammar/format_tokens.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace xdpf::format {

// A field of a header: from `begin` to `end`, with the places of its punctuation; 0 where it has none.
struct FieldShape {
    std::size_t colon = 0;
    std::size_t parts = 0; // the brace
    std::size_t equals = 0;
    std::size_t end = 0;
};

class Shape {
public:
    explicit Shape(Tokens &tokens) : all_(tokens.all), comments_(tokens.comments) {}

    // Each takes the index of a first token and gives the one behind the last, and settles what is between them.
    std::size_t dotted(std::size_t at);
    // As a predicate, `a/b` is a path and stays together; as a value it is a division.
    std::size_t expression(std::size_t at, bool predicate);
    std::size_t type(std::size_t at);
    std::size_t arguments(std::size_t open); // in parentheses or square brackets, right behind a name
    // Of an action that begins with a word, the end is kept as that token's partner.
    std::size_t action(std::size_t at);
    [[nodiscard]] std::size_t action_end(std::size_t at) const;
    FieldShape field(std::size_t at);

    // Whether an action stands here, not an expression: what `expect` and `def` need to know.
    [[nodiscard]] bool begins_action(std::size_t at) const;
    // How many blocks of actions were seen so far.
    [[nodiscard]] std::size_t blocks() const { return blocks_; }

    // Takes a `,` or `;` that stands here out, with its comments left to the next token; the index behind it.
    std::size_t drop_separator(std::size_t at);
    void set_parameters(std::vector<std::string_view> names) { parameters_ = std::move(names); }

private:
    class Path;

    [[nodiscard]] bool is(std::size_t at, std::string_view text) const { return all_[at].is(text); }
    [[nodiscard]] bool is_one_of(std::size_t at, std::initializer_list<std::string_view> texts) const;
    [[nodiscard]] bool is_word(std::size_t at) const { return all_[at].kind == Token::Kind::word; }
    [[nodiscard]] bool is_name(std::size_t at) const;
    [[nodiscard]] bool joins(std::size_t at) const;
    [[nodiscard]] bool continues(std::size_t at) const;

    std::size_t prefixes(std::size_t at);
    std::size_t operand(std::size_t at, bool predicate);
    std::size_t list(std::size_t open, bool predicate);
    std::size_t element(std::size_t at, std::size_t close, bool predicate);
    std::size_t struct_type(std::size_t open);
    std::size_t field_parts(std::size_t open);
    std::size_t words_of_action(std::size_t at);
    std::size_t assignment(std::size_t at);
    std::size_t conditional(std::size_t at);
    std::size_t block(std::size_t open);
    std::size_t otherwise(std::size_t at);

    std::vector<Token> &all_;
    std::vector<Comment> &comments_;
    std::vector<std::string_view> parameters_; // of the `def` at hand
    std::size_t blocks_ = 0;
};

} // namespace xdpf::format
