#include "runtime/cli/status_command.hpp"

#include "runtime/attached.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/source.hpp"
#include "runtime/running.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <net/if.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

// A program that xdpf put to work, and what it counted.
struct OwnStatus {
    Registered entry;
    bool attached = true; // false: somebody detached it, and its process runs on
    std::optional<VerdictCounts> verdicts;
    std::optional<Error> failed; // the counts could not be read
};

struct InterfaceStatus {
    std::string name;
    AttachedProgram program; // id 0: none
    std::vector<OwnStatus> own;
};

Result<std::vector<Interface>> all_interfaces()
{
    const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex *)> list(if_nameindex(), &if_freenameindex);
    if (list == nullptr)
        return std::unexpected(system_error("cannot list the interfaces", "if_nameindex", errno));
    std::vector<Interface> out;
    for (const struct if_nameindex *one = list.get(); one->if_index != 0; ++one) {
        Interface &interface = out.emplace_back();
        interface.name = one->if_name;
        interface.index = static_cast<int>(one->if_index);
    }
    return out;
}

Result<std::vector<Interface>> wanted_interfaces(const std::string &name)
{
    if (name.empty())
        return all_interfaces();
    Result<Interface> one = find_interface(name, fmt::format("cannot look at '{}'", name));
    return one ? Result<std::vector<Interface>>({std::move(*one)}) : std::unexpected(std::move(one.error()));
}

OwnStatus own_status(Registered entry, const AttachedProgram &there)
{
    OwnStatus out{.entry = std::move(entry)};
    const bool dispatched = out.entry.link_id == 0;
    out.attached = dispatched ? there.id != 0 : there.id == out.entry.program_id;
    const Result<Running> running = Running::open(out.entry);
    const auto counts = running ? running->maps().verdict_counts()
                                : Result<std::optional<VerdictCounts>>(std::unexpected(running.error()));
    if (counts)
        out.verdicts = *counts;
    else if (is_at_work(out.entry)) // else it ended this very moment
        out.failed = counts.error();
    return out;
}

std::vector<InterfaceStatus> status_of(const std::vector<Interface> &interfaces, const Registry &registry)
{
    std::vector<InterfaceStatus> out;
    for (const Interface &interface : interfaces) {
        InterfaceStatus one{interface.name, find_attached(interface), {}};
        for (const Registered &entry : registry.programs)
            if (entry.network == current_network() && entry.interface_index == interface.index)
                one.own.push_back(own_status(entry, one.program));
        if (one.program.id != 0 || !one.own.empty())
            out.push_back(std::move(one));
    }
    return out;
}

std::string since(const Registered &entry)
{
    const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(entry.started);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(std::chrono::system_clock::to_time_t(seconds)));
}

std::vector<std::string> map_names(const Registered &entry)
{
    std::vector<std::string> out;
    for (std::size_t i = 0; i < entry.image.maps.size(); ++i)
        if (is_of_source(entry.image, MapId(i)) && entry.maps[i] != 0)
            out.push_back(entry.image.maps[i].name);
    return out;
}

// ---- text ---------------------------------------------------------------------------------------------------------

std::string program_line(const InterfaceStatus &status)
{
    const AttachedProgram &there = status.program;
    if (there.id == 0)
        return fmt::format("{}: no program is attached\n", status.name);
    if (!there.seen)
        return fmt::format("{}: a program (id {}, {} mode); the rest is only for CAP_SYS_ADMIN\n", status.name,
                           there.id, there.mode);
    std::string out = fmt::format("{}: '{}' (id {}, {} mode)", status.name, there.name, there.id, there.mode);
    if (there.pinned)
        out += ", by xdpf attach";
    else if (there.pid != 0)
        out += fmt::format(", by process {} ({})", there.pid, there.process);
    else if (there.link_id != 0)
        out += fmt::format(", through bpf_link {}, which is pinned or held by a process that cannot be seen",
                           there.link_id);
    else
        out += ", attached without a link";
    return out + "\n";
}

std::string own_text(const OwnStatus &own)
{
    const Registered &entry = own.entry;
    std::string out =
        fmt::format("  source     {}, '{}', since {}\n", printable(entry.origin.source), entry.program(), since(entry));
    if (!own.attached)
        out += fmt::format("  detached   by somebody else; process {} runs on\n", entry.pid);
    if (own.verdicts)
        out += "  " + verdicts_text(*own.verdicts);
    if (const auto maps = map_names(entry); !maps.empty())
        out += fmt::format("  maps       {}\n", fmt::join(maps, ", "));
    for (const RegisteredSocket &socket : entry.sockets)
        out += fmt::format("  socket     queue {}, in {}, {}, {} frames of {} bytes\n", socket.queue,
                           fmt::join(socket.maps, ", "), socket.zero_copy ? "zero-copy" : "copy", socket.frames,
                           socket.frame_size);
    return out;
}

// ---- JSON ---------------------------------------------------------------------------------------------------------

Json own_json(const OwnStatus &own)
{
    const Registered &entry = own.entry;
    Json sockets = Json::array();
    for (const RegisteredSocket &socket : entry.sockets)
        sockets.push_back({{"queue", socket.queue},
                           {"fd", socket.fd},
                           {"maps", socket.maps},
                           {"zero_copy", socket.zero_copy},
                           {"frames", socket.frames},
                           {"frame_size", socket.frame_size}});
    return {{"program", entry.program()},
            {"program_id", entry.program_id},
            {"pid", entry.pid == 0 ? Json(nullptr) : Json(entry.pid)},
            {"pins", entry.pins},
            {"attached", own.attached},
            {"source", entry.origin.source},
            {"since", std::chrono::duration<double>(entry.started.time_since_epoch()).count()},
            {"verdicts", own.verdicts ? as_json(*own.verdicts) : Json(nullptr)},
            {"maps", map_names(entry)},
            {"sockets", std::move(sockets)}};
}

Json status_json(const InterfaceStatus &status)
{
    const AttachedProgram &there = status.program;
    Json own = Json::array();
    for (const OwnStatus &one : status.own)
        own.push_back(own_json(one));
    Json program = nullptr;
    if (there.id != 0)
        program = {{"name", there.name},
                   {"id", there.id},
                   {"mode", there.mode},
                   {"link_id", there.link_id == 0 ? Json(nullptr) : Json(there.link_id)},
                   {"pid", there.pid == 0 ? Json(nullptr) : Json(there.pid)},
                   {"process", there.process},
                   {"by_xdpf_attach", there.pinned}};
    return {{"interface", status.name}, {"program", std::move(program)}, {"xdpf", std::move(own)}};
}

std::vector<Error> errors_of(const std::vector<InterfaceStatus> &interfaces, const Registry &registry)
{
    std::vector<Error> errors = registry.unreadable;
    for (const InterfaceStatus &one : interfaces)
        for (const OwnStatus &own : one.own)
            if (own.failed)
                errors.push_back(*own.failed);
    return errors;
}

} // namespace

int status(const StatusOptions &options)
{
    const Result<std::vector<Interface>> wanted = wanted_interfaces(options.interface);
    if (!wanted)
        return report_failure(wanted.error(), options.json);
    const Result<Registry> registry = registered(Leftovers::remove);
    if (!registry)
        return report_failure(registry.error(), options.json);
    const std::vector<InterfaceStatus> interfaces = status_of(*wanted, *registry);
    const std::vector<Error> errors = errors_of(interfaces, *registry);
    if (options.json) {
        Json list = Json::array();
        for (const InterfaceStatus &one : interfaces)
            list.push_back(status_json(one));
        Json error_list = Json::array();
        for (const Error &error : errors)
            error_list.push_back(as_json(error));
        fmt::print("{}", on_one_line({{"interfaces", std::move(list)},
                                      {"cleaned_up", registry->removed},
                                      {"errors", std::move(error_list)}}));
    } else {
        for (const std::string &removed : registry->removed)
            fmt::print("cleaned up: {}\n", removed);
        for (const InterfaceStatus &one : interfaces) {
            fmt::print("{}", program_line(one));
            for (const OwnStatus &own : one.own)
                fmt::print("{}", own_text(own));
        }
        if (interfaces.empty())
            fmt::print("no XDP program is attached{}\n",
                       options.interface.empty() ? " in this network namespace" : " to " + options.interface);
    }
    for (const Error &error : errors)
        fmt::print(stderr, "{}\n", to_string(error));
    return errors.empty() ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
