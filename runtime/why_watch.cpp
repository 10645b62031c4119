#include "runtime/why_watch.hpp"

#include "runtime/doctor_parts.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <thread>

namespace xdpf::runtime::why {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds between_looks{20}; // at slots: xdpf run mends them once a second
constexpr std::uint32_t most_slots = 64;

struct FreeInterfaces {
    void operator()(struct if_nameindex *names) const { if_freenameindex(names); }
};

std::map<std::string, std::uint64_t> received_by_interface()
{
    std::map<std::string, std::uint64_t> out;
    const std::unique_ptr<struct if_nameindex, FreeInterfaces> all(::if_nameindex());
    for (const auto *one = all.get(); one != nullptr && one->if_index != 0; ++one)
        if (const auto found = find_interface(one->if_name, "")) // else it is gone
            out[one->if_name] = found->counters.rx_packets;
    return out;
}

Result<Look> look_at(const Running &running, const std::vector<SocketView> &sockets)
{
    const Registered &entry = running.entry();
    Result<Interface> interface =
        find_interface(entry.interface_index, fmt::format("cannot watch '{}'", entry.interface));
    if (!interface)
        return std::unexpected(std::move(interface.error()));
    Look out;
    out.interface = std::move(*interface);
    out.queues = doctor::packets_by_queue(out.interface);
    out.interfaces = received_by_interface();
    const auto verdicts = running.maps().verdict_counts();
    if (!verdicts)
        return std::unexpected(verdicts.error());
    out.verdicts = *verdicts;
    auto rules = running.maps().rule_counts();
    if (!rules)
        return std::unexpected(std::move(rules.error()));
    out.rules = std::move(*rules);
    for (const SocketView &socket : sockets) {
        const Result<SocketState> state = socket.look();
        out.sockets.push_back(state ? std::optional(*state) : std::nullopt);
    }
    return out;
}

void open_sockets(Watched &watched)
{
    if (watched.entry().pid == 0)
        return;
    for (const RegisteredSocket &socket : watched.entry().sockets) {
        Result<SocketView> view = SocketView::open(watched.entry(), socket);
        if (view)
            watched.sockets.push_back(std::move(*view));
        else
            watched.unseen.push_back(std::move(view.error()));
    }
}

void open_slots(Watched &watched, std::uint32_t queues)
{
    const Registered &entry = watched.entry();
    for (std::size_t i = 0; i < entry.image.maps.size(); ++i) {
        if (entry.image.maps[i].kind != MapKind::xskmap || entry.maps[i] == 0)
            continue;
        const std::uint32_t slots = std::min({entry.image.maps[i].max_entries, queues, most_slots});
        Result<SlotView> view = SlotView::open(MapId(i), watched.running.map_fd(MapId(i)), slots);
        if (view)
            watched.slots.push_back(std::move(*view));
        else
            watched.unseen.push_back(std::move(view.error()));
    }
}

VerdictCounts difference(const VerdictCounts &now, const VerdictCounts &before)
{
    return {now.aborted - before.aborted, now.dropped - before.dropped, now.passed - before.passed,
            now.transmitted - before.transmitted, now.redirected - before.redirected};
}

} // namespace

std::optional<VerdictCounts> Watched::verdicts() const
{
    if (!before.verdicts || !after.verdicts)
        return std::nullopt;
    return difference(*after.verdicts, *before.verdicts);
}

std::uint64_t Watched::packets() const
{
    if (const auto all = verdicts())
        return all->aborted + all->dropped + all->passed + all->transmitted + all->redirected;
    return after.interface.counters.rx_packets - before.interface.counters.rx_packets;
}

// It ends early where the program does, since its sockets would live on with it.
Result<Watched> watch(const Running &running, std::chrono::milliseconds duration)
{
    Watched out{.running = running};
    open_sockets(out);
    const Traces traces;
    out.no_traces = traces.missing();
    Result<Look> before = look_at(running, out.sockets);
    if (!before)
        return std::unexpected(std::move(before.error()));
    out.before = std::move(*before);
    open_slots(out, out.before.interface.receive_queues);
    const Clock::time_point start = Clock::now();
    do {
        for (SlotView &slots : out.slots)
            slots.look();
        std::this_thread::sleep_for(std::min<Clock::duration>(between_looks, start + duration - Clock::now()));
        out.ended = !is_at_work(out.entry()) || (out.entry().pid != 0 && process_state(out.entry().pid).empty());
    } while (!out.ended && Clock::now() < start + duration);
    out.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    Result<Look> after = look_at(running, out.sockets);
    Result<std::vector<Lost>> lost = traces.read();
    if (!after || !lost)
        return std::unexpected(std::move(after ? lost.error() : after.error()));
    out.after = std::move(*after);
    out.lost = std::move(*lost);
    out.attached = find_attached(out.after.interface);
    if (out.entry().pid != 0)
        out.process = process_state(out.entry().pid);
    return out;
}

std::string packets_text(std::uint64_t packets) { return fmt::format("{} packet{}", packets, packets == 1 ? "" : "s"); }

std::string per_second(std::uint64_t packets, double seconds)
{
    const double rate = static_cast<double>(packets) / std::max(seconds, 1e-3);
    if (rate >= 1e6)
        return fmt::format("{:.2f} M/s", rate / 1e6);
    if (rate >= 1e4)
        return fmt::format("{:.1f} k/s", rate / 1e3);
    return fmt::format("{:.0f}/s", rate);
}

// The options of its command are not known.
std::string how_to_start(const Registered &entry)
{
    const bool file = entry.origin.source.starts_with('/');
    return fmt::format("xdpf {} {} -i {}", entry.pid == 0 ? "attach" : "run", file ? entry.origin.source : "-e 'RULES'",
                       entry.interface);
}

} // namespace xdpf::runtime::why

namespace xdpf::runtime {

Result<WhyReport> watch_packets(const Registered &entry, std::chrono::milliseconds duration)
{
    const Result<Running> running = Running::open(entry);
    if (!running)
        return std::unexpected(running.error());
    const Result<why::Watched> watched = why::watch(*running, duration);
    if (!watched)
        return std::unexpected(watched.error());
    WhyReport out{.seconds = watched->seconds, .findings = {}};
    for (const auto part : {why::find_program, why::find_traffic, why::find_queues, why::find_sockets,
                            why::find_redirects, why::find_rules, why::tell_flow})
        part(out.findings, *watched);
    return out;
}

} // namespace xdpf::runtime
