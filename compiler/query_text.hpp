// A source as words around a place, whatever is wrong with it; private to the queries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace xdpf::query {

// What the innermost bracket around a place holds.
enum class Inside : std::uint8_t {
    file,
    header,    // fields
    members,   // of a union
    rules,     // of a program, or nested ones
    actions,   // steps
    test,      // statements
    set,       // elements: of a set, a record, a map's contents
    type,      // <…> of a map, {…} of a struct
    arguments, // (…) behind a name
    group,     // (…)
    index,     // […]
    assembly   // instructions
};

class Text {
public:
    // Reads the words up to `offset` and some behind it.
    Text(std::string_view text, std::uint32_t offset);

    static constexpr std::size_t none = SIZE_MAX;

    // Tokens count from 0; one that does not exist is empty.
    [[nodiscard]] std::string_view operator[](std::size_t token) const
    {
        return token < tokens_.size() ? tokens_[token] : std::string_view();
    }
    [[nodiscard]] std::uint32_t begin(std::size_t token) const
    {
        return static_cast<std::uint32_t>(tokens_[token].data() - text_.data());
    }
    [[nodiscard]] std::uint32_t end(std::size_t token) const
    {
        return begin(token) + static_cast<std::uint32_t>(tokens_[token].size());
    }
    [[nodiscard]] bool is_word(std::size_t token) const;
    // How many tokens end in front of the place, or at it.
    [[nodiscard]] std::size_t before() const { return before_; }
    // The token that the place is in, or right behind; none: blanks.
    [[nodiscard]] std::size_t at() const;
    // Whether the place is within a comment.
    [[nodiscard]] bool in_comment() const { return in_comment_; }

    struct Frame {
        Inside inside{};
        std::size_t opener = none; // the token that opens it
    };
    // What is open in front of a token, the innermost last; never empty.
    [[nodiscard]] std::vector<Frame> frames(std::size_t token) const;
    // The word that begins the declaration around a token, or none.
    [[nodiscard]] std::size_t declaration(std::size_t token) const;
    // The first token of a name's words, a.b[1].c, of which `token` is one.
    [[nodiscard]] std::size_t chain_begin(std::size_t token) const;
    // The words of the chain from `first` to `last`, without indices.
    [[nodiscard]] std::vector<std::string_view> chain(std::size_t first, std::size_t last) const;
    // The bracket that opens what `closer` closes, or none.
    [[nodiscard]] std::size_t opener_of(std::size_t closer) const;

private:
    [[nodiscard]] bool begins_declaration(std::size_t token) const;
    [[nodiscard]] bool at_line_start(std::size_t token) const;
    [[nodiscard]] Inside opened_by(std::size_t token, Inside outer, std::size_t declaration) const;
    [[nodiscard]] Inside braces_in_rules(std::size_t token) const;
    template <class Visit> void walk(std::size_t token, Visit visit) const;

    std::string_view text_;
    std::vector<std::string_view> tokens_;
    std::uint32_t offset_ = 0;
    std::size_t before_ = 0;
    bool in_comment_ = false;
};

} // namespace xdpf::query
