// The IR as text that reads back in: to_text(from_text(t)) is t again, and what follows from an operation (kinds,
// bounds) is not written twice. Source spans are not part of it.
//
//   map hits : percpu_array key 4 value 16 entries 8
//
//   program counts {
//     slot $0 : 4
//   b0():
//     %1 = 3
//     store.le32 $0 + 0, %1
//     %2 = lookup @hits[$0]
//     if %2 == 0 ? b2() : b1()
//   b1():
//     %3 = 1
//     atomic_add.le64 %2 + 0, %3
//     jump b2()
//   b2():
//     return 2
//   }
//
// Parameters say what they are: `b1(%4, %5: max 255, %6: packet max 34, %7: map_value)`. A result with another bound
// than the operation's own has it behind: `%8 = add %4, %5 within 300`. Conditions are == != < <= > >=, `&` (any bit of
// the second set in the first) and `!&` (none). The head of a loop of at most 6 rounds is `b1(…) loop 6:`, and `again
// b1(…)` goes back to it. `#` begins a comment. Blocks of assembled instructions stand behind the slots, in order: `asm
// 0 : 0x1018, 0x0, 0x95 @hits at 0`, and a block's end `asm 0` goes there.
#pragma once

#include "compiler/ir/ir.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace xdpf::ir {

[[nodiscard]] std::string to_text(const Module &module);
// `maps`: those of the module, for their names.
[[nodiscard]] std::string to_text(const Program &program, std::span<const MapSpec> maps);

// One line: an instruction or a terminator, with values by their index instead of their number (for messages).
[[nodiscard]] std::string to_text(const Inst &inst, std::span<const MapSpec> maps);
[[nodiscard]] std::string to_text(const Terminator &end);

// Reads a module. What is well-formed but makes no sense is for verify() to find. The error begins with "line N: ".
[[nodiscard]] std::expected<Module, std::string> from_text(std::string_view text);

[[nodiscard]] std::string_view text_of(Cond cond);
[[nodiscard]] std::string_view text_of(ContextField field);
[[nodiscard]] std::string_view text_of(RxMeta rx);
[[nodiscard]] std::string_view text_of(ValueKind kind);

} // namespace xdpf::ir
