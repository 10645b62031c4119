// What has been entered: shown, changed, written to files and read from them.
#include "runtime/cli/shell_arguments.hpp"
#include "runtime/cli/shell_colour.hpp"
#include "runtime/cli/shell_commands.hpp"

#include "compiler/format.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace xdpf::cli {
namespace {

namespace fs = std::filesystem;

// The index of the declaration that a number stands for; or a sentence.
std::expected<std::size_t, std::string> index_of(std::string_view number, std::size_t declarations)
{
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error == std::errc() && end == number.data() + number.size() && value >= 1 && value <= declarations)
        return value - 1;
    if (declarations == 0)
        return std::unexpected("nothing has been entered");
    return std::unexpected(fmt::format("'{}' is no number of a declaration: :show has 1 to {}", number, declarations));
}

} // namespace

std::string ShellState::source(std::string_view text) const
{
    const auto plain = plain_text(std::string(text));
    return colour ? coloured(plain) : plain;
}

CommandResult show_source(ShellState &state, const std::string & /*argument*/)
{
    CommandResult result{.has_colour = true};
    std::map<std::uint32_t, std::uint64_t> packets; // by line of the whole text
    bool counted = false;
    if (state.work) {
        const auto hits = state.work->hits();
        if (!hits)
            return failed(hits.error());
        for (const RuleHits &one : *hits)
            if (const auto line = one.rule ? state.session.line_of(one.rule->id) : std::nullopt) {
                packets[*line] += one.packets;
                counted = true;
            }
        if (state.work->is_older())
            result.output = "# The program at work is an older one: what was entered last could not take its place.\n";
    }
    std::uint32_t line = 1;
    std::size_t number = 0;
    for (const auto &declaration : state.session.declarations()) {
        std::string_view rest = declaration.text;
        for (bool first = true; first || !rest.empty(); first = false) {
            const auto end = rest.find('\n');
            const auto met = packets.find(line++);
            const auto column = met != packets.end() ? fmt::format("{:>10}", met->second) : fmt::format("{:>10}", "");
            result.output += first ? fmt::format("{:>3}", ++number) : "   ";
            result.output += fmt::format("{}  {}\n", counted ? column : "", state.source(rest.substr(0, end)));
            rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        }
    }
    if (counted)
        result.output = fmt::format("  #   packets\n{}", result.output);
    return result;
}

CommandResult edit_declaration(ShellState &state, const std::string &argument)
{
    const auto declarations = state.session.declarations();
    const auto number = std::string_view(argument).substr(0, argument.find_first_of(" \t"));
    const auto text = trimmed(std::string_view(argument).substr(number.size()));
    const auto index = index_of(number, declarations.size());
    if (!index)
        return failed(index.error());
    if (!text.empty())
        return entered(state.session.replace(*index, text, {.line = state.line, .complete = true}));
    if (!state.at_terminal)
        return failed(fmt::format("and what is to stand there? :edit {} TEXT", number));
    return {.next_line = fmt::format(":edit {} {}", number, on_one_source_line(declarations[*index].text))};
}

CommandResult delete_declaration(ShellState &state, const std::string &argument)
{
    const auto declarations = state.session.declarations();
    const auto index = index_of(argument, declarations.size());
    if (!index)
        return failed(index.error());
    auto result = entered(state.session.replace(*index, ""));
    if (result.changed)
        result.answer.changes.push_back(fmt::format("{} is gone", declarations[*index].what));
    return result;
}

CommandResult save_file(ShellState &state, const std::string &argument)
{
    std::ofstream out(argument, std::ios::binary);
    out << state.session.text() << std::flush;
    return out ? CommandResult{} : failed(fmt::format("cannot write '{}': {}", argument, std::strerror(errno)));
}

CommandResult load_file(ShellState &state, const std::string &argument)
{
    std::error_code error;
    const auto size = fs::file_size(argument, error);
    if (error)
        return failed(fmt::format("cannot read '{}': {}", argument, error.message()));
    if (size > most_source_bytes())
        return failed(
            fmt::format("'{}' has {} bytes; a source file may have at most {}", argument, size, most_source_bytes()));
    std::ifstream in(argument, std::ios::binary);
    std::string text(size, '\0');
    if (!in.read(text.data(), static_cast<std::streamsize>(size)))
        return failed(fmt::format("cannot read '{}': {}", argument, std::strerror(errno)));
    return entered(state.session.enter(text, {.source = argument, .complete = true}));
}

} // namespace xdpf::cli
