#include "runtime/cli/shell_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace xdpf::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t largest_file = 16u << 20; // of a source, see grammar/parse.hpp

struct Command {
    std::string_view name;
    std::string_view argument; // empty: takes none
    std::string_view help;
    CommandResult (*run)(Session &session, const std::string &argument);
};

CommandResult failed(std::string why) { return {.error = std::move(why)}; }

CommandResult help(Session &session, const std::string &argument);

CommandResult quit(Session & /*session*/, const std::string & /*argument*/) { return {.quit = true}; }

CommandResult show(Session &session, const std::string & /*argument*/) { return {.output = session.text()}; }

CommandResult undo(Session &session, const std::string & /*argument*/)
{
    return session.undo() ? CommandResult{} : failed("there is nothing to take back");
}

CommandResult clear(Session &session, const std::string & /*argument*/)
{
    session.clear();
    return {};
}

CommandResult show_map(Session &session, const std::string &argument)
{
    auto text = session.map_text(argument);
    return text ? CommandResult{.output = std::move(*text)} : failed(text.error());
}

CommandResult run_tests(Session &session, const std::string & /*argument*/)
{
    const auto outcomes = session.run_tests();
    if (outcomes.empty())
        return failed("no test has been entered");
    CommandResult result;
    std::size_t broken = 0;
    for (const auto &test : outcomes) {
        broken += test.failures.empty() ? 0 : 1;
        result.output += fmt::format("{} {}\n", test.failures.empty() ? "ok  " : "FAIL", test.name);
        for (const auto &failure : test.failures)
            result.output += fmt::format("     {}\n", failure);
    }
    if (broken != 0)
        result.error = fmt::format("{} of {} tests failed", broken, outcomes.size());
    return result;
}

template <Stage stage> CommandResult dump(Session &session, const std::string & /*argument*/)
{
    return {.output = session.dump(stage)};
}

CommandResult save(Session &session, const std::string &argument)
{
    std::ofstream out(argument, std::ios::binary);
    out << session.text() << std::flush;
    return out ? CommandResult{} : failed(fmt::format("cannot write '{}': {}", argument, std::strerror(errno)));
}

CommandResult load(Session &session, const std::string &argument)
{
    std::error_code error;
    const auto size = fs::file_size(argument, error);
    if (error)
        return failed(fmt::format("cannot read '{}': {}", argument, error.message()));
    if (size > largest_file)
        return failed(
            fmt::format("'{}' has {} bytes; a source file may have at most {}", argument, size, largest_file));
    std::ifstream in(argument, std::ios::binary);
    std::string text(size, '\0');
    if (!in.read(text.data(), static_cast<std::streamsize>(size)))
        return failed(fmt::format("cannot read '{}': {}", argument, std::strerror(errno)));
    return {.answer = session.enter(text, {.source = argument, .complete = true})};
}

constexpr std::array commands{
    Command{"help", "", "this", help},
    Command{"list", "", "what has been entered", show},
    Command{"undo", "", "take the last declaration or rule back", undo},
    Command{"clear", "", "forget everything", clear},
    Command{"map", "NAME", "the entries of a map", show_map},
    Command{"test", "", "run the tests that have been entered", run_tests},
    Command{"ast", "", "the syntax tree", dump<Stage::ast>},
    Command{"ir", "", "the intermediate representation", dump<Stage::ir>},
    Command{"bpf", "", "the BPF instructions", dump<Stage::bpf>},
    Command{"load", "FILE", "enter a file", load},
    Command{"save", "FILE", "write what has been entered to a file", save},
    Command{"quit", "", "leave; so does Ctrl-D", quit},
};

constexpr std::string_view examples = R"(Declarations and rules as in a file, each answered at once, and packets:

  defmap hits : hash<ipv4.src -> counter>[1024]
  match udp.dport == 53 -> { count hits[ipv4.src]; drop }
  packet ethernet / ipv4(src = 10.0.0.7) / udp(dport = 53)
  hex "ffffffffffff 020000000001 88b5"
  with rx_queue = 2

A declaration replaces an older one of its name, a default the older default.

)";

CommandResult help(Session & /*session*/, const std::string & /*argument*/)
{
    CommandResult result{.output = std::string(examples)};
    for (const auto &command : commands)
        result.output +=
            fmt::format("  {:<12}{}\n", fmt::format(":{} {}", command.name, command.argument), command.help);
    return result;
}

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// By its name, or by the beginning of it that no other has.
const Command *find(std::string_view name)
{
    const auto exact = std::ranges::find(commands, name, &Command::name);
    if (exact != commands.end())
        return exact;
    const auto begins = [&](const Command &command) { return !name.empty() && command.name.starts_with(name); };
    return std::ranges::count_if(commands, begins) == 1 ? std::ranges::find_if(commands, begins) : nullptr;
}

} // namespace

std::vector<std::string> command_names()
{
    std::vector<std::string> names;
    for (const auto &command : commands)
        names.push_back(fmt::format(":{}", command.name));
    return names;
}

CommandResult run_command(Session &session, std::string_view line)
{
    const auto text = trimmed(trimmed(line).substr(1));
    const auto name = text.substr(0, text.find_first_of(" \t"));
    const std::string argument(trimmed(text.substr(name.size())));
    const Command *command = find(name);
    if (command == nullptr) {
        const auto near = nearest(fmt::format(":{}", name), command_names());
        return failed(fmt::format("there is no command ':{}'; {}", name,
                                  near.empty() ? "see :help" : fmt::format("did you mean '{}'?", near)));
    }
    if (argument.empty() != command->argument.empty())
        return failed(command->argument.empty() ? fmt::format("':{}' stands alone", command->name)
                                                : fmt::format("':{}' wants a {}: :{} {}", command->name,
                                                              command->argument == "NAME" ? "name" : "file",
                                                              command->name, command->argument));
    return command->run(session, argument);
}

} // namespace xdpf::cli
