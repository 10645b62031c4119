// What the grammar's rules share while they read one file: the tree under construction, the furthest point that any
// token was tried and failed at, and the recovery from errors. Knows nothing of Spirit.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "grammar/builder.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xdpf {

// What could have stood at the furthest point. The word, if any, is a candidate for a misspelt keyword.
struct Expected {
    std::string_view label; // as messages say it: an expression, '->'; empty: only a candidate
    std::string_view word;
};

// Where to go on after an error.
enum class Level : std::uint8_t {
    file,  // at the next declaration or rule
    rules, // at the next rule, or where the block ends
    lines, // behind the next `;` or `,` or on the next line, or where the block ends
};

class ParseState {
public:
    ParseState(const Sources &sources, ast::File &file, Diagnostics &diagnostics);

    [[nodiscard]] const char *begin() const { return begin_; }
    [[nodiscard]] const char *end() const { return end_; }
    [[nodiscard]] Span span(const char *first, const char *last) const;
    [[nodiscard]] Span span(std::string_view text) const { return span(text.data(), text.data() + text.size()); }

    // A token was tried here and is not there.
    void expect(const char *at, Expected expected);
    // What a right statement of the kind being read looks like. Returns what it was before.
    std::string_view example(std::string_view text) { return std::exchange(example_, text); }

    // Reports what was expected at the furthest point and returns where to go on: `start`, where the failed statement
    // began, if it ended the block it should stand in.
    const char *recover(const char *start, Level level);
    // An error in what could be read all the same; the reading goes on.
    void reject(Span span, std::string_view expected, std::string_view help);
    // An error already told: the statement is given up in silence.
    void abandon(const char *at);
    // Whether the reading of the whole file has to stop.
    [[nodiscard]] bool stopped() const { return stopped_; }
    [[nodiscard]] std::size_t errors() const { return errors_; }

    void open_block(const char *brace) { open_.push_back(brace); }
    void close_block() { open_.pop_back(); }
    [[nodiscard]] std::size_t open_blocks() const { return open_.size(); }
    void restore_blocks(std::size_t count) { open_.resize(count); }
    // The block's `}` is missing. It counts as closed.
    void missing_brace(const char *at);
    // A `}` that closes nothing is to be passed over, because its `{` was taken for closed.
    bool forgive_brace();

    // Depth of nesting; false, with a report, when it is too much.
    bool enter(const char *at);
    void leave() { --depth_; }
    [[nodiscard]] std::size_t depth() const { return depth_; }
    void restore_depth(std::size_t depth) { depth_ = depth; }
    void too_deep(Span span, std::size_t limit);

    // A string literal's bytes; escapes that do not exist are reported.
    [[nodiscard]] std::string unescape(std::string_view quoted);
    void unterminated_string(std::string_view text);
    // The declaration that begins here has errors.
    void damaged(const char *start);

    Builder expressions;
    ast::File &file;

private:
    Diagnostic *report(); // none where the error has been told already
    void count_error();
    [[nodiscard]] const char *resynchronise(const char *at, Level level) const;

    Diagnostics &diagnostics_;
    FileId id_;
    const char *begin_;
    const char *end_;
    const char *furthest_;
    const char *resumed_at_ = nullptr; // where the last recovery ended
    std::vector<Expected> expected_;
    std::string_view example_;
    std::vector<const char *> open_; // `{` of the blocks being read
    std::size_t forgiven_ = 0;       // blocks taken for closed
    std::size_t depth_ = 0;
    std::size_t errors_ = 0;
    bool told_ = false;
    bool stopped_ = false;
};

} // namespace xdpf
