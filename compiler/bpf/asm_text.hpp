// Reads what stands between the braces of `asm { … }`: instructions in the notation of the kernel's tools
// (kernel/bpf/disasm.c, bpftool), with labels in place of distances and names in place of numbers.
//
//   r2 = *(u32 *)(r1 + xdp_md.rx_queue_index)      # load; `*(u16 *)(r10 - 2) = r3` stores, `… = 7` too
//   r1 = map xsks                                  # a map of the source; `map[xsks]` reads the same
//   if r2 > 7 goto out                             # forward only; == != > >= < <= s> s>= s< s<= &
//   r3 = XDP_PASS                                  # r: 64 bits, w: the lower 32 and the rest zero
//   call bpf_redirect_map
//   exit
// out: r0 = XDP_PASS; exit
//
// Operators: = += -= *= /= %= s/= s%= &= |= ^= <<= >>= s>>=. Further: `r1 = -r1`, `r1 = (s8)r2`,
// `r1 = be16 r1` (be, le, bswap; 16, 32, 64), `r1 = 0x123456789a ll`, `lock *(u64 *)(r1 + 0) += r2` (+= |= &= ^=),
// `r1 = *(s16 *)(r2 + 0)`. A line or a `;` ends an instruction, `#` begins a comment.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/image.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::bpf {

struct AsmConstant {
    std::string name;
    std::uint64_t value = 0;
};

// What a block can name besides registers, helpers and the kernel's own constants.
struct AsmNames {
    std::span<const MapSpec> maps; // indexed by MapId
    std::span<const AsmConstant> constants;
};

struct AsmBlock {
    std::vector<Insn> insns;
    std::vector<MapReference> map_references; // in order of insn
    std::vector<Span> spans;                  // of each of insns: the instruction in the source
};

// `where`: the text's place in its file; only file and begin are used. Nothing is returned where something was
// reported. The kinds of values, and what the kernel allows, are check_asm's affair (asm_check.hpp).
[[nodiscard]] std::optional<AsmBlock> read_asm(std::string_view text, Span where, const AsmNames &names,
                                               Diagnostics &diagnostics);

} // namespace xdpf::bpf
