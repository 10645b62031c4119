#include "runtime/cli/doctor_command.hpp"

#include "runtime/cli/source.hpp"
#include "runtime/doctor.hpp"
#include "runtime/error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace xdpf::cli {
namespace {

using runtime::Finding;
using runtime::Level;

std::string title_of(std::string_view group, const DoctorOptions &options)
{
    if (group == "kernel")
        return "kernel";
    if (group == "sockets")
        return "AF_XDP sockets";
    if (group == "rights")
        return "rights of this process";
    if (group == "interface")
        return fmt::format("interface {}", runtime::printable(options.interface));
    return "interfaces   (xdpf doctor NAME says more)";
}

std::string_view group_of(const Finding &finding)
{
    return std::string_view(finding.id).substr(0, finding.id.find('.'));
}

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

void print_finding(const Finding &finding, bool colour)
{
    fmt::print("  {} {}\n", level_text(finding.level, colour), runtime::printable(finding.what));
    if (finding.level == Level::note && !finding.why.empty())
        fmt::print("  {:<8} {}\n", "", runtime::printable(finding.why));
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

// Problems first.
void print_summary(const std::vector<Finding> &findings, bool colour)
{
    const auto count = [&](Level level) {
        return static_cast<std::size_t>(std::ranges::count(findings, level, &Finding::level));
    };
    fmt::print("\n{}, {}\n", counted(count(Level::problem), "problem"), counted(count(Level::warning), "warning"));
    for (const Level level : {Level::problem, Level::warning})
        for (const Finding &finding : findings)
            if (finding.level == level) {
                fmt::print("  {} {}\n", level_text(level, colour), runtime::printable(finding.what));
                print_why(finding);
            }
}

void print_text(const std::vector<Finding> &findings, const DoctorOptions &options)
{
    const bool colour = colour_on(STDOUT_FILENO);
    std::string_view group;
    for (const Finding &finding : findings) {
        if (group_of(finding) != group) {
            fmt::print("{}{}\n", group.empty() ? "" : "\n", title_of(group_of(finding), options));
            group = group_of(finding);
        }
        print_finding(finding, colour);
    }
    print_summary(findings, colour);
}

void print_json(const std::vector<Finding> &findings, const DoctorOptions &options, bool healthy)
{
    using Json = nlohmann::ordered_json;
    Json list = Json::array();
    for (const Finding &finding : findings)
        list.push_back({{"id", finding.id},
                        {"level", name_of(finding.level)},
                        {"what", finding.what},
                        {"why", finding.why},
                        {"remedy", finding.remedy}});
    Json object{{"interface", nullptr}, {"healthy", healthy}, {"findings", std::move(list)}};
    if (!options.interface.empty())
        object["interface"] = options.interface;
    fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
}

} // namespace

int doctor(const DoctorOptions &options)
{
    std::vector<Finding> findings;
    const auto add = [&findings](std::vector<Finding> more) { std::ranges::move(more, std::back_inserter(findings)); };
    add(runtime::check_kernel());
    add(runtime::check_sockets());
    add(runtime::check_rights());
    add(options.interface.empty() ? runtime::list_interfaces() : runtime::check_interface(options.interface));
    const bool healthy = std::ranges::find(findings, Level::problem, &Finding::level) == findings.end();
    if (options.json)
        print_json(findings, options, healthy);
    else
        print_text(findings, options);
    return healthy ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
