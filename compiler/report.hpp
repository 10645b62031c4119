// Diagnostics for people and for editors.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/base/source.hpp"

#include <cstddef>
#include <string>

namespace xdpf {

struct ReportOptions {
    bool colour = false;     // ANSI colours and bold; the caller knows whether this is a terminal
    std::size_t limit = 100; // how many diagnostics are shown before "and N more"
};

// One paragraph a diagnostic, in the order of their report, empty where there are none:
//
//     error[unknown_field]: header 'udp' has no field 'dprt'
//       --> filter.xdpf:3:11
//        |
//      3 | match udp.dprt == 53 -> xsk
//        |           ^^^^
//        = help: did you mean 'dport'?
//
// A span over several lines shows its first and last ones. Tabs become four columns, long lines are cut around the span,
// and control characters of the source are shown as escapes: nothing in a source file can drive a terminal.
[[nodiscard]] std::string to_text(const Diagnostics &diagnostics, const Sources &sources, ReportOptions options = {});
[[nodiscard]] std::string to_text(const Diagnostics &diagnostics, const Sources &sources, bool colour);

// A JSON array on one line with an object per diagnostic, all of them (no limit):
//
//     {"severity": "error", "kind": "unknown_field", "message": "...", "help": "..." or null,
//      "file": "filter.xdpf", "line": 3, "column": 11, "end_line": 3, "end_column": 15,
//      "notes": [{"message": "...", "file": ..., "line": ..., "column": ..., "end_line": ..., "end_column": ...}]}
//
// Lines and columns count from 1, columns in Unicode code points; the end is the place behind the span's last character.
// Without a place, file and the four numbers are null. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string to_json(const Diagnostics &diagnostics, const Sources &sources);

} // namespace xdpf
