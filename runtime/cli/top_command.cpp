#include "runtime/cli/top_command.hpp"

#include "runtime/cli/source.hpp"
#include "runtime/cli/terminal.hpp"
#include "runtime/cli/top_view.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using Clock = std::chrono::steady_clock;

void print_snapshot(const Observation &now, const Observation &before, const TopOptions &options,
                    std::chrono::milliseconds interval)
{
    if (options.json)
        fmt::print("{}", on_one_line(top_json(now, before)));
    else
        for (const Line &line : top_lines(now, before, interval))
            fmt::print("{}\n", line.text);
    std::fflush(stdout);
}

// The first of them after one interval: before that, nothing is known of how fast anything goes.
int print_snapshots(const TopOptions &options, std::chrono::milliseconds interval)
{
    const HeldSignals signals;
    Observer observer(options.interface);
    Result<Observation> before = observer.look();
    for (std::uint64_t round = 1; before && (!options.count || round <= *options.count); ++round) {
        if (signals.came_within(interval))
            return exit_ok;
        Result<Observation> now = observer.look();
        if (!now)
            return report_failure(now.error(), options.json);
        print_snapshot(*now, *before, options, interval);
        before = std::move(now);
    }
    return before ? exit_ok : report_failure(before.error(), options.json);
}

// Nothing: it was left as it should be.
std::optional<Error> show_live(const TopOptions &options, std::chrono::milliseconds interval)
{
    Observer observer(options.interface);
    Screen screen;
    Observation before;
    for (Clock::time_point next = Clock::now();;) {
        Result<Observation> now = observer.look();
        if (!now)
            return std::move(now.error());
        next = std::max(next + interval, Clock::now());
        Screen::Event event = Screen::Event::resized;
        while (event == Screen::Event::resized) {
            screen.draw(top_lines(*now, before, interval));
            event = screen.wait_until(next);
        }
        if (event == Screen::Event::quit)
            return std::nullopt;
        before = std::move(*now);
    }
}

} // namespace

int top(const TopOptions &options)
{
    const auto interval = options.interval.value_or(std::chrono::seconds(1));
    if (!options.interface.empty())
        if (const auto there = find_interface(options.interface, fmt::format("cannot look at '{}'", options.interface));
            !there)
            return report_failure(there.error(), options.json);
    if (options.json || options.count || !Screen::possible())
        return print_snapshots(options, interval);
    const std::optional<Error> error = show_live(options, interval);
    return error ? report_failure(*error, false) : exit_ok;
}

} // namespace xdpf::cli
