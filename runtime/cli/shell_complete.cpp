#include "runtime/cli/shell_complete.hpp"

#include "runtime/cli/shell_arguments.hpp"
#include "runtime/cli/shell_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <net/if.h>

namespace xdpf::cli {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

Candidates matching(const Words &all, std::string_view line, std::size_t begin)
{
    Candidates found{begin, {}};
    std::ranges::copy_if(all, std::back_inserter(found.words),
                         [&](const auto &word) { return word.starts_with(line.substr(begin)); });
    std::ranges::sort(found.words);
    return found;
}

Words interfaces()
{
    Words names;
    struct Free {
        void operator()(struct if_nameindex *list) const { if_freenameindex(list); }
    };
    const std::unique_ptr<struct if_nameindex, Free> list(if_nameindex());
    for (const struct if_nameindex *one = list.get(); one != nullptr && one->if_index != 0; ++one)
        names.emplace_back(one->if_name);
    return names;
}

// The rest of a path's last part; folders end with a slash.
Candidates files(std::string_view line, std::size_t begin)
{
    const auto typed = line.substr(begin);
    const auto slash = typed.rfind('/');
    const std::string folder(slash == std::string_view::npos ? std::string_view() : typed.substr(0, slash + 1));
    Words names;
    std::error_code error;
    for (fs::directory_iterator at(folder.empty() ? "." : folder, error), end; !error && at != end;
         at.increment(error)) {
        const auto name = at->path().filename().string();
        const bool hidden = name.starts_with('.') && !typed.substr(folder.size()).starts_with('.');
        if (!hidden && name.find_first_of(" \t") == std::string::npos)
            names.push_back(folder + name + (at->is_directory(error) ? "/" : ""));
    }
    return matching(names, line, begin);
}

Words parameter_names(const ShellState &state)
{
    Words names;
    for (const Parameter &parameter : state.session.compilation().image().parameters)
        names.push_back(parameter.name);
    return names;
}

Words numbers(const ShellState &state)
{
    Words all;
    for (std::size_t i = 0; i < state.session.declarations().size(); ++i)
        all.push_back(fmt::format("{}", i + 1));
    return all;
}

Words program_names(const ShellState &state)
{
    Words names{"native", "skb"};
    for (const ProgramImage &program : state.session.compilation().image().own_programs())
        names.push_back(program.name);
    return names;
}

Words map_words(const ShellState &state, const Words &before)
{
    Words all = state.session.map_names();
    if (before.size() == 1)
        all.insert(all.end(), {"delete", "get", "list", "set", "watch"});
    return before.size() <= 2 ? all : Words();
}

Words commands_without_colon()
{
    Words names = command_names();
    for (std::string &name : names)
        name.erase(0, 1);
    return names;
}

Candidates in_language(const ShellState &state, const std::string &before, const std::string &line)
{
    auto found = state.session.complete(before + line);
    return {found.begin - std::min(found.begin, before.size()), std::move(found.words)};
}

// `before`: the words in front of the one that is completed, the command first.
Candidates argument(const ShellState &state, const Words &before, const std::string &line, std::size_t begin)
{
    const std::string &command = before.front();
    const auto is = [&](std::string_view name) { return command == name; };
    if (is(":load") || is(":save") || (is(":trace") && before.size() == 1))
        return files(line, begin);
    if (is(":trace"))
        return matching({"summary", "why"}, line, begin);
    if (is(":attach"))
        return matching(before.size() == 1 ? interfaces() : program_names(state), line, begin);
    if (is(":map"))
        return matching(map_words(state, before), line, begin);
    if (is(":param") && before.size() == 1)
        return matching(parameter_names(state), line, begin);
    if (is(":hits") && before.size() == 1)
        return matching({"watch"}, line, begin);
    if (is(":help"))
        return matching(commands_without_colon(), line, begin);
    if ((is(":edit") || is(":delete")) && before.size() == 1)
        return matching(numbers(state), line, begin);
    // What stands behind these is a packet, or a declaration.
    const auto skipped = is(":bench") || is(":explain") ? command.size()
                         : is(":edit")                  ? line.find(before[1]) + before[1].size()
                                                        : 0;
    if (skipped == 0)
        return {};
    auto found = in_language(state, is(":edit") ? "" : "> ", line.substr(skipped));
    return {found.begin + skipped, std::move(found.words)};
}

} // namespace

Candidates complete(const ShellState &state, const std::string &before, const std::string &line)
{
    const auto first = line.find_first_not_of(" \t");
    if (!before.empty() || first == std::string::npos || line[first] != ':')
        return in_language(state, before, line);
    const auto blank = line.find_last_of(" \t");
    if (blank == std::string::npos || blank < first)
        return matching(command_names(), line, first);
    const auto words = words_of(std::string_view(line).substr(0, blank));
    return argument(state, words, line, blank + 1);
}

} // namespace xdpf::cli
