// The statements of a file, from the first declaration to the last comment.
#pragma once

#include "grammar/format_shape.hpp"
#include "grammar/format_writer.hpp"

#include <string>

namespace xdpf::format {

class Document {
public:
    explicit Document(Tokens tokens) : tokens_(std::move(tokens)) {}
    Document(const Document &) = delete;
    Document &operator=(const Document &) = delete;
    Document(Document &&) = delete;
    Document &operator=(Document &&) = delete;
    ~Document() = default;

    // Once.
    [[nodiscard]] std::string text();

private:
    [[nodiscard]] const Token &at(std::size_t i) const { return tokens_.all[i]; }
    [[nodiscard]] bool is(std::size_t i, std::string_view text) const { return at(i).is(text); }
    [[nodiscard]] bool in_block(std::size_t i, std::size_t open) const { return i < at(open).partner; }

    // Each takes the index of a statement's first token and gives the one behind its last.
    std::size_t declaration(std::size_t i);
    std::size_t constant(std::size_t i);
    std::size_t parameter(std::size_t i);
    std::size_t definition(std::size_t i);
    std::size_t map(std::size_t i);
    std::size_t header(std::size_t i);
    std::size_t union_of(std::size_t i);
    std::size_t program(std::size_t i);
    std::size_t test(std::size_t i);
    std::size_t rule(std::size_t i, std::size_t indent);
    std::size_t nested_rules(std::size_t i, std::size_t brace, std::size_t indent);
    std::size_t statement(std::size_t i);
    std::size_t packet(std::size_t i);
    std::size_t with(std::size_t i);
    std::size_t expect(std::size_t i);
    std::size_t field(std::size_t i, std::size_t indent);
    std::size_t fields(std::size_t open, std::size_t indent);
    void head(Range range, Sort sort, std::size_t begin);
    std::size_t plain(std::size_t i, std::size_t end);

    std::size_t clause(std::size_t i);
    [[nodiscard]] bool is_clause(std::size_t i) const;
    std::size_t attributes(std::size_t i);
    std::size_t map_kind(std::size_t i);
    void action(std::size_t i, std::size_t indent);
    void conditional(std::size_t i, std::size_t end, std::size_t indent);
    void steps(std::size_t open, std::size_t indent);

    Tokens tokens_;
    Shape shape_{tokens_};
    Writer writer_{tokens_};
};

} // namespace xdpf::format
