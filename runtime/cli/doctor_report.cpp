#include "runtime/cli/doctor_report.hpp"

#include "runtime/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

using runtime::Finding;
using runtime::Level;

std::string level_text(Level level, bool colour)
{
    std::string word = fmt::format("{:<8}", name_of(level));
    if (!colour)
        return word;
    const char *code = level == Level::problem   ? "1;31"
                       : level == Level::warning ? "1;33"
                       : level == Level::note    ? "36"
                                                 : "32";
    return fmt::format("\x1b[{}m{}\x1b[0m", code, word);
}

void print_why(const Finding &finding)
{
    if (!finding.why.empty())
        fmt::print("  {:<8} {}\n", "", runtime::printable(finding.why));
    if (!finding.remedy.empty())
        fmt::print("  {:<8} try: {}\n", "", runtime::printable(finding.remedy));
}

std::string counted(std::size_t number, std::string_view what)
{
    return number == 0 ? fmt::format("no {}s", what) : fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

} // namespace

void print_finding(const Finding &finding, bool colour)
{
    fmt::print("  {} {}\n", level_text(finding.level, colour), runtime::printable(finding.what));
    if (finding.level == Level::note && !finding.why.empty())
        fmt::print("  {:<8} {}\n", "", runtime::printable(finding.why));
}

void print_with_remedy(const Finding &finding, bool colour)
{
    fmt::print("  {} {}\n", level_text(finding.level, colour), runtime::printable(finding.what));
    print_why(finding);
}

std::string count_text(const std::vector<Finding> &findings)
{
    const auto count = [&](Level level) {
        return static_cast<std::size_t>(std::ranges::count(findings, level, &Finding::level));
    };
    return fmt::format("{}, {}", counted(count(Level::problem), "problem"), counted(count(Level::warning), "warning"));
}

void print_summary(const std::vector<Finding> &findings, bool colour)
{
    fmt::print("\n{}\n", count_text(findings));
    for (const Level level : {Level::problem, Level::warning})
        for (const Finding &finding : findings)
            if (finding.level == level)
                print_with_remedy(finding, colour);
}

Json as_json(const Finding &finding)
{
    return {{"id", finding.id},
            {"level", name_of(finding.level)},
            {"what", finding.what},
            {"why", finding.why},
            {"remedy", finding.remedy}};
}

bool is_healthy(const std::vector<Finding> &findings)
{
    return std::ranges::find(findings, Level::problem, &Finding::level) == findings.end();
}

} // namespace xdpf::cli
