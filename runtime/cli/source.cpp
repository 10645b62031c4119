#include "runtime/cli/source.hpp"

#include "compiler/report.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <unistd.h>

namespace xdpf::cli {

bool colour_on(int fd)
{
    const char *no_colour = std::getenv("NO_COLOR");
    return isatty(fd) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

Compilation compile_and_report(const SourceOptions &options)
{
    const CompileOptions how{.optimize = options.optimize,
                             .rule_counters = options.rule_counters,
                             .table_bytes = options.table_bytes,
                             .backend = options.backend};
    auto compilation = [&] {
        if (options.rules)
            return compile(*options.rules, "<command line>", how);
        if (options.file == "-")
            return compile(std::string(std::istreambuf_iterator<char>(std::cin), {}), "<standard input>", how);
        return compile_file(options.file, how);
    }();
    if (options.format == Format::json)
        fmt::print("{}", to_json(compilation.diagnostics(), compilation.sources()));
    else
        fmt::print(stderr, "{}", to_text(compilation.diagnostics(), compilation.sources(), colour_on(STDERR_FILENO)));
    return compilation;
}

} // namespace xdpf::cli
