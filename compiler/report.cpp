#include "compiler/report.hpp"

namespace xdpf {

std::string to_text(const Diagnostics &diagnostics, const Sources &sources, ReportOptions)
{
    std::string out;
    for (const Diagnostic &diagnostic : diagnostics.all()) {
        const Location at = diagnostic.span.valid() ? sources.location(diagnostic.span.file, diagnostic.span.begin)
                                                    : Location{};
        out += fmt::format("{}[{}]: {} ({}:{})\n",
                           severity_of(diagnostic.kind) == Severity::error ? "error" : "warning",
                           name_of(diagnostic.kind), diagnostic.message, at.line, at.column);
    }
    return out;
}

} // namespace xdpf
