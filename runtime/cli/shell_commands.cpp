#include "runtime/cli/shell_commands.hpp"

#include "runtime/cli/shell_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace xdpf::cli {
namespace {

struct ShellCommand {
    std::string_view name;
    std::string_view argument; // empty: takes none; in brackets: may be left out
    std::string_view help;
    std::string_view examples; // a line each
    CommandResult (*run)(ShellState &state, const std::string &argument);
};

CommandResult help(ShellState &state, const std::string &argument);

CommandResult quit(ShellState & /*state*/, const std::string & /*argument*/) { return {.quit = true}; }

CommandResult undo(ShellState &state, const std::string & /*argument*/)
{
    return state.session.undo() ? CommandResult{.changed = true} : failed("there is nothing to take back");
}

CommandResult clear(ShellState &state, const std::string & /*argument*/)
{
    state.session.clear();
    return {.changed = true};
}

CommandResult run_tests(ShellState &state, const std::string & /*argument*/)
{
    const auto outcomes = state.session.run_tests();
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

template <Stage stage> CommandResult dump(ShellState &state, const std::string & /*argument*/)
{
    return {.output = state.session.dump(stage)};
}

constexpr std::array commands{
    ShellCommand{"help", "[COMMAND]", "this, or a command with examples", ":help map\n", help},
    ShellCommand{"show", "", "what has been entered; while attached, with the packets that each rule met", "",
                 show_source},
    ShellCommand{"edit", "NUMBER [TEXT]", "change a declaration, by its number in :show",
                 ":edit 2                                  (it is put on the line, to be changed there)\n"
                 ":edit 2 match udp.dport == 54 -> drop\n",
                 edit_declaration},
    ShellCommand{"delete", "NUMBER", "take a declaration away, by its number in :show", ":delete 2\n",
                 delete_declaration},
    ShellCommand{"undo", "", "take the last change back", "", undo},
    ShellCommand{"clear", "", "forget everything; :undo brings it back", "", clear},
    ShellCommand{"load", "FILE", "enter a file", ":load dns.xdpf\n", load_file},
    ShellCommand{"save", "FILE", "write what has been entered to a file", ":save dns.xdpf\n", save_file},
    ShellCommand{"test", "", "run the tests that have been entered", "", run_tests},
    ShellCommand{"map", "[NAME]", "maps: list them, show one; get, set, delete, watch entries",
                 ":map                                     (all maps)\n"
                 ":map hits                                (its entries)\n"
                 ":map get hits 10.0.0.7\n"
                 ":map set blocklist 192.0.2.0/24\n"
                 ":map set hits 10.0.0.7 {packets = 3}\n"
                 ":map delete blocklist 192.0.2.0/24\n"
                 ":map watch hits                          (changes every second, until Ctrl-C)\n"
                 ":map watch hits 5                        (five times)\n",
                 use_map},
    ShellCommand{"param", "[NAME [VALUE]]", "parameters: list them, show one, set one",
                 ":param\n:param limit\n:param limit 5ms\n", use_parameter},
    ShellCommand{"explain", "[PACKET]", "what form the rules have got, and why; why a packet meets which rule",
                 ":explain\n:explain ethernet / ipv4 / udp(dport = 53)\n", explain},
    ShellCommand{"ast", "", "the syntax tree", "", dump<Stage::ast>},
    ShellCommand{"ir", "", "the intermediate representation", "", dump<Stage::ir>},
    ShellCommand{"asm", "", "the BPF instructions", "", dump<Stage::bpf>},
    ShellCommand{"jit", "", "the machine code that the kernel makes of them (root, objdump)", "", show_machine_code},
    ShellCommand{"bench", "[PACKET]", "nanoseconds a packet, in the kernel (root): of the last packet, or of some",
                 ":bench\n:bench ethernet / ipv6 / udp(dport = 53)\n", bench},
    ShellCommand{"trace", "FILE [why] [summary]", "what is done with the packets of a capture (pcap, pcapng)",
                 ":trace dns.pcap\n"
                 ":trace dns.pcap why                      (and why the rules in front did not match)\n"
                 ":trace dns.pcap summary                  (totals only)\n",
                 trace_capture},
    ShellCommand{"attach", "INTERFACE [native|skb] [PROGRAM]",
                 "put it to work (root). What is entered from then on takes the place of the program at once",
                 ":attach veth0\n:attach eth1 skb\n", attach_session},
    ShellCommand{"detach", "", "take it away again; so does leaving", "", detach_session},
    ShellCommand{"status", "", "what the program at work has decided and received", "", show_status},
    ShellCommand{"hits", "[watch [TIMES]]", "the packets that each rule met, once or every second until Ctrl-C",
                 ":hits\n:hits watch\n:hits watch 5                            (five times)\n", show_hits},
    ShellCommand{"records", "", "what the program has emitted and sampled since the last time", "", show_records},
    ShellCommand{"quit", "", "leave; so does Ctrl-D", "", quit},
};

constexpr std::string_view introduction = R"(Declarations and rules as in a file, each answered at once, and packets:

  defmap hits : hash<ipv4.src -> counter>[1024]
  match udp.dport == 53 -> { count hits[ipv4.src]; drop }
  > ethernet / ipv4(src = 10.0.0.7) / udp(dport = 53)
  packet hex "ffffffffffff 020000000001 88b5" expect pass
  with rx_queue = 2

A declaration replaces an older one of its name, a default the older default. Tab completes, Ctrl-R looks for an older
line, Ctrl-C drops a line or ends what runs.

)";

std::string usage_of(const ShellCommand &command)
{
    return fmt::format(":{}{}{}", command.name, command.argument.empty() ? "" : " ", command.argument);
}

// What is too long for its column has a line to itself.
std::string in_columns(const std::string &usage, std::string_view help)
{
    constexpr std::size_t width = 29;
    if (usage.size() <= width)
        return fmt::format("  {:<{}} {}\n", usage, width, help);
    return fmt::format("  {}\n  {:<{}} {}\n", usage, "", width, help);
}

// By its name, or by the beginning of it that no other has.
const ShellCommand *find(std::string_view name)
{
    const auto exact = std::ranges::find(commands, name, &ShellCommand::name);
    if (exact != commands.end())
        return exact;
    const auto begins = [&](const ShellCommand &command) { return !name.empty() && command.name.starts_with(name); };
    return std::ranges::count_if(commands, begins) == 1 ? std::ranges::find_if(commands, begins) : nullptr;
}

CommandResult unknown(std::string_view name)
{
    const auto near = nearest(fmt::format(":{}", name), command_names());
    return failed(fmt::format("there is no command ':{}'; {}", name,
                              near.empty() ? "see :help" : fmt::format("did you mean '{}'?", near)));
}

CommandResult help(ShellState &state, const std::string &argument)
{
    if (argument.empty()) {
        CommandResult result{.output = state.source(introduction), .has_colour = true};
        for (const auto &command : commands)
            result.output += in_columns(usage_of(command), command.help);
        return result;
    }
    const std::string_view name = argument.starts_with(':') ? std::string_view(argument).substr(1) : argument;
    const ShellCommand *command = find(name);
    if (command == nullptr)
        return unknown(name);
    CommandResult result{.output = fmt::format("{}\n  {}\n", usage_of(*command), command->help)};
    std::string_view examples = command->examples;
    if (!examples.empty())
        result.output += "\n";
    while (!examples.empty()) {
        const auto end = examples.find('\n');
        result.output += fmt::format("  {}\n", examples.substr(0, end));
        examples.remove_prefix(end + 1);
    }
    return result;
}

} // namespace

CommandResult failed(std::string sentence) { return {.error = std::move(sentence)}; }
CommandResult failed(runtime::Error error) { return {.failure = std::move(error)}; }

CommandResult entered(Answer answer)
{
    const bool changed = answer.status == Answer::Status::accepted;
    return {.answer = std::move(answer), .changed = changed};
}

void ShellState::print(std::string_view text) const
{
    fmt::print(output, "{}", text);
    std::fflush(output);
}

std::vector<std::string> command_names()
{
    std::vector<std::string> names;
    for (const auto &command : commands)
        names.push_back(fmt::format(":{}", command.name));
    return names;
}

CommandResult run_command(ShellState &state, std::string_view line)
{
    const auto text = trimmed(trimmed(line).substr(1));
    const auto name = text.substr(0, text.find_first_of(" \t"));
    const std::string argument(trimmed(text.substr(name.size())));
    const ShellCommand *command = find(name);
    if (command == nullptr)
        return unknown(name);
    const bool needed = !command->argument.empty() && !command->argument.starts_with('[');
    if (!argument.empty() && command->argument.empty())
        return failed(fmt::format("':{}' stands alone", command->name));
    if (argument.empty() && needed)
        return failed(fmt::format("':{}' wants more: {}", command->name, usage_of(*command)));
    return command->run(state, argument);
}

} // namespace xdpf::cli
