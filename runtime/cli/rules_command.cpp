#include "runtime/cli/rules_command.hpp"

#include "runtime/cli/as_json.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/rule_tables.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {

int replace_rules(RulesOptions options)
{
    auto tables = runtime::RuleTables::of_interface(options.interface);
    if (!tables)
        return report_failure(tables.error(), options.json);
    options.source.table_bytes = tables->sizes();
    options.source.verdict_counters = true; // as `xdpf run` does, unless it was told not to
    Compilation compilation = compile_source(options.source);
    if (compilation.ok())
        if (const auto same = tables->match(compilation.image()); same && !*same) {
            options.source.verdict_counters = false;
            compilation = compile_source(options.source);
        }
    if (!options.json || options.source.format == Format::text)
        report(compilation, options.source);
    if (!compilation.ok()) {
        if (options.json)
            fmt::print("{}", failure_json(not_compiled(compilation), compilation));
        return exit_failure;
    }
    const auto generation = tables->replace(compilation.image());
    if (!generation)
        return report_failure(generation.error(), options.json);
    const auto program =
        std::ranges::find(compilation.image().programs, tables->program(), &ProgramImage::name); // which was matched
    const std::size_t rules = program->rules.size();
    if (options.json)
        fmt::print("{}", on_one_line({{"interface", options.interface},
                                      {"rules", rules},
                                      {"generation", *generation},
                                      {"map_id", tables->map_id()},
                                      {"error", nullptr}}));
    else
        fmt::print("{}: {} rule{} in force, generation {}\n", options.interface, rules, rules == 1 ? "" : "s",
                   *generation);
    return exit_ok;
}

} // namespace xdpf::cli
