#include "runtime/cli/capture_report.hpp"

#include "compiler/report.hpp"
#include "runtime/cli/run_summary.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace xdpf::cli {

using namespace xdpf::runtime;

namespace {

using CaptureJson = nlohmann::ordered_json;

std::string one_line(const CaptureJson &json)
{
    return json.dump(-1, ' ', false, CaptureJson::error_handler_t::replace) + "\n";
}

CaptureJson diagnostics_of(const CaptureProgram &program)
{
    return CaptureJson::parse(to_json(program.diagnostics, program.sources));
}

double longest(const std::vector<TapSummary> &taps)
{
    double seconds = 1e-9;
    for (const TapSummary &tap : taps)
        seconds = std::max(seconds, tap.run.elapsed.count());
    return seconds;
}

} // namespace

CaptureCounts counts_of(const TapSummary &tap)
{
    CaptureCounts counts{.accepted = tap.matched, .dropped = tap.lost};
    if (tap.run.interface)
        counts.received = tap.run.interface->rx_packets;
    return counts;
}

std::string capture_text(const CaptureCommand &command, const CaptureOutput &output,
                         const std::vector<TapSummary> &taps)
{
    const double seconds = longest(taps);
    std::string out = fmt::format("captured   {} packets, {} bytes in {:.3f} s ({})", output.packets(), output.bytes(),
                                  seconds, rate(static_cast<double>(output.packets()) / seconds));
    if (command.file.path == "-")
        out += ", to standard output";
    else if (output.files() > 1)
        out += fmt::format(", into {} files", output.files());
    else if (output.to_file())
        out += fmt::format(", into {}", printable(output.path()));
    out += "\n";
    for (const TapSummary &tap : taps) {
        const auto matched = tap.matched ? fmt::format("{}", *tap.matched) : "?";
        out += fmt::format("{:<10} {} matched, {} captured, {} lost", printable(tap.interface), matched, tap.captured,
                           tap.lost);
        if (tap.lost != 0)
            out += command.rules.steal ? " (no room in the sockets)" : " (no room in the ring: --ring-size)";
        if (tap.not_taken != 0)
            out += fmt::format(", {} behind the end", tap.not_taken);
        out += "\n";
    }
    return out;
}

std::string capture_json(const CaptureCommand &command, const CaptureProgram &program, const CaptureOutput &output,
                         const std::vector<TapSummary> &taps, const std::vector<Error> &errors)
{
    CaptureJson interfaces = CaptureJson::array();
    for (const TapSummary &tap : taps) {
        CaptureJson one{{"interface", tap.interface},
                        {"mode", tap.mode},
                        {"seconds", tap.run.elapsed.count()},
                        {"matched", tap.matched ? CaptureJson(*tap.matched) : CaptureJson(nullptr)},
                        {"captured", tap.captured},
                        {"lost", tap.lost},
                        {"not_taken", tap.not_taken}};
        interfaces.push_back(std::move(one));
    }
    return one_line(
        {{"file", output.to_file() ? CaptureJson(output.path()) : CaptureJson(nullptr)}, // the last one
         {"files", output.files()},
         {"predicate", command.rules.predicate},
         {"steal", command.rules.steal},
         {"seconds", longest(taps)},
         {"packets", output.packets()},
         {"bytes", output.bytes()},
         {"interfaces", std::move(interfaces)},
         {"diagnostics", diagnostics_of(program)},
         {"error", errors.empty() ? CaptureJson(nullptr) : CaptureJson::parse(error_json(errors.front()))}});
}

std::string capture_failure_json(const CaptureProgram &program, const Error &error)
{
    return one_line({{"diagnostics", diagnostics_of(program)}, {"error", CaptureJson::parse(error_json(error))}});
}

} // namespace xdpf::cli
