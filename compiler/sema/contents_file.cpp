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

// Values of the key, then of the value, with commas between them; # begins a comment.
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
    fields.insert(fields.end(), spec.value.fields.begin(), spec.value.fields.end());
    KeyPlaces places;
    std::size_t mistakes = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto &[at, line] = lines[i];
        const Span span{loaded, at, at + static_cast<std::uint32_t>(line.size())};
        if (read_line(map, loaded, at, line, fields, keys) && is_new_key(spec, places, span, diagnostics_))
            continue;
        if (++mistakes == most_mistakes && i + 1 < lines.size()) {
            diagnostics_.report(
                Kind::bad_contents, decl.from_span, spec.name,
                fmt::format("so many lines are wrong that the last {} were not read", lines.size() - i - 1));
            return;
        }
    }
}

bool Analyzer::read_line(MapId map, FileId file, std::uint32_t at, std::string_view line,
                         const std::vector<LayoutField> &fields, std::size_t keys)
{
    const MapSpec &spec = unit_.maps[map];
    const Span whole{file, at, at + static_cast<std::uint32_t>(line.size())};
    const auto bad = [&](Span span, const std::string &why) {
        diagnostics_.report(Kind::bad_contents, span, spec.name, why);
        return false;
    };
    MapContent content{.key = std::vector<std::byte>(spec.key.size), .value = std::vector<std::byte>(spec.value.size)};
    std::size_t part = 0;
    for (std::size_t begin = 0; begin <= line.size(); ++part) {
        const auto end = std::min(line.find(',', begin), line.size());
        const auto word = trimmed(line.substr(begin, end - begin));
        const auto offset =
            static_cast<std::uint32_t>(word.empty() ? begin : static_cast<std::size_t>(word.data() - line.data()));
        const Span span{file, at + offset, at + offset + static_cast<std::uint32_t>(word.size())};
        begin = end + 1;
        if (part >= fields.size())
            return bad(span, fmt::format("a line has at most {}", counted(fields.size(), "value")));
        const bool is_prefix = part == 0 && keys > 0 && has(spec.kind, map_trait::prefix);
        auto read = read_word(word, span, spec, fields[part], is_prefix, diagnostics_);
        if (!read)
            return false;
        read = stored_as(fields[part], *read);
        const auto expr = add(Expr{read->type, 64, Constant{read->first}, span});
        if (!check_field(expr, fields[part], fmt::format("a {} of '{}'", part < keys ? "key" : "value", spec.name),
                         spec.span))
            return false;
        encode(fields[part], read->first, part < keys ? content.key : content.value);
        if (is_prefix)
            encode(spec.key.fields[0], read->prefix ? read->prefix_length : fields[0].size * 8, content.key);
    }
    if (part < keys)
        return bad(whole, fmt::format("a key has {}", counted(keys, "value")));
    if (part != fields.size() && (part != keys || !spec.is_set))
        return bad(whole, fmt::format("a line has a key of {} and a value of {}", keys, fields.size() - keys));
    unit_.maps[map].contents.push_back(std::move(content));
    return true;
}

} // namespace xdpf::sema
