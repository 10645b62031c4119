// `xdpf doctor --why`.
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/doctor_command.hpp"
#include "runtime/cli/doctor_report.hpp"
#include "runtime/cli/source.hpp"
#include "runtime/why.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unistd.h>
#include <vector>

namespace xdpf::cli {
namespace {

using runtime::Registered;
using runtime::WhyFinding;
using runtime::WhyReport;

constexpr std::chrono::seconds usual_watch{3};

void print_watch(const WhyReport &report, const Registered &entry, const std::vector<runtime::Finding> &findings)
{
    const bool colour = colour_on(STDOUT_FILENO);
    fmt::print("'{}' on {}{}, watched for {:.1f} s: {}\n", runtime::printable(entry.program()),
               runtime::printable(entry.interface),
               entry.pid == 0 ? ", by xdpf attach" : fmt::format(", by process {}", entry.pid), report.seconds,
               count_text(findings));
    for (const runtime::Finding &finding : findings)
        print_with_remedy(finding, colour);
}

void print_watch_json(const WhyReport &report, const Registered &entry, bool healthy)
{
    Json list = Json::array();
    for (const WhyFinding &one : report.findings) {
        Json finding = as_json(one.finding);
        Json numbers = Json::object();
        for (const auto &[name, value] : one.numbers)
            numbers[name] = value;
        finding["numbers"] = std::move(numbers);
        list.push_back(std::move(finding));
    }
    fmt::print("{}", on_one_line({{"interface", entry.interface},
                                  {"program", entry.program()},
                                  {"pid", entry.pid == 0 ? Json(nullptr) : Json(entry.pid)},
                                  {"seconds", report.seconds},
                                  {"healthy", healthy},
                                  {"findings", std::move(list)}}));
}

} // namespace

int doctor_why(const DoctorOptions &options)
{
    const auto entry = runtime::registered_on({options.interface, options.program});
    if (!entry)
        return report_failure(entry.error(), options.json);
    const auto report = runtime::watch_packets(*entry, options.duration.value_or(usual_watch));
    if (!report)
        return report_failure(report.error(), options.json);
    std::vector<runtime::Finding> findings;
    std::ranges::transform(report->findings, std::back_inserter(findings), &WhyFinding::finding);
    const bool healthy = is_healthy(findings);
    if (options.json)
        print_watch_json(*report, *entry, healthy);
    else
        print_watch(*report, *entry, findings);
    return healthy ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
