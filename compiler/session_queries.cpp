// What can be asked of a session: its text, dumps, tests, maps, and completions of a line.
#include "compiler/map_text.hpp"
#include "compiler/session_state.hpp"
#include "compiler/state.hpp"
#include "compiler/test.hpp"
#include "grammar/lexis.hpp"

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

namespace {

using Words = std::vector<std::string>;

// The header whose list of fields is open at the end of `text`: "packet ethernet / ipv4(src = 10.0.0.1, "; or none.
const sema::Header *open_header(std::string_view text, std::span<const sema::Header> headers)
{
    std::size_t closed = 0;
    for (std::size_t at = text.size(); at > 0; --at) {
        const char c = text[at - 1];
        if (c == ')')
            ++closed;
        if (c != '(' || closed-- != 0)
            continue;
        auto word = text.substr(0, at - 1);
        word.remove_suffix(word.size() - (word.find_last_not_of(" \t\n") + 1));
        std::size_t begin = word.size();
        while (begin > 0 && lexis::is_name(word[begin - 1]))
            --begin;
        const auto header = std::ranges::find(headers, word.substr(begin), &sema::Header::name);
        return header != headers.end() ? &*header : nullptr;
    }
    return nullptr;
}

Words fields_of(const sema::Header &header)
{
    Words fields;
    std::ranges::transform(header.fields, std::back_inserter(fields), &sema::Field::name);
    return fields;
}

// What can stand behind the first dot of "tcp.option.m": fields, parts of them, and headers within the header.
Words behind_dot(std::string_view whole, std::size_t first_dot, std::span<const sema::Header> headers)
{
    Words out;
    for (const auto &header : headers) {
        const auto prefix = header.name + ".";
        if (whole.starts_with(prefix))
            for (const auto &field : header.fields)
                out.push_back((prefix + field.name).substr(first_dot + 1));
        if (header.name.starts_with(whole.substr(0, first_dot + 1)))
            out.push_back(header.name.substr(first_dot + 1));
    }
    return out;
}

} // namespace

Session::Completions Session::complete(std::string_view line) const
{
    std::size_t begin = line.size();
    while (begin > 0 && (lexis::is_name(line[begin - 1]) || line[begin - 1] == '.'))
        --begin;
    const auto whole = line.substr(begin);
    const auto before = line.substr(0, begin);
    const auto dot = whole.find('.');
    const auto &unit = state_->compilation->state().unit;
    Words all;
    if (dot != std::string_view::npos) {
        all = behind_dot(whole, dot, unit.headers);
        begin += dot + 1;
    } else if (session::first_token(before).empty()) {
        all = {"const",  "def",   "default", "defmap", "defprogram", "header", "hex",
               "import", "match", "packet",  "param",  "test",       "union",  "with"};
    } else {
        if (const auto *header = open_header(before, unit.headers))
            all = fields_of(*header);
        for (const auto word : lexis::known_words())
            all.emplace_back(word);
        all.insert(all.end(), {"iface", "packet", "rx_queue"});
        for (const auto &header : unit.headers)
            if (header.name.find('.') == std::string::npos)
                all.push_back(header.name);
        for (const auto &piece : state_->pieces)
            if (piece.scope == session::Scope::symbol)
                all.push_back(piece.name);
        std::ranges::move(map_names(), std::back_inserter(all));
    }
    Completions out{.begin = begin};
    const auto typed = line.substr(begin);
    std::ranges::copy_if(all, std::back_inserter(out.words),
                         [&](const std::string &word) { return word.starts_with(typed); });
    std::ranges::sort(out.words);
    const auto again = std::ranges::unique(out.words);
    out.words.erase(again.begin(), again.end());
    return out;
}

} // namespace xdpf
