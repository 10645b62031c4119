// Packets on their way into AF_XDP sockets: is there one at their queue, and does its process take them out.
#include "runtime/why_watch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace xdpf::runtime::why {
namespace {

std::uint64_t arrived_on(const Watched &watched, std::uint32_t queue)
{
    const auto before = watched.before.queues.find(queue);
    const auto after = watched.after.queues.find(queue);
    return before == watched.before.queues.end() || after == watched.after.queues.end()
               ? 0
               : after->second - before->second;
}

bool has_socket(const Registered &entry, std::uint32_t queue)
{
    return std::ranges::any_of(entry.sockets, [&](const RegisteredSocket &one) { return one.queue == queue; });
}

bool was_put_there(const Registered &entry, const SlotLooks &slot)
{
    const std::string &name = entry.image.maps[slot.map.value].name;
    return std::ranges::any_of(entry.sockets, [&](const RegisteredSocket &one) {
        return one.queue == slot.slot && std::ranges::find(one.maps, name) != one.maps.end();
    });
}

// An XSKMAP that nobody has a socket in.
void find_no_sockets(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Registered &entry = watched.entry();
    std::vector<std::string> maps;
    for (const SlotView &view : watched.slots)
        if (std::ranges::all_of(view.slots(), [](const SlotLooks &one) { return one.empty == one.looks; }))
            maps.push_back(entry.image.maps[view.slots().front().map.value].name);
    if (!entry.sockets.empty() || maps.empty() || watched.packets() == 0)
        return;
    const bool attached = entry.pid == 0;
    out.push_back(
        {{"sockets.none", Level::warning,
          fmt::format("no socket is in '{}', and {} came", fmt::join(maps, "', '"), packets_text(watched.packets())),
          attached ? "a program of xdpf attach has none: what is redirected there takes the rule's `else`"
                   : "its process has none: what is redirected there takes the rule's `else`",
          attached
              ? fmt::format("xdpf detach -i {}; xdpf run {} -i {}", entry.interface,
                            entry.origin.source.starts_with('/') ? entry.origin.source : "-e 'RULES'", entry.interface)
              : fmt::format("xdpf status -i {}", entry.interface)},
         {{"packets", watched.packets()}}});
}

void find_wrong_queue(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Registered &entry = watched.entry();
    std::vector<std::string> queues;
    std::uint64_t packets = 0;
    for (const auto &[queue, unused] : watched.after.queues)
        if (const std::uint64_t here = arrived_on(watched, queue); here != 0 && !has_socket(entry, queue)) {
            queues.push_back(fmt::format("{}", queue));
            packets += here;
        }
    if (entry.sockets.empty() || packets == 0)
        return;
    std::vector<std::string> with;
    for (const RegisteredSocket &socket : entry.sockets)
        with.push_back(fmt::format("{}", socket.queue));
    out.push_back(
        {{"queues.no_socket", Level::warning,
          fmt::format("{} came on queue {}, which has no socket", packets_text(packets), fmt::join(queues, ", ")),
          fmt::format("sockets are on queue {}: what is redirected on another takes the rule's `else`",
                      fmt::join(with, ", ")),
          fmt::format("{} --queues all   (in place of what runs; or: ethtool -L {} rx 1, and one queue takes all)",
                      how_to_start(entry), entry.interface)},
         {{"packets", packets}}});
}

void find_slots(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Registered &entry = watched.entry();
    for (const SlotView &view : watched.slots)
        for (const SlotLooks &slot : view.slots()) {
            const std::string &map = entry.image.maps[slot.map.value].name;
            if (slot.empty != 0 && was_put_there(entry, slot))
                out.push_back(
                    {{fmt::format("sockets.empty_slot_{}", slot.slot), Level::problem,
                      fmt::format("slot {} of '{}' was empty at {} of {} looks, and {}", slot.slot, map, slot.empty,
                                  slot.looks, slot.empty_now ? "still is" : "is filled again"),
                      fmt::format("somebody took the socket of queue {} out: what is redirected there takes "
                                  "the rule's `else`; xdpf run puts it back within a second",
                                  slot.slot),
                      watched.process.starts_with('T')
                          ? fmt::format("kill -CONT {}   (its process is stopped)", entry.pid)
                          : fmt::format("bpftool map show id {}   (who has the map open)", entry.maps[slot.map.value])},
                     {{"looks", slot.looks}, {"empty", slot.empty}}});
            if (slot.other)
                out.push_back(
                    {{fmt::format("sockets.other_queue_{}", slot.slot), Level::problem,
                      fmt::format("in slot {} of '{}' was a socket of queue {}", slot.slot, map, *slot.other),
                      "a socket takes packets of its own queue and interface only: the others are dropped",
                      fmt::format("bpftool map show id {}   (who has the map open)", entry.maps[slot.map.value])},
                     {{"queue", *slot.other}}});
        }
}

// What became of a queue's packets, all sockets together.
struct Losses {
    std::uint64_t no_frame = 0;
    std::uint64_t ring_full = 0;
    std::uint64_t other = 0; // too long for a frame
    std::uint64_t taken = 0;
    std::uint64_t waiting = 0;
    std::uint64_t free = 0;
    std::vector<std::string> queues; // that lost some which would have fitted, or where packets wait
    [[nodiscard]] std::uint64_t all() const { return no_frame + ring_full + other; }
};

Losses losses_of(const Watched &watched)
{
    Losses out;
    for (std::size_t i = 0; i < watched.sockets.size(); ++i) {
        const auto &before = watched.before.sockets[i];
        const auto &after = watched.after.sockets[i];
        if (!before || !after)
            continue;
        const std::uint64_t dropped = after->counters.rx_dropped - before->counters.rx_dropped;
        const std::uint64_t empty = after->counters.fill_ring_empty - before->counters.fill_ring_empty;
        const std::uint64_t full = after->counters.rx_ring_full - before->counters.rx_ring_full;
        const std::uint64_t no_frame = std::min(dropped, empty);
        out.no_frame += no_frame;
        out.other += dropped - no_frame;
        out.ring_full += full;
        out.taken += static_cast<std::uint32_t>(after->taken - before->taken);
        if (no_frame + full != 0 || (after->waiting() != 0 && after->taken == before->taken)) {
            out.queues.push_back(fmt::format("{}", watched.sockets[i].registered().queue));
            out.waiting += after->waiting();
            out.free += after->free;
        }
    }
    return out;
}

std::vector<std::pair<std::string, std::uint64_t>> numbers_of(const Losses &losses)
{
    return {{"no_frame", losses.no_frame},
            {"ring_full", losses.ring_full},
            {"taken", losses.taken},
            {"waiting", losses.waiting},
            {"free_frames", losses.free}};
}

std::string lost_text(const Losses &losses)
{
    return fmt::format("{} lost (no free frame {}, RX ring full {}), {} wait in the RX ring",
                       packets_text(losses.no_frame + losses.ring_full), losses.no_frame, losses.ring_full,
                       losses.waiting);
}

void find_reader(std::vector<WhyFinding> &out, const Watched &watched, const Losses &losses)
{
    const Registered &entry = watched.entry();
    const std::string queues = fmt::format("queue {}", fmt::join(losses.queues, ", "));
    if (watched.process.starts_with('T') || watched.process.starts_with('t')) {
        out.push_back(
            {{"sockets.stopped", Level::problem, fmt::format("process {} is stopped: {}", entry.pid, lost_text(losses)),
              "a signal or a debugger stopped it, and nobody takes packets out of its sockets",
              fmt::format("kill -CONT {}", entry.pid)},
             numbers_of(losses)});
    } else if (losses.queues.empty()) {
        return;
    } else if (losses.taken == 0) {
        out.push_back({{"sockets.not_reading", Level::problem,
                        fmt::format("process {} takes nothing out of {}: {}", entry.pid, queues, lost_text(losses)),
                        "it does something else, or waits for another thing", fmt::format("top -H -p {}", entry.pid)},
                       numbers_of(losses)});
    } else if (losses.no_frame + losses.ring_full != 0) {
        const bool holds = losses.ring_full == 0 && losses.waiting == 0 && losses.free == 0;
        const std::uint32_t frames = entry.sockets.front().frames;
        out.push_back({{holds ? "sockets.no_frames" : "sockets.slow", Level::warning,
                        fmt::format("process {} took {} from {}, and {}", entry.pid,
                                    per_second(losses.taken, watched.seconds), queues, lost_text(losses)),
                        holds ? "frames that it took are not given back soon enough: the fill ring is empty"
                              : "packets come faster than it takes them out, at times or always",
                        fmt::format("{} --frames {}   (for bursts), or --cpus for a thread on each processor",
                                    how_to_start(entry), frames * 4)},
                       numbers_of(losses)});
    }
}

} // namespace

void find_queues(std::vector<WhyFinding> &out, const Watched &watched)
{
    find_no_sockets(out, watched);
    find_wrong_queue(out, watched);
    find_slots(out, watched);
}

void find_sockets(std::vector<WhyFinding> &out, const Watched &watched)
{
    if (!watched.unseen.empty() && !watched.ended) {
        const Error &error = watched.unseen.front();
        const std::string text = fmt::format("{}: {}", error.call, error.message);
        out.push_back(
            {{"sockets.unseen", Level::note, error.stage,
              error.cause.empty() ? text : fmt::format("{}: {}", text, error.cause),
              error.remedy.empty() ? fmt::format("xdpf status -i {}", watched.entry().interface) : error.remedy}});
    }
    if (watched.sockets.empty())
        return;
    const Losses losses = losses_of(watched);
    find_reader(out, watched, losses);
    if (losses.other != 0)
        out.push_back({{"sockets.too_long", Level::warning,
                        fmt::format("{} lost that did not fit into a frame of {} bytes", packets_text(losses.other),
                                    watched.entry().sockets.front().frame_size),
                        "a packet that is longer needs `frags`, or larger frames",
                        fmt::format("{} --frame-size 4096", how_to_start(watched.entry()))},
                       {{"packets", losses.other}}});
}

} // namespace xdpf::runtime::why
