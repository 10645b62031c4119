#include "compiler/bpf/interpret.hpp"
#include "compiler/compile.hpp"
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/report.hpp"
#include "compiler/state.hpp"
#include "runtime/kernel_program.hpp"
#include "tests/diff/engines.hpp"
#include "tests/diff/rewritten.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <expected>

namespace xdpf::diff {
namespace {

constexpr std::size_t most_problems = 3;
constexpr std::size_t room = 4096;

using Run = std::function<std::expected<Outcome, std::string>(const Bytes &)>;

bool is_too_large(const Diagnostic &diagnostic) { return diagnostic.kind == Kind::too_large; }

Bytes copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

Run in_ir(const Compilation &compilation)
{
    return [&](const Bytes &packet) -> std::expected<Outcome, std::string> {
        ir::MapStore maps(compilation.state().module.maps);
        ir::Interpreter interpreter(compilation.state().module.programs[0], maps);
        ir::PacketBuffer buffer(packet);
        const auto result = interpreter.run(buffer);
        if (!result)
            return std::unexpected(result.error());
        return Outcome{result->verdict, copy_of(buffer.bytes())};
    };
}

Run in_bytecode(const Compilation &compilation)
{
    return [&](const Bytes &packet) -> std::expected<Outcome, std::string> {
        ir::MapStore maps(compilation.state().module.maps);
        ir::PacketBuffer buffer(packet);
        const auto result = bpf::interpret(compilation.image().programs[0], maps, buffer);
        if (!result)
            return std::unexpected(result.error());
        return Outcome{result->verdict, copy_of(buffer.bytes())};
    };
}

Run in_kernel(const runtime::KernelProgram &program)
{
    return [&](const Bytes &packet) -> std::expected<Outcome, std::string> {
        Bytes out(room);
        DECLARE_LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(), .data_out = out.data(),
                            .data_size_in = static_cast<std::uint32_t>(packet.size()),
                            .data_size_out = static_cast<std::uint32_t>(out.size()), .repeat = 1);
        if (const int result = bpf_prog_test_run_opts(program.loaded().program_fd(), &options); result < 0)
            return std::unexpected(fmt::format("BPF_PROG_TEST_RUN: {}", result));
        out.resize(options.data_size_out);
        return Outcome{options.retval, out};
    };
}

class Check {
public:
    Check(const std::string &source, std::span<const Packet> packets)
        : source_(source), packets_(packets), plain_(compile(source, "rewriting.xdpf", {.optimize = false})),
          optimised_(compile(source, "rewriting.xdpf"))
    {
    }

    std::vector<std::string> run(const Meaning &meaning)
    {
        for (const Compilation *compilation : {&plain_, &optimised_}) {
            if (!compilation->ok()) {
                if (std::ranges::any_of(compilation->diagnostics().all(), &is_too_large))
                    return {std::string(too_large)};
                add(to_text(compilation->diagnostics(), compilation->sources()));
                return std::move(problems_);
            }
            for (const auto &error : ir::verify(compilation->state().module))
                add(error);
        }
        const Run reference = in_ir(plain_);
        const Run wanted = [&](const Bytes &packet) -> std::expected<Outcome, std::string> {
            return meaning ? meaning(packet) : reference(packet);
        };
        compare("IR", reference, wanted);
        compare("IR behind the passes", in_ir(optimised_), wanted);
        compare("bytecode", in_bytecode(optimised_), wanted);
        compare("bytecode without the passes", in_bytecode(plain_), wanted);
        if (kernel_usable()) {
            kernel("kernel", optimised_, wanted);
            kernel("kernel without the passes", plain_, wanted);
            through_llvm("kernel, LLVM", {.backend = Backend::llvm}, wanted);
        }
        return std::move(problems_);
    }

private:
    void add(std::string text)
    {
        if (problems_.size() < most_problems)
            problems_.push_back(std::move(text));
    }

    // Of larger programs LLVM takes long.
    void through_llvm(std::string_view engine, const CompileOptions &options, const Run &wanted)
    {
        constexpr std::size_t most = 2'000;
        if (!has_backend(Backend::llvm) || instructions_of(optimised_) > most)
            return;
        const Compilation compilation = compile(source_, "rewriting.xdpf", options);
        if (compilation.ok())
            kernel(engine, compilation, wanted);
        else
            add(fmt::format("{}: {}", engine, to_text(compilation.diagnostics(), compilation.sources())));
    }

    void kernel(std::string_view engine, const Compilation &compilation, const Run &wanted)
    {
        const auto program = runtime::KernelProgram::load(compilation.image());
        if (program)
            return compare(engine, in_kernel(*program), wanted);
        const std::string &log = program.error().log;
        add(fmt::format("{}: {}\n{}", engine, to_string(program.error()),
                        log.substr(log.size() - std::min<std::size_t>(log.size(), 1500))));
    }

    void compare(std::string_view engine, const Run &run, const Run &wanted)
    {
        for (const Packet &packet : packets_) {
            const auto got = run(packet.bytes);
            const auto expected = wanted(packet.bytes);
            const auto text = [](const auto &outcome) {
                return outcome ? fmt::format("{} {}", outcome->verdict, hex(outcome->bytes)) : outcome.error();
            };
            const bool same = got && expected && got->verdict == expected->verdict &&
                              (got->verdict == XDP_ABORTED || got->bytes == expected->bytes);
            if (!same)
                add(fmt::format("{}:\n  {}\nwhere\n  {}\nis wanted for {}\n  {}", engine, text(got), text(expected),
                                packet.name, hex(packet.bytes)));
            if (problems_.size() >= most_problems)
                return;
        }
    }

    const std::string &source_;
    std::span<const Packet> packets_;
    Compilation plain_;
    Compilation optimised_;
    std::vector<std::string> problems_;
};

} // namespace

std::vector<std::string> rewriting_problems(const std::string &source, std::span<const Packet> packets,
                                            const Meaning &meaning)
{
    return Check(source, packets).run(meaning);
}

} // namespace xdpf::diff
