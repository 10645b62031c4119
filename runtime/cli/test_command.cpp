#include "runtime/cli/test_command.hpp"

#include "compiler/test.hpp"
#include "runtime/kernel_test.hpp"

#include <fmt/color.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace xdpf::cli {
namespace {

struct Ran {
    TestResult result;
    std::vector<std::string> skipped; // what the kernel cannot run, and why
};

std::string place(const Compilation &compilation, Span span)
{
    if (!span.valid())
        return {};
    const auto where = compilation.sources().location(span.file, span.begin);
    return fmt::format("{}:{}:{}: ", compilation.sources().name(span.file), where.line, where.column);
}

TestedGroup tested(runtime::KernelGroup &&group)
{
    TestedGroup out;
    for (const auto &packet : group.packets)
        out.packets.push_back({.verdict = packet.verdict.value_or(0)});
    if (!group.packets.empty()) {
        const auto last = group.packets.back().packet();
        out.last.assign(last.begin(), last.end());
    }
    out.context.rx_queue = group.arrival.rx_queue;
    out.context.ingress_ifindex = group.arrival.ingress_ifindex;
    for (auto &record : group.records)
        out.records.push_back({record.map, std::move(record.bytes)});
    return out;
}

// The first line says what is wrong.
std::string in_kernel(std::string text)
{
    text.insert(std::min(text.find('\n'), text.size()), " (kernel)");
    return text;
}

std::uint64_t monotonic_now()
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count());
}

// What the kernel has its own of, and the outcome depends on: the interpreter says otherwise with another one. Empty:
// nothing. Where a program only stores such a value, or measures with it, both say the same.
std::string_view depends_on(const Compilation &compilation, const TestImage &test, const TestResult &here)
{
    std::vector<std::pair<std::string_view, PacketContext>> others;
    others.push_back({"now", {.now = monotonic_now()}});
    others.push_back({"cpu", {.cpu = 1}});
    for (std::uint64_t seed = 1; seed <= 4; ++seed)
        others.push_back({"random", {.seed = seed << 32 | seed}});
    for (const auto &[name, context] : others)
        if (!std::ranges::equal(run_test(compilation, test, context).failures, here.failures, {}, &TestFailure::span,
                                &TestFailure::span))
            return name;
    return {};
}

std::string not_in_kernel(const Compilation &compilation, const TestImage &test, const TestResult &here)
{
    if (!test.not_in_kernel.empty())
        return test.not_in_kernel;
    if (std::string why = runtime::KernelTest::cannot_run(compilation.image(), test.program); !why.empty())
        return why;
    const std::string_view own = depends_on(compilation, test, here);
    return own.empty() ? "" : fmt::format("its outcome depends on '{}', and the kernel has its own", own);
}

// Where the packets are redirected to.
std::set<runtime::RedirectSlot> slots_met(const Compilation &compilation, const TestImage &test)
{
    std::set<runtime::RedirectSlot> out;
    Interpreter interpreter(compilation, test.program);
    PacketContext context;
    for (const TestGroup &group : test.groups) {
        set_up(interpreter, compilation.image(), group);
        for (const TestedPacket &packet : run_group(interpreter, group, context).packets)
            if (packet.target_known && !packet.broadcast)
                out.insert({packet.redirect_map, packet.redirect_key});
    }
    return out;
}

runtime::Result<Ran> run_in_both(const Compilation &compilation, const TestImage &test)
{
    Ran out{run_test(compilation, test), {}};
    if (std::string why = not_in_kernel(compilation, test, out.result); !why.empty()) {
        out.skipped.push_back(std::move(why));
        return out;
    }
    const auto met = slots_met(compilation, test);
    if (std::string why = runtime::KernelTest::cannot_fill(compilation.image(), met); !why.empty()) {
        out.skipped.push_back(std::move(why));
        return out;
    }
    auto kernel = runtime::KernelTest::start(compilation.image(), test.program, met);
    if (!kernel)
        return std::unexpected(kernel.error());
    std::optional<runtime::Error> error;
    const TestEngine engine{
        .run = [&](const TestGroup &group) -> std::optional<TestedGroup> {
            auto ran = kernel->run(group);
            if (!ran) {
                error = std::move(ran.error());
                return std::nullopt;
            }
            for (std::size_t i = 0; i < ran->packets.size(); ++i)
                if (!ran->packets[i].verdict)
                    out.skipped.push_back(fmt::format("packet {}: {}", i + 1, ran->packets[i].skipped));
            // What the maps hold is then another story, too.
            return out.skipped.empty() ? std::optional(tested(std::move(*ran))) : std::nullopt;
        },
        .lookup = [&](MapId map, std::span<const std::byte> key) -> std::optional<std::vector<std::byte>> {
            auto value = kernel->program().lookup(map, key);
            return value ? *value : std::nullopt;
        }};
    auto judged = run_test(compilation, test, engine);
    if (error)
        return std::unexpected(std::move(*error));
    // The interpreter knows where a redirect goes, and which rule decided; the kernel does not tell: only what both can
    // see has to agree.
    for (auto &failure : judged.failures)
        out.result.failures.push_back({failure.span, in_kernel(std::move(failure.text))});
    return out;
}

} // namespace

int test(const TestOptions &options)
{
    const Compilation compilation = compile_and_report(options.source);
    if (!compilation.ok())
        return exit_failure;
    const bool colour = colour_on(STDOUT_FILENO);
    const auto styled = [&](std::string_view text, fmt::terminal_color shade) {
        return colour ? fmt::format(fmt::fg(shade), "{}", text) : std::string(text);
    };
    std::size_t passed = 0;
    std::size_t filtered = 0;
    std::vector<TestResult> failed;
    const auto &tests = compilation.image().tests;
    fmt::print("running {} test{}{}\n", tests.size(), tests.size() == 1 ? "" : "s",
               options.kernel ? " in the interpreter and in the kernel" : "");
    for (const auto &test : tests) {
        if (test.name.find(options.filter) == std::string::npos) {
            ++filtered;
            continue;
        }
        runtime::Result<Ran> ran =
            options.kernel ? run_in_both(compilation, test) : Ran{run_test(compilation, test), {}};
        if (!ran) {
            fmt::print(stderr, "{}\n", runtime::to_string(ran.error()));
            return exit_failure;
        }
        fmt::print("test {} ... {}\n", test.name,
                   ran->result.passed() ? styled("ok", fmt::terminal_color::green)
                                        : styled("FAILED", fmt::terminal_color::red));
        for (const auto &skipped : ran->skipped)
            fmt::print("    not in the kernel: {}\n", skipped);
        if (ran->result.passed())
            ++passed;
        else
            failed.push_back(std::move(ran->result));
    }
    if (!failed.empty())
        fmt::print("\nfailures:\n");
    for (const auto &result : failed) {
        fmt::print("  {}\n", result.name);
        for (const auto &failure : result.failures)
            fmt::print("    {}{}\n", place(compilation, failure.span), failure.text);
    }
    const auto verdict =
        failed.empty() ? styled("ok", fmt::terminal_color::green) : styled("FAILED", fmt::terminal_color::red);
    fmt::print("\ntest result: {}. {} passed; {} failed; {} filtered out\n", verdict, passed, failed.size(), filtered);
    return failed.empty() ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
