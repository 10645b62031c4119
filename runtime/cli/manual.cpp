// Manual pages: man(7).
#include "runtime/cli/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

// A line of its own may not begin with a control character; - is a hyphen unless it is escaped.
std::string escaped(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
    }
    return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string page_name(std::string command)
{
    std::ranges::replace(command, ' ', '-');
    return command;
}

std::string described(const OptionText &option)
{
    std::string names;
    if (option.short_name != 0)
        names = fmt::format("\\fB\\-{}\\fR", option.short_name);
    if (!option.long_name.empty())
        names += fmt::format("{}\\fB\\-\\-{}\\fR", names.empty() ? "" : ", ", escaped(option.long_name));
    if (!option.argument.empty())
        names += fmt::format(" \\fI{}\\fR", escaped(option.argument));
    return fmt::format(".TP\n{}\n{}\n", names, escaped(option.help));
}

std::string synopsis(const CommandText &command)
{
    std::string out = fmt::format(".B {}\n", escaped(command.name));
    if (!command.commands.empty())
        return out + ".I COMMAND\n[\\fIOPTIONS\\fR]\n";
    out += "[\\fIOPTIONS\\fR]\n";
    for (const std::string &argument : command.arguments)
        out += fmt::format("[\\fI{}\\fR]\n", escaped(argument));
    return out;
}

std::string options(const CommandText &command)
{
    std::string out;
    for (const OptionText &option : command.options)
        out += described(option);
    return out;
}

} // namespace

std::string manual_page(const CommandText &command)
{
    std::string out = fmt::format(".TH {} 1\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}", escaped(page_name(command.name)),
                                  escaped(page_name(command.name)), escaped(command.help), synopsis(command));
    if (!command.commands.empty())
        out += ".SH COMMANDS\n";
    for (const CommandText &part : command.commands) {
        out += fmt::format(".TP\n\\fB{}\\fR\n{}\n", escaped(part.name), escaped(part.help));
        if (command.name != "xdpf") // the commands of commands have no pages of their own
            out += fmt::format(".RS\n{}.RE\n", options(part));
    }
    out += fmt::format(".SH OPTIONS\n{}", options(command));
    out += ".SH EXIT STATUS\n0; 1 after an error of the source, a test or the system; 2 for a mistake in the command "
           "line.\n";
    if (command.name == "xdpf")
        return out + ".SH SEE ALSO\nEach command has a page of its own: \\fBxdpf\\-run\\fR(1).\n";
    return out + ".SH SEE ALSO\n\\fBxdpf\\fR(1)\n";
}

} // namespace xdpf::cli
