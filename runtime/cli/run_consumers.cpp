#include "runtime/cli/run_consumers.hpp"

#include "runtime/wall_clock.hpp"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <cerrno>

namespace xdpf::cli {

using namespace xdpf::runtime;

Consumers::Consumers(std::span<Session> sessions, const RunOptions &options)
    : sessions_(sessions), output_(options.file, false, [sessions] { sessions.front().stop(); })
{
    if (options.echo)
        echo_.emplace();
    if (!options.forward.empty())
        forward_.emplace(sessions);
}

Result<void> Consumers::open()
{
    if (!writes())
        return {};
    std::vector<PcapngInterface> descriptions;
    for (const Session &session : sessions_)
        descriptions.push_back({.name = session.interface().name,
                                .description = fmt::format("packets that '{}' redirected", session.program().name())});
    return output_.open(descriptions);
}

Result<void> Consumers::operator()(std::size_t session, Queue &queue, Batch &batch)
{
    if (writes())
        write(session, queue, batch);
    if (echo_)
        return (*echo_)(queue, batch);
    return forward_ ? (*forward_)(session, queue, batch) : Result<void>();
}

void Consumers::write(std::size_t session, const Queue &queue, const Batch &batch)
{
    const std::uint64_t now = WallClock::now();
    for (const std::span<std::byte> packet : batch)
        if (!output_.write({.interface = static_cast<std::uint32_t>(session),
                            .time = now,
                            .bytes = packet,
                            .length = static_cast<std::uint32_t>(packet.size()),
                            .queue = queue.index(),
                            .verdict = XDP_REDIRECT}))
            return;
}

Result<void> Consumers::finish(std::span<const Summary> summaries)
{
    if (!writes())
        return {};
    std::vector<CaptureCounts> counts;
    for (const Summary &summary : summaries) {
        CaptureCounts one{.accepted = summary.packets + summary.not_taken + summary.lost, .dropped = summary.lost};
        if (summary.interface)
            one.received = summary.interface->rx_packets;
        counts.push_back(one);
    }
    Result<void> finished = output_.finish(counts);
    if (output_.error())
        return std::unexpected(*output_.error());
    return !finished && finished.error().code != EPIPE ? finished : Result<void>();
}

std::uint64_t Consumers::not_sent() const
{
    return (echo_ ? echo_->not_sent() : 0) + (forward_ ? forward_->not_sent() : 0);
}

} // namespace xdpf::cli
