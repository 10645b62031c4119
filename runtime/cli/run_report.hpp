// What `xdpf run` shows besides packets: records, what the rules counted, what is in the maps.
#pragma once

#include "compiler/base/source.hpp"
#include "runtime/load.hpp"

#include <functional>
#include <string>

namespace xdpf::cli {

// A line for each rule: number, packets, bytes, its place and first line. Empty where no rules are counted.
[[nodiscard]] runtime::Result<std::string> rules_text(const runtime::Loaded &loaded, const Sources &sources);
// [{"program":"web","rule":1,"packets":3,"bytes":180,"file":"web.xdpf","line":2,"text":"match tcp"}]
[[nodiscard]] runtime::Result<std::string> rules_json(const runtime::Loaded &loaded, const Sources &sources);

// Maps as text or JSON, as far as they were read before `ended` said so.
struct MapsReport {
    std::string text;
    bool cut = false;
};
using Ended = std::function<bool()>;

// The entries of the maps that the source declares and user space can read. Of arrays those that are not 0.
[[nodiscard]] runtime::Result<MapsReport> maps_text(const runtime::Loaded &loaded, const Ended &ended);
// {"hits":[{"key":"10.0.0.1","value":{"packets":3,"bytes":180}}]}; keys as text, of one number as a number.
[[nodiscard]] runtime::Result<MapsReport> maps_json(const runtime::Loaded &loaded, const Ended &ended);

} // namespace xdpf::cli
