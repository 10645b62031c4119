// The commands about the program at work: `:attach`, `:detach`, `:status`, `:hits`.
#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/shell_arguments.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/cli/terminal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sys/ioctl.h>

namespace xdpf::cli {
namespace {

// What was set of parameters stays set, as long as their declarations allow it.
void keep_parameters(ShellState &state)
{
    std::erase_if(state.parameters,
                  [&](const auto &one) { return !state.session.set_parameter(one.first, one.second); });
}

CommandResult nothing_attached() { return failed("nothing is attached: :attach INTERFACE"); }

std::string warnings_text(const ShellWork &work)
{
    std::string out;
    for (const std::string &warning : work.warnings())
        out += fmt::format("warning: {}\n", warning);
    return out;
}

std::string sockets_text(const ShellWork &work)
{
    const auto queues = work.session().queues();
    if (queues.empty())
        return "no AF_XDP sockets";
    std::vector<std::uint32_t> indices;
    for (const runtime::Queue &queue : queues)
        indices.push_back(queue.index());
    return fmt::format("AF_XDP socket{} on queue{} {}, {}", indices.size() == 1 ? "" : "s",
                       indices.size() == 1 ? "" : "s", fmt::join(indices, ", "),
                       queues.front().zero_copy() ? "zero-copy" : "copy");
}

std::uint64_t lost(const ShellWork &work)
{
    std::uint64_t packets = 0;
    for (const runtime::Queue &queue : work.session().queues())
        if (const auto statistics = queue.statistics())
            packets += statistics->lost();
    return packets;
}

std::string counts_text(const ShellWork &work)
{
    std::string out;
    const auto verdicts = work.session().verdict_counts();
    if (verdicts && *verdicts)
        out += verdicts_text(**verdicts);
    if (!work.session().queues().empty())
        out += fmt::format("sockets    {} packets, {} bytes received, {} lost\n", work.packets(), work.bytes(),
                           lost(work));
    if (work.session().has_records())
        out += fmt::format("records    {}\n", work.records());
    return out;
}

runtime::Result<std::vector<std::string>> hits_lines(const ShellWork &work)
{
    const auto hits = work.hits();
    if (!hits)
        return std::unexpected(hits.error());
    std::vector<std::string> lines{fmt::format("{:>10} {:>12}  {}", "packets", "bytes", "rule")};
    for (const RuleHits &one : *hits)
        lines.push_back(fmt::format("{:>10} {:>12}  {}", one.packets, one.bytes, one.text));
    return lines;
}

struct WindowSize {
    std::size_t rows = 24;
    std::size_t columns = 80;
};

WindowSize window_of(std::FILE *terminal)
{
    winsize size{};
    if (ioctl(fileno(terminal), TIOCGWINSZ, &size) != 0 || size.ws_row < 2 || size.ws_col < 2)
        return {};
    return {size.ws_row, size.ws_col};
}

// In place of the lines that stand there already, on a terminal; those that fit. How many that were.
std::size_t draw(const ShellState &state, const std::vector<std::string> &lines, std::size_t drawn)
{
    if (!state.at_terminal) {
        for (const std::string &line : lines)
            state.print(line + "\n");
        return 0;
    }
    const WindowSize window = window_of(state.output);
    const std::size_t shown = std::min(lines.size(), window.rows - 1);
    std::string text = drawn != 0 ? fmt::format("\033[{}A", drawn) : "";
    for (std::size_t i = 0; i < shown; ++i)
        text += fmt::format("\r\033[K{}\n", cut(lines[i], window.columns - 1));
    state.print(text + "\033[J");
    return shown;
}

CommandResult watch_hits(ShellState &state, std::uint64_t times)
{
    std::size_t drawn = 0;
    for (std::uint64_t round = 0; round < times; ++round) {
        if (round != 0 && state.signals.stops_within(std::chrono::seconds(1)))
            return {};
        const auto lines = hits_lines(*state.work);
        if (!lines)
            return failed(lines.error());
        drawn = draw(state, *lines, drawn);
    }
    return {};
}

} // namespace

CommandResult attach_session(ShellState &state, const std::string &argument)
{
    const auto words = words_of(argument);
    if (state.work)
        return failed(fmt::format("attached to {} already: :detach", state.work->interface()));
    WorkOptions options{.interface = words[0], .program = ""};
    for (std::size_t i = 1; i < words.size(); ++i)
        if (words[i] == "native")
            options.mode = runtime::Mode::native;
        else if (words[i] == "skb")
            options.mode = runtime::Mode::skb;
        else if (options.program.empty())
            options.program = words[i];
        else
            return failed("too many words: :attach INTERFACE [native|skb] [PROGRAM]");
    keep_parameters(state);
    options.parameters = state.parameters;
    auto work = ShellWork::start(state.session, std::move(options));
    if (!work)
        return failed(std::move(work.error()));
    state.work = std::move(*work);
    const auto &session = state.work->session();
    return {.output =
                fmt::format("{}{}: attached in {} mode, {}\n", warnings_text(*state.work), state.work->interface(),
                            name_of(session.attachment().mode()), sockets_text(*state.work))};
}

CommandResult detach_session(ShellState &state, const std::string & /*argument*/)
{
    if (!state.work)
        return nothing_attached();
    const auto stopped = state.work->stop();
    const std::string said = fmt::format("{}: detached\n{}", state.work->interface(), counts_text(*state.work));
    state.work.reset();
    CommandResult result{.output = said};
    if (!stopped)
        result.failure = stopped.error();
    return result;
}

CommandResult show_status(ShellState &state, const std::string & /*argument*/)
{
    if (!state.work)
        return nothing_attached();
    const auto &session = state.work->session();
    return {.output =
                fmt::format("{}: '{}' (id {}) in {} mode, {}\n{}{}", state.work->interface(), session.program().name(),
                            session.program().program_id(), name_of(session.attachment().mode()),
                            sockets_text(*state.work), counts_text(*state.work),
                            state.work->is_older() ? "an older program: what was entered last could not take "
                                                     "its place\n"
                                                   : "")};
}

CommandResult show_hits(ShellState &state, const std::string &argument)
{
    if (!state.work)
        return nothing_attached();
    const auto words = words_of(argument);
    if (words.empty()) {
        const auto lines = hits_lines(*state.work);
        return lines ? CommandResult{.output = fmt::format("{}\n", fmt::join(*lines, "\n"))} : failed(lines.error());
    }
    const auto times = words.size() > 1 ? times_of(words[1]) : std::optional(UINT64_MAX);
    if (words[0] != "watch" || words.size() > 2 || !times)
        return failed("that is not how it goes; :help hits has examples");
    return watch_hits(state, *times);
}

CommandResult show_records(ShellState &state, const std::string & /*argument*/)
{
    if (!state.work)
        return nothing_attached();
    const auto records = state.work->take_records();
    std::string out = records.gone == 0 ? "" : fmt::format("{} older ones are gone\n", records.gone);
    for (const std::string &record : records.texts)
        out += record + "\n";
    return {.output = out.empty() ? "none\n" : out};
}

CommandResult put_to_work(ShellState &state)
{
    if (!state.work)
        return {};
    CommandResult result;
    keep_parameters(state);
    const auto kept = state.work->replace(state.session, state.parameters);
    if (!kept) {
        result = failed(kept.error());
        result.failure->cause += result.failure->cause.empty() ? "" : "; ";
        result.failure->cause += "the program at work is the one before";
        return result;
    }
    result.output = fmt::format("{}{}: replaced{}{}\n", warnings_text(*state.work), state.work->interface(),
                                kept->empty() ? "" : "; kept what is in: ", fmt::join(*kept, ", "));
    return result;
}

} // namespace xdpf::cli
