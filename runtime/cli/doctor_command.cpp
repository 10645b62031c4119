#include "runtime/cli/doctor_command.hpp"

#include "runtime/cli/as_json.hpp"
#include "runtime/cli/doctor_report.hpp"
#include "runtime/cli/source.hpp"
#include "runtime/doctor.hpp"
#include "runtime/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace xdpf::cli {
namespace {

using runtime::Finding;

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
    Json list = Json::array();
    for (const Finding &finding : findings)
        list.push_back(as_json(finding));
    Json object{{"interface", nullptr}, {"healthy", healthy}, {"findings", std::move(list)}};
    if (!options.interface.empty())
        object["interface"] = options.interface;
    fmt::print("{}", on_one_line(object));
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
    const bool healthy = is_healthy(findings);
    if (options.json)
        print_json(findings, options, healthy);
    else
        print_text(findings, options);
    return healthy ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
