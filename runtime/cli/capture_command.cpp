#include "runtime/cli/capture_command.hpp"

#include "compiler/report.hpp"
#include "runtime/cli/capture_output.hpp"
#include "runtime/cli/capture_report.hpp"
#include "runtime/cli/capture_signals.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/maps.hpp"
#include "runtime/run.hpp"
#include "runtime/wall_clock.hpp"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdio_ext.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

// What lies in front of a sample's bytes, behind time and type (RecordType).
enum SampleField : std::size_t { sample_captured, sample_length, sample_queue };

// A packet in one piece; longer ones, of a larger MTU, need programs with `frags`.
constexpr std::uint32_t one_piece = 3'498;

// One interface, received from by a thread of its own.
class Tap {
public:
    Tap(Session session, std::uint32_t number, CaptureOutput &output, const CaptureCommand &command)
        : session_(std::move(session)), number_(number), output_(output), command_(command)
    {
    }

    [[nodiscard]] const Session &session() const { return session_; }
    [[nodiscard]] Session &session() { return session_; }

    // Until stop(), a limit, or an error; then detaches and takes what is still there.
    void run()
    {
        RunCallbacks callbacks;
        callbacks.record = [this](const Record &record) { take(record); };
        callbacks.packet = [this](std::uint32_t queue, std::span<std::byte> packet) { take(queue, packet); };
        callbacks.tick = [this](std::chrono::duration<double>, std::span<const QueueCount>) { output_.flush(); };
        callbacks.tick_every = std::chrono::milliseconds(output_.to_standard_output() ? 100 : 1000);
        callbacks.link = [this, name = session_.interface().name](std::size_t, Session::Wake news) mutable {
            if (!command_.quiet)
                (void)std::fputs(link_text(std::exchange(name, session_.interface().name), session_, news).c_str(),
                                 stderr);
        };
        summary_.run = runtime::run(session_, {.packets{}, .duration = command_.duration, .detach = true}, callbacks);
        if (!command_.rules.steal)
            // What is in the middle of the program on another processor ends: a grace period (membarrier(2)).
            (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
        while (session_.receive_records(callbacks.record) != 0) {
        }
        sum_up();
    }

    [[nodiscard]] const TapSummary &summary() const { return summary_; }
    [[nodiscard]] std::vector<Error> errors() const
    {
        std::vector<Error> all;
        if (summary_.run.ended_by)
            all.push_back(*summary_.run.ended_by);
        if (!summary_.run.detached)
            all.push_back(summary_.run.detached.error());
        if (not_counted_)
            all.push_back(*not_counted_);
        return all;
    }

private:
    void take(const Record &record)
    {
        if (!output_.to_file()) {
            count(output_.print(record));
            return;
        }
        count(output_.write({.interface = number_,
                             .time = clock_.of_monotonic(record.time),
                             .bytes = record.packet,
                             .length = static_cast<std::uint32_t>(record.fields[sample_length].number()),
                             .queue = static_cast<std::uint32_t>(record.fields[sample_queue].number()),
                             .verdict = XDP_PASS}));
    }

    void take(std::uint32_t queue, std::span<const std::byte> packet)
    {
        count(output_.write({.interface = number_,
                             .time = WallClock::now(),
                             .bytes = packet,
                             .length = static_cast<std::uint32_t>(packet.size()),
                             .queue = queue,
                             .verdict = XDP_REDIRECT}));
    }

    void count(bool taken) { ++(taken ? summary_.captured : summary_.not_taken); }

    // Every packet that matched was counted, then sampled or redirected: what did not come is lost.
    void sum_up()
    {
        summary_.interface = session_.interface().name;
        summary_.mode = name_of(session_.attachment().mode());
        summary_.not_taken += summary_.run.not_taken;
        const std::uint64_t came = summary_.captured + summary_.not_taken;
        if (command_.rules.steal) {
            summary_.lost = summary_.run.lost;
            summary_.matched = came + summary_.lost;
            return;
        }
        Result<std::uint64_t> matched = hits();
        if (!matched) {
            not_counted_ = matched.error();
            return;
        }
        summary_.matched = *matched;
        summary_.lost = *matched - came;
    }

    [[nodiscard]] Result<std::uint64_t> hits()
    {
        const Result<Map> map = map_of(session_.program(), hits_map);
        if (!map)
            return std::unexpected(map.error());
        const std::uint32_t first = 0;
        const auto value = map->lookup(std::as_bytes(std::span(&first, 1)));
        if (!value)
            return std::unexpected(value.error());
        std::uint64_t number = 0;
        if (*value)
            std::memcpy(&number, (*value)->data(), std::min(sizeof number, (*value)->size()));
        return number;
    }

    Session session_;
    std::uint32_t number_;
    CaptureOutput &output_;
    const CaptureCommand &command_;
    WallClock clock_;
    TapSummary summary_;
    std::optional<Error> not_counted_;
};

using Taps = std::vector<std::unique_ptr<Tap>>;

void stop(const Taps &taps)
{
    for (const auto &tap : taps)
        tap->session().stop();
}

int capture_failed(const Error &error, const CaptureProgram &program, const CaptureCommand &command)
{
    if (program.ok())
        fmt::print(stderr, "{}\n", to_string(error));
    if (command.json)
        fmt::print("{}", capture_failure_json(program, error));
    return exit_failure;
}

// The diagnostics of one that does not compile were shown already.
int not_compiled(const CaptureProgram &program, const CaptureCommand &command)
{
    const std::size_t errors = program.diagnostics.errors();
    Error error{.stage = "cannot compile", .message = fmt::format("{} error{}", errors, errors == 1 ? "" : "s")};
    if (program.compilation.ok()) {
        error = {.stage = fmt::format("cannot capture '{}'", printable(command.rules.predicate)),
                 .message = "it is more than a predicate",
                 .cause = "a capture makes the rules itself, and leaves the packets as they are",
                 .remedy = fmt::format("xdpf run -e 'RULES' -i {}   (rules of your own)", command.interfaces.front())};
        fmt::print(stderr, "{}\n", to_string(error));
    }
    return capture_failed(error, program, command);
}

void report(const CaptureProgram &program, Format format)
{
    if (format == Format::json)
        fmt::print("{}", to_json(program.diagnostics, program.sources));
    else
        fmt::print(stderr, "{}", to_text(program.diagnostics, program.sources, colour_on(STDERR_FILENO)));
}

// Whether an interface has packets that a program without `frags` is not attached for. One that is not there is found
// missing when it is opened.
bool has_long_packets(const std::vector<std::string> &interfaces)
{
    return std::ranges::any_of(interfaces, [](const std::string &name) {
        const Result<Interface> interface = find_interface(name, {});
        return interface && interface->mtu > one_piece;
    });
}

Result<void> open(Taps &taps, CaptureOutput &output, const Image &image, const CaptureCommand &command)
{
    std::vector<PcapngInterface> descriptions;
    for (const std::string &name : command.interfaces) {
        SessionOptions options;
        options.interface = name;
        options.mode = command.mode;
        if (command.verbose)
            options.step = [](const std::string &done) { fmt::print(stderr, "{}\n", printable(done)); };
        Result<Session> session = Session::open(image, options);
        if (!session)
            return std::unexpected(std::move(session.error()));
        for (const std::string &warning : session->warnings())
            fmt::print(stderr, "warning: {}\n", warning);
        const auto number = static_cast<std::uint32_t>(taps.size());
        descriptions.push_back({.name = name,
                                .description = command.rules.steal ? "packets taken away from the stack"
                                                                   : "packets on their way to the stack",

                                .filter = command.rules.predicate});
        taps.push_back(std::make_unique<Tap>(std::move(*session), number, output, command));
    }
    return output.open(descriptions);
}

void say_start(const Taps &taps, const CaptureCommand &command)
{
    for (const auto &tap : taps)
        fmt::print(stderr, "{}: capturing {} in {} mode{}\n", printable(tap->session().interface().name),
                   command.rules.predicate.empty() ? "all packets" : printable(command.rules.predicate),
                   name_of(tap->session().attachment().mode()),
                   command.rules.steal ? "; they do not reach the stack" : "");
}

std::vector<Error> run(Taps &taps, CaptureOutput &output, SignalWait &signals)
{
    std::vector<std::thread> threads;
    for (const auto &tap : taps)
        threads.emplace_back([&] {
            tap->run();
            if (!tap->errors().empty())
                stop(taps);
            signals.done();
        });
    signals.wait(static_cast<int>(taps.size()), output.to_standard_output() ? STDOUT_FILENO : -1, [&] { stop(taps); });
    for (std::thread &thread : threads)
        thread.join();
    std::vector<Error> errors;
    for (const auto &tap : taps)
        for (Error &error : tap->errors())
            errors.push_back(std::move(error));
    return errors;
}

} // namespace

int capture(const CaptureCommand &command)
{
    CaptureCommand settings = command;
    settings.rules.frags = has_long_packets(command.interfaces);
    const CaptureProgram program = compile_capture(settings.rules);
    if (!command.json || command.format == Format::text)
        report(program, command.format);
    if (!program.ok())
        return not_compiled(program, command);

    SignalWait signals;
    Taps taps;
    CaptureOutput output(command.file, command.json, [&] { stop(taps); });
    if (Result<void> opened = open(taps, output, program.compilation.image(), command); !opened)
        return capture_failed(opened.error(), program, command);
    if (!command.quiet)
        say_start(taps, command);
    std::vector<Error> errors = run(taps, output, signals);

    std::vector<TapSummary> summaries;
    std::vector<CaptureCounts> counts;
    for (const auto &tap : taps) {
        summaries.push_back(tap->summary());
        counts.push_back(counts_of(tap->summary()));
    }
    if (output.error())
        errors.push_back(*output.error());
    if (Result<void> finished = output.finish(counts); !finished && finished.error().code != EPIPE)
        errors.push_back(finished.error());
    if (output.closed() && output.to_standard_output())
        __fpurge(stdout); // nobody reads it
    else if (command.json)
        fmt::print("{}", capture_json(command, program, output, summaries, errors));
    if (!command.json && !command.quiet)
        fmt::print(stderr, "{}", capture_text(command, output, summaries));
    for (const Error &error : errors)
        fmt::print(stderr, "{}\n", to_string(error));
    return errors.empty() ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
