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

std::string entry_text(const MapSpec &map, std::span<const std::byte> key, std::span<const std::byte> value)
{
    if (map.is_set)
        return key_text(map, key) + "\n";
    const auto held = layout_text(map.value, value);
    return key.empty() ? held + "\n" : fmt::format("{} = {}\n", key_text(map, key), held);
}

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
            out += entry_text(map, key, value);
        else
            ++more;
    }
    if (more != 0)
        out += fmt::format("and {} more\n", more);
    return !out.empty() ? out : array ? "every entry is 0\n" : "empty\n";
}

std::vector<std::size_t> Session::State::in_order() const
{
    std::vector<std::size_t> order;
    for (const bool fallback : {false, true})
        for (std::size_t i = 0; i < pieces.size(); ++i)
            if ((pieces[i].scope == session::Scope::fallback) == fallback)
                order.push_back(i);
    return order;
}

std::vector<Declaration> Session::declarations() const
{
    std::vector<Declaration> out;
    for (const std::size_t i : state_->in_order())
        out.push_back({state_->pieces[i].what, std::string(state_->pieces[i].text())});
    return out;
}

std::string Session::text() const
{
    std::string out;
    for (const auto &declaration : declarations())
        out += declaration.text + "\n";
    return out;
}

const Compilation &Session::compilation() const { return *state_->compilation; }

Compilation Session::compiled(const CompileOptions &options) const
{
    return compile(state_->assembly.text(), state_->compilation->image().name, options);
}

std::optional<EnteredRule> Session::entered(Span rule) const
{
    const auto place = rule.file == FileId(0) ? state_->assembly.exact(rule) : std::nullopt;
    auto text = rule_text(state_->compilation->state(), rule);
    if (!place || text.empty())
        return std::nullopt;
    const auto before = std::string_view(place->input->text).substr(0, place->begin);
    return EnteredRule{.id = std::uint64_t{place->input->serial} << 32 | place->begin,
                       .source = place->input->source,
                       .line = 1 + static_cast<std::uint32_t>(std::ranges::count(before, '\n')),
                       .text = std::move(text)};
}

std::optional<std::uint32_t> Session::line_of(std::uint64_t id) const
{
    const auto serial = static_cast<std::uint32_t>(id >> 32);
    const auto begin = static_cast<std::uint32_t>(id);
    std::uint32_t line = 1;
    for (const std::size_t i : state_->in_order()) {
        const auto &piece = state_->pieces[i];
        const bool here = piece.input->serial == serial && piece.begin <= begin && begin < piece.end;
        const auto text = here ? piece.text().substr(0, begin - piece.begin) : piece.text();
        line += static_cast<std::uint32_t>(std::ranges::count(text, '\n'));
        if (here)
            return line;
        ++line;
    }
    return std::nullopt;
}

std::expected<std::vector<std::vector<std::byte>>, Answer> Session::packets(std::string_view text) const
{
    const auto first = session::first_token(text);
    const bool statement = first == "packet" || first == ">" || first == "hex" || first == "with";
    const auto input =
        std::make_shared<const session::Input>("<shell>", statement ? std::string(text) : fmt::format("> {}", text));
    const auto statements = state_->compile_statements(input);
    if (!statements)
        return std::unexpected(statements.error());
    std::vector<std::vector<std::byte>> out;
    if (!statements->only_with)
        for (const TestGroup &group : statements->test.groups)
            for (const TestPacket &packet : group.packets)
                out.push_back(packet.bytes);
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
    const Image &image = state_->compilation->image();
    for (std::size_t i = 0; i < image.maps.size(); ++i)
        if (!image.maps[i].internal && MapId(i) != image.params)
            names.push_back(image.maps[i].name);
    return names;
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
