// Puts tokens on lines, with the comments that stand between them, and breaks what is too long for one line.
#pragma once

#include "grammar/format_lines.hpp"
#include "grammar/format_tokens.hpp"

#include <initializer_list>
#include <optional>

namespace xdpf::format {

// Tokens [first, last).
struct Range {
    std::size_t first;
    std::size_t last;
};

class Writer {
public:
    using Begins = std::initializer_list<std::size_t>;

    explicit Writer(const Tokens &tokens) : all_(tokens.all), comments_(tokens.comments) {}

    // A new line for the token, below the comments in front of it. What does not fit goes on `indent_step` deeper.
    void start(std::size_t at, std::size_t indent);
    void start_without_blank(std::size_t at, std::size_t indent);
    // The empty line in front of what start() wrote for this token, its comments included.
    void separate() { separate_ = true; }

    void token(std::size_t at);
    void text(std::string_view text) { lines_.back().cells.back() += text; }
    void flat(Range range);
    // As flat() where that fits, with `reserve` columns for what follows; `hug`: a long bracket may end on a line
    // of its own.
    void layout(Range range, std::size_t reserve = 0, bool hug = true);
    // A line whose cells begin at these tokens; 0 is none of them. False, and nothing written, where it does not fit.
    bool cells(Range range, Sort sort, Begins begins, std::size_t reserve = 0);
    // The same over several lines where that must be, with the first in the columns if its cells are all there.
    void statement(Range range, Sort sort, Begins begins);
    [[nodiscard]] bool fits(Range range) const;

    void open_brace(std::size_t at);
    void begin_block() { block_begins_ = true; } // behind a brace: no empty line
    void close_brace(std::size_t at, std::size_t indent);
    // Where the current statement has more than its first line, what follows stands on a new one.
    [[nodiscard]] bool several_lines() const { return lines_.size() != first_line_ + 1; }
    void verbatim(std::string_view text, std::size_t indent);

    [[nodiscard]] std::string finish();

private:
    struct List;

    void new_line(std::size_t indent, bool blank = false);
    void comments(std::size_t before, std::size_t indent);
    void begin(std::size_t at, std::size_t indent, bool blank);
    [[nodiscard]] std::size_t comments_end(std::size_t at) const;
    [[nodiscard]] bool comments_within(Range range) const;
    [[nodiscard]] std::size_t column() const;
    [[nodiscard]] std::size_t room(std::size_t reserve) const;
    // The width on one line, or nothing where that cannot be or is more than `most`.
    [[nodiscard]] std::optional<std::size_t> width_of(Range range, std::size_t most = max_columns) const;
    [[nodiscard]] std::size_t past(std::size_t at) const; // the token, or the bracket that it opens
    void write_cells(Range range, Sort sort, Begins begins);
    void hug_bracket(Range range, std::size_t open);
    [[nodiscard]] Joint loosest(Range range) const;
    [[nodiscard]] std::optional<std::size_t> huggable(Range range, std::size_t reserve) const;
    void split(Range range, Joint joint, std::size_t reserve);
    void fill(Range range, std::size_t reserve);
    void separator(std::size_t at, Range range);
    [[nodiscard]] List list_of(std::size_t open) const;
    void broken_list(std::size_t open);
    void item(Range range);

    const std::vector<Token> &all_;
    const std::vector<Comment> &comments_;
    std::vector<Line> lines_;
    std::size_t next_comment_ = 0;
    std::size_t continuation_ = 0; // the indent of what a statement's first line does not hold
    std::size_t first_line_ = 0;
    bool block_begins_ = true; // no empty line here
    bool separate_ = false;
};

} // namespace xdpf::format
