// The `xdpf` command: its subcommands and options, and nothing of what they do.
#include "runtime/cli/build_command.hpp"
#include "runtime/cli/fmt_command.hpp"
#include "runtime/cli/rules_command.hpp"
#include "runtime/cli/run_command.hpp"
#include "runtime/cli/shell.hpp"
#include "runtime/cli/test_command.hpp"
#include "runtime/cli/trace_command.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace xdpf;
using namespace xdpf::cli;

template <class T> using Choices = std::vector<std::pair<std::string, T>>;

const Choices<Format> formats{{"text", Format::text}, {"json", Format::json}};
const Choices<Backend> backends{{"own", Backend::own}, {"llvm", Backend::llvm}};
const Choices<runtime::Mode> modes{{"auto", runtime::Mode::automatic},
                                   {"native", runtime::Mode::native},
                                   {"skb", runtime::Mode::skb},
                                   {"offload", runtime::Mode::offload}};

const Choices<RecordForm> record_forms{
    {"text", RecordForm::text}, {"json", RecordForm::json}, {"none", RecordForm::none}};

std::string joined(const std::vector<std::string> &names, std::string_view between)
{
    return fmt::format("{}", fmt::join(names, between));
}

// An option that takes one of several words.
template <class T> void add_choice(CLI::App &command, const std::string &name, T &value, const Choices<T> &choices,
                                   const std::string &help)
{
    std::vector<std::string> names;
    for (const auto &[text, meaning] : choices)
        names.push_back(text);
    const auto choose = [&value, &choices, name, names](const std::string &given) {
        for (const auto &[text, meaning] : choices)
            if (text == given) {
                value = meaning;
                return;
            }
        throw CLI::ValidationError(name, fmt::format("'{}' is none of {}", given, joined(names, ", ")));
    };
    command.add_option_function<std::string>(name, choose, help)->option_text(joined(names, "|"));
}

void need_backend(Backend backend)
{
    if (!has_backend(backend))
        throw CLI::ValidationError(
            "this xdpf was built without LLVM; install llvm-19-dev, then cmake -DXDPF_LLVM=ON, or use --backend=own");
}

void add_backend(CLI::App &command, SourceOptions &options)
{
    add_choice(command, "--backend", options.backend, backends, "what makes the instructions: our own, or LLVM's");
    command.get_option("--backend")->each([](const std::string &name) {
        if (name == "llvm")
            need_backend(Backend::llvm);
    });
}

void add_source(CLI::App &command, SourceOptions &options)
{
    auto *file = command.add_option("file", options.file, "a .xdpf file; - is standard input");
    auto *rules = command.add_option("-e,--rules", options.rules, "the rules themselves, e.g. -e 'match udp -> xsk'")
                      ->excludes(file);
    add_choice(command, "--format", options.format, formats, "how diagnostics are shown");
    add_backend(command, options);
    command.callback([&options, rules] {
        if (options.file.empty() && rules->count() == 0)
            throw CLI::RequiredError("a file, or rules with -e");
    });
}

void add_unoptimized(CLI::App &command, SourceOptions &options)
{
    command.add_option("-O", options.optimize, "0 leaves the optimising passes out: -O0")
        ->check(CLI::Range(0, 1))
        ->option_text("0|1");
}

void add_rule_counters(CLI::App &command, SourceOptions &options)
{
    command.add_flag("--rule-counters", options.rule_counters, "count the packets and bytes that each rule meets");
}

// An option of the form NAME=VALUE, as often as one likes.
void add_assignments(CLI::App &command, const std::string &name, std::map<std::string, std::string> &into,
                     const std::string &form, const std::string &help)
{
    const auto assign = [&into, name, form](const std::vector<std::string> &texts) {
        for (const auto &text : texts) {
            const auto parts = parse_assignment(text);
            if (!parts)
                throw CLI::ValidationError(name, fmt::format("'{}' is not of the form {}", text, form));
            into[parts->first] = parts->second;
        }
    };
    command.add_option_function<std::vector<std::string>>(name, assign, help)
        ->allow_extra_args(false)
        ->option_text(form);
}

void add_build(CLI::App &app, BuildOptions &options)
{
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
}

void add_run(CLI::App &app, SourceOptions &source, RunOptions &options)
{
    auto &command = *app.add_subcommand("run", "attach to an interface and receive, until Ctrl-C or a limit");
    add_source(command, source);
    command.add_option("-i,--interface", options.interface, "the interface")->required();
    command.add_option("-p,--program", options.program, "which program, where the file has several");
    add_choice(command, "--mode", options.mode, modes, "auto is native, else skb, saying so");
    command
        .add_option_function<std::string>(
            "--queues",
            [&options](const std::string &text) {
                const auto queues = parse_queues(text);
                if (!queues)
                    throw CLI::ValidationError(
                        "--queues",
                        fmt::format("'{}' is neither 'all' nor a list of queues from 0 to 65535, such as 0,2,5-7",
                                    text));
                options.queues = *queues;
            },
            "receive queues (default: all)")
        ->option_text("all|LIST");
    auto *copy = command.add_flag_callback(
        "--copy", [&options] { options.copy = runtime::CopyMode::copy; },
        "copy packets into the sockets, even where the driver could do without");
    command
        .add_flag_callback(
            "--zero-copy", [&options] { options.copy = runtime::CopyMode::zero_copy; },
            "fail where the driver cannot do zero-copy")
        ->excludes(copy);
    command.add_option("--frames", options.frames, "frames of each queue, a power of two")
        ->check([](const std::string &text) {
            const auto frames = std::strtoull(text.c_str(), nullptr, 10);
            return std::has_single_bit(frames) ? std::string() : fmt::format("{} is no power of two", text);
        })
        ->capture_default_str();
    command.add_flag("--dispatcher", options.dispatcher,
                     "share the interface with other programs through libxdp's dispatcher");
    command.add_option("-c,--count", options.count, "stop after so many packets")->check([](const std::string &text) {
        if (text.find_first_not_of('0') == std::string::npos)
            return std::string("0 packets are nothing to wait for");
        return text.starts_with('-') ? fmt::format("{} is negative", text) : std::string();
    });
    command.add_option_function<std::string>(
        "-d,--duration",
        [&options](const std::string &text) {
            options.duration = parse_duration(text);
            if (!options.duration)
                throw CLI::ValidationError("--duration",
                                           fmt::format("'{}' is no duration such as 10s, 500ms or 2m", text));
        },
        "stop after so long: 10s, 500ms, 2m");
    add_assignments(command, "--param", options.parameters, "NAME=VALUE", "set a parameter of the program");
    add_assignments(command, "--entry-program", options.entry_programs, "MAP=NAME",
                    "the program at the entries of a devmap or cpumap, where the file has several for them");
    add_rule_counters(command, source);
    command.add_flag_callback(
        "--no-verdicts", [&source] { source.verdict_counters = false; },
        "do not count what the program decides: about 1 ns a packet");
    add_choice(command, "--records", options.records, record_forms,
               "how emitted records and samples are printed (default: text, with --json json)");
    command.add_flag("--maps", options.maps, "show what is in the maps at the end");
    command.add_flag("--json", options.json, "one JSON object on standard output at the end");
    command.add_flag("-q,--quiet", options.quiet, "no live line, no summary");
    command.add_flag("-v,--verbose", options.verbose, "say each step");
    command.add_flag("--verifier-log", options.verifier_log, "show the kernel verifier's whole log");
}

void add_test(CLI::App &app, TestOptions &options)
{
    auto &command = *app.add_subcommand("test", "run the tests that stand in the file");
    add_source(command, options.source);
    add_unoptimized(command, options.source);
    command.add_flag("--kernel", options.kernel, "in the kernel, too (needs root); both must agree");
    command.add_option("--filter", options.filter, "only tests whose name has this in it");
}

void add_trace(CLI::App &app, TraceOptions &options)
{
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
}

void add_rules(CLI::App &app, RulesOptions &options)
{
    auto &group = *app.add_subcommand("rules", "the rules of a program that runs");
    group.require_subcommand(1);
    auto &command = *group.add_subcommand("replace", "put the rules that a file has now in place of those in force");
    add_source(command, options.source);
    command.add_option("-i,--interface", options.interface, "the interface of the program")->required();
    add_rule_counters(command, options.source);
    command.add_flag("--json", options.json, "one JSON object on standard output");
}

void add_fmt(CLI::App &app, FmtOptions &options)
{
    auto &command = *app.add_subcommand("fmt", "give sources their one layout, in place");
    command.add_option("files", options.files, ".xdpf files; - is standard input, formatted to standard output")
        ->required();
    command.add_flag("--check", options.check, "name the files that are not in the layout, and fail; write nothing");
    command.add_flag("--diff", options.diff, "show what would change; write nothing");
}

std::string usage_message(const CLI::App *app, const CLI::Error &error)
{
    const auto chosen = app->get_subcommands();
    const auto command = chosen.empty() ? std::string("xdpf") : fmt::format("xdpf {}", chosen.front()->get_name());
    return fmt::format("{}: {}\n  try: {} --help\n", command, error.what(), command);
}

std::vector<std::string> command_names(const CLI::App &app)
{
    std::vector<std::string> names;
    for (const auto *command : app.get_subcommands({}))
        names.push_back(command->get_name());
    return names;
}

int unknown_command(const std::vector<std::string> &names, const std::string &given)
{
    const auto near = nearest(given, names);
    const auto hint =
        near.empty() ? fmt::format("one of: {}", joined(names, ", ")) : fmt::format("did you mean '{}'?", near);
    fmt::print(stderr, "xdpf: there is no command '{}'; {}\n  try: xdpf --help\n", given, hint);
    return exit_usage;
}

} // namespace

int main(int argc, char **argv)
{
    std::signal(SIGPIPE, SIG_IGN);
    CLI::App app{"Packet filters in one line: compile, test, attach, receive.", "xdpf"};
    app.set_version_flag("--version", "xdpf " XDPF_VERSION);
    app.require_subcommand(1);
    app.failure_message(usage_message);

    SourceOptions check_options;
    add_source(*app.add_subcommand("check", "look for mistakes, and do nothing else"), check_options);
    BuildOptions build_options;
    add_build(app, build_options);
    SourceOptions run_source;
    run_source.verdict_counters = true;
    RunOptions run_options;
    add_run(app, run_source, run_options);
    TestOptions test_options;
    add_test(app, test_options);
    TraceOptions trace_options;
    add_trace(app, trace_options);
    RulesOptions rules_options;
    add_rules(app, rules_options);
    FmtOptions fmt_options;
    add_fmt(app, fmt_options);
    ShellOptions shell_options;
    app.add_subcommand("shell", "type rules and packets, and see what they mean");

    const auto commands = command_names(app);
    if (argc > 1 && argv[1][0] != '-' && std::ranges::find(commands, argv[1]) == commands.end())
        return unknown_command(commands, argv[1]);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
        return app.exit(error) == 0 ? exit_ok : exit_usage;
    }
    const auto execute = [&] {
        if (app.got_subcommand("check"))
            return check(check_options);
        if (app.got_subcommand("build"))
            return build(build_options);
        if (app.got_subcommand("test"))
            return test(test_options);
        if (app.got_subcommand("trace"))
            return trace(trace_options);
        if (app.got_subcommand("rules"))
            return replace_rules(rules_options);
        if (app.got_subcommand("fmt"))
            return format_files(fmt_options);
        if (app.got_subcommand("shell"))
            return shell(shell_options);
        return cli::run(run_source, run_options);
    };
    try {
        const int status = execute();
        if (std::fflush(stdout) != 0)
            throw std::system_error(errno, std::generic_category());
        return status;
    } catch (const std::system_error &error) { // fmt::print throws it
        if (error.code() != std::errc::broken_pipe)
            std::fprintf(stderr, "error: cannot write to standard output: %s\n", std::strerror(error.code().value()));
        return exit_failure;
    }
}
