// Diagnostics are data: a kind, a place, the text made from the kind's template, notes and a suggestion. They go to a
// sink; compiler/report.hpp turns them into text or JSON.
#pragma once

#include "compiler/base/source.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf {

enum class Severity : std::uint8_t { error, warning };

// Every kind of diagnostic; names, severities and templates stand in diagnostics.def. A test fails for a kind that no
// test provokes.
enum class Kind : std::uint16_t {
#define XDPF_DIAGNOSTIC(name, severity, text) name,
#include "compiler/base/diagnostics.def"
#undef XDPF_DIAGNOSTIC
};

[[nodiscard]] std::string_view name_of(Kind kind);
[[nodiscard]] Severity severity_of(Kind kind);
[[nodiscard]] std::string_view template_of(Kind kind);
[[nodiscard]] std::size_t kind_count();

struct Note {
    Span span; // may be invalid: a note without a place
    std::string text;
};

// What would put it right, for editors.
struct Fix {
    std::string replaces; // what stands at the diagnostic's place; empty: nothing does, `text` is a declaration to add
    std::string text;
};

struct Diagnostic {
    Kind kind;
    Span span;
    std::string message;
    std::string help; // what to do about it, or empty
    std::vector<Note> notes;
    std::optional<Fix> fix{};

    Diagnostic &note(Span where, std::string text)
    {
        notes.push_back({where, std::move(text)});
        return *this;
    }
    Diagnostic &suggest(std::string text)
    {
        help = std::move(text);
        return *this;
    }
    // did_you_mean(), and the near one as a fix.
    Diagnostic &suggest_near(std::string_view written, const std::vector<std::string> &candidates);
    // `import "module"`
    Diagnostic &suggest_import(std::string_view module);
};

// Collects what a compilation has to say. Not thread-safe; one compilation, one sink.
class Diagnostics {
public:
    // The arguments fill the kind's template. The reference is good until the next report.
    template <class... Args> Diagnostic &report(Kind kind, Span span, const Args &...args)
    {
        return add(kind, span, fmt::vformat(template_of(kind), fmt::make_format_args(args...)));
    }
    // One that was reported elsewhere, e.g. of other sources, with its spans translated.
    Diagnostic &add(Diagnostic diagnostic)
    {
        if (severity_of(diagnostic.kind) == Severity::error)
            ++errors_;
        return all_.emplace_back(std::move(diagnostic));
    }
    // Of what was reported from number `from` of all() on: what was said twice is said once, and each gets a note
    // (unless it is about that place itself, or has many).
    void settle(std::size_t from, Span where, const std::string &text);
    [[nodiscard]] bool has_errors() const { return errors_ != 0; }
    [[nodiscard]] std::size_t errors() const { return errors_; }
    [[nodiscard]] const std::vector<Diagnostic> &all() const { return all_; }

private:
    Diagnostic &add(Kind kind, Span span, std::string message);

    std::vector<Diagnostic> all_;
    std::size_t errors_ = 0;
};

// The candidate nearest to a misspelt name, empty where none is near (more than a third of the letters differ).
[[nodiscard]] std::string nearest(std::string_view name, const std::vector<std::string> &candidates);

// "did you mean 'x'?" or, without a near one, "one of: a, b, c" (nothing for no candidates).
[[nodiscard]] std::string did_you_mean(std::string_view name, const std::vector<std::string> &candidates);

} // namespace xdpf
