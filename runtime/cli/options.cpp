#include "runtime/cli/options.hpp"

#include <unistd.h>

namespace xdpf::cli {
namespace {

const Choices<Format> formats{{"text", Format::text}, {"json", Format::json}};
const Choices<Backend> backends{{"own", Backend::own}, {"llvm", Backend::llvm}};
const Choices<runtime::Mode> modes{{"auto", runtime::Mode::automatic},
                                   {"native", runtime::Mode::native},
                                   {"skb", runtime::Mode::skb},
                                   {"offload", runtime::Mode::offload}};

} // namespace

void need_backend(Backend backend)
{
    if (!has_backend(backend))
        throw CLI::ValidationError("the LLVM backend is not there; install the package xdpf-llvm, or llvm-19-dev and "
                                   "build with -DXDPF_LLVM=ON, or use --backend=own");
}

void add_backend(CLI::App &command, SourceOptions &options)
{
    add_choice(command, "--backend", options.backend, backends, "what makes the instructions: our own, or LLVM's");
    command.get_option("--backend")->each([](const std::string &name) {
        if (name == "llvm")
            need_backend(Backend::llvm);
    });
}

void add_source(CLI::App &command, SourceOptions &options)
{
    auto *file = command.add_option("file", options.file, "a .xdpf file; - is standard input");
    auto *rules = command.add_option("-e,--rules", options.rules, "the rules themselves, e.g. -e 'match udp -> xsk'")
                      ->excludes(file);
    add_choice(command, "--format", options.format, formats, "how diagnostics are shown");
    add_backend(command, options);
    command.callback([&options, rules] {
        if (options.file.empty() && rules->count() == 0)
            throw CLI::RequiredError("a file, or rules with -e");
    });
}

void add_unoptimized(CLI::App &command, SourceOptions &options)
{
    command.add_option("-O", options.optimize, "0 leaves the optimising passes out: -O0")
        ->check(CLI::Range(0, 1))
        ->option_text("0|1");
}

void add_rule_counters(CLI::App &command, SourceOptions &options)
{
    command.add_flag("--rule-counters", options.rule_counters, "count the packets and bytes that each rule meets");
}

void add_assignments(CLI::App &command, const std::string &name, std::map<std::string, std::string> &into,
                     const std::string &form, const std::string &help)
{
    const auto assign = [&into, name, form](const std::vector<std::string> &texts) {
        for (const auto &text : texts) {
            const auto parts = parse_assignment(text);
            if (!parts)
                throw CLI::ValidationError(name, fmt::format("'{}' is not of the form {}", text, form));
            into[parts->first] = parts->second;
        }
    };
    command.add_option_function<std::vector<std::string>>(name, assign, help)
        ->allow_extra_args(false)
        ->option_text(form);
}

void add_duration(CLI::App &command, const std::string &name, std::optional<std::chrono::milliseconds> &into,
                  const std::string &help)
{
    const auto parse = [&into, long_name = name.substr(name.rfind(',') + 1)](const std::string &text) {
        into = parse_duration(text);
        if (!into)
            throw CLI::ValidationError(long_name, fmt::format("'{}' is no duration such as 10s, 500ms or 2m", text));
    };
    command.add_option_function<std::string>(name, parse, help);
}

std::string at_least_one(const std::string &text)
{
    double number = 0;
    return CLI::detail::lexical_cast(text, number) && number > 0 && number < 1e12
               ? ""
               : fmt::format("'{}' is no number above 0", text);
}

void add_files(CLI::App &command, runtime::CaptureOptions &file, const std::string &help)
{
    command.add_option("-w,--write", file.path, help);
    command
        .add_option_function<double>(
            "-C,--file-size",
            [&file](double millions) { file.file_bytes = static_cast<std::uint64_t>(millions * 1e6); },
            "a new file where one is larger than so many million bytes: FILE, FILE1, FILE2, …")
        ->check(at_least_one)
        ->option_text("MB");
    command
        .add_option_function<std::uint32_t>(
            "-G,--file-time", [&file](std::uint32_t seconds) { file.file_time = std::chrono::seconds(seconds); },
            "a new file after so many seconds; FILE is strftime(3)'s format")
        ->check(at_least_one)
        ->option_text("SECONDS");
    command
        .add_option("-W,--file-count", file.files, "with -C, so many files in turn; with -G, stop behind so many files")
        ->check(at_least_one)
        ->option_text("COUNT");
    command.add_flag("-U,--packet-buffered", file.packet_buffered, "each packet is in the file at once");
}

void check_files(const runtime::CaptureOptions &file)
{
    if (file.path.empty() && (file.file_bytes || file.file_time))
        throw CLI::ValidationError("new files need a name: -w FILE");
    if (file.path == "-" && (file.file_bytes || file.file_time))
        throw CLI::ValidationError("standard output is one file; -C and -G need a name: -w FILE");
    if (file.files && !file.file_bytes && !file.file_time)
        throw CLI::ValidationError("-W counts the files of -C or -G, and there is neither");
    if (file.path == "-" && isatty(STDOUT_FILENO) == 1)
        throw CLI::ValidationError("a capture on a terminal helps nobody; for example: … -w - | tshark -r -");
}

void add_interface(CLI::App &command, std::string &interface, const std::string &help)
{
    command.add_option("-i,--interface", interface, help)->required();
}

void add_mode(CLI::App &command, runtime::Mode &mode)
{
    add_choice(command, "--mode", mode, modes, "auto is native, else skb, saying so");
}

} // namespace xdpf::cli
