#include "runtime/cli/shell.hpp"

#include "compiler/format.hpp"
#include "compiler/report.hpp"
#include "runtime/cli/shell_arguments.hpp"
#include "runtime/cli/shell_colour.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/cli/shell_complete.hpp"
#include "runtime/cli/shell_editor.hpp"
#include "runtime/cli/shell_lines.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

namespace xdpf::cli {
namespace {

constexpr std::string_view source = "<shell>";

class Shell {
public:
    explicit Shell(const ShellOptions &options) : options_(options)
    {
        state_.output = options.output;
        state_.errors = options.errors;
        state_.at_terminal = isatty(fileno(options.input)) == 1 && isatty(fileno(options.output)) == 1;
        state_.colour = colour_on(fileno(options.output));
    }

    int run()
    {
        if (!options_.file.empty())
            show(load_file(state_, options_.file));
        if (state_.at_terminal)
            converse();
        else
            read_all();
        leave();
        return failed_ && !state_.at_terminal ? exit_failure : exit_ok;
    }

private:
    void converse()
    {
        Editor editor(
            options_.input, options_.output, options_.errors, state_.signals,
            [this](const std::string &line) { return complete(state_, pending_.empty() ? "" : pending_ + "\n", line); },
            {.fd = [this] { return news_fd(); }, .read = [this] { return news(); }});
        fmt::print(options_.output, "Rules, declarations, packets; :help says more.\n");
        std::string line;
        while (!quit_) {
            const auto event = editor.read(prompt(), std::exchange(next_line_, {}), line);
            if (event == Editor::Event::end)
                return;
            if (event == Editor::Event::interrupted) {
                pending_.clear();
                continue;
            }
            if (state_.colour && !is_command(line))
                editor.show_again(line, coloured(line));
            take(line);
        }
    }

    [[nodiscard]] std::string prompt() const
    {
        const auto name = state_.work ? fmt::format("xdpf {}", state_.work->interface()) : std::string("xdpf");
        return pending_.empty() ? name + "> " : fmt::format("{:>{}}... ", "", name.size() - 2);
    }

    void read_all()
    {
        LineReader reader(fileno(options_.input), state_.signals);
        const std::size_t most = most_source_bytes();
        std::string line;
        while (!quit_) {
            const auto event = reader.read(
                line, most - std::min(most, pending_.size()), [this] { return news_fd(); },
                [this] { say(options_.errors, news()); });
            if (event == LineReader::Event::line) {
                take(line);
                continue;
            }
            if (event == LineReader::Event::too_long)
                complain(fmt::format("error: an input of more than {} bytes\n", most));
            else if (event == LineReader::Event::stopped)
                complain("error: ended by a signal, before the input was read\n");
            else if (!pending_.empty())
                enter(true);
            return;
        }
    }

    void take(std::string_view line)
    {
        ++state_.line;
        state_.signals.forget_interrupts();
        if (pending_.empty() && is_command(line))
            return command(line);
        if (pending_.empty())
            first_line_ = state_.line;
        else
            pending_ += '\n';
        pending_ += line;
        enter(false);
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
        const auto result = run_command(state_, line == "help"                     ? ":help"
                                                : line == "quit" || line == "exit" ? ":quit"
                                                                                   : line);
        if (state_.signals.interrupted() && state_.at_terminal)
            fmt::print(options_.output, "\n");
        state_.signals.forget_interrupts();
        show(result);
        quit_ = result.quit;
        next_line_ = result.next_line;
        if (result.changed)
            show(put_to_work(state_));
    }

    void show(const CommandResult &result)
    {
        fmt::print(options_.output, "{}", result.has_colour ? result.output : plain_text(result.output));
        answer(result.answer);
        if (!result.error.empty())
            complain(fmt::format("error: {}\n", plain_text(result.error)));
        if (result.failure)
            complain(plain_text(runtime::to_string(*result.failure)) + "\n");
    }

    // What is pending.
    void enter(bool complete)
    {
        const auto said =
            state_.session.enter(pending_, {.source = std::string(source), .line = first_line_, .complete = complete});
        if (said.status == Answer::Status::incomplete)
            return;
        const std::string text = std::exchange(pending_, {});
        answer(said);
        if (said.status == Answer::Status::accepted && !said.changes.empty())
            show(put_to_work(state_));
        if (said.status == Answer::Status::ran)
            remember_packets(text, said);
    }

    void remember_packets(const std::string &text, const Answer &said)
    {
        state_.packet_text = on_one_source_line(trimmed(text));
        state_.packets.clear();
        for (const auto &packet : said.packets)
            if (packet.program == said.packets.front().program)
                state_.packets.push_back(packet.bytes);
    }

    void answer(const Answer &said)
    {
        const bool colour = colour_on(fileno(options_.errors));
        const auto text = to_text(said.diagnostics, said.sources, colour);
        if (said.status == Answer::Status::rejected)
            complain(text);
        else if (!text.empty())
            say(options_.errors, text);
        if (state_.at_terminal)
            for (const auto &change : said.changes)
                fmt::print(options_.output, "{}\n", plain_text(change));
        for (const auto &packet : said.packets)
            fmt::print(options_.output, "{}\n", packet_text(packet, said));
        for (const auto &failure : said.failures)
            complain(fmt::format("error: {}\n", plain_text(failure)));
        std::fflush(options_.output);
    }

    [[nodiscard]] std::string packet_text(const PacketAnswer &packet, const Answer &said) const
    {
        const bool several =
            std::ranges::any_of(said.packets, [&](const auto &other) { return other.program != packet.program; });
        const auto program = several ? fmt::format("{}: ", packet.program) : "";
        if (packet.rule.empty())
            return fmt::format("{}{}, no rule matches", program, packet.verdict);
        const auto where = packet.source == source ? fmt::format("line {}", packet.line)
                                                   : fmt::format("{}:{}", plain_text(packet.source), packet.line);
        return fmt::format("{}{}, by {}: {}", program, packet.verdict, where, state_.source(packet.rule));
    }

    // ---- What is attached ------------------------------------------------------------------------------------------

    [[nodiscard]] int news_fd() const { return state_.work ? state_.work->news_fd() : -1; }

    // Of the interface; when nothing is received any more, the program is taken away.
    std::string news()
    {
        std::string text;
        if (!state_.work)
            return text;
        for (const auto &one : state_.work->take_news())
            text += one;
        if (auto end = state_.work->take_end()) {
            failed_ = true;
            text += plain_text(runtime::to_string(*end)) + "\n";
            text += fmt::format("{}: detached\n", state_.work->interface());
            state_.work.reset();
        }
        return text;
    }

    void leave()
    {
        if (!state_.work)
            return;
        if (const auto text = news(); !text.empty())
            say(options_.errors, text);
        if (state_.work)
            show(detach_session(state_, ""));
        std::fflush(options_.output);
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

    ShellOptions options_;
    ShellState state_;
    std::string pending_;          // lines of an input that is not complete yet
    std::string next_line_;        // to be edited
    std::uint32_t first_line_ = 1; // of the pending input
    bool failed_ = false;
    bool quit_ = false;
};

} // namespace

int shell(const ShellOptions &options) { return Shell(options).run(); }

} // namespace xdpf::cli
