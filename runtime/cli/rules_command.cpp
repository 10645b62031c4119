#include "runtime/cli/rules_command.hpp"

#include "runtime/rule_tables.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace xdpf::cli {
namespace {

int failed(const runtime::Error &error)
{
    fmt::print(stderr, "{}\n", to_string(error));
    return exit_failure;
}

} // namespace

int replace_rules(RulesOptions options)
{
    auto tables = runtime::RuleTables::of_interface(options.interface);
    if (!tables)
        return failed(tables.error());
    options.source.table_bytes = tables->size();
    options.source.verdict_counters = true; // as `xdpf run` does, unless it was told not to
    Compilation compilation = compile_source(options.source);
    if (compilation.ok())
        if (const auto same = tables->match(compilation.image()); same && !*same) {
            options.source.verdict_counters = false;
            compilation = compile_source(options.source);
        }
    report(compilation, options.source);
    if (!compilation.ok())
        return exit_failure;
    const auto generation = tables->replace(compilation.image());
    if (!generation)
        return failed(generation.error());
    const std::size_t rules = compilation.image().programs.front().rules.size();
    if (options.json)
        fmt::print("{}\n", nlohmann::json{{"interface", options.interface},
                                          {"rules", rules},
                                          {"generation", *generation},
                                          {"map_id", tables->map_id()}}
                               .dump());
    else
        fmt::print("{}: {} rules in force, generation {}\n", options.interface, rules, *generation);
    return exit_ok;
}

} // namespace xdpf::cli
