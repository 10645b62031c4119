// What comes of a text between the braces of `asm { … }`, in tests.
#pragma once

#include "compiler/bpf/asm_check.hpp"
#include "tests/unit/bpf/asm_random.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::testing {

inline constexpr std::uint32_t asm_begin = 1000; // where the text stands in its file

struct Asm {
    std::optional<bpf::AsmBlock> block;
    std::string text;
    std::vector<Diagnostic> said;

    // The source of a span.
    [[nodiscard]] std::string at(Span span) const { return text.substr(span.begin - asm_begin, span.end - span.begin); }
    // "kind 'source' message | help", a line for each.
    [[nodiscard]] std::string lines() const
    {
        std::string out;
        for (const Diagnostic &one : said)
            out += fmt::format("{} '{}' {}{}{}\n", name_of(one.kind), at(one.span), one.message,
                               one.help.empty() ? "" : " | ", one.help);
        return out;
    }
};

inline Asm read_only(std::string_view text, std::span<const bpf::AsmConstant> constants = {})
{
    static const std::vector<MapSpec> maps = asm_maps();
    Asm out{{}, std::string(text), {}};
    Diagnostics diagnostics;
    out.block = bpf::read_asm(text, Span{FileId(0), asm_begin, 0}, {maps, constants}, diagnostics);
    out.said = diagnostics.all();
    return out;
}

inline Asm read_and_check(std::string_view text, ProgramImage::Place place = ProgramImage::Place::interface)
{
    static const std::vector<MapSpec> maps = asm_maps();
    Asm out{{}, std::string(text), {}};
    Diagnostics diagnostics;
    out.block = bpf::assemble_asm(text, Span{FileId(0), asm_begin, 0}, {maps, {}}, place, diagnostics);
    out.said = diagnostics.all();
    return out;
}

} // namespace xdpf::testing
