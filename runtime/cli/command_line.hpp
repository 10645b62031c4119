// The command line as data, read from its one definition: what manual pages and shells' completions are made of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace xdpf::cli {

struct OptionText {
    std::string long_name;            // "interface"; empty: there is none
    char short_name = 0;              // 'i'; 0: there is none
    std::string argument;             // "NAME=VALUE"; empty: a flag
    std::vector<std::string> choices; // the words that the argument may be, where these are all
    std::string help;
};

struct CommandText {
    std::string name; // "xdpf map get"
    std::string help;
    std::vector<std::string> arguments; // "FILE"
    std::vector<OptionText> options;
    std::vector<CommandText> commands;
};

[[nodiscard]] CommandText command_line(const CLI::App &app);

// A page for man(1), in man(7)'s language: of xdpf as a whole, or of one of its commands.
[[nodiscard]] std::string manual_page(const CommandText &command);
[[nodiscard]] std::string bash_completion(const CommandText &command);
[[nodiscard]] std::string zsh_completion(const CommandText &command);
[[nodiscard]] std::string fish_completion(const CommandText &command);

} // namespace xdpf::cli
