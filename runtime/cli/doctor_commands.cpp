// The commands that look at the system, and do nothing to it.
#include "runtime/cli/command.hpp"
#include "runtime/cli/doctor_command.hpp"

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
    return {&command, [shared] { return doctor(*shared); }};
}

} // namespace xdpf::cli
