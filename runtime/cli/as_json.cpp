#include "runtime/cli/as_json.hpp"

#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace xdpf::cli {
namespace {

Json field_json(const LayoutField &field, const runtime::Bytes &whole)
{
    return field.format == FieldFormat::number ? Json(number_of(field, whole)) : Json(field_text(field, whole));
}

} // namespace

std::string on_one_line(const Json &json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json as_json(const runtime::Error &error)
{
    return {{"stage", error.stage},
            {"call", error.call},
            {"errno", error.code == 0 ? "" : runtime::errno_name(error.code)},
            {"message", error.message},
            {"cause", error.cause},
            {"try", error.remedy},
            {"file", error.place.file},
            {"line", error.place.line},
            {"text", error.place.text}};
}

Json key_json(const MapSpec &spec, const runtime::Bytes &key)
{
    const bool number = spec.key.fields.size() == 1 && spec.key.fields[0].format == FieldFormat::number;
    return number ? Json(number_of(spec.key.fields[0], key)) : Json(key_text(spec, key));
}

Json value_json(const MapSpec &spec, const runtime::Bytes &value)
{
    if (spec.value.fields.size() == 1)
        return field_json(spec.value.fields[0], value);
    Json out = Json::object();
    for (const LayoutField &field : spec.value.fields)
        out[field.name] = field_json(field, value);
    return out;
}

Json as_json(const MapSpec &spec, const runtime::Entry &entry)
{
    return {{"key", key_json(spec, entry.key)}, {"value", value_json(spec, entry.value)}};
}

Json as_json(const runtime::VerdictCounts &counts)
{
    return {{"aborted", counts.aborted},
            {"dropped", counts.dropped},
            {"passed", counts.passed},
            {"tx", counts.transmitted},
            {"redirected", counts.redirected}};
}

int report_failure(const runtime::Error &error, bool json)
{
    if (json)
        fmt::print("{}", on_one_line({{"error", as_json(error)}}));
    fmt::print(stderr, "{}\n", to_string(error));
    return exit_failure;
}

} // namespace xdpf::cli
