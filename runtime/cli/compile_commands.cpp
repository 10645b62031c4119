// The commands that need no interface.
#include "runtime/cli/build_command.hpp"
#include "runtime/cli/command.hpp"
#include "runtime/cli/fmt_command.hpp"
#include "runtime/cli/lsp_command.hpp"
#include "runtime/cli/options.hpp"
#include "runtime/cli/shell.hpp"
#include "runtime/cli/test_command.hpp"
#include "runtime/cli/trace_command.hpp"

#include <memory>

namespace xdpf::cli {

Command add_check(CLI::App &app)
{
    const auto options = std::make_shared<SourceOptions>();
    auto &command = *app.add_subcommand("check", "look for mistakes, and do nothing else");
    add_source(command, *options);
    return {&command, [options] { return check(*options); }};
}

Command add_build(CLI::App &app)
{
    const auto shared = std::make_shared<BuildOptions>();
    auto &options = *shared;
    auto &command = *app.add_subcommand("build", "compile to an eBPF object file");
    add_source(command, options.source);
    add_unoptimized(command, options.source);
    add_rule_counters(command, options.source);
    command.add_option("-o,--output", options.output, "the object file; - is standard output (default: NAME.o here)");
    const auto stage = [](const std::string &name) {
        if (stage_named(name) == Stage::llvm)
            need_backend(Backend::llvm);
        return stage_named(name) ? std::string() : fmt::format("'{}' is none of ast, ir, llvm, bpf", name);
    };
    command
        .add_option_function<std::vector<std::string>>(
            "--dump,--emit",
            [&options](const std::vector<std::string> &names) {
                for (const auto &name : names)
                    options.dumps.push_back(*stage_named(name));
            },
            "print stages as text instead: ast, ir, llvm, bpf")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(stage);
    command.add_flag("--explain", options.explain, "say what form the rules have got, why, and what that costs");
    return {&command, [shared] { return build(*shared); }};
}

Command add_test(CLI::App &app)
{
    const auto shared = std::make_shared<TestOptions>();
    auto &options = *shared;
    auto &command = *app.add_subcommand("test", "run the tests that stand in the file");
    add_source(command, options.source);
    add_unoptimized(command, options.source);
    command.add_flag("--kernel", options.kernel, "in the kernel, too (needs root); both must agree");
    command.add_option("--filter", options.filter, "only tests whose name has this in it");
    return {&command, [shared] { return test(*shared); }};
}

Command add_trace(CLI::App &app)
{
    const auto shared = std::make_shared<TraceOptions>();
    auto &options = *shared;
    auto &command = *app.add_subcommand("trace", "say what a program does with the packets of a capture, and why");
    // With -e the capture is the only file.
    auto *rules = command.add_option("-e,--rules", options.source.rules, "the rules themselves, in place of a file");
    auto *file = command.add_option("file", options.source.file, "a .xdpf file; - is standard input");
    auto *capture = command.add_option("capture", options.capture, "packets: pcap or pcapng; - is standard input");
    command.callback([&options, rules, file, capture] {
        if (rules->count() != 0 && capture->count() != 0)
            throw CLI::ExcludesError("-e,--rules", "file");
        if (file->count() == 0 || (rules->count() == 0 && capture->count() == 0))
            throw CLI::RequiredError(
                file->count() == 0 && rules->count() == 0 ? "a file, or rules with -e, and a capture" : "a capture");
        if (rules->count() != 0)
            options.capture = std::exchange(options.source.file, {});
    });
    add_backend(command, options.source);
    command.add_option("-p,--program", options.program, "which program, where the file has several");
    auto *summary = command.add_flag("-s,--summary", options.summary, "no line for each packet, only totals");
    command.add_flag("--why", options.why, "under each packet, what the rules in front did not match")
        ->excludes(summary);
    auto *json = command.add_flag("--json", options.json, "one JSON object on standard output");
    command.add_flag("--packets", options.packets, "with --json, an object for each packet, too")
        ->needs(json)
        ->excludes(summary);
    command.add_flag("--kernel", options.kernel, "the verdicts are the kernel's (needs root)");
    return {&command, [shared] { return trace(*shared); }};
}

Command add_fmt(CLI::App &app)
{
    const auto shared = std::make_shared<FmtOptions>();
    auto &options = *shared;
    auto &command = *app.add_subcommand("fmt", "give sources their one layout, in place");
    command.add_option("files", options.files, ".xdpf files; - is standard input, formatted to standard output")
        ->required();
    command.add_flag("--check", options.check, "name the files that are not in the layout, and fail; write nothing");
    command.add_flag("--diff", options.diff, "show what would change; write nothing");
    return {&command, [shared] { return format_files(*shared); }};
}

Command add_shell(CLI::App &app)
{
    auto &command = *app.add_subcommand("shell", "type rules and packets, and see what they mean");
    auto options = std::make_shared<ShellOptions>();
    command.add_option("file", options->file, "a .xdpf file to begin with");
    return {&command, [options] { return shell(*options); }};
}

Command add_lsp(CLI::App &app)
{
    auto &command =
        *app.add_subcommand("lsp", "the language server, for editors: speaks the protocol on standard input");
    command.add_flag_function(
        "--stdio", [](std::int64_t) {}, "as always; some editors say so");
    return {&command, [&app] { return lsp(app.version()); }};
}

} // namespace xdpf::cli
