#include "runtime/cli/run_summary.hpp"

#include "compiler/report.hpp"
#include "runtime/cli/as_json.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using cli::as_json;

std::string lost_text(const Summary &summary)
{
    QueueStatistics all;
    for (const QueueSummary &queue : summary.queues) {
        all.rx_dropped += queue.dropped.rx_dropped;
        all.rx_invalid_descs += queue.dropped.rx_invalid_descs;
        all.rx_ring_full += queue.dropped.rx_ring_full;
        all.fill_ring_empty += queue.dropped.fill_ring_empty;
    }
    std::string out =
        fmt::format("lost       {} redirected packets (XDP_STATISTICS: no free frame {}, rx ring full {}, other {})\n",
                    summary.lost, all.no_free_frame(), all.rx_ring_full, all.other());
    if (all.rx_invalid_descs != 0)
        out += fmt::format("           {} invalid fill ring entries\n", all.rx_invalid_descs);
    return out;
}

std::string sent_text(const Summary &summary)
{
    SendCounts all;
    std::uint64_t refused = 0;
    for (const QueueSummary &queue : summary.queues) {
        all.completed += queue.sent.completed;
        all.kicks += queue.sent.kicks;
        refused += queue.dropped.tx_invalid_descs;
    }
    std::string out =
        fmt::format("sent       {} packets, {} completed, in {} system calls", summary.sent, all.completed, all.kicks);
    if (refused != 0)
        out += fmt::format(", {} refused by the kernel", refused);
    return out + "\n";
}

Json as_json(const QueueSummary &queue)
{
    return {{"queue", queue.received.queue},
            {"packets", queue.received.packets},
            {"bytes", queue.received.bytes},
            {"zero_copy", queue.zero_copy},
            {"not_taken", queue.not_taken},
            {"rx_dropped", queue.dropped.rx_dropped},
            {"rx_invalid_descs", queue.dropped.rx_invalid_descs},
            {"rx_ring_full", queue.dropped.rx_ring_full},
            {"fill_ring_empty", queue.dropped.fill_ring_empty},
            {"sent", queue.sent.sent},
            {"completed", queue.sent.completed},
            {"kicks", queue.sent.kicks},
            {"tx_invalid_descs", queue.dropped.tx_invalid_descs}};
}

Json as_json(const InterfaceCounters &counters)
{
    return {{"rx_packets", counters.rx_packets}, {"rx_bytes", counters.rx_bytes}, {"rx_dropped", counters.rx_dropped}};
}

template <class T> Json as_json(const std::optional<T> &value) { return value ? as_json(*value) : Json(nullptr); }

Json diagnostics_json(const Compilation &compilation)
{
    return Json::parse(to_json(compilation.diagnostics(), compilation.sources()));
}

} // namespace

std::string verdicts_text(const VerdictCounts &counts)
{
    std::string out = fmt::format("verdicts   {} redirected, {} passed, {} dropped", counts.redirected, counts.passed,
                                  counts.dropped);
    if (counts.transmitted != 0)
        out += fmt::format(", {} sent back (tx)", counts.transmitted);
    if (counts.aborted != 0)
        out += fmt::format(", {} aborted", counts.aborted);
    return out + "\n";
}

std::string quantity(double number)
{
    if (number >= 1e9)
        return fmt::format("{:.2f} G", number / 1e9);
    if (number >= 1e6)
        return fmt::format("{:.2f} M", number / 1e6);
    if (number >= 1e4)
        return fmt::format("{:.1f} k", number / 1e3);
    return fmt::format("{:.0f}", number);
}

std::string rate(double per_second) { return quantity(per_second) + "/s"; }

std::string summary_text(const Summary &summary, const Findings &findings, bool verbose)
{
    const double seconds = std::max(1e-9, summary.elapsed.count());
    std::string out = fmt::format("received   {} packets, {} bytes in {:.3f} s ({})\n", summary.packets, summary.bytes,
                                  seconds, rate(static_cast<double>(summary.packets) / seconds));
    if (summary.queues.size() > 1 || verbose)
        for (const QueueSummary &queue : summary.queues)
            out += fmt::format("  queue {:<3} {} packets, {} bytes, {}\n", queue.received.queue, queue.received.packets,
                               queue.received.bytes, queue.zero_copy ? "zero-copy" : "copy");
    if (findings.verdicts)
        out += verdicts_text(*findings.verdicts);
    if (summary.records != 0)
        out += fmt::format("records    {}\n", summary.records);
    if (summary.sent != 0)
        out += sent_text(summary);
    if (summary.restored != 0)
        out += fmt::format("restored   {} sockets that somebody had taken out of an XSKMAP\n", summary.restored);
    if (summary.not_taken != 0)
        out += fmt::format("not taken  {} redirected packets (behind --count)\n", summary.not_taken);
    if (!summary.queues.empty())
        out += lost_text(summary);
    if (summary.interface)
        out += fmt::format("interface  {} packets received, {} dropped (its own counters)\n",
                           summary.interface->rx_packets, summary.interface->rx_dropped);
    return out;
}

Json summary_json(const Summary &summary, const Session &session, const Findings &findings,
                  const Compilation &compilation)
{
    Json queues = Json::array();
    for (const QueueSummary &queue : summary.queues)
        queues.push_back(as_json(queue));
    return {{"interface", session.interface().name},
            {"mode", name_of(session.attachment().mode())},
            {"seconds", summary.elapsed.count()},
            {"packets", summary.packets},
            {"bytes", summary.bytes},
            {"not_taken", summary.not_taken},
            {"lost", summary.lost},
            {"sent", summary.sent},
            {"restored", summary.restored},
            {"records", summary.records},
            {"verdicts", as_json(findings.verdicts)},
            {"queues", std::move(queues)},
            {"interface_counters", as_json(summary.interface)},
            {"rules", Json::parse(findings.rules)},
            {"maps", Json::parse(findings.maps)},
            {"warnings", session.warnings()},
            {"diagnostics", diagnostics_json(compilation)},
            {"error", as_json(summary.ended_by)}};
}

Error not_compiled(const Compilation &compilation)
{
    const std::size_t errors = compilation.diagnostics().errors();
    return {.stage = "cannot compile", .message = fmt::format("{} error{}", errors, errors == 1 ? "" : "s")};
}

std::string failure_json(const Error &error, const Compilation &compilation)
{
    return on_one_line({{"diagnostics", diagnostics_json(compilation)}, {"error", as_json(error)}});
}

std::string error_json(const Error &error)
{
    return as_json(error).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string link_text(const std::string &before, const Session &session, Session::Wake news)
{
    const std::string name = printable(session.interface().name);
    if (news == Session::Wake::renamed)
        return fmt::format("{} is called {} now\n", printable(before), name);
    return fmt::format("{} is {}\n", name,
                       news == Session::Wake::up ? "up" : "down: nothing arrives until it is up again");
}

} // namespace xdpf::cli
