// The commands that put a program to work on an interface.
#include "runtime/cli/command.hpp"
#include "runtime/cli/options.hpp"
#include "runtime/cli/rules_command.hpp"
#include "runtime/cli/run_command.hpp"
#include "runtime/cli/send_command.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <memory>

namespace xdpf::cli {
namespace {

const Choices<RecordForm> record_forms{
    {"text", RecordForm::text}, {"json", RecordForm::json}, {"none", RecordForm::none}};

const Choices<runtime::Waiting> waitings{
    {"block", runtime::Waiting::block}, {"spin", runtime::Waiting::spin}, {"adaptive", runtime::Waiting::adaptive}};

const Choices<runtime::HugePages> huge_pages{{"never", runtime::HugePages::never},
                                             {"try", runtime::HugePages::attempt},
                                             {"require", runtime::HugePages::require}};

void add_copy_mode(CLI::App &command, runtime::QueueOptions &socket)
{
    auto *copy = command.add_flag_callback(
        "--copy", [&socket] { socket.copy = runtime::CopyMode::copy; },
        "copy packets into the sockets, even where the driver could do without");
    command
        .add_flag_callback(
            "--zero-copy", [&socket] { socket.copy = runtime::CopyMode::zero_copy; },
            "fail where the driver cannot do zero-copy")
        ->excludes(copy);
}

void add_memory(CLI::App &command, runtime::UmemOptions &umem)
{
    command.add_option("--frames", umem.frames, "frames of each queue, a power of two")
        ->check([](const std::string &text) {
            const auto frames = std::strtoull(text.c_str(), nullptr, 10);
            return std::has_single_bit(frames) ? std::string() : fmt::format("{} is no power of two", text);
        })
        ->capture_default_str();
    command.add_option("--frame-size", umem.frame_size,
                       "bytes of a frame: 2048 or 4096, any between with --unaligned (default: what the MTU needs)");
    command.add_option("--headroom", umem.headroom, "bytes before a packet, on top of XDP's own 256")
        ->check(CLI::Range(0, 1023))
        ->capture_default_str();
    command.add_flag("--unaligned", umem.unaligned, "frames of any size, packets anywhere in them");
    add_choice(command, "--huge-pages", umem.huge_pages, huge_pages, "memory in pages of 2 MiB (default: never)");
}

// Processors are numbered as queues are: a list, or by the queues' interrupts.
void add_cpus(CLI::App &command, RunOptions &options)
{
    const auto read = [&options](const std::string &text) {
        options.cpus_of_queues = text == "auto";
        if (options.cpus_of_queues)
            return;
        const auto cpus = parse_queues(text);
        if (!cpus || cpus->empty())
            throw CLI::ValidationError(
                "--cpus", fmt::format("'{}' is neither 'auto' nor a list of processors such as 0,2,5-7", text));
        options.plan.cpus.assign(cpus->begin(), cpus->end());
    };
    command
        .add_option_function<std::string>("--cpus", read,
                                          "a thread on each of these processors, the queues dealt out to them; auto: "
                                          "where each queue's interrupt goes")
        ->option_text("auto|LIST");
}

void add_socket(CLI::App &command, RunOptions &options)
{
    add_copy_mode(command, options.socket);
    add_memory(command, options.socket.umem);
    add_choice(command, "--wait", options.plan.waiting, waitings,
               "how threads wait for packets: asleep, never asleep, or asleep after a while (default: block)");
    add_cpus(command, options);
    command
        .add_option_function<std::uint32_t>(
            "--busy-poll",
            [&options](std::uint32_t budget) {
                options.socket.busy_poll = runtime::BusyPoll{.budget = budget};
                options.plan.busy_poll = true;
            },
            "the threads do the driver's work, so many packets at a time (default 64)")
        ->expected(0, 1)
        ->default_str("64")
        ->option_text("[BUDGET]");
    command.add_flag_callback(
        "--no-need-wakeup", [&options] { options.socket.need_wakeup = false; },
        "the kernel polls the rings, and is not woken");
}

void add_consumers(CLI::App &command, RunOptions &options)
{
    auto *echo = command.add_flag("--echo", options.echo, "send each packet back to where it came from");
    command
        .add_option("--forward", options.forward,
                    "send packets on by this interface, and what the program takes from there by the first one")
        ->excludes(echo);
    add_files(command, options.file, "write the packets of the sockets into a pcapng file; - is standard output");
    command.add_option("-s,--snap-length", options.file.snap_length, "bytes to keep of a packet (default: all)")
        ->check(at_least_one)
        ->option_text("BYTES");
}

void check_run(const RunOptions &options)
{
    check_files(options.file);
    if (options.file.path == "-" && (options.json || options.maps))
        throw CLI::ValidationError("the packets and a summary cannot both go to standard output");
    auto names = options.interfaces;
    names.push_back(options.forward);
    std::ranges::sort(names);
    if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
        throw CLI::ValidationError(fmt::format("'{}' is named twice", *twice));
    if (!options.forward.empty() && options.interfaces.size() != 1)
        throw CLI::ValidationError("--forward joins two interfaces: one with -i, the other with --forward");
}

} // namespace

Command add_run(CLI::App &app)
{
    const auto shared = std::make_shared<RunOptions>();
    auto &options = *shared;
    const auto source_shared = std::make_shared<SourceOptions>();
    auto &source = *source_shared;
    source.verdict_counters = true;
    auto &command = *app.add_subcommand("run", "attach to an interface and receive, until Ctrl-C or a limit");
    add_source(command, source);
    command.add_option("-i,--interface", options.interfaces, "the interface; several have the program each for itself")
        ->required()
        ->allow_extra_args(false);
    command.add_option("-p,--program", options.program, "which program, where the file has several");
    add_mode(command, options.mode);
    command
        .add_option_function<std::string>(
            "--queues",
            [&options](const std::string &text) {
                const auto queues = parse_queues(text);
                if (!queues)
                    throw CLI::ValidationError(
                        "--queues",
                        fmt::format("'{}' is neither 'all' nor a list of queues from 0 to 65535, such as 0,2,5-7",
                                    text));
                options.queues = *queues;
            },
            "receive queues (default: all)")
        ->option_text("all|LIST");
    add_socket(command, options);
    add_consumers(command, options);
    command.add_flag("--dispatcher", options.dispatcher,
                     "share the interface with other programs through libxdp's dispatcher");
    command.add_option("-c,--count", options.count, "stop after so many packets")->check([](const std::string &text) {
        if (text.find_first_not_of('0') == std::string::npos)
            return std::string("0 packets are nothing to wait for");
        return text.starts_with('-') ? fmt::format("{} is negative", text) : std::string();
    });
    add_duration(command, "-d,--duration", options.duration, "stop after so long: 10s, 500ms, 2m");
    add_assignments(command, "--param", options.parameters, "NAME=VALUE", "set a parameter of the program");
    add_assignments(command, "--entry-program", options.entry_programs, "MAP=NAME",
                    "the program at the entries of a devmap or cpumap, where the file has several for them");
    add_rule_counters(command, source);
    command.add_flag_callback(
        "--no-verdicts", [&source] { source.verdict_counters = false; },
        "do not count what the program decides: about 1 ns a packet");
    command.add_flag("--watch", options.watch, "when the file is saved, replace the program; maps keep what they hold");
    add_choice(command, "--records", options.records, record_forms,
               "how emitted records and samples are printed (default: text, with --json json)");
    command.add_flag("--maps", options.maps, "show what is in the maps at the end");
    command.add_flag("--json", options.json, "one JSON object on standard output at the end");
    command.add_flag("-q,--quiet", options.quiet, "no live line, no summary");
    command.add_flag("-v,--verbose", options.verbose, "say each step");
    command.add_flag("--verifier-log", options.verifier_log, "show the kernel verifier's whole log");
    command.final_callback([shared, source_shared] {
        check_run(*shared);
        if (shared->watch && (source_shared->rules || source_shared->file == "-"))
            throw CLI::ValidationError("--watch needs a file to look after");
        if (shared->watch && shared->dispatcher)
            throw CLI::ValidationError("--watch and --dispatcher do not go together");
    });
    return {&command, [shared, source_shared] { return run(*source_shared, *shared); }};
}

Command add_rules(CLI::App &app)
{
    const auto shared = std::make_shared<RulesOptions>();
    auto &options = *shared;
    auto &group = *app.add_subcommand("rules", "the rules of a program that runs");
    group.require_subcommand(1);
    auto &command = *group.add_subcommand("replace", "put the rules that a file has now in place of those in force");
    add_source(command, options.source);
    add_interface(command, options.interface, "the interface of the program");
    add_rule_counters(command, options.source);
    command.add_flag("--json", options.json, "one JSON object on standard output");
    return {&group, [shared] { return replace_rules(*shared); }};
}

Command add_send(CLI::App &app)
{
    const auto shared = std::make_shared<SendCommandOptions>();
    auto &options = *shared;
    auto &command = *app.add_subcommand("send", "put packets on the wire: written ones, or a capture's");
    auto *packets = command.add_option("packets", options.packets,
                                       "packets as in tests: 'ethernet / ipv4(dst = 10.0.0.2) / udp(dport = 53)'");
    auto *capture = command.add_option("-r,--read", options.capture, "or a pcap or pcapng file; - is standard input")
                        ->excludes(packets);
    command.callback([packets, capture] {
        if (packets->count() == 0 && capture->count() == 0)
            throw CLI::RequiredError("a packet, or a capture with -r");
    });
    add_interface(command, options.send.interface);
    command.add_option("--queue", options.send.queue, "the queue to send by")->capture_default_str();
    command.add_option("-c,--count", options.send.count, "so many packets, the list over and over")
        ->check(CLI::PositiveNumber);
    add_duration(command, "-d,--duration", options.send.duration, "for so long, the list over and over: 10s, 500ms");
    auto *rate = command.add_option("--rate", options.send.rate, "packets a second (default: as fast as it goes)")
                     ->check(CLI::PositiveNumber);
    command.add_flag("--timed", options.send.timed, "as far apart as in the capture")->excludes(rate)->needs(capture);
    command.add_option("--burst", options.send.burst, "packets that go at once")
        ->check(CLI::Range(1, 2048))
        ->capture_default_str();
    command.add_flag("--live", options.send.live_frames,
                     "the kernel makes the frames: more a second, without a socket");
    add_copy_mode(command, options.send.socket);
    command.add_flag("--json", options.json, "one JSON object on standard output");
    command.add_flag("-q,--quiet", options.quiet, "no summary");
    return {&command, [shared] { return send(*shared); }};
}

} // namespace xdpf::cli
