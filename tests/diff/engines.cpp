#include "tests/diff/engines.hpp"

#include "compiler/compile.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/report.hpp"
#include "compiler/state.hpp"
#include "runtime/kernel_program.hpp"
#include "tests/diff/in_kernel.hpp"
#include "tests/diff/interpreted.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <unistd.h>

namespace xdpf::diff {
namespace {

constexpr std::size_t most_problems = 4;
constexpr std::uint64_t most_through_llvm = 2'000; // LLVM takes its time
constexpr std::size_t most_packets_through_llvm = 400;

// Interface 1, the loopback, has one queue; a test run on another queue would see another interface.
runtime::Arrival arrival_of(const Subject &subject) { return {subject.rx_queue, subject.rx_queue == 0 ? 1U : 7U}; }

ir::Context context_of(const Subject &subject)
{
    const auto arrival = arrival_of(subject);
    return {.rx_queue = arrival.rx_queue,
            .ingress_ifindex = arrival.ingress_ifindex,
            .cpu = 1,
            .now = 5'000'000'000,
            .seed = 7};
}

class Comparison {
public:
    Comparison(const Subject &subject, std::span<const Packet> packets)
        : subject_(subject), packets_(packets), plain_(make({.optimize = false})), optimised_(make({}))
    {
    }

    Findings run(Engines engines, std::size_t most_instructions)
    {
        if (!optimised_.ok() || !plain_.ok()) {
            refused(optimised_.ok() ? plain_ : optimised_);
            return std::move(findings_);
        }
        findings_.instructions = static_cast<std::uint32_t>(instructions_of(optimised_));
        maps_ = optimised_.image().maps;
        well_formed("IR", plain_);
        well_formed("IR behind the passes", optimised_);
        without_kernel();
        if (engines == Engines::interpreters || !findings_.problems.empty())
            return std::move(findings_);
        if (findings_.instructions <= most_instructions)
            in_kernel("kernel", optimised_, packets_);
        if (instructions_of(plain_) <= most_instructions)
            in_kernel("kernel without the passes", plain_, packets_);
        through_llvm("kernel, LLVM", {.backend = Backend::llvm});
        through_llvm("kernel, LLVM without the passes", {.optimize = false, .backend = Backend::llvm});
        return std::move(findings_);
    }

private:
    [[nodiscard]] Compilation make(const CompileOptions &options) const
    {
        CompileOptions all = options;
        all.rule_counters = subject_.rule_counters;
        return subject_.make ? subject_.make(all) : compile(subject_.source, "differential.xdpf", all);
    }

    void through_llvm(std::string_view engine, const CompileOptions &options)
    {
        const Compilation &same_ir = options.optimize ? optimised_ : plain_;
        const std::uint64_t most = number_from_environment("XDPF_DIFF_LLVM", most_through_llvm);
        if (instructions_of(same_ir) > most || !has_backend(Backend::llvm))
            return;
        const Compilation compilation = make(options);
        ++findings_.through_llvm;
        if (!compilation.ok())
            return add(fmt::format("{}: {}", engine, to_text(compilation.diagnostics(), compilation.sources())));
        std::vector<Packet> share;
        const std::size_t each = packets_.size() / most_packets_through_llvm + 1;
        for (std::size_t i = findings_.through_llvm % each; i < packets_.size(); i += each)
            share.push_back(packets_[i]);
        in_kernel(engine, compilation, share);
    }

    void without_kernel()
    {
        const ir::Context context = context_of(subject_);
        Interpreted reference(plain_, false, subject_, context);
        Interpreted behind_passes(optimised_, false, subject_, context);
        Interpreted bytecode(optimised_, true, subject_, context);
        Interpreted plain_bytecode(plain_, true, subject_, context);
        for (const Packet &packet : packets_) {
            const Outcome expected = reference.run(packet.bytes);
            findings_.verdicts.push_back(expected ? expected->verdict : UINT32_MAX);
            if (!expected)
                problem("IR", packet, expected, expected);
            agree("IR behind the passes", packet, expected, behind_passes.run(packet.bytes));
            agree("bytecode", packet, expected, bytecode.run(packet.bytes));
            agree("bytecode without the passes", packet, expected, plain_bytecode.run(packet.bytes));
        }
        same_maps("IR behind the passes", reference.maps(), behind_passes.maps());
        same_maps("bytecode", reference.maps(), bytecode.maps());
        same_maps("bytecode without the passes", reference.maps(), plain_bytecode.maps());
    }

    void well_formed(std::string_view stage, const Compilation &compilation)
    {
        if (const auto errors = ir::verify(compilation.state().module); !errors.empty())
            add(fmt::format("{}: {}", stage, errors.front()));
    }

    void add(std::string text)
    {
        if (findings_.problems.size() < most_problems)
            findings_.problems.push_back(std::move(text));
    }

    void problem(std::string_view engine, const Packet &packet, const Outcome &expected, const Outcome &got)
    {
        add(fmt::format("{}: {} where the IR says {}\n  packet: {}\n  {}", engine, text_of(got), text_of(expected),
                        packet.name, hex(packet.bytes)));
    }

    void agree(std::string_view engine, const Packet &packet, const Outcome &expected, const Outcome &got)
    {
        if (!got || (expected && *got != *expected))
            problem(engine, packet, expected, got);
    }

    void same_maps(std::string_view engine, const ir::MapStore &expected, const ir::MapStore &got)
    {
        for (std::size_t i = 0; i < maps_.size(); ++i)
            if (!maps_[i].internal && !has(maps_[i].kind, map_trait::redirect) &&
                expected.entries(MapId(i)) != got.entries(MapId(i)))
                add(fmt::format("{}: other contents of map {}", engine, maps_[i].name));
    }

    void refused(const Compilation &compilation)
    {
        const auto &all = compilation.diagnostics().all();
        findings_.refused_by_compiler = std::ranges::all_of(all, [](const Diagnostic &diagnostic) {
            return diagnostic.kind == Kind::too_large || severity_of(diagnostic.kind) != Severity::error;
        });
        add(to_text(compilation.diagnostics(), compilation.sources()));
    }

    void in_kernel(std::string_view engine, const Compilation &compilation, std::span<const Packet> packets)
    {
        auto program = runtime::KernelProgram::load(compilation.image());
        if (!program) {
            findings_.refused_by_kernel = true;
            const std::string &log = program.error().log;
            add(fmt::format("{}: {}\n{}", engine, to_string(program.error()),
                            log.substr(log.size() - std::min<std::size_t>(log.size(), 1500))));
            return;
        }
        bpf_prog_info info{};
        std::uint32_t size = sizeof info;
        if (bpf_obj_get_info_by_fd(program->loaded().program_fd(), &info, &size) == 0)
            if (info.verified_insns > findings_.verified) {
                findings_.verified = info.verified_insns;
                findings_.verified_of = static_cast<std::uint32_t>(compilation.image().programs.front().insns.size());
            }
        std::vector<std::string> unfilled;
        fill_maps(*program, subject_, unfilled);
        for (std::string &why : unfilled)
            add(std::move(why));
        std::vector<Bytes> bytes;
        for (const Packet &packet : packets)
            bytes.push_back(packet.bytes);
        const auto outcomes = program->run_all(bytes, arrival_of(subject_));
        if (!outcomes)
            return add(fmt::format("{}: {}", engine, to_string(outcomes.error())));
        if (!subject_.chance)
            same_in_kernel(engine, *program, packets, *outcomes);
    }

    // The kernel runs no packet below 14 bytes, so what is expected comes from a run without them.
    void same_in_kernel(std::string_view engine, runtime::KernelProgram &program, std::span<const Packet> packets,
                        const std::vector<runtime::PacketOutcome> &outcomes)
    {
        Interpreted reference(plain_, false, subject_, context_of(subject_));
        std::vector<std::pair<std::size_t, Bytes>> records;
        for (std::size_t i = 0; i < packets.size(); ++i) {
            if (!outcomes[i].verdict)
                continue;
            const Outcome expected = reference.run(packets[i].bytes);
            if (!expected)
                continue; // was told before
            std::ranges::copy(expected->records, std::back_inserter(records));
            if (*outcomes[i].verdict != expected->verdict || outcomes[i].left != expected->left)
                add(fmt::format("{}: {}, left {} where the IR says {}\n  packet: {}\n  {}", engine,
                                *outcomes[i].verdict, hex(outcomes[i].left), text_of(expected), packets[i].name,
                                hex(packets[i].bytes)));
        }
        for (const std::string &one : differences(program, reference.maps(), records, plain_.image().records))
            add(fmt::format("{}: {}", engine, one));
    }

    const Subject &subject_;
    std::span<const Packet> packets_;
    Compilation plain_;
    Compilation optimised_;
    std::vector<MapSpec> maps_;
    Findings findings_;
};

} // namespace

Findings compare_engines(const Subject &subject, std::span<const Packet> packets, Engines engines,
                         std::size_t most_instructions)
{
    return Comparison(subject, packets).run(engines, most_instructions);
}

std::size_t instructions_of(const Compilation &compilation)
{
    std::size_t sum = 0;
    for (const ProgramImage &program : compilation.image().programs)
        sum += program.insns.size();
    return sum;
}

bool kernel_usable() { return ::geteuid() == 0; }

std::uint64_t number_from_environment(const char *name, std::uint64_t otherwise)
{
    const char *text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

} // namespace xdpf::diff
