#include "runtime/cli/run_command.hpp"

#include "runtime/cli/origin.hpp"
#include "runtime/cli/run_report.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using Seconds = std::chrono::duration<double>;

std::atomic<int> stop_fd = -1;
std::atomic<int> signals_seen = 0;

// One ends the waiting for packets, another one the reading of maps afterwards; who sends a third wants it gone.
void on_signal(int number)
{
    const std::uint64_t once = 1;
    (void)!write(stop_fd.load(), &once, sizeof once);
    if (++signals_seen == 2)
        (void)std::signal(number, SIG_DFL);
}

// SIGINT, SIGTERM and SIGHUP (unless nohup set it aside) end the session's wait as long as this lives.
class SignalStop {
public:
    explicit SignalStop(const Session &session)
    {
        stop_fd = session.stop_fd();
        struct sigaction action {};
        action.sa_handler = on_signal;
        sigemptyset(&action.sa_mask);
        for (std::size_t i = 0; i < signals.size(); ++i) {
            sigaction(signals[i], nullptr, &before_[i]);
            if (signals[i] != SIGHUP || before_[i].sa_handler != SIG_IGN)
                sigaction(signals[i], &action, nullptr);
        }
    }
    SignalStop(const SignalStop &) = delete;
    SignalStop &operator=(const SignalStop &) = delete;
    ~SignalStop()
    {
        for (std::size_t i = 0; i < signals.size(); ++i)
            sigaction(signals[i], &before_[i], nullptr);
    }

private:
    static constexpr std::array<int, 3> signals = {SIGINT, SIGTERM, SIGHUP};
    std::array<struct sigaction, 3> before_{};
};

// The line that is rewritten in place on a terminal.
class LiveLine {
public:
    void show(Seconds elapsed, std::span<const QueueCount> counts)
    {
        const double span = std::max(1e-3, (elapsed - shown_).count());
        before_.resize(counts.size());
        std::string text = fmt::format("{:6.1f} s ", elapsed.count());
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            const auto fresh = static_cast<double>(counts[i].packets - before_[i]);
            if (counts.size() <= 8)
                text += fmt::format(" q{} {:>10}", counts[i].queue, rate(fresh / span));
            before_[i] = counts[i].packets;
            total += counts[i].packets;
        }
        const auto fresh = static_cast<double>(total - total_);
        text += fmt::format("  all {:>10}  {} packets", rate(fresh / span), total);
        total_ = total;
        shown_ = elapsed;
        fmt::print(stderr, "\r{}\033[K", text);
        std::fflush(stderr);
        any_ = true;
    }
    ~LiveLine()
    {
        if (any_)
            fmt::print(stderr, "\r\033[K");
    }

private:
    std::vector<std::uint64_t> before_;
    std::uint64_t total_ = 0;
    Seconds shown_{};
    bool any_ = false;
};

void say_error(const Error &error, bool verifier_log)
{
    if (verifier_log && !error.log.empty())
        fmt::print(stderr, "{}\n", error.log);
    fmt::print(stderr, "{}\n", to_string(error));
}

void say_start(Session &session, const RunOptions &options)
{
    for (const std::string &warning : session.warnings())
        fmt::print(stderr, "warning: {}\n", warning);
    if (options.verifier_log)
        fmt::print(stderr, "{}", session.program().verifier_log());
    if (options.quiet)
        return;
    std::string sockets = "no AF_XDP sockets (the program has no XSKMAP)";
    if (!session.queues().empty()) {
        const bool zero_copy = session.queues().front().zero_copy();
        std::vector<std::uint32_t> indices;
        for (const Queue &queue : session.queues())
            indices.push_back(queue.index());
        sockets =
            fmt::format("AF_XDP socket{} on queue{} {}, {}", indices.size() == 1 ? "" : "s",
                        indices.size() == 1 ? "" : "s", fmt::join(indices, ", "), zero_copy ? "zero-copy" : "copy");
    }
    fmt::print(stderr, "{}: '{}' attached in {} mode{}, {}\n", session.interface().name, session.program().name(),
               name_of(session.attachment().mode()), session.attachment().by_dispatcher() ? " by the dispatcher" : "",
               sockets);
}

SessionOptions session_options(const RunOptions &options)
{
    SessionOptions session;
    session.interface = options.interface;
    session.program = options.program;
    session.mode = options.mode;
    session.dispatcher = options.dispatcher;
    session.queues = options.queues;
    session.copy = options.copy;
    session.umem.frames = options.frames;
    session.verifier_log = options.verifier_log;
    session.parameters = options.parameters;
    session.entry_programs = options.entry_programs;
    if (options.verbose)
        session.step = [](const std::string &done) { fmt::print(stderr, "{}\n", printable(done)); };
    return session;
}

RecordForm record_form(const RunOptions &options)
{
    if (options.records != RecordForm::automatic)
        return options.records;
    return options.json ? RecordForm::json : RecordForm::text;
}

Summary receive(Session &session, const RunOptions &options)
{
    LiveLine line;
    RunCallbacks callbacks;
    const RecordForm form = record_form(options);
    const bool shows_records = session.has_records() && form != RecordForm::none;
    if (shows_records) {
        std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); // each is seen when it comes, through a pipe, too
        callbacks.record = [form](const Record &record) {
            fmt::print("{}\n", form == RecordForm::json ? to_json(record) : to_text(record));
        };
    }
    if (!options.quiet && !options.json && !shows_records && isatty(STDERR_FILENO) != 0)
        callbacks.tick = [&line](Seconds elapsed, std::span<const QueueCount> counts) { line.show(elapsed, counts); };
    if (!options.quiet)
        callbacks.link = [&session](bool up) {
            fmt::print(stderr, "\r{} is {}{}\n", session.interface().name, up ? "up" : "down",
                       up ? "" : ": nothing arrives until it is up again");
        };
    return runtime::run(session, {options.count, options.duration, true}, callbacks);
}

Findings nothing_found(const RunOptions &options)
{
    return options.json ? Findings{.rules = "[]", .maps = "{}"} : Findings{};
}

Result<Findings> findings_of(const Loaded &loaded, const Sources &sources, const RunOptions &options)
{
    Findings findings = nothing_found(options);
    if (Result<std::string> rules = options.json ? rules_json(loaded, sources) : rules_text(loaded, sources))
        findings.rules = std::move(*rules);
    else
        return std::unexpected(std::move(rules.error()));
    const Result<std::optional<VerdictCounts>> verdicts = loaded.verdict_counts();
    if (!verdicts)
        return std::unexpected(verdicts.error());
    findings.verdicts = *verdicts;
    if (!options.maps)
        return findings;
    const Ended ended = [before = signals_seen.load()] { return signals_seen.load() != before; };
    Result<MapsReport> maps = options.json ? maps_json(loaded, ended) : maps_text(loaded, ended);
    if (!maps)
        return std::unexpected(std::move(maps.error()));
    findings.maps = std::move(maps->text);
    findings.cut = maps->cut;
    return findings;
}

int fail(const Error &error, const Compilation &compilation, const RunOptions &options)
{
    say_error(error, options.verifier_log);
    if (options.json)
        fmt::print("{}", failure_json(error, compilation));
    return exit_failure;
}

// With --json the diagnostics are a part of the one object.
int not_compiled(const Compilation &compilation, const RunOptions &options)
{
    Error error;
    error.stage = "cannot compile";
    error.message = fmt::format("{} error{}", compilation.diagnostics().errors(),
                                compilation.diagnostics().errors() == 1 ? "" : "s");
    if (options.json)
        fmt::print("{}", failure_json(error, compilation));
    return exit_failure;
}

} // namespace

int run(const SourceOptions &source, const RunOptions &options)
{
    const Compilation compilation = compile_source(source);
    if (!options.json || source.format == Format::text)
        report(compilation, source);
    if (!compilation.ok())
        return not_compiled(compilation, options);
    SessionOptions settings = session_options(options);
    settings.publish = origin_of(compilation, source);
    Result<Session> session = Session::open(compilation.image(), settings);
    if (!session)
        return fail(placed(session.error(), compilation.sources()), compilation, options);
    const SignalStop stop(*session);
    say_start(*session, options);
    if (source.verdict_counters && !compilation.image().verdict_counters.valid())
        fmt::print(stderr, "warning: verdicts are not counted: with that the program would be too large\n");
    const Summary summary = receive(*session, options);
    const Result<Findings> findings = findings_of(session->program(), compilation.sources(), options);
    const Findings found = findings.value_or(nothing_found(options));

    if (options.json)
        fmt::print("{}", summary_json(summary, *session, found, compilation));
    else
        fmt::print("{}{}{}", options.quiet ? "" : summary_text(summary, found, options.verbose), found.rules,
                   found.maps);
    if (found.cut)
        fmt::print(stderr, "a signal ended the reading of maps: what is shown of them is not all\n");
    if (summary.ended_by)
        say_error(*summary.ended_by, false);
    if (!summary.detached)
        say_error(summary.detached.error(), false);
    if (!findings)
        say_error(findings.error(), false);
    return summary.ended_by || !summary.detached || !findings ? exit_failure : exit_ok;
}

} // namespace xdpf::cli
