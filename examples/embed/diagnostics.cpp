// embed_diagnostics RULES: what the compiler has to say about them, as data: for an editor, a web page, a test.
#include "compiler/compile.hpp"

#include <fmt/format.h>

int main(int argc, char **argv)
{
    const auto compilation = xdpf::compile(argc == 2 ? argv[1] : "match udp.dprt == 53 -> xsk", "rules");
    const xdpf::Sources &sources = compilation.sources();
    for (const xdpf::Diagnostic &one : compilation.diagnostics().all()) {
        const bool error = severity_of(one.kind) == xdpf::Severity::error;
        fmt::print("{}, kind {}\n", error ? "error" : "warning", name_of(one.kind));
        if (one.span.valid()) {
            const auto [line, column] = sources.location(one.span);
            fmt::print("  where: {}:{}:{}, '{}'\n", sources.name(one.span.file), line, column, sources.text(one.span));
        }
        fmt::print("  what:  {}\n", one.message);
        if (!one.help.empty())
            fmt::print("  help:  {}\n", one.help);
        for (const xdpf::Note &note : one.notes)
            fmt::print("  note:  {}\n", note.text);
    }
    return compilation.ok() ? 0 : 1;
}
