// Which of the programs at work is meant.
#include "compiler/base/diagnostic.hpp"
#include "runtime/registry.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace xdpf::runtime {
namespace {

std::string list_of(const std::vector<Registered> &programs)
{
    std::vector<std::string> names;
    for (const Registered &one : programs)
        names.push_back(fmt::format("'{}' on {}", one.program(), one.interface));
    return fmt::format("{}", fmt::join(names, ", "));
}

Error not_one(const RegisteredFilter &filter, const std::vector<Registered> &here,
              const std::vector<Registered> &fitting, bool elsewhere)
{
    Error error;
    error.stage = "cannot choose a program";
    if (fitting.size() > 1) {
        const bool same_interface = std::ranges::all_of(
            fitting, [&](const Registered &one) { return one.interface == fitting.front().interface; });
        error.message = "several are at work";
        error.cause = list_of(fitting);
        error.remedy = same_interface ? fmt::format("--program {}", fitting.front().program())
                                      : fmt::format("-i {}", fitting.front().interface);
        return error;
    }
    const std::string on = filter.interface.empty() ? "" : fmt::format(" on '{}'", filter.interface);
    error.message = filter.program.empty() ? fmt::format("no program that xdpf put there is at work{}", on)
                                           : fmt::format("no program '{}' is at work{}", filter.program, on);
    std::vector<std::string> names;
    for (const Registered &one : here)
        names.push_back(filter.program.empty() ? one.interface : one.program());
    const std::string &wanted = filter.program.empty() ? filter.interface : filter.program;
    if (!here.empty()) {
        error.cause = fmt::format("at work are: {}", list_of(here));
        error.remedy = nearest(wanted, names).empty() ? "xdpf status" : did_you_mean(wanted, names);
    } else {
        error.cause = elsewhere ? "there are some in other network namespaces" : "";
        error.remedy = "xdpf run FILE -i INTERFACE, or xdpf attach FILE -i INTERFACE";
    }
    return error;
}

} // namespace

Result<Registered> registered_on(const RegisteredFilter &filter)
{
    Result<Registry> all = registered(Leftovers::keep);
    if (!all)
        return std::unexpected(std::move(all.error()));
    std::vector<Registered> here;
    for (Registered &one : all->programs)
        if (one.network == current_network())
            here.push_back(std::move(one));
    std::vector<Registered> fitting;
    for (const Registered &one : here)
        if ((filter.interface.empty() || one.interface == filter.interface) &&
            (filter.program.empty() || one.program() == filter.program || one.image.name == filter.program))
            fitting.push_back(one);
    if (fitting.size() == 1)
        return std::move(fitting.front());
    if (fitting.empty() && !all->unreadable.empty())
        return std::unexpected(std::move(all->unreadable.front()));
    return std::unexpected(not_one(filter, here, fitting, here.size() < all->programs.size()));
}

} // namespace xdpf::runtime
