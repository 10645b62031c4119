#include "runtime/cli/command_line.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>

namespace xdpf::cli {
namespace {

// "block|spin|adaptive" are choices, "all|LIST" is not.
std::vector<std::string> choices_in(const std::string &argument)
{
    std::vector<std::string> words;
    for (std::size_t at = 0; argument.find('|') != std::string::npos && at <= argument.size();) {
        const std::size_t end = std::min(argument.find('|', at), argument.size());
        words.push_back(argument.substr(at, end - at));
        at = end + 1;
    }
    const auto is_word = [](const std::string &word) {
        return !word.empty() && std::ranges::none_of(word, [](unsigned char c) { return std::isupper(c) != 0; });
    };
    return std::ranges::all_of(words, is_word) ? words : std::vector<std::string>();
}

std::string upper(std::string text)
{
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
}

OptionText text_of(const CLI::Option &option)
{
    OptionText text;
    if (!option.get_lnames().empty())
        text.long_name = option.get_lnames().front();
    if (!option.get_snames().empty())
        text.short_name = option.get_snames().front().front();
    if (option.get_items_expected_max() != 0) {
        text.argument = option.get_option_text();
        if (text.argument.empty())
            text.argument = text.long_name.empty() ? option.get_type_name() : upper(text.long_name);
    }
    text.choices = choices_in(text.argument);
    text.help = option.get_description();
    return text;
}

} // namespace

CommandText command_line(const CLI::App &app)
{
    CommandText text{.name = app.get_name(), .help = app.get_description()};
    for (const CLI::App *parent = app.get_parent(); parent != nullptr; parent = parent->get_parent())
        text.name = parent->get_name() + ' ' + text.name;
    for (const CLI::Option *option : app.get_options()) {
        if (option->nonpositional())
            text.options.push_back(text_of(*option));
        else
            text.arguments.push_back(upper(option->get_name(true)));
    }
    for (const CLI::App *command : app.get_subcommands({}))
        text.commands.push_back(command_line(*command));
    return text;
}

} // namespace xdpf::cli
