// The commands that look at the system, and do nothing to it.
#include "runtime/cli/command.hpp"
#include "runtime/cli/doctor_command.hpp"
#include "runtime/cli/options.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace xdpf::cli {

Command add_doctor(CLI::App &app)
{
    const auto shared = std::make_shared<DoctorOptions>();
    auto &command = *app.add_subcommand("doctor", "will it work here: the kernel, rights, an interface");
    command.add_option("interface,-i,--interface", shared->interface,
                       "the interface to look at (default: a line for each)");
    command.add_flag("--json", shared->json, "one JSON object on standard output");
    auto *why = command.add_flag(
        "--why", shared->why, "watch a program of xdpf at work: where do its packets go, and where do they get lost");
    command.add_option("-p,--program", shared->program, "of --why: its name, where several are at work")->needs(why);
    add_duration(command, "-d,--duration", shared->duration, "of --why: how long (default: 3s)");
    command.get_option("--duration")->needs(why);
    return {&command, [shared] { return shared->why ? doctor_why(*shared) : doctor(*shared); }};
}

} // namespace xdpf::cli
