#include "compiler/report.hpp"

#include <nlohmann/json.hpp>

namespace xdpf {
namespace {

using Json = nlohmann::ordered_json;

void add_place(Json &object, Span span, const Sources &sources)
{
    for (const char *key : {"file", "line", "column", "end_line", "end_column"})
        object[key] = nullptr;
    if (!span.valid())
        return;
    const Location begin = sources.location(span.file, span.begin);
    const Location end = sources.location(span.file, std::max(span.begin, span.end));
    object["file"] = sources.name(span.file);
    object["line"] = begin.line;
    object["column"] = begin.column;
    object["end_line"] = end.line;
    object["end_column"] = end.column;
}

Json to_object(const Diagnostic &diagnostic, const Sources &sources)
{
    Json object;
    object["severity"] = severity_of(diagnostic.kind) == Severity::error ? "error" : "warning";
    object["kind"] = name_of(diagnostic.kind);
    object["message"] = diagnostic.message;
    add_place(object, diagnostic.span, sources);
    object["help"] = nullptr;
    if (!diagnostic.help.empty())
        object["help"] = diagnostic.help;
    object["notes"] = Json::array();
    for (const Note &note : diagnostic.notes) {
        Json entry;
        entry["message"] = note.text;
        add_place(entry, note.span, sources);
        object["notes"].push_back(std::move(entry));
    }
    return object;
}

} // namespace

std::string to_json(const Diagnostics &diagnostics, const Sources &sources)
{
    std::string out = "[";
    for (const Diagnostic &diagnostic : diagnostics.all()) {
        out += out.size() == 1 ? "\n" : ",\n";
        out += to_object(diagnostic, sources).dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    return out + (out.size() == 1 ? "]\n" : "\n]\n");
}

} // namespace xdpf
