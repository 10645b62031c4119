#include "runtime/cli/run_open.hpp"

#include "runtime/cli/origin.hpp"

#include <fmt/format.h>

namespace xdpf::cli {

using namespace xdpf::runtime;

SessionOptions session_options(const Compilation &compilation, const SourceOptions &source, const RunOptions &options,
                               const std::string &interface)
{
    SessionOptions session;
    session.interface = interface;
    session.program = options.program;
    session.mode = options.mode;
    session.dispatcher = options.dispatcher;
    session.queues = options.queues;
    session.socket = options.socket;
    session.verifier_log = options.verifier_log;
    session.publish = origin_of(compilation, source);
    session.parameters = options.parameters;
    session.entry_programs = options.entry_programs;
    if (options.verbose)
        session.step = [](const std::string &done) { fmt::print(stderr, "{}\n", printable(done)); };
    return session;
}

// Packets that are forwarded stay where they lie: both ends use the memory of the first one, of which half receives for
// each.
Result<std::vector<Session>> open_sessions(const Compilation &compilation, const SourceOptions &source,
                                           const RunOptions &options)
{
    std::vector<Session> sessions;
    const bool forwards = !options.forward.empty();
    for (const std::string &interface : options.interfaces) {
        SessionOptions settings = session_options(compilation, source, options, interface);
        if (forwards) {
            settings.frames_of_memory = options.socket.umem.frames;
            settings.socket.umem.frames *= 2;
        }
        if (forwards && !sessions.empty())
            for (const Queue &queue : sessions.front().queues())
                settings.memory.push_back(queue.memory());
        Result<Session> session = Session::open(compilation.image(), settings);
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
    if (!options.echo && options.forward.empty()) // nobody waits for what is only counted or written
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

} // namespace xdpf::cli
