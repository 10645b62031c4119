// What can be asked of a session: its text, dumps, tests, maps, and completions of a line.
#include "compiler/map_text.hpp"
#include "compiler/query.hpp"
#include "compiler/session_state.hpp"
#include "compiler/state.hpp"
#include "compiler/test.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace xdpf {
namespace {

constexpr std::size_t most_entries = 1000; // shown of one map

std::string slots_text(const MapSpec &map, const std::vector<std::uint32_t> &slots)
{
    if (slots.size() == map.max_entries)
        return "every slot is filled\n";
    return slots.empty() ? "no slot is filled\n" : fmt::format("filled: {}\n", fmt::join(slots, ", "));
}

} // namespace

std::string entries_text(const MapSpec &map, const Interpreter &interpreter, MapId id)
{
    if (has(map.kind, map_trait::redirect))
        return slots_text(map, interpreter.filled_slots(id));
    const bool array = has(map.kind, map_trait::array);
    std::string out;
    std::size_t shown = 0;
    std::size_t more = 0;
    for (const auto &[key, value] : interpreter.entries(id)) {
        if (array && std::ranges::all_of(value, [](std::byte b) { return b == std::byte{0}; }))
            continue;
        if (shown++ < most_entries)
            out += map.is_set ? key_text(map, key) + "\n"
                              : fmt::format("{} = {}\n", key_text(map, key), layout_text(map.value, value));
        else
            ++more;
    }
    if (more != 0)
        out += fmt::format("and {} more\n", more);
    return !out.empty() ? out : array ? "every entry is 0\n" : "empty\n";
}

std::string Session::text() const
{
    std::string out;
    for (const bool fallback : {false, true})
        for (const auto &piece : state_->pieces)
            if ((piece.scope == session::Scope::fallback) == fallback)
                out += fmt::format("{}\n", piece.text());
    return out;
}

std::string Session::dump(Stage stage) const { return state_->compilation->dump(stage); }

std::vector<Session::TestOutcome> Session::run_tests() const
{
    const Compilation &compilation = *state_->compilation;
    Sources sources;
    session::Translator translator(state_->assembly, compilation.sources(), sources);
    std::vector<TestOutcome> out;
    for (const auto &test : compilation.image().tests) {
        auto &outcome = out.emplace_back(test.name);
        for (const auto &failure : run_test(compilation, test).failures) {
            const Span span = translator.translate(failure.span);
            const auto at = sources.location(span.file, span.begin);
            outcome.failures.push_back(
                fmt::format("{}:{}:{}: {}", sources.name(span.file), at.line, at.column, failure.text));
        }
    }
    return out;
}

std::vector<std::string> Session::map_names() const
{
    std::vector<std::string> names;
    for (const auto &map : state_->compilation->image().maps)
        if (!map.internal)
            names.push_back(map.name);
    return names;
}

std::expected<std::string, std::string> Session::map_text(std::string_view name) const
{
    const auto &maps = state_->compilation->image().maps;
    const auto found = std::ranges::find(maps, name, &MapSpec::name);
    if (found != maps.end())
        return entries_text(*found, *state_->interpreter, MapId(static_cast<std::size_t>(found - maps.begin())));
    const auto help = did_you_mean(name, map_names());
    return std::unexpected(fmt::format("there is no map '{}'{}{}", name, help.empty() ? "" : "; ", help));
}

// The line is asked about where it would stand: behind everything entered, statements in a test.
Session::Completions Session::complete(std::string_view line) const
{
    const std::vector<std::string> statements{"expect", "hex", "packet", "with"};
    const auto first = session::first_token(line);
    const bool first_is_last = line.ends_with(first);
    std::string text = state_->assembly.text() + "\n";
    if (!first_is_last && std::ranges::count(statements, first) != 0)
        text += fmt::format("test \"\" {{\n{}", first == "hex" ? "packet " : "");
    const auto shift = text.size();
    text += line;
    const auto end = static_cast<std::uint32_t>(text.size());
    const auto found = query::complete(compile(std::move(text), "shell"), end);
    Completions out{.begin = found.begin - shift};
    std::ranges::transform(found.words, std::back_inserter(out.words), &query::Candidate::word);
    if (first_is_last)
        std::ranges::copy_if(statements, std::back_inserter(out.words),
                             [&](const std::string &word) { return word.starts_with(first); });
    std::ranges::sort(out.words);
    const auto again = std::ranges::unique(out.words);
    out.words.erase(again.begin(), again.end());
    return out;
}

} // namespace xdpf
