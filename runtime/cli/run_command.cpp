#include "runtime/cli/run_command.hpp"

#include "runtime/cli/run_report.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/consumers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using Seconds = std::chrono::duration<double>;

constexpr std::uint32_t tx_size = 2048; // entries of the TX ring, where packets are sent

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

SessionOptions session_options(const RunOptions &options, const std::string &interface)
{
    SessionOptions session;
    session.interface = interface;
    session.program = options.program;
    session.mode = options.mode;
    session.dispatcher = options.dispatcher;
    session.queues = options.queues;
    session.socket = options.socket;
    session.verifier_log = options.verifier_log;
    session.parameters = options.parameters;
    session.entry_programs = options.entry_programs;
    if (options.verbose)
        session.step = [](const std::string &done) { fmt::print(stderr, "{}\n", printable(done)); };
    return session;
}

// Packets that are forwarded stay where they lie: both ends use the memory of the first one, of which half receives for
// each.
Result<std::vector<Session>> open_sessions(const Image &image, const RunOptions &options)
{
    std::vector<Session> sessions;
    const bool forwards = !options.forward.empty();
    for (const std::string &interface : options.interfaces) {
        SessionOptions settings = session_options(options, interface);
        if (forwards) {
            settings.frames_of_memory = options.socket.umem.frames;
            settings.socket.umem.frames *= 2;
        }
        if (forwards && !sessions.empty())
            for (const Queue &queue : sessions.front().queues())
                settings.memory.push_back(queue.memory());
        Result<Session> session = Session::open(image, settings);
        if (!session)
            return std::unexpected(std::move(session.error()));
        sessions.push_back(std::move(*session));
    }
    return sessions;
}

// Processors by the queues' interrupts, where they are to be.
Result<RunPlan> plan_of(std::span<const Session> sessions, const RunOptions &options)
{
    RunPlan plan = options.plan;
    if (!options.echo && options.forward.empty()) // nobody waits for what is only counted
        plan.gather = std::chrono::microseconds(50);
    if (!options.cpus_of_queues)
        return plan;
    for (const Queue &queue : sessions.front().queues()) {
        const std::string &interface = sessions.front().interface().name;
        const auto cpu = interrupt_processor(interface, queue.index());
        if (!cpu) {
            Error error;
            error.stage = "cannot choose processors";
            error.message = fmt::format("no interrupt is known of queue {} of '{}'", queue.index(), interface);
            error.cause = "virtual interfaces have none, and not every driver names its interrupts after queues";
            error.remedy = fmt::format("--cpus LIST   (grep {} /proc/interrupts)", interface);
            return std::unexpected(std::move(error));
        }
        plan.cpus.push_back(*cpu);
    }
    return plan;
}

RecordForm record_form(const RunOptions &options)
{
    if (options.records != RecordForm::automatic)
        return options.records;
    return options.json ? RecordForm::json : RecordForm::text;
}

struct Consumers {
    Echo echo;
    std::optional<Forward> forward;

    [[nodiscard]] std::uint64_t not_sent() const { return echo.not_sent() + (forward ? forward->not_sent() : 0); }
};

std::vector<Summary> receive(std::span<Session> sessions, const RunPlan &plan, const RunOptions &options,
                             Consumers &consumers)
{
    LiveLine line;
    RunCallbacks callbacks;
    const RecordForm form = record_form(options);
    const bool shows_records = std::ranges::any_of(sessions, &Session::has_records) && form != RecordForm::none;
    if (shows_records) {
        std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); // each is seen when it comes, through a pipe, too
        callbacks.record = [form](const Record &record) {
            fmt::print("{}\n", form == RecordForm::json ? to_json(record) : to_text(record));
        };
    }
    if (options.echo)
        callbacks.batch = [&](std::size_t, Queue &queue, Batch &batch) { return consumers.echo(queue, batch); };
    if (!options.forward.empty()) {
        consumers.forward.emplace(sessions);
        callbacks.batch = [&](std::size_t session, Queue &queue, Batch &batch) {
            return (*consumers.forward)(session, queue, batch);
        };
    }
    if (!options.quiet && !options.json && !shows_records && isatty(STDERR_FILENO) != 0)
        callbacks.tick = [&line](Seconds elapsed, std::span<const QueueCount> counts) { line.show(elapsed, counts); };
    std::vector<std::string> names = options.interfaces;
    if (!options.quiet)
        callbacks.link = [&](std::size_t session, Session::Wake news) {
            fmt::print(stderr, "\r{}", link_text(names[session], sessions[session], news));
            names[session] = sessions[session].interface().name;
        };
    return runtime::run(sessions, {options.count, options.duration, true}, plan, callbacks);
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
    const Ended ended = [before = StopOnSignal::seen()] { return StopOnSignal::seen() != before; };
    Result<MapsReport> maps = options.json ? maps_json(loaded, ended) : maps_text(loaded, ended);
    if (!maps)
        return std::unexpected(std::move(maps.error()));
    findings.maps = std::move(maps->text);
    findings.cut = maps->cut;
    return findings;
}

// The declaration that an error is about.
Error placed(Error error, const Sources &sources)
{
    if (error.place.line != 0 || !error.span.valid())
        return error;
    const std::uint32_t line = sources.location(error.span.file, error.span.begin).line;
    error.place = {std::string(sources.name(error.span.file)), line, std::string(sources.line(error.span.file, line))};
    return error;
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

// What a session's end brings: its summary, what its program counted, and whether all went well.
class Reports {
public:
    Reports(const Compilation &compilation, const RunOptions &options) : compilation_(compilation), options_(options) {}

    void add(const Session &session, const Summary &summary)
    {
        const Result<Findings> findings = findings_of(session.program(), compilation_.sources(), options_);
        const Findings found = findings.value_or(nothing_found(options_));
        if (options_.json) {
            objects_.push_back(summary_json(summary, session, found, compilation_));
        } else {
            if (options_.interfaces.size() > 1 && !options_.quiet)
                fmt::print("{}\n", session.interface().name);
            fmt::print("{}{}{}", options_.quiet ? "" : summary_text(summary, found, options_.verbose), found.rules,
                       found.maps);
        }
        if (found.cut)
            fmt::print(stderr, "a signal ended the reading of maps: what is shown of them is not all\n");
        for (const std::optional<Error> &error : {summary.ended_by, error_of(summary.detached), error_of(findings)})
            if (error) {
                say_error(*error, false);
                status_ = exit_failure;
            }
    }
    // One object: of one interface its own, else all of them in a list.
    [[nodiscard]] int end() const
    {
        if (options_.json)
            fmt::print("{}", objects_.size() == 1 ? fmt::format("{}\n", objects_[0])
                                                  : fmt::format("{{\"interfaces\":[{}]}}\n", fmt::join(objects_, ",")));
        return status_;
    }

private:
    template <class T> static std::optional<Error> error_of(const Result<T> &result)
    {
        return result ? std::nullopt : std::optional(result.error());
    }

    const Compilation &compilation_;
    const RunOptions &options_;
    std::vector<std::string> objects_;
    int status_ = exit_ok;
};

} // namespace

int run(const SourceOptions &source, const RunOptions &given)
{
    RunOptions options = given;
    if (!options.forward.empty())
        options.interfaces.push_back(options.forward);
    if (options.echo || !options.forward.empty())
        options.socket.tx_size = tx_size;
    const Compilation compilation = compile_source(source);
    if (!options.json || source.format == Format::text)
        report(compilation, source);
    if (!compilation.ok())
        return not_compiled(compilation, options);
    Result<std::vector<Session>> sessions = open_sessions(compilation.image(), options);
    if (!sessions)
        return fail(placed(sessions.error(), compilation.sources()), compilation, options);
    const Result<RunPlan> plan = plan_of(*sessions, options);
    if (!plan)
        return fail(plan.error(), compilation, options);
    const StopOnSignal stop(sessions->front().stop_fd());
    for (Session &session : *sessions)
        say_start(session, options);
    if (source.verdict_counters && !compilation.image().verdict_counters.valid())
        fmt::print(stderr, "warning: verdicts are not counted: with that the program would be too large\n");
    Consumers consumers;
    const std::vector<Summary> summaries = receive(*sessions, *plan, options, consumers);
    Reports reports(compilation, options);
    for (std::size_t i = 0; i < sessions->size(); ++i)
        reports.add((*sessions)[i], summaries[i]);
    if (consumers.not_sent() != 0)
        fmt::print(stderr, "warning: {} packets were received and not sent: the TX ring was full\n",
                   consumers.not_sent());
    return reports.end();
}

} // namespace xdpf::cli
