// The text of a session: pieces of inputs, put together to be compiled, and the way back from a place in the whole to
// the place where it was entered. Private to the session.
#pragma once

#include "compiler/base/diagnostic.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::session {

// One input as it was entered, behind as many line ends as make its lines count rightly.
struct Input {
    std::string source;
    std::string text;
    std::uint32_t serial = 0; // of the session
};
using InputPtr = std::shared_ptr<const Input>;

// Things of one scope and name replace each other; rules have no name and stand beside each other.
enum class Scope : std::uint8_t { import, symbol, program, test, rule, fallback };

struct Piece {
    InputPtr input;
    std::size_t begin = 0; // in the input's text
    std::size_t end = 0;
    Scope scope{};
    std::string what; // "map 'hits'"
    std::string name;

    [[nodiscard]] std::string_view text() const { return std::string_view(input->text).substr(begin, end - begin); }
    [[nodiscard]] bool replaces(const Piece &older) const
    {
        return scope != Scope::rule && scope == older.scope && name == older.name;
    }
};

struct Place {
    const Input *input = nullptr;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool operator==(const Place &) const = default;
};

class Assembly {
public:
    void add(const InputPtr &input, std::size_t begin, std::size_t end);
    void generate(std::string_view text) { text_ += text; }

    [[nodiscard]] const std::string &text() const { return text_; }
    // Where it was entered; nothing for what was generated.
    [[nodiscard]] std::optional<Place> exact(Span span) const;
    // As near as can be: what was generated stands behind the input in front of it.
    [[nodiscard]] Place near(Span span) const;

private:
    struct Segment {
        std::size_t begin = 0; // in text_
        std::size_t end = 0;
        InputPtr input;
        std::size_t offset = 0; // of `begin` in the input
    };
    std::string text_;
    std::vector<Segment> segments_;
};

// Turns diagnostics of an assembled text, the first file of `from`, into diagnostics of the inputs.
class Translator {
public:
    Translator(const Assembly &assembly, const Sources &from, Sources &to) : assembly_(assembly), from_(from), to_(to)
    {
    }

    [[nodiscard]] Diagnostic translate(const Diagnostic &diagnostic);
    [[nodiscard]] Span translate(Span span);

private:
    FileId file(const std::string &source, const std::string &text, const void *identity);

    const Assembly &assembly_;
    const Sources &from_;
    Sources &to_;
    std::vector<std::pair<const void *, FileId>> files_;
};

// Whether more is wanted: an open bracket, a last word that needs something behind it, a header without its fields.
[[nodiscard]] bool is_incomplete(std::string_view text);
// The first bracket that closes what was not opened.
[[nodiscard]] std::optional<std::size_t> find_stray_bracket(std::string_view text);
// The first word or other token; empty for blanks and comments.
[[nodiscard]] std::string_view first_token(std::string_view text);

} // namespace xdpf::session
