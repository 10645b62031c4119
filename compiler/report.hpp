// Diagnostics for people and for editors.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/base/source.hpp"

#include <cstddef>
#include <string>

namespace xdpf {

// One paragraph a diagnostic, in the order of their report; empty when there are none:
//
//     error[unknown_field]: header 'udp' has no field 'dprt'
//       --> filter.xdpf:3:11
//        |
//      3 | match udp.dprt == 53 -> xsk
//        |           ^^^^
//        = help: did you mean 'dport'?
//
// A span over several lines shows its first and its last one; notes with a place follow with an excerpt of their own.
// A tab takes four columns, long lines are cut around the span, and what could drive a terminal or hide text (control
// characters, reordering marks, bytes that are not UTF-8) is shown as an escape. `colour` asks for ANSI colours. After
// `limit` diagnostics a line says how many more there are.
[[nodiscard]] std::string to_text(const Diagnostics &diagnostics, const Sources &sources, bool colour = false,
                                  std::size_t limit = 100);

// A JSON array with an object per diagnostic, one object a line, all of them:
//
//     {"severity": "error", "kind": "unknown_field", "message": "...",
//      "file": "filter.xdpf", "line": 3, "column": 11, "end_line": 3, "end_column": 15, "help": "..." or null,
//      "notes": [{"message": "...", "file": ..., "line": ..., "column": ..., "end_line": ..., "end_column": ...}]}
//
// Lines and columns count from 1, columns in Unicode code points; the end is the place behind the span's last
// character. Without a place, the file and the four numbers are null. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string to_json(const Diagnostics &diagnostics, const Sources &sources);

} // namespace xdpf
