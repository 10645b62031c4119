#include "runtime/cli/top_view.hpp"

#include "runtime/cli/run_summary.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

constexpr std::size_t shown_rules = 10;

std::string amount(std::optional<double> value) { return value ? quantity(*value) : "-"; }
std::string amount(std::optional<std::uint32_t> value) { return value ? std::to_string(*value) : "-"; }

std::string up_time(const Registered &entry)
{
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now() - entry.started);
    const std::int64_t all = std::max<std::int64_t>(seconds.count(), 0);
    const std::int64_t days = all / 86400;
    return fmt::format("{}{}:{:02}:{:02}", days == 0 ? "" : fmt::format("{} d ", days), all % 86400 / 3600,
                       all % 3600 / 60, all % 60);
}

Line program_line(const Registered &entry)
{
    return {fmt::format("{}: '{}' in {} mode, up {}, {}, {}", printable(entry.interface), entry.program(), entry.mode,
                        up_time(entry), entry.pid != 0 ? fmt::format("process {}", entry.pid) : "pinned",
                        printable(entry.origin.source)),
            LineStyle::bold};
}

Line verdicts_line(const Pace &pace)
{
    if (!pace.now().verdicts)
        return {"  verdicts   are not counted"};
    struct Kind {
        const char *name;
        std::uint64_t VerdictCounts::*count;
        bool always;
    };
    constexpr std::array<Kind, 5> kinds{{{"redirected", &VerdictCounts::redirected, true},
                                         {"passed", &VerdictCounts::passed, true},
                                         {"dropped", &VerdictCounts::dropped, true},
                                         {"sent back (tx)", &VerdictCounts::transmitted, false},
                                         {"aborted", &VerdictCounts::aborted, false}}};
    std::vector<std::string> parts;
    for (const Kind &kind : kinds)
        if (kind.always || (*pace.now().verdicts).*kind.count != 0)
            parts.push_back(fmt::format("{}/s {}", amount(pace.per_second([&](const Observed &look) {
                                            return look.verdicts ? std::optional((*look.verdicts).*kind.count)
                                                                 : std::nullopt;
                                        })),
                                        kind.name));
    return {fmt::format("  verdicts   {}", fmt::join(parts, ", "))};
}

Line interface_line(const Pace &pace)
{
    const auto rate_of = [&](std::uint64_t InterfaceCounters::*count) {
        return amount(pace.per_second([&](const Observed &look) { return std::optional(look.interface.*count); }));
    };
    return {fmt::format("  interface  {}/s received, {}/s dropped (its own counters)",
                        rate_of(&InterfaceCounters::rx_packets), rate_of(&InterfaceCounters::rx_dropped))};
}

constexpr const char *socket_columns = "  {:>5} {:>9} {:>8} {:>8} {:>7} {:>11} {:>7} {:>8} {:>10}";

void add_sockets(std::vector<Line> &lines, const Pace &pace)
{
    const std::vector<ObservedSocket> &sockets = pace.now().sockets;
    if (!sockets.empty())
        lines.push_back({fmt::format(socket_columns, "queue", "taken/s", "waiting", "free", "tx out", "no frame/s",
                                     "full/s", "other/s", "invalid/s")});
    for (std::size_t i = 0; i < sockets.size(); ++i) {
        const SocketView &view = sockets[i].view;
        const auto taken = pace.of_socket(i, [](const ObservedSocket &one) { return one.taken; });
        const auto no_frame =
            pace.of_socket(i, [](const ObservedSocket &one) { return one.view.counters.no_free_frame(); });
        const auto full = pace.of_socket(i, [](const ObservedSocket &one) { return one.view.counters.rx_ring_full; });
        const auto other = pace.of_socket(i, [](const ObservedSocket &one) { return one.view.counters.other(); });
        const auto invalid = pace.of_socket(i, [](const ObservedSocket &one) {
            return one.view.counters.rx_invalid_descs + one.view.counters.tx_invalid_descs;
        });
        const bool loses = no_frame.value_or(0) + full.value_or(0) + other.value_or(0) + invalid.value_or(0) > 0;
        lines.push_back(
            {fmt::format(socket_columns, view.queue, amount(taken), view.waiting, amount(view.free_frames),
                         amount(view.tx_outstanding), amount(no_frame), amount(full), amount(other), amount(invalid)),
             loses ? LineStyle::alarm : LineStyle::plain});
    }
}

// Those that most packets meet now; while nothing comes, those that most packets met.
void add_rules(std::vector<Line> &lines, const Pace &pace)
{
    const std::vector<RuleCount> &rules = pace.now().rules;
    if (rules.empty())
        return;
    std::vector<double> rates;
    for (std::size_t i = 0; i < rules.size(); ++i)
        rates.push_back(pace.of_rule(i).value_or(0));
    std::vector<std::size_t> order(rules.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t shown = std::min(shown_rules, order.size());
    std::ranges::partial_sort(
        order, order.begin() + static_cast<std::ptrdiff_t>(shown), [&](std::size_t a, std::size_t b) {
            return std::tie(rates[b], rules[b].packets, a) < std::tie(rates[a], rules[a].packets, b);
        });
    lines.push_back({fmt::format("  {:>9} {:>9}  {}", "packets/s", "packets",
                                 shown < rules.size() ? fmt::format("rule ({} of {})", shown, rules.size()) : "rule")});
    for (const std::size_t i : std::span(order).first(shown)) {
        const RulePlace &place = pace.now().place(rules[i]);
        lines.push_back({fmt::format("  {:>9} {:>9}  {}:{}  {}", amount(pace.of_rule(i)),
                                     quantity(static_cast<double>(rules[i].packets)), printable(place.file), place.line,
                                     printable(place.text))});
    }
}

void add_maps(std::vector<Line> &lines, const Observed &program)
{
    std::vector<std::string> parts;
    for (const ObservedMap &map : program.maps)
        parts.push_back(fmt::format("{} {}/{}", map.name, map.entries ? std::to_string(*map.entries) : "…", map.room));
    if (!parts.empty())
        lines.push_back({fmt::format("  maps       {}", fmt::join(parts, ", "))});
}

std::string first_line(const std::string &text) { return text.substr(0, text.find('\n')); }

} // namespace

Pace::Pace(const Observed &now, const Observation &before) : now_(now)
{
    const auto same = std::ranges::find_if(before.programs, [&](const Observed &one) {
        return one.entry->program_id == now.entry->program_id && one.entry->started == now.entry->started;
    });
    if (same == before.programs.end())
        return;
    before_ = &*same;
    seconds_ = std::chrono::duration<double>(now.at - same->at).count();
}

std::optional<double> Pace::of_rule(std::size_t index) const
{
    return per_second([&](const Observed &look) {
        return index < look.rules.size() ? std::optional(look.rules[index].packets) : std::nullopt;
    });
}

std::vector<Line> top_lines(const Observation &now, const Observation &before, std::chrono::milliseconds interval)
{
    const std::size_t count = now.programs.size();
    std::vector<Line> lines{
        {fmt::format("xdpf top  {:%H:%M:%S}, every {} s, {} program{} at work",
                     fmt::localtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())),
                     static_cast<double>(interval.count()) / 1000,
                     count != 0           ? std::to_string(count)
                     : now.errors.empty() ? "no"
                                          : "no visible",
                     count == 1 ? "" : "s")}};
    if (count == 0 && now.errors.empty())
        lines.push_back({"  xdpf run FILE -i INTERFACE, or xdpf attach FILE -i INTERFACE, puts one to work"});
    for (const Observed &program : now.programs) {
        const Pace pace(program, before);
        lines.push_back(program_line(*program.entry));
        lines.push_back(verdicts_line(pace));
        lines.push_back(interface_line(pace));
        add_sockets(lines, pace);
        add_rules(lines, pace);
        add_maps(lines, program);
    }
    for (const Error &error : now.errors)
        lines.push_back({printable(first_line(to_string(error))), LineStyle::alarm});
    return lines;
}

} // namespace xdpf::cli
