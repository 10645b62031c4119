// The commands that watch what programs at work count.
#include "runtime/cli/command.hpp"
#include "runtime/cli/metrics_command.hpp"
#include "runtime/cli/options.hpp"
#include "runtime/cli/top_command.hpp"

#include <memory>

namespace xdpf::cli {

namespace {

constexpr std::chrono::milliseconds least_interval(10);

} // namespace

Command add_top(CLI::App &app)
{
    const auto options = std::make_shared<TopOptions>();
    auto &command = *app.add_subcommand("top", "watch programs at work: verdicts, queues, losses, rules, maps");
    command.add_option("-i,--interface", options->interface, "only this one");
    add_duration(command, "--interval", options->interval, "between two looks (default: 1s)");
    command.add_option("-c,--count", options->count, "print so many looks, one after the other, and end")
        ->check(at_least_one);
    command.add_flag("--json", options->json, "one JSON object a look, on one line");
    command.callback([options] {
        if (options->interval && *options->interval < least_interval)
            throw CLI::ValidationError("--interval", "10ms at least");
    });
    return {&command, [options] { return top(*options); }};
}

Command add_metrics(CLI::App &app)
{
    const auto options = std::make_shared<MetricsOptions>();
    auto &command = *app.add_subcommand("metrics", "what programs at work count, for Prometheus");
    command.add_option("--listen", options->listen, "address and port (default: 127.0.0.1:9477)")
        ->option_text("ADDRESS:PORT");
    command.add_option("-i,--interface", options->interface, "only this one");
    return {&command, [options] { return serve_metrics(*options); }};
}

} // namespace xdpf::cli
