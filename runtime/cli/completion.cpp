// What shells need to complete command lines.
#include "runtime/cli/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace xdpf::cli {
namespace {

// What an argument is, where shells can tell: the name of an interface or a file.
bool is_interface(const OptionText &option) { return option.long_name == "interface" || option.long_name == "forward"; }
bool is_file(const OptionText &option)
{
    return option.long_name == "write" || option.long_name == "read" || option.long_name == "output";
}

std::string words_of(const CommandText &command)
{
    std::string words;
    for (const CommandText &part : command.commands)
        words += part.name.substr(part.name.rfind(' ') + 1) + ' ';
    for (const OptionText &option : command.options)
        if (!option.long_name.empty())
            words += "--" + option.long_name + ' ';
    return words;
}

std::string names_of(const OptionText &option, std::string_view between)
{
    std::string names;
    if (option.short_name != 0)
        names = fmt::format("-{}", option.short_name);
    if (!option.long_name.empty())
        names += fmt::format("{}--{}", names.empty() ? "" : between, option.long_name);
    return names;
}

std::string path_of(const CommandText &command)
{
    return command.name.substr(std::min<std::size_t>(command.name.size(), 5));
}

// In single quotes of the shells.
std::string quoted(std::string_view text)
{
    std::string out;
    for (const char c : text)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out;
}

void bash_cases(const CommandText &command, std::string &words, std::string &values)
{
    words += fmt::format("        '{}') words='{}' ;;\n", path_of(command), words_of(command));
    for (const OptionText &option : command.options)
        if (!option.choices.empty())
            values += fmt::format("        '{}':{}) COMPREPLY=($(compgen -W '{}' -- \"$now\")); return ;;\n",
                                  path_of(command), names_of(option, fmt::format(" | '{}':", path_of(command))),
                                  fmt::join(option.choices, " "));
    for (const CommandText &part : command.commands)
        bash_cases(part, words, values);
}

std::string bash_paths(const CommandText &command)
{
    std::string out;
    for (const CommandText &part : command.commands)
        out += fmt::format("|'{}'{}", path_of(part), bash_paths(part));
    return out;
}

// For _arguments; in brackets and behind colons some characters have a meaning.
std::string zsh_text(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == ':' || c == '\\')
            out += '\\';
        out += c;
    }
    return quoted(out);
}

std::string zsh_action(const OptionText &option)
{
    if (!option.choices.empty())
        return fmt::format("({})", fmt::join(option.choices, " "));
    return is_interface(option) ? "_net_interfaces" : is_file(option) ? "_files" : "";
}

std::string zsh_function_name(const CommandText &command)
{
    std::string name = "_" + command.name;
    for (char &c : name)
        c = c == ' ' ? '_' : c;
    return name;
}

std::string zsh_functions(const CommandText &command)
{
    std::string out;
    for (const CommandText &part : command.commands)
        out += zsh_functions(part);
    out += fmt::format("{}() {{\n    local line state\n    _arguments -C", zsh_function_name(command));
    for (const OptionText &option : command.options)
        for (const std::string &name : {option.short_name != 0 ? fmt::format("-{}", option.short_name) : std::string(),
                                        option.long_name.empty() ? std::string() : "--" + option.long_name})
            if (!name.empty())
                out += fmt::format(" \\\n        '*{}[{}]{}'", name, zsh_text(option.help),
                                   option.argument.empty()
                                       ? ""
                                       : fmt::format(":{}:{}", zsh_text(option.argument), zsh_action(option)));
    if (command.commands.empty())
        return out + " \\\n        '*:file:_files'\n}\n";
    out += " \\\n        '1: :->command' '*::argument:->arguments'\n    case $state in\n        command)\n"
           "            local -a commands=(\n";
    for (const CommandText &part : command.commands)
        out +=
            fmt::format("                '{}:{}'\n", part.name.substr(part.name.rfind(' ') + 1), zsh_text(part.help));
    out +=
        "            )\n            _describe command commands ;;\n        arguments)\n            case $line[1] in\n";
    for (const CommandText &part : command.commands)
        out += fmt::format("                {}) {} ;;\n", part.name.substr(part.name.rfind(' ') + 1),
                           zsh_function_name(part));
    return out + "            esac ;;\n    esac\n}\n";
}

// `seen`: the words that must stand in the line, as fish's condition.
std::string fish_lines(const CommandText &command, const std::string &condition)
{
    std::string out;
    for (const OptionText &option : command.options) {
        out += fmt::format("complete -c xdpf -n '{}'", condition);
        if (option.short_name != 0)
            out += fmt::format(" -s {}", option.short_name);
        if (!option.long_name.empty())
            out += fmt::format(" -l {}", option.long_name);
        if (!option.choices.empty())
            out += fmt::format(" -xa '{}'", fmt::join(option.choices, " "));
        else if (is_interface(option))
            out += " -xa '(command ls /sys/class/net)'";
        else if (!option.argument.empty())
            out += is_file(option) ? " -rF" : " -x";
        out += fmt::format(" -d '{}'\n", quoted(option.help));
    }
    return out;
}

} // namespace

std::string bash_completion(const CommandText &command)
{
    std::string words;
    std::string values;
    bash_cases(command, words, values);
    return fmt::format(R"bash(# bash completion for xdpf; made by: xdpf completion bash
_xdpf() {{
    local now=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} path='' word words=''
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "${{path:+$path }}$word" in
        {}) path="${{path:+$path }}$word" ;;
        esac
    done
    case $before in
    -i | --interface | --forward)
        COMPREPLY=($(compgen -W "$(command ls /sys/class/net)" -- "$now"))
        return
        ;;
    esac
    case $path:$before in
{}    esac
    case $path in
{}    esac
    COMPREPLY=($(compgen -W "$words" -- "$now"))
    [[ $now == -* || -z $path ]] || COMPREPLY+=($(compgen -f -- "$now"))
}}
complete -o filenames -F _xdpf xdpf
)bash",
                       bash_paths(command).substr(1), values, words);
}

std::string zsh_completion(const CommandText &command)
{
    return fmt::format("#compdef xdpf\n# made by: xdpf completion zsh\n{}_xdpf \"$@\"\n", zsh_functions(command));
}

std::string fish_completion(const CommandText &command)
{
    std::string out = "# made by: xdpf completion fish\n" + fish_lines(command, "__fish_use_subcommand");
    for (const CommandText &part : command.commands) {
        const std::string name = part.name.substr(part.name.rfind(' ') + 1);
        const std::string seen = fmt::format("__fish_seen_subcommand_from {}", name);
        out += fmt::format("complete -c xdpf -n '__fish_use_subcommand' -xa {} -d '{}'\n{}", name, quoted(part.help),
                           fish_lines(part, seen));
        std::string verbs;
        for (const CommandText &verb : part.commands)
            verbs += verb.name.substr(verb.name.rfind(' ') + 1) + ' ';
        for (const CommandText &verb : part.commands) {
            const std::string word = verb.name.substr(verb.name.rfind(' ') + 1);
            out += fmt::format("complete -c xdpf -n '{}; and not __fish_seen_subcommand_from {}' -xa {} -d '{}'\n{}",
                               seen, verbs, word, quoted(verb.help),
                               fish_lines(verb, fmt::format("{}; and __fish_seen_subcommand_from {}", seen, word)));
        }
    }
    return out;
}

} // namespace xdpf::cli
