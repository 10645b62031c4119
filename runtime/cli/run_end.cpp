#include "runtime/cli/run_end.hpp"

#include "runtime/cli/run_report.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/signals.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

Findings nothing_found(const RunOptions &options)
{
    return options.json ? Findings{.rules = "[]", .maps = "{}"} : Findings{};
}

Result<Findings> findings_of(const Session &session, const Sources &sources, const RunOptions &options)
{
    const Loaded &loaded = session.program();
    Findings findings = nothing_found(options);
    if (Result<std::string> rules = options.json ? rules_json(loaded, sources) : rules_text(loaded, sources))
        findings.rules = std::move(*rules);
    else
        return std::unexpected(std::move(rules.error()));
    const Result<std::optional<VerdictCounts>> verdicts = session.verdict_counts();
    if (!verdicts)
        return std::unexpected(verdicts.error());
    findings.verdicts = *verdicts;
    if (!options.maps)
        return findings;
    const Ended ended = [before = StopOnSignal::seen()] { return StopOnSignal::seen() != before; };
    Result<MapsReport> maps = options.json ? maps_json(loaded, ended) : maps_text(loaded, ended);
    if (!maps)
        return std::unexpected(std::move(maps.error()));
    findings.maps = std::move(maps->text);
    findings.cut = maps->cut;
    return findings;
}

template <class T> std::optional<Error> error_of(const Result<T> &result)
{
    return result ? std::nullopt : std::optional(result.error());
}

} // namespace

void say_error(const Error &error, bool verifier_log)
{
    if (verifier_log && !error.log.empty())
        fmt::print(stderr, "{}\n", error.log);
    fmt::print(stderr, "{}\n", to_string(error));
}

void Reports::add(const Session &session, const Summary &summary, const Compilation &compilation)
{
    const Result<Findings> findings = findings_of(session, compilation.sources(), options_);
    const Findings found = findings.value_or(nothing_found(options_));
    if (options_.json) {
        objects_.push_back(summary_json(summary, session, found, compilation));
    } else {
        // Standard output may be the packets'.
        std::FILE *const out = options_.file.path == "-" ? stderr : stdout;
        if (options_.interfaces.size() > 1 && !options_.quiet)
            fmt::print(out, "{}\n", session.interface().name);
        fmt::print(out, "{}{}{}", options_.quiet ? "" : summary_text(summary, found, options_.verbose), found.rules,
                   found.maps);
    }
    if (found.cut)
        fmt::print(stderr, "a signal ended the reading of maps: what is shown of them is not all\n");
    for (const std::optional<Error> &error : {summary.ended_by, error_of(summary.detached), error_of(findings)})
        if (error)
            add(std::unexpected(*error));
}

void Reports::add(const Result<void> &result)
{
    if (result)
        return;
    say_error(result.error(), false);
    status_ = exit_failure;
}

int Reports::end() const
{
    if (options_.json)
        fmt::print("{}", on_one_line(objects_.size() == 1 ? objects_[0] : Json{{"interfaces", objects_}}));
    return status_;
}

} // namespace xdpf::cli
