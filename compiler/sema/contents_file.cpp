// What a map holds from the beginning, in a file beside the source: one entry a line.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/contents.hpp"
#include "compiler/sema/encode.hpp"
#include "compiler/sema/table_file.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace xdpf::sema {
namespace {

constexpr std::size_t longest_word = 64; // of a number or an address

// Bytes as text, or 0x and two digits for each; nothing where there are more or less than `size`.
std::optional<std::vector<std::byte>> read_bytes(std::string_view word, std::size_t size)
{
    std::vector<std::byte> out;
    if (word.starts_with("0x") && word.size() == 2 + 2 * size) {
        for (std::size_t at = 2; at < word.size(); at += 2) {
            unsigned byte = 0;
            const auto [end, failed] = std::from_chars(word.data() + at, word.data() + at + 2, byte, 16);
            if (failed != std::errc() || end != word.data() + at + 2)
                return std::nullopt;
            out.push_back(static_cast<std::byte>(byte));
        }
        return out;
    }
    std::ranges::transform(unquoted(word), std::back_inserter(out), [](char c) { return static_cast<std::byte>(c); });
    return out.size() == size ? std::optional(out) : std::nullopt;
}

bool is_number(std::string_view text)
{
    const bool hex = text.starts_with("0x");
    const auto digits = hex ? text.substr(2) : text;
    return !digits.empty() && std::ranges::all_of(digits, [&](char c) {
        return (c >= '0' && c <= '9') || c == '_' || (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
    });
}

// 0x8000/1, a prefix of a number, or one number or address.
std::optional<LiteralValue> read_word(std::string_view word, Span span, const MapSpec &spec, const LayoutField &field,
                                      bool prefix, Diagnostics &diagnostics)
{
    const auto bad = [&](const std::string &why) {
        diagnostics.report(Kind::bad_contents, span, spec.name, why);
        return std::nullopt;
    };
    if (word.size() > longest_word)
        return bad(fmt::format("'{}…' is no number and no address", word.substr(0, longest_word / 2)));
    const auto slash = word.find('/');
    const auto number = word.substr(0, slash);
    const ast::Literal literal = literal_of(number);
    const bool integer = literal.kind == ast::Literal::Kind::integer;
    if (integer && !is_number(number))
        return bad(fmt::format("'{}' is no number and no address", word));
    if (slash != std::string_view::npos && !prefix)
        return bad("a prefix, where one value is wanted");
    if (slash == std::string_view::npos || !integer || field.format != FieldFormat::number)
        return read_literal(literal_of(word), span, diagnostics);
    const auto of = read_literal(literal, span, diagnostics);
    std::uint64_t length = 0;
    const auto [end, failed] = std::from_chars(word.data() + slash + 1, word.data() + word.size(), length);
    if (!of)
        return std::nullopt;
    if (failed != std::errc() || end != word.data() + word.size())
        return bad(fmt::format("'{}' is no prefix: behind '/' stands the number of its bits", word));
    return number_prefix(field, static_cast<std::uint64_t>(of->first), length, span, diagnostics);
}

} // namespace

// Values of the key, then of the value, with commas between them; # begins a comment, but not within quotes.
void Analyzer::read_contents(MapId map, const ast::File &file, const ast::Map &decl)
{
    const auto beside = std::filesystem::path(sources_.name(file.file)).parent_path() / decl.from->value;
    auto text = text_of(beside);
    if (!text) {
        diagnostics_.report(Kind::cannot_read, decl.from_span, beside.string(), text.error());
        return;
    }
    const FileId loaded = sources_.add(beside.string(), std::move(*text));
    const MapSpec &spec = unit_.maps[map];
    const auto lines = lines_of(sources_.text(loaded));
    if (lines.size() > spec.max_entries) {
        diagnostics_.report(Kind::bad_contents, decl.from_span, spec.name,
                            fmt::format("{} entries, and room for {}", lines.size(), spec.max_entries));
        return;
    }
    std::vector<LayoutField> fields;
    if (!has(spec.kind, map_trait::keyless))
        fields.assign(spec.key.fields.begin() + (has(spec.kind, map_trait::prefix) ? 1 : 0), spec.key.fields.end());
    const std::size_t keys = fields.size();
    // What the kernel makes of an entry's program is no concern of a file.
    const auto values =
        std::span(spec.value.fields).first(has(spec.kind, map_trait::redirect) ? 1 : spec.value.fields.size());
    fields.insert(fields.end(), values.begin(), values.end());
    KeyPlaces places;
    std::size_t mistakes = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const FileLine line{loaded, lines[i].at, lines[i].text, i};
        const Span span{loaded, line.at, line.at + static_cast<std::uint32_t>(line.text.size())};
        if (read_line(map, line, fields, keys) && is_new_key(spec, places, span, diagnostics_))
            continue;
        if (++mistakes == most_mistakes && i + 1 < lines.size()) {
            diagnostics_.report(
                Kind::bad_contents, decl.from_span, spec.name,
                fmt::format("so many lines are wrong that the last {} were not read", lines.size() - i - 1));
            return;
        }
    }
}

// A line of an array without an index is about the entry of the line's number, from 0.
bool Analyzer::read_line(MapId map, const FileLine &line, const std::vector<LayoutField> &fields, std::size_t keys)
{
    const MapSpec &spec = unit_.maps[map];
    const Span whole{line.file, line.at, line.at + static_cast<std::uint32_t>(line.text.size())};
    const auto bad = [&](Span span, const std::string &why) {
        diagnostics_.report(Kind::bad_contents, span, spec.name, why);
        return false;
    };
    MapContent content{.key = std::vector<std::byte>(spec.key.size), .value = std::vector<std::byte>(spec.value.size)};
    const auto words = words_of(line.text);
    const auto span_of = [&](std::string_view word) {
        const auto offset = line.at + static_cast<std::uint32_t>(word.data() - line.text.data());
        return Span{line.file, offset, offset + static_cast<std::uint32_t>(word.size())};
    };
    if (words.size() > fields.size())
        return bad(span_of(words[fields.size()]),
                   fmt::format("a line has at most {}", counted(fields.size(), "value")));
    const bool by_line = has(spec.kind, map_trait::array) && words.size() == fields.size() - keys;
    if (by_line)
        encode(spec.key.fields[0], line.number, content.key);
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t part = by_line ? keys + i : i;
        if (!read_part(map, words[i], span_of(words[i]), fields[part], part < keys, content))
            return false;
    }
    const std::size_t parts = words.size() + (by_line ? keys : 0);
    if (parts < keys)
        return bad(whole, fmt::format("a key has {}", counted(keys, "value")));
    if (parts != fields.size() && (parts != keys || !spec.is_set))
        return bad(whole, fmt::format("a line has a key of {} and a value of {}", keys, fields.size() - keys));
    if (!is_entry_of(spec, content, whole))
        return false;
    unit_.maps[map].contents.push_back(std::move(content));
    return true;
}

// One word of a line, as a part of the entry's key or of its value.
bool Analyzer::read_part(MapId map, std::string_view word, Span span, const LayoutField &field, bool of_key,
                         MapContent &content)
{
    const MapSpec &spec = unit_.maps[map];
    auto &to = of_key ? content.key : content.value;
    if (field.format == FieldFormat::bytes) {
        const auto bytes = read_bytes(word, field.size);
        if (!bytes)
            diagnostics_.report(
                Kind::bad_contents, span, spec.name,
                fmt::format("here stand {}, as text or as 0x and two digits for each", counted(field.size, "byte")));
        else
            std::ranges::copy(*bytes, to.begin() + field.offset);
        return bytes.has_value();
    }
    word = unquoted(word);
    const bool device = has(spec.kind, map_trait::redirect) && spec.kind != MapKind::cpumap;
    if (device && !of_key && !word.empty() && !is_number(word)) {
        content.interface = word;
        return true;
    }
    const bool is_prefix = of_key && has(spec.kind, map_trait::prefix);
    auto read = read_word(word, span, spec, field, is_prefix, diagnostics_);
    if (!read)
        return false;
    read = stored_as(field, *read);
    const auto expr = add(Expr{read->type, 64, Constant{read->first}, span});
    if (!check_field(expr, field, fmt::format("a {} of '{}'", of_key ? "key" : "value", spec.name), spec.span))
        return false;
    encode(field, read->first, to);
    if (is_prefix)
        encode(spec.key.fields[0], read->prefix ? read->prefix_length : field.size * 8, content.key);
    return true;
}

} // namespace xdpf::sema
