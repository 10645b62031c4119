// The instructions of a program out of the object that LLVM makes of it. Private to this folder, and free of LLVM.
#pragma once

#include "compiler/bpf/insn.hpp"

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::llvm_backend {

struct ObjectCode {
    struct Relocation {
        std::uint32_t insn = 0;
        std::string symbol;
    };
    struct Line {
        std::uint32_t insn = 0;
        std::uint32_t line = 0;
    };
    std::vector<Insn> insns;
    std::vector<Relocation> relocations; // in order of insn
    std::vector<Line> lines;             // in order of insn
};

// Of the one program in section `section`. The error says what is not as it should be.
[[nodiscard]] std::expected<ObjectCode, std::string> read_object(std::span<const std::byte> bytes,
                                                                 std::string_view section);

} // namespace xdpf::llvm_backend
