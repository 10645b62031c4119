#include "runtime/cli/capture_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace xdpf::cli {
namespace {

constexpr std::string_view typed = "<command line>";

struct Text {
    std::string before; // the predicate
    std::string behind;
    std::size_t rules = 0; // that have an action
};

// A record has room for the largest packet that its `sample` takes, so there is one for each of several sizes: small
// packets shall not fill the ring as large ones do.
std::string sampling(const CaptureRules &rules, std::size_t &count)
{
    std::string out;
    const auto add = [&](const std::string &head, std::uint32_t bytes) {
        out += fmt::format("{} -> {{ count {}; sample {}[{}]; pass }}\n", head, hits_map, ring_map, bytes);
        ++count;
    };
    for (const std::uint32_t size : {128U, 512U, 1536U, 4096U, 16'384U})
        if (size < rules.snap_length)
            add(fmt::format("match packet.length <= {}", size), size);
    add("default", rules.snap_length);
    return out;
}

// In parentheses and on lines of its own, so that nothing behind an unfinished predicate finishes it.
Text text_of(const CaptureRules &rules)
{
    Text text;
    for (const std::string &name : rules.imports)
        text.before += fmt::format("import \"{}\"\n", name);
    if (!rules.steal)
        text.before += fmt::format("defmap {} : percpu_array<u64>[1]\ndefmap {} : ringbuf[{}]\n", hits_map, ring_map,
                                   rules.ring_size);
    text.before += fmt::format("defprogram capture{} {{\n", rules.frags && !rules.steal ? " (frags)" : "");
    const bool all = rules.predicate.empty();
    if (!all)
        text.before += "match (\n";
    if (rules.steal) {
        text.rules = 1;
        text.behind = all ? "default -> xsk\n" : "\n) -> xsk\n";
    } else {
        const std::string samples = sampling(rules, text.rules);
        text.behind = all ? samples : fmt::format("\n) {{\n{}}}\n", samples);
    }
    text.behind += "}\n";
    return text;
}

// Spans of the whole text become spans of the predicate; what lies behind it is its end.
class Translation {
public:
    Translation(const Sources &from, std::size_t before, const std::string &predicate)
        : before_(static_cast<std::uint32_t>(before)), size_(static_cast<std::uint32_t>(predicate.size()))
    {
        for (std::size_t i = 0; i < from.size(); ++i) {
            const FileId file(i);
            const bool ours = !main_.valid() && from.name(file) == typed;
            sources_.add(std::string(from.name(file)), ours ? predicate : std::string(from.text(file)));
            if (ours)
                main_ = file;
        }
    }

    [[nodiscard]] bool inside(Span span) const
    {
        return span.file == main_ && span.end > before_ && span.begin < before_ + size_;
    }
    [[nodiscard]] bool behind(Span span) const { return span.file == main_ && span.begin >= before_ + size_; }
    [[nodiscard]] Span operator()(Span span) const
    {
        if (!span.valid() || span.file != main_)
            return span;
        return {main_, within(span.begin), within(span.end)};
    }
    [[nodiscard]] Sources take() { return std::move(sources_); }
    [[nodiscard]] bool generated(Span span) const { return span.file == main_ && !inside(span); }

private:
    [[nodiscard]] std::uint32_t within(std::uint32_t at) const
    {
        return std::min(at < before_ ? 0 : at - before_, size_);
    }

    Sources sources_;
    FileId main_;
    std::uint32_t before_;
    std::uint32_t size_;
};

} // namespace

CaptureProgram compile_capture(const CaptureRules &rules)
{
    const Text text = text_of(rules);
    CaptureProgram made{
        compile(text.before + rules.predicate + text.behind, std::string(typed), {.backend = rules.backend}), {}, {}};
    Translation translated(made.compilation.sources(), text.before.size(), rules.predicate);
    bool broken = false;
    for (Diagnostic one : made.compilation.diagnostics().all()) {
        // What is worth a warning about the rules around the predicate nobody can change.
        if (severity_of(one.kind) == Severity::warning && translated.generated(one.span))
            continue;
        // What is missing at the end is said once, and not where it follows from what is wrong before.
        if (translated.behind(one.span) && broken)
            continue;
        broken |= one.kind == Kind::syntax || translated.behind(one.span);
        if (one.help.starts_with("import \""))
            one.help = "--import " + one.help.substr(8, one.help.size() - 9);
        one.span = translated(one.span);
        std::erase_if(one.notes, [&](const Note &note) { return translated.generated(note.span); });
        for (Note &note : one.notes)
            note.span = translated(note.span);
        made.diagnostics.add(std::move(one));
    }
    made.sources = translated.take();
    if (made.compilation.ok()) {
        const Image &image = made.compilation.image();
        made.is_predicate = image.own_programs().size() == 1 && image.programs.front().rules.size() == text.rules &&
                            image.records.size() == (rules.steal ? 0 : text.rules);
    }
    return made;
}

} // namespace xdpf::cli
