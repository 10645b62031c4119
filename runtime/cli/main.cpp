// The `xdpf` command: its subcommands, and nothing of what they do.
#include "compiler/version.hpp"
#include "runtime/cli/command.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/cli/source.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace xdpf;
using namespace xdpf::cli;

// In the order of the help text.
std::vector<Command> add_commands(CLI::App &app)
{
    std::vector<Command> commands;
    for (Command (*add)(CLI::App &) :
         {add_check,  add_build,  add_run,    add_send, add_test,       add_trace, add_capture,
          add_attach, add_detach, add_status, add_top,  add_metrics,    add_map,   add_rules,
          add_doctor, add_fmt,    add_shell,  add_lsp,  add_completion, add_manual})
        commands.push_back(add(app));
    return commands;
}

std::vector<std::string> command_names(const CLI::App &app)
{
    std::vector<std::string> names;
    for (const auto *command : app.get_subcommands({}))
        names.push_back(command->get_name());
    return names;
}

// "did you mean 'x'?", or all that there are.
std::string hint(const std::string &given, const std::vector<std::string> &names)
{
    const auto near = nearest(given, names);
    return near.empty() ? fmt::format("one of: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near);
}

std::string usage_message(const CLI::App *app, const CLI::Error &error)
{
    const auto chosen = app->get_subcommands();
    const auto command = chosen.empty() ? std::string("xdpf") : fmt::format("xdpf {}", chosen.front()->get_name());
    const auto verbs = chosen.empty() ? std::vector<std::string>() : command_names(*chosen.front());
    std::string message = error.what();
    if (!verbs.empty() && chosen.front()->get_subcommands().empty()) {
        const auto words = chosen.front()->remaining();
        message = words.empty() ? hint("", verbs)
                                : fmt::format("there is no '{}'; {}", words.front(), hint(words.front(), verbs));
    }
    return fmt::format("{}: {}\n  try: {} --help\n", command, message, command);
}

int unknown_command(const std::vector<std::string> &names, const std::string &given)
{
    fmt::print(stderr, "xdpf: there is no command '{}'; {}\n  try: xdpf --help\n", given, hint(given, names));
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
    const std::vector<Command> commands = add_commands(app);

    const auto names = command_names(app);
    if (argc > 1 && argv[1][0] != '-' && std::ranges::find(names, argv[1]) == names.end())
        return unknown_command(names, argv[1]);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
        return app.exit(error) == 0 ? exit_ok : exit_usage;
    }
    try {
        const auto chosen = std::ranges::find_if(commands, [](const Command &one) { return one.parser->parsed(); });
        const int status = chosen->execute();
        if (std::fflush(stdout) != 0)
            throw std::system_error(errno, std::generic_category());
        return status;
    } catch (const std::system_error &error) { // fmt::print throws it
        if (error.code() != std::errc::broken_pipe)
            std::fprintf(stderr, "error: cannot write to standard output: %s\n%s", std::strerror(error.code().value()),
                         error.code() == std::errc::no_space_on_device ? "  try:   df .\n" : "");
        return exit_failure;
    }
}
