#include "runtime/cli/source.hpp"

#include "compiler/format.hpp"
#include "compiler/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace xdpf::cli {

bool colour_on(int fd)
{
    const char *no_colour = std::getenv("NO_COLOR");
    return isatty(fd) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

namespace {

// A source may be so long; one byte more says that it is longer.
std::string bounded_input()
{
    std::string text(most_source_bytes() + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), stdin));
    return text;
}

bool too_large(const Compilation &compilation)
{
    return std::ranges::any_of(compilation.diagnostics().all(),
                               [](const Diagnostic &one) { return one.kind == Kind::too_large; });
}

} // namespace

Compilation compile_source(const SourceOptions &options)
{
    const bool reads_input = !options.rules && options.file == "-";
    const std::string text = options.rules ? *options.rules : reads_input ? bounded_input() : std::string();
    const auto with = [&](bool verdict_counters) {
        const CompileOptions how{.optimize = options.optimize,
                                 .rule_counters = options.rule_counters,
                                 .table_bytes = options.table_bytes,
                                 .backend = options.backend,
                                 .verdict_counters = verdict_counters};
        if (options.rules)
            return compile(text, "<command line>", how);
        return reads_input ? compile(text, "<standard input>", how) : compile_file(options.file, how);
    };
    Compilation compilation = with(options.verdict_counters);
    std::error_code error;
    const bool again = options.verdict_counters && too_large(compilation) &&
                       (options.rules || reads_input || std::filesystem::is_regular_file(options.file, error));
    return again ? with(false) : std::move(compilation);
}

void report(const Compilation &compilation, const SourceOptions &options)
{
    if (options.format == Format::json)
        fmt::print("{}", to_json(compilation.diagnostics(), compilation.sources()));
    else
        fmt::print(stderr, "{}", to_text(compilation.diagnostics(), compilation.sources(), colour_on(STDERR_FILENO)));
}

Compilation compile_and_report(const SourceOptions &options)
{
    Compilation compilation = compile_source(options);
    report(compilation, options);
    return compilation;
}

} // namespace xdpf::cli
