#include "runtime/cli/run_command.hpp"

#include "runtime/cli/origin.hpp"
#include "runtime/cli/run_consumers.hpp"
#include "runtime/cli/run_end.hpp"
#include "runtime/cli/run_open.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/cli/source_watch.hpp"

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

RecordForm record_form(const RunOptions &options)
{
    if (options.records != RecordForm::automatic)
        return options.records;
    return options.json ? RecordForm::json : RecordForm::text;
}

int fail(const Error &error, const Compilation &compilation, const RunOptions &options)
{
    say_error(error, options.verifier_log);
    if (options.json)
        fmt::print("{}", failure_json(error, compilation));
    return exit_failure;
}

// With --json the diagnostics are a part of the one object.
int end_uncompiled(const Compilation &compilation, const RunOptions &options)
{
    if (options.json)
        fmt::print("{}", failure_json(not_compiled(compilation), compilation));
    return exit_failure;
}

// Compiles again what was saved, and puts it to work in place of what was.
class Reloader {
public:
    Reloader(const SourceOptions &source, const RunOptions &options, std::span<Session> sessions,
             const std::shared_ptr<const Compilation> &compilation)
        : source_(source), options_(options), sessions_(sessions), compilations_(sessions.size(), compilation)
    {
    }

    [[nodiscard]] Result<void> start()
    {
        if (!options_.watch)
            return {};
        Result<SourceWatch> watch = SourceWatch::open();
        if (!watch)
            return std::unexpected(std::move(watch.error()));
        watch_ = std::move(*watch);
        return watch_->set(compilations_.front()->sources());
    }
    [[nodiscard]] bool watches() const { return watch_.has_value(); }

    void look()
    {
        if (!watch_ || !watch_->changed())
            return;
        const auto now = std::make_shared<const Compilation>(compile_source(source_));
        (void)watch_->set(now->sources()); // a folder that went away comes back with the next one, or not
        report(*now, source_);
        if (!now->ok()) {
            fmt::print(stderr, "the program that is at work goes on\n");
            return;
        }
        for (std::size_t i = 0; i < sessions_.size(); ++i)
            replace(i, now);
    }

    // Of the program at work in a session.
    [[nodiscard]] const Compilation &compilation(std::size_t session) const { return *compilations_[session]; }

private:
    void replace(std::size_t session, const std::shared_ptr<const Compilation> &now)
    {
        const std::string &interface = sessions_[session].interface().name;
        const auto kept = sessions_[session].replace(now->image(), session_options(*now, source_, options_, interface));
        if (!kept) {
            say_error(placed(kept.error(), now->sources()), options_.verifier_log);
            return;
        }
        compilations_[session] = now;
        if (!options_.quiet)
            fmt::print(stderr, "\r{}: '{}' replaced{}{}\n", interface, sessions_[session].program().name(),
                       kept->empty() ? "" : "; kept what is in: ", fmt::join(*kept, ", "));
    }

    const SourceOptions &source_;
    const RunOptions &options_;
    std::span<Session> sessions_;
    std::vector<std::shared_ptr<const Compilation>> compilations_; // by session
    std::optional<SourceWatch> watch_;
};

std::vector<Summary> receive(std::span<Session> sessions, const RunPlan &plan, const RunOptions &options,
                             Consumers &consumers, Reloader &reloader)
{
    LiveLine line;
    RunCallbacks callbacks;
    const RecordForm form = record_form(options);
    const bool may_record = std::ranges::any_of(sessions, &Session::has_records) || reloader.watches();
    const bool shows_records = may_record && form != RecordForm::none;
    if (shows_records) {
        std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); // each is seen when it comes, through a pipe, too
        callbacks.record = [form](const Record &record) {
            fmt::print("{}\n", form == RecordForm::json ? to_json(record) : to_text(record));
        };
    }
    if (consumers.any())
        callbacks.batch = [&](std::size_t session, Queue &queue, Batch &batch) {
            return consumers(session, queue, batch);
        };
    if (consumers.writes() || reloader.watches()) {
        callbacks.tick = [&](Seconds, std::span<const QueueCount>) {
            consumers.flush();
            reloader.look();
        };
        callbacks.tick_every = std::chrono::milliseconds(100);
    }
    if (!options.quiet && !options.json && !shows_records && isatty(STDERR_FILENO) != 0)
        callbacks.tick = [&line, before = callbacks.tick](Seconds elapsed, std::span<const QueueCount> counts) {
            if (before)
                before(elapsed, counts);
            line.show(elapsed, counts);
        };
    std::vector<std::string> names = options.interfaces;
    if (!options.quiet)
        callbacks.link = [&](std::size_t session, Session::Wake news) {
            fmt::print(stderr, "\r{}", link_text(names[session], sessions[session], news));
            names[session] = sessions[session].interface().name;
        };
    return runtime::run(sessions, {options.count, options.duration, true}, plan, callbacks);
}

} // namespace

int run(const SourceOptions &source, const RunOptions &given)
{
    RunOptions options = given;
    if (!options.forward.empty())
        options.interfaces.push_back(options.forward);
    if (options.echo || !options.forward.empty())
        options.socket.tx_size = tx_size;
    const auto first = std::make_shared<const Compilation>(compile_source(source));
    const Compilation &compilation = *first;
    if (!options.json || source.format == Format::text)
        report(compilation, source);
    if (!compilation.ok())
        return end_uncompiled(compilation, options);
    Result<std::vector<Session>> sessions = open_sessions(compilation, source, options);
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
    Consumers consumers(*sessions, options);
    if (Result<void> opened = consumers.open(); !opened)
        return fail(opened.error(), compilation, options);
    Reloader reloader(source, options, *sessions, first);
    if (Result<void> started = reloader.start(); !started)
        return fail(started.error(), compilation, options);
    const std::vector<Summary> summaries = receive(*sessions, *plan, options, consumers, reloader);
    Reports reports(options);
    for (std::size_t i = 0; i < sessions->size(); ++i)
        reports.add((*sessions)[i], summaries[i], reloader.compilation(i));
    reports.add(consumers.finish(summaries));
    if (consumers.not_sent() != 0)
        fmt::print(stderr, "warning: {} packets were received and not sent: the TX ring was full\n",
                   consumers.not_sent());
    return reports.end();
}

} // namespace xdpf::cli
