// `xdpf capture`: packets into files, for tcpdump and Wireshark.
#include "runtime/cli/capture_command.hpp"
#include "runtime/cli/command.hpp"
#include "runtime/cli/options.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <unistd.h>

namespace xdpf::cli {
namespace {

const Choices<Format> diagnostic_forms{{"text", Format::text}, {"json", Format::json}};

void check_options(const CaptureCommand &options, bool steals_with_ring)
{
    const auto &file = options.file;
    if (options.rules.steal && file.path.empty())
        throw CLI::ValidationError("--steal needs a file: -w FILE");
    if (steals_with_ring)
        throw CLI::ValidationError("--ring-size is about the ring of a tap; with --steal there is none");
    if (!options.rules.steal && options.rules.snap_length + sample_head > options.rules.ring_size)
        throw CLI::ValidationError(
            fmt::format("a ring of {} bytes has no room for packets of {}; a larger --ring-size, or -s {}",
                        options.rules.ring_size, options.rules.snap_length, options.rules.ring_size - sample_head));
    auto names = options.interfaces;
    std::ranges::sort(names);
    if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
        throw CLI::ValidationError(fmt::format("'{}' is named twice", *twice));
    if (file.path == "-" && (options.json || options.format == Format::json))
        throw CLI::ValidationError("the packets and JSON cannot both go to standard output");
    check_files(file);
}

} // namespace

Command add_capture(CLI::App &app)
{
    const auto shared = std::make_shared<CaptureCommand>();
    auto &options = *shared;
    const auto words = std::make_shared<std::vector<std::string>>();
    const auto snap = std::make_shared<std::uint32_t>(0);
    auto &command = *app.add_subcommand("capture", "packets into pcapng files, without taking them from the stack");
    command.add_option("predicate", *words,
                       "which packets, e.g. 'udp.dport == 53' or 'pcap \"port 53\"' (default: all)");
    command.add_option("-i,--interface", options.interfaces, "the interface; may be repeated")
        ->required()
        ->allow_extra_args(false);
    add_files(command, options.file, "a pcapng file; - is standard output (default: lines of text)");
    command.add_option("-c,--count", options.file.packets, "stop after so many packets")
        ->check(at_least_one)
        ->option_text("COUNT");
    command.add_option("-s,--snap-length", *snap, "bytes to keep of a packet (default: all)")->option_text("BYTES");
    add_duration(command, "-d,--duration", options.duration, "stop after so long: 10s, 500ms, 2m");
    add_mode(command, options.mode);
    auto *ring = command.add_option("--ring-size", options.rules.ring_size,
                                    "bytes of the ring that packets wait in, a power of two: 8M");
    ring->option_text("BYTES")->transform(CLI::AsSizeValue(false))->check([](const std::string &text) {
        const auto bytes = std::strtoull(text.c_str(), nullptr, 10);
        return std::has_single_bit(bytes) && bytes >= 4096 && bytes <= (1U << 31)
                   ? std::string()
                   : fmt::format("{} is no power of two from 4K to 2G", text);
    });
    command.add_flag("--steal", options.rules.steal,
                     "take the packets away from the stack, through AF_XDP sockets, which is faster");
    command.add_option("--import", options.rules.imports, "a module that the predicate needs: --import tunnel/vxlan")
        ->allow_extra_args(false);
    add_choice(command, "--format", options.format, diagnostic_forms, "how diagnostics are shown");
    const auto source = std::make_shared<SourceOptions>();
    add_backend(command, *source);
    command.add_flag("--json", options.json, "one JSON object on standard output at the end");
    command.add_flag("-q,--quiet", options.quiet, "no word about the start, no summary");
    command.add_flag("-v,--verbose", options.verbose, "say each step");
    command.callback([shared, words, snap, ring, source] {
        auto &made = *shared;
        made.rules.backend = source->backend;
        made.rules.predicate = fmt::format("{}", fmt::join(*words, " "));
        if (*snap != 0) // tcpdump's 0 is all of it, too
            made.file.snap_length = *snap;
        made.rules.snap_length = std::min(made.file.snap_length, longest_sample);
        check_options(made, made.rules.steal && ring->count() != 0);
    });
    return {&command, [shared] { return capture(*shared); }};
}

} // namespace xdpf::cli
