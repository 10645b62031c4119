#include "runtime/cli/lsp_answers.hpp"

#include "compiler/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace xdpf::cli {
namespace {

constexpr std::size_t most_diagnostics = 1000; // of one document
constexpr FileId main_file{std::size_t{0}};    // of a compilation of a text

// SymbolKind and CompletionItemKind of the protocol.
struct Kinds {
    query::Role role;
    int symbol;
    int completion;
};
constexpr std::array all_kinds{
    Kinds{query::Role::keyword, 14, 14},   Kinds{query::Role::action, 24, 14},   Kinds{query::Role::function, 12, 3},
    Kinds{query::Role::value, 13, 6},      Kinds{query::Role::type, 26, 25},     Kinds{query::Role::header, 23, 22},
    Kinds{query::Role::field, 8, 5},       Kinds{query::Role::map, 18, 6},       Kinds{query::Role::constant, 14, 21},
    Kinds{query::Role::definition, 12, 3}, Kinds{query::Role::parameter, 13, 6}, Kinds{query::Role::program, 5, 7},
    Kinds{query::Role::module, 2, 9},      Kinds{query::Role::rule, 24, 23},     Kinds{query::Role::test, 6, 2},
};

const Kinds &kinds_of(query::Role role) { return *std::ranges::find(all_kinds, role, &Kinds::role); }

Json position_json(LspPosition at) { return {{"line", at.line}, {"character", at.character}}; }

// A table of Markdown: what stands in a cell ends no cell.
std::string cell(std::string_view text)
{
    std::string out;
    for (const char c : text)
        out += c == '|' ? "\\|" : std::string(1, c);
    return out;
}

std::string markdown(const query::Description &what)
{
    auto out = fmt::format("```xdpf\n{}\n```\n", what.code);
    for (const auto &paragraph : what.text)
        out += fmt::format("\n{}\n", paragraph);
    if (!what.fields.empty())
        out += "\n| bit | bits | field | type | |\n|--:|--:|---|---|---|\n";
    for (const auto &field : what.fields)
        out += fmt::format("| {} | {} | `{}` | {} | {} |\n", field.bit_offset ? std::to_string(*field.bit_offset) : "…",
                           field.bits, field.name, cell(field.type), cell(field.text));
    return out;
}

std::string plain(const query::Description &what)
{
    auto out = what.code + "\n";
    for (const auto &paragraph : what.text)
        out += fmt::format("\n{}\n", paragraph);
    for (const auto &field : what.fields)
        out += fmt::format("{:>5} {:>4}  {} : {}\n", field.bit_offset ? std::to_string(*field.bit_offset) : "…",
                           field.bits, field.name, field.type);
    return out;
}

} // namespace

std::uint32_t LspAnswers::offset(LspPosition at) const { return lsp_offset(document_.text, at, client_.encoding); }

bool LspAnswers::is_here(Span span) const { return span.valid() && span.file == main_file; }

Json LspAnswers::range(Span span) const
{
    const auto &sources = compilation_.sources();
    if (!span.valid())
        return {{"start", position_json({})}, {"end", position_json({})}};
    return {{"start", position_json(lsp_position(sources, span.file, span.begin, client_.encoding))},
            {"end", position_json(lsp_position(sources, span.file, std::max(span.begin, span.end), client_.encoding))}};
}

Json LspAnswers::location(Span span) const
{
    return {{"uri", documents_.uri_of(document_, compilation_, span.file)}, {"range", range(span)}};
}

Json LspAnswers::as_json(const Diagnostic &diagnostic) const
{
    const bool elsewhere = diagnostic.span.valid() && !is_here(diagnostic.span);
    Json out{{"range", range(elsewhere ? query::brought_in_by(compilation_, diagnostic.span.file) : diagnostic.span)},
             {"severity", severity_of(diagnostic.kind) == Severity::error ? 1 : 2},
             {"code", name_of(diagnostic.kind)},
             {"source", "xdpf"}};
    std::string message = diagnostic.message;
    Json related = Json::array();
    const auto relate = [&](Span span, const std::string &text) {
        if (span.valid() && client_.related_information && !query::is_built_in(compilation_, span.file))
            related.push_back({{"location", location(span)}, {"message", text}});
        else
            message += fmt::format("\nnote: {}", text);
    };
    if (elsewhere) {
        const auto &sources = compilation_.sources();
        const auto at = sources.location(diagnostic.span.file, diagnostic.span.begin);
        message = fmt::format("{}:{}:{}: {}", sources.name(diagnostic.span.file), at.line, at.column, message);
        if (client_.related_information && !query::is_built_in(compilation_, diagnostic.span.file))
            relate(diagnostic.span, diagnostic.message);
    }
    for (const auto &note : diagnostic.notes)
        relate(note.span, note.text);
    if (!diagnostic.help.empty())
        message += fmt::format("\nhelp: {}", diagnostic.help);
    out["message"] = std::move(message);
    if (!related.empty())
        out["relatedInformation"] = std::move(related);
    return out;
}

Json LspAnswers::diagnostics() const
{
    Json out = Json::array();
    for (const auto &one : compilation_.diagnostics().all()) {
        // A file without rules is a module to its author; whether it should be a program its importer knows.
        if (one.kind != Kind::nothing_to_compile && out.size() < most_diagnostics)
            out.push_back(as_json(one));
    }
    return out;
}

Json LspAnswers::hover(LspPosition at) const
{
    const auto found = query::describe(compilation_, offset(at));
    if (!found)
        return nullptr;
    return {{"contents",
             {{"kind", client_.markdown ? "markdown" : "plaintext"},
              {"value", client_.markdown ? markdown(*found) : plain(*found)}}},
            {"range", range(found->span)}};
}

Json LspAnswers::definition(LspPosition at) const
{
    const auto found = query::describe(compilation_, offset(at));
    if (!found || !found->declared.valid() || query::is_built_in(compilation_, found->declared.file))
        return nullptr;
    return location(found->declared);
}

Json LspAnswers::completion(LspPosition at) const
{
    const auto end = offset(at);
    const auto found = query::complete(compilation_, end);
    const auto where = compilation_.sources().size() == 0 ? Json(nullptr) : range({main_file, found.begin, end});
    Json items = Json::array();
    for (const auto &one : found.words) {
        Json item{{"label", one.word}, {"kind", kinds_of(one.role).completion}};
        if (!one.detail.empty())
            item["detail"] = one.detail;
        item["textEdit"] = {{"range", where}, {"newText", one.word}};
        items.push_back(std::move(item));
    }
    return {{"isIncomplete", false}, {"items", std::move(items)}};
}

Json LspAnswers::as_json(const query::Declared &declared) const
{
    Json out{{"name", declared.name.empty() ? "…" : declared.name},
             {"detail", declared.detail},
             {"kind", kinds_of(declared.role).symbol},
             {"range", range(declared.span)},
             {"selectionRange", range(declared.name_span)}};
    for (const auto &inner : declared.inner)
        out["children"].push_back(as_json(inner));
    return out;
}

void LspAnswers::add_flat(const query::Declared &declared, Json &out) const
{
    out.push_back({{"name", declared.name.empty() ? "…" : declared.name},
                   {"kind", kinds_of(declared.role).symbol},
                   {"location", location(declared.span)}});
    for (const auto &inner : declared.inner)
        add_flat(inner, out);
}

Json LspAnswers::symbols() const
{
    Json out = Json::array();
    for (const auto &declared : query::outline(compilation_)) {
        if (client_.symbol_tree)
            out.push_back(as_json(declared));
        else
            add_flat(declared, out);
    }
    return out;
}

// Behind the last import; without one at the head, behind the comment that the file begins with.
std::pair<std::uint32_t, std::string> LspAnswers::import_edit(const std::string &text) const
{
    const auto imports = query::imports(compilation_);
    if (!imports.empty())
        return {std::ranges::max(imports, {}, [](const auto &one) { return one.span.begin; }).span.end, "\n" + text};
    std::size_t at = 0;
    while (at < document_.text.size() && document_.text[at] == '#')
        at = std::min(document_.text.find('\n', at), document_.text.size() - 1) + 1;
    const bool in_line = at > 0 && document_.text[at - 1] != '\n';
    return {static_cast<std::uint32_t>(at), (in_line ? "\n" : "") + text + "\n\n"};
}

Json LspAnswers::fix_of(const Diagnostic &diagnostic) const
{
    if (!diagnostic.fix || !is_here(diagnostic.span))
        return nullptr;
    const auto &fix = *diagnostic.fix;
    Span where = diagnostic.span;
    std::string text = fix.text;
    std::string title = fmt::format("Replace {} with {}", fix.replaces, fix.text);
    if (fix.replaces.empty()) {
        const auto [at, inserted] = import_edit(fix.text);
        where = {main_file, at, at};
        text = inserted;
        title = fmt::format("Add {}", fix.text);
    } else if (compilation_.sources().text(where) != fix.replaces) {
        return nullptr;
    }
    Json changes;
    changes[document_.uri] = Json::array({{{"range", range(where)}, {"newText", text}}});
    return {{"title", title},
            {"kind", "quickfix"},
            {"diagnostics", Json::array({as_json(diagnostic)})},
            {"isPreferred", true},
            {"edit", {{"changes", std::move(changes)}}}};
}

Json LspAnswers::code_actions(LspPosition begin, LspPosition end) const
{
    const auto from = offset(begin);
    const auto to = offset(end);
    Json out = Json::array();
    for (const auto &one : compilation_.diagnostics().all())
        if (one.span.begin <= to && one.span.end >= from)
            if (auto action = fix_of(one); !action.is_null())
                out.push_back(std::move(action));
    return out;
}

// One edit, of the lines that change.
Json LspAnswers::formatting() const
{
    const auto made = format_source(document_.text, document_.path);
    if (!made.text || *made.text == document_.text)
        return Json::array();
    const std::string_view before = document_.text;
    const std::string_view after = *made.text;
    const auto same = static_cast<std::size_t>(std::ranges::mismatch(before, after).in1 - before.begin());
    const auto line_end = same == 0 ? std::string_view::npos : before.rfind('\n', same - 1);
    const auto begin = line_end == std::string_view::npos ? 0 : line_end + 1;
    std::size_t end = 0; // from the ends of both
    while (end < before.size() - begin && end < after.size() - begin &&
           before[before.size() - 1 - end] == after[after.size() - 1 - end])
        ++end;
    while (end > 0 && end < before.size() && before[before.size() - end - 1] != '\n')
        --end;
    const Span where{main_file, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(before.size() - end)};
    return Json::array({{{"range", range(where)}, {"newText", after.substr(begin, after.size() - end - begin)}}});
}

} // namespace xdpf::cli
