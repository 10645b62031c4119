// What commands say with --json: one object on one line.
#pragma once

#include "compiler/maps.hpp"
#include "runtime/error.hpp"
#include "runtime/maps.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace xdpf::cli {

using Json = nlohmann::ordered_json;

// With a line end. Bytes that are no UTF-8 are replaced.
[[nodiscard]] std::string on_one_line(const Json &json);

[[nodiscard]] Json as_json(const runtime::Error &error);
// A number where the key is one, else its text.
[[nodiscard]] Json key_json(const MapSpec &spec, const runtime::Bytes &key);
// One field: its value; several: an object.
[[nodiscard]] Json value_json(const MapSpec &spec, const runtime::Bytes &value);
// {"key": …, "value": …}
[[nodiscard]] Json as_json(const MapSpec &spec, const runtime::Entry &entry);
[[nodiscard]] Json as_json(const runtime::VerdictCounts &counts);

// Tells of it on standard error, and with `json` also as {"error": …} on standard output. The exit status.
int report_failure(const runtime::Error &error, bool json);

} // namespace xdpf::cli
