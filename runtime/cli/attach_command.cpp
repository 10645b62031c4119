#include "runtime/cli/attach_command.hpp"

#include "compiler/report.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/origin.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/pinned.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

PinnedOptions pinned_options(const AttachOptions &options, const Compilation &compilation)
{
    PinnedOptions out;
    out.interface = options.interface;
    out.program = options.program;
    out.mode = options.mode;
    out.verifier_log = options.verifier_log;
    out.parameters = options.parameters;
    out.entry_programs = options.entry_programs;
    out.origin = origin_of(compilation, options.source);
    return out;
}

std::string attached_text(const Pinned &pinned)
{
    const Registered &entry = pinned.entry;
    std::string out = fmt::format("{}: '{}' (id {}) attached in {} mode, {}", entry.interface, entry.program(),
                                  entry.program_id, entry.mode,
                                  pinned.replaced.empty() ? fmt::format("until: xdpf detach -i {}", entry.interface)
                                                          : fmt::format("in place of '{}'", pinned.replaced));
    if (!pinned.kept.empty())
        out += fmt::format("\nkept what is in: {}", fmt::join(pinned.kept, ", "));
    return out + "\n";
}

Json attached_json(const Pinned &pinned, const Compilation &compilation)
{
    const Registered &entry = pinned.entry;
    return {{"interface", entry.interface},
            {"program", entry.program()},
            {"program_id", entry.program_id},
            {"link_id", entry.link_id},
            {"mode", entry.mode},
            {"pins", entry.pins},
            {"replaced", pinned.replaced.empty() ? Json(nullptr) : Json(pinned.replaced)},
            {"kept", pinned.kept},
            {"warnings", pinned.warnings},
            {"diagnostics", Json::parse(to_json(compilation.diagnostics(), compilation.sources()))},
            {"error", nullptr}};
}

} // namespace

int attach(const AttachOptions &options)
{
    const Compilation compilation = compile_source(options.source);
    if (!options.json || options.source.format == Format::text)
        report(compilation, options.source);
    if (!compilation.ok()) {
        if (options.json)
            fmt::print("{}", failure_json(not_compiled(compilation), compilation));
        return exit_failure;
    }
    const PinnedOptions how = pinned_options(options, compilation);
    const Result<Pinned> pinned =
        options.replace ? replace_pinned(compilation.image(), how) : attach_pinned(compilation.image(), how);
    if (!pinned) {
        if (options.verifier_log && !pinned.error().log.empty())
            fmt::print(stderr, "{}\n", pinned.error().log);
        return report_failure(placed(pinned.error(), compilation.sources()), options.json);
    }
    if (options.verifier_log)
        fmt::print(stderr, "{}", pinned->verifier_log);
    for (const std::string &warning : pinned->warnings)
        fmt::print(stderr, "warning: {}\n", printable(warning));
    fmt::print("{}", options.json ? on_one_line(attached_json(*pinned, compilation)) : attached_text(*pinned));
    return exit_ok;
}

int detach(const DetachOptions &options)
{
    const Result<Detached> gone = detach_pinned(options.interface);
    if (!gone)
        return report_failure(gone.error(), options.json);
    for (const std::string &warning : gone->warnings)
        fmt::print(stderr, "warning: {}\n", printable(warning));
    if (options.json)
        fmt::print("{}", on_one_line({{"interface", options.interface},
                                      {"program", gone->entry.program()},
                                      {"program_id", gone->entry.program_id},
                                      {"error", nullptr}}));
    else
        fmt::print("{}: '{}' (id {}) is detached\n", options.interface, gone->entry.program(), gone->entry.program_id);
    return exit_ok;
}

} // namespace xdpf::cli
