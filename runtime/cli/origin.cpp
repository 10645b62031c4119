#include "runtime/cli/origin.hpp"

#include <filesystem>
#include <string_view>
#include <system_error>

namespace xdpf::cli {
namespace {

std::string source_name(const SourceOptions &options)
{
    if (options.rules)
        return "<command line>";
    if (options.file == "-")
        return "<standard input>";
    std::error_code failed;
    const auto path = std::filesystem::absolute(options.file, failed);
    return failed ? options.file : path.lexically_normal().string();
}

} // namespace

runtime::RulePlace place_of(const Sources &sources, const Span &rule)
{
    const std::string_view text = sources.text(rule);
    return {std::string(sources.name(rule.file)), sources.location(rule.file, rule.begin).line,
            std::string(text.substr(0, text.find('\n')))};
}

runtime::Error placed(runtime::Error error, const Sources &sources)
{
    if (error.place.line != 0 || !error.span.valid())
        return error;
    const std::uint32_t line = sources.location(error.span.file, error.span.begin).line;
    error.place = {std::string(sources.name(error.span.file)), line, std::string(sources.line(error.span.file, line))};
    return error;
}

runtime::Origin origin_of(const Compilation &compilation, const SourceOptions &options)
{
    runtime::Origin origin{source_name(options), {}};
    for (const ProgramImage &program : compilation.image().programs) {
        auto &rules = origin.rules.emplace_back();
        if (program.rule_counters.valid())
            for (const Span &rule : program.rules)
                rules.push_back(place_of(compilation.sources(), rule));
    }
    return origin;
}

} // namespace xdpf::cli
