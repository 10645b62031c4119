#include "runtime/cli/trace_command.hpp"

#include "compiler/test.hpp"
#include "runtime/capture_file.hpp"
#include "runtime/cli/trace_report.hpp"
#include "runtime/kernel_program.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::cli {
namespace {

constexpr std::size_t batch_size = 1024; // packets that go to the kernel at once

std::optional<std::size_t> program_named(const Compilation &compilation, const std::string &name)
{
    const auto programs = compilation.image().own_programs();
    if (name.empty())
        return 0;
    const auto found = std::ranges::find(programs, name, &ProgramImage::name);
    if (found != programs.end())
        return static_cast<std::size_t>(found - programs.begin());
    std::vector<std::string> names;
    std::ranges::transform(programs, std::back_inserter(names), &ProgramImage::name);
    fmt::print(stderr, "xdpf trace: there is no program '{}'; {}\n", name, did_you_mean(name, names));
    return std::nullopt;
}

// The capture's packets, one after the other, through the interpreter or the kernel.
class Trace {
public:
    Trace(const TraceOptions &options, const Compilation &compilation, std::size_t program,
          runtime::CaptureFile &capture)
        : options_(options), compilation_(compilation), program_(program), capture_(capture),
          explainer_(compilation, program), report_(options, compilation, explainer_, program)
    {
    }

    runtime::Result<void> run()
    {
        auto done = options_.kernel ? in_kernel() : interpreted();
        report_.finish(done ? nullptr : &done.error(), capture_.snap_length());
        return done;
    }

private:
    TracedPacket explain(const runtime::CapturedPacket &packet)
    {
        TracedPacket out{.number = ++number_,
                         .time = packet.time,
                         .captured = packet.bytes.size(),
                         .length = std::max(packet.length, static_cast<std::uint32_t>(packet.bytes.size()))};
        out.explanation =
            explainer_.run(packet.bytes, {.now = packet.time}, options_.why ? Detail::reasons : Detail::rule);
        out.verdict = out.explanation.result.verdict;
        if (shows_packets())
            out.verdict_text = verdict_text(compilation_.image(), out.explanation.result);
        return out;
    }

    [[nodiscard]] bool shows_packets() const { return options_.json ? options_.packets : !options_.summary; }

    runtime::Result<void> interpreted()
    {
        while (!ended()) {
            const auto packet = capture_.next();
            if (!packet)
                return std::unexpected(packet.error());
            if (!*packet)
                return {};
            report_.packet(explain(**packet));
        }
        return {};
    }

    [[nodiscard]] bool ended() const { return options_.ended && options_.ended(); }

    // The interpreter comes along, to tell the rule: it has maps of its own, which fill alike.
    runtime::Result<void> in_kernel()
    {
        auto kernel = runtime::KernelProgram::load(compilation_.image(), program_);
        if (!kernel)
            return std::unexpected(std::move(kernel.error()));
        if (auto filled = fill_slots(*kernel); !filled)
            return filled;
        while (!ended()) {
            std::vector<std::vector<std::byte>> bytes;
            std::vector<TracedPacket> packets;
            runtime::Result<std::optional<runtime::CapturedPacket>> packet;
            while (bytes.size() < batch_size && (packet = capture_.next()) && *packet) {
                bytes.emplace_back((*packet)->bytes.begin(), (*packet)->bytes.end());
                packets.push_back(explain(**packet));
            }
            if (auto ran = run_batch(*kernel, bytes, packets); !ran)
                return ran;
            if (!packet)
                return std::unexpected(packet.error());
            if (!*packet)
                return {};
        }
        return {};
    }

    runtime::Result<void> fill_slots(runtime::KernelProgram &kernel)
    {
        const auto &maps = compilation_.image().maps;
        for (std::size_t i = 0; i < maps.size(); ++i)
            if (maps[i].kind == MapKind::xskmap)
                if (auto filled = kernel.fill_slots(MapId(i)); !filled)
                    return filled;
        return {};
    }

    runtime::Result<void> run_batch(runtime::KernelProgram &kernel, std::span<const std::vector<std::byte>> bytes,
                                    std::span<TracedPacket> packets)
    {
        const auto outcomes = kernel.run_all(bytes);
        if (!outcomes)
            return std::unexpected(outcomes.error());
        for (std::size_t i = 0; i < packets.size(); ++i) {
            TracedPacket &packet = packets[i];
            const auto &outcome = (*outcomes)[i];
            packet.skipped = outcome.skipped;
            if (outcome.verdict && *outcome.verdict != packet.verdict) {
                packet.rule_known = false;
                packet.verdict = *outcome.verdict;
                packet.verdict_text = verdict_text(compilation_.image(), TestedPacket{.verdict = packet.verdict});
            }
            report_.packet(packet);
        }
        return {};
    }

    const TraceOptions &options_;
    const Compilation &compilation_;
    std::size_t program_;
    runtime::CaptureFile &capture_;
    Explainer explainer_;
    TraceReport report_;
    std::uint64_t number_ = 0;
};

} // namespace

int trace(const TraceOptions &options)
{
    const Compilation compilation = compile_and_report(options.source);
    if (!compilation.ok())
        return exit_failure;
    const auto program = program_named(compilation, options.program);
    if (!program)
        return exit_usage;
    const auto done = trace(options, compilation, *program);
    if (done)
        return exit_ok;
    (void)std::fflush(stdout);
    fmt::print(stderr, "{}\n", runtime::to_string(done.error()));
    return exit_failure;
}

runtime::Result<void> trace(const TraceOptions &options, const Compilation &compilation, std::size_t program)
{
    auto capture = runtime::CaptureFile::open(options.capture);
    if (!capture)
        return std::unexpected(std::move(capture.error()));
    return Trace(options, compilation, program, *capture).run();
}

} // namespace xdpf::cli
