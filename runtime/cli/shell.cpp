#include "runtime/cli/shell.hpp"

#include "compiler/format.hpp"
#include "compiler/report.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/cli/shell_editor.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

namespace xdpf::cli {
namespace {

constexpr std::string_view source = "<shell>";

// Text of files and inputs could hold what drives a terminal.
std::string printable(std::string text)
{
    std::ranges::replace_if(
        text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f; },
        '?');
    return text;
}

class Shell {
public:
    explicit Shell(const ShellOptions &options)
        : options_(options), at_terminal_(isatty(fileno(options.input)) == 1 && isatty(fileno(options.output)) == 1)
    {
    }

    int run()
    {
        if (at_terminal_) {
            converse();
            return exit_ok;
        }
        read_all();
        return failed_ ? exit_failure : exit_ok;
    }

private:
    void converse()
    {
        Editor editor(options_.input, options_.output, options_.errors,
                      [this](const std::string &line) { return complete(line); });
        fmt::print(options_.output, "Rules, declarations, packets; :help says more.\n");
        std::string line;
        while (!quit_) {
            const auto event = editor.read(pending_.empty() ? "xdpf> " : "  ... ", line);
            if (event == Editor::Event::end)
                return;
            if (event == Editor::Event::interrupted)
                pending_.clear();
            else
                take(line);
        }
    }

    void read_all()
    {
        std::string line;
        while (!quit_ && read_line(line))
            take(line);
        if (!pending_.empty())
            enter(pending_, true);
    }

    // False at the end, and in front of an input that is longer than a source may be, of which nothing is taken.
    bool read_line(std::string &line)
    {
        const std::size_t most = most_source_bytes();
        line.clear();
        int c = std::getc(options_.input);
        for (; c != EOF && c != '\n' && pending_.size() + line.size() <= most; c = std::getc(options_.input))
            line += static_cast<char>(c);
        if (pending_.size() + line.size() <= most)
            return c != EOF || !line.empty();
        pending_.clear();
        complain(fmt::format("error: an input of more than {} bytes\n", most));
        return false;
    }

    void take(std::string_view line)
    {
        ++line_;
        if (pending_.empty() && is_command(line))
            return command(line);
        if (pending_.empty())
            first_line_ = line_;
        else
            pending_ += '\n';
        pending_ += line;
        enter(pending_, false);
    }

    // `help`, `quit` and `exit` alone are no declarations, and people type them.
    static bool is_command(std::string_view line)
    {
        const auto first = line.find_first_not_of(" \t");
        return (first != std::string_view::npos && line[first] == ':') || line == "help" || line == "quit" ||
               line == "exit";
    }

    void command(std::string_view line)
    {
        const auto result = run_command(session_, line == "help"                     ? ":help"
                                                  : line == "quit" || line == "exit" ? ":quit"
                                                                                     : line);
        fmt::print(options_.output, "{}", printable(result.output));
        answer(result.answer);
        if (!result.error.empty())
            complain(fmt::format("error: {}\n", printable(result.error)));
        quit_ = result.quit;
    }

    void enter(const std::string &text, bool complete)
    {
        const auto said =
            session_.enter(text, {.source = std::string(source), .line = first_line_, .complete = complete});
        if (said.status == Answer::Status::incomplete)
            return;
        pending_.clear();
        answer(said);
    }

    void answer(const Answer &said)
    {
        const bool colour = colour_on(fileno(options_.errors));
        const auto text = to_text(said.diagnostics, said.sources, colour);
        if (said.status == Answer::Status::rejected)
            complain(text);
        else if (!text.empty())
            say(options_.errors, text);
        if (at_terminal_)
            for (const auto &change : said.changes)
                fmt::print(options_.output, "{}\n", printable(change));
        for (const auto &packet : said.packets)
            fmt::print(options_.output, "{}\n", packet_text(packet, said));
        for (const auto &failure : said.failures)
            complain(fmt::format("error: {}\n", printable(failure)));
        std::fflush(options_.output);
    }

    static std::string packet_text(const PacketAnswer &packet, const Answer &said)
    {
        const bool several =
            std::ranges::any_of(said.packets, [&](const auto &other) { return other.program != packet.program; });
        const auto program = several ? fmt::format("{}: ", packet.program) : "";
        if (packet.rule.empty())
            return fmt::format("{}{}, no rule matches", program, packet.verdict);
        const auto where = packet.source == source ? fmt::format("line {}", packet.line)
                                                   : fmt::format("{}:{}", packet.source, packet.line);
        return printable(fmt::format("{}{}, by {}: {}", program, packet.verdict, where, packet.rule));
    }

    void complain(std::string_view text)
    {
        failed_ = true;
        say(options_.errors, text);
    }

    // Both streams may be one terminal: in the order of their writing.
    void say(std::FILE *stream, std::string_view text)
    {
        std::fflush(options_.output);
        fmt::print(stream, "{}", text);
        std::fflush(stream);
    }

    Candidates complete(const std::string &line) const
    {
        const bool begun = pending_.empty() && line.starts_with(':');
        const auto blank = line.find(' ');
        if (begun && blank == std::string::npos)
            return matching(command_names(), line, 0);
        if (begun)
            return line.starts_with(":map ") ? matching(session_.map_names(), line, blank + 1) : Candidates{};
        const auto before = pending_.empty() ? std::string() : pending_ + "\n";
        auto found = session_.complete(before + line);
        return {found.begin - before.size(), std::move(found.words)};
    }

    static Candidates matching(const std::vector<std::string> &all, std::string_view line, std::size_t begin)
    {
        Candidates found{begin, {}};
        std::ranges::copy_if(all, std::back_inserter(found.words),
                             [&](const auto &word) { return word.starts_with(line.substr(begin)); });
        return found;
    }

    ShellOptions options_;
    bool at_terminal_;
    Session session_;
    std::string pending_; // lines of an input that is not complete yet
    std::uint32_t line_ = 0;
    std::uint32_t first_line_ = 1; // of the pending input
    bool failed_ = false;
    bool quit_ = false;
};

} // namespace

int shell(const ShellOptions &options) { return Shell(options).run(); }

} // namespace xdpf::cli
