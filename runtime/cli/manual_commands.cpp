// The commands that describe the command line itself.
#include "runtime/cli/command.hpp"
#include "runtime/cli/command_line.hpp"
#include "runtime/cli/options.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

namespace xdpf::cli {
namespace {

int write_pages(const CommandText &text, const std::string &folder)
{
    std::vector<const CommandText *> pages{&text};
    for (const CommandText &command : text.commands)
        pages.push_back(&command);
    for (const CommandText *page : pages) {
        std::string name = page->name + ".1";
        std::ranges::replace(name, ' ', '-');
        std::ofstream out(std::filesystem::path(folder) / name);
        out << manual_page(*page);
        out.close();
        if (!out) {
            fmt::print(stderr, "error: cannot write '{}/{}'\n  try:   another folder with --all FOLDER\n", folder,
                       name);
            return exit_failure;
        }
    }
    return exit_ok;
}

} // namespace

Command add_completion(CLI::App &app)
{
    auto &command = *app.add_subcommand("completion", "what a shell needs to complete command lines");
    const auto shell = std::make_shared<std::string>();
    command.add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    return {&command, [&app, shell] {
                const CommandText text = command_line(app);
                fmt::print("{}", *shell == "bash"  ? bash_completion(text)
                                 : *shell == "zsh" ? zsh_completion(text)
                                                   : fish_completion(text));
                return exit_ok;
            }};
}

Command add_manual(CLI::App &app)
{
    auto &command = *app.add_subcommand("manual", "a page for man(1), of xdpf or of one of its commands");
    const auto name = std::make_shared<std::string>();
    auto *one = command.add_option("command", *name, "the command (default: xdpf as a whole)");
    const auto folder = std::make_shared<std::string>();
    command.add_option("--all", *folder, "write all pages into this folder: xdpf.1, xdpf-run.1, …")
        ->option_text("FOLDER")
        ->excludes(one);
    return {&command, [&app, name, folder] {
                const CommandText text = command_line(app);
                if (!folder->empty())
                    return write_pages(text, *folder);
                const auto found = std::ranges::find(text.commands, "xdpf " + *name, &CommandText::name);
                if (!name->empty() && found == text.commands.end()) {
                    fmt::print(stderr, "xdpf manual: there is no command '{}'\n  try: xdpf --help\n", *name);
                    return exit_usage;
                }
                fmt::print("{}", manual_page(name->empty() ? text : *found));
                return exit_ok;
            }};
}

} // namespace xdpf::cli
