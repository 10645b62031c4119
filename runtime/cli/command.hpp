// The subcommands of `xdpf`: each adds itself, with its options, to the command line.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace xdpf::cli {

struct Command {
    CLI::App *parser;             // knows whether it was chosen
    std::function<int()> execute; // once the command line is parsed; the exit status
};

[[nodiscard]] Command add_check(CLI::App &app);
[[nodiscard]] Command add_build(CLI::App &app);
[[nodiscard]] Command add_run(CLI::App &app);
[[nodiscard]] Command add_send(CLI::App &app);
[[nodiscard]] Command add_test(CLI::App &app);
[[nodiscard]] Command add_trace(CLI::App &app);
[[nodiscard]] Command add_capture(CLI::App &app);
[[nodiscard]] Command add_rules(CLI::App &app);
[[nodiscard]] Command add_attach(CLI::App &app);
[[nodiscard]] Command add_detach(CLI::App &app);
[[nodiscard]] Command add_status(CLI::App &app);
[[nodiscard]] Command add_top(CLI::App &app);
[[nodiscard]] Command add_metrics(CLI::App &app);
[[nodiscard]] Command add_map(CLI::App &app);
[[nodiscard]] Command add_doctor(CLI::App &app);
[[nodiscard]] Command add_fmt(CLI::App &app);
[[nodiscard]] Command add_shell(CLI::App &app);
[[nodiscard]] Command add_lsp(CLI::App &app);
[[nodiscard]] Command add_completion(CLI::App &app);
[[nodiscard]] Command add_manual(CLI::App &app);

} // namespace xdpf::cli
