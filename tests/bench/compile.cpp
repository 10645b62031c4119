// Compile times inside the process: whole programs through the library's face, and one program stage by stage.
#include "compiler/compile.hpp"
#include "compiler/bpf/codegen.hpp"
#include "compiler/lower/lower.hpp"
#include "compiler/object/object.hpp"
#include "compiler/passes/pipeline.hpp"
#include "compiler/pcap/compile.hpp"
#include "compiler/report.hpp"
#include "compiler/sema/analyze.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

namespace {

std::string filter(const std::string &name)
{
    const std::string path = std::string(XDPF_SOURCE_DIR "/tests/bench/filters/") + name + ".xdpf";
    std::ifstream in(path);
    if (!in) {
        fmt::print(stderr, "cannot read {}\n", path);
        std::exit(2);
    }
    return {std::istreambuf_iterator<char>(in), {}};
}

// An access list: ports of hosts and of networks, over UDP and TCP.
std::string access_list(int rules)
{
    std::string text;
    for (int i = 0; i < rules; ++i) {
        const int port = 1024 + i * 13 % 50000;
        if (i % 3 == 0)
            text += fmt::format("match ipv4.src == 10.{}.{}.7 and udp.dport == {} -> xsk\n", i / 256, i % 256, port);
        else if (i % 3 == 1)
            text += fmt::format("match ipv4.dst in 172.16.{}.0/24 and tcp.dport == {} -> drop\n", i % 256, port);
        else
            text += fmt::format("match ipv4.src in 10.{}.0.0/16 and tcp.dport in {}..{} -> pass\n", i % 256, port,
                                port + 9);
    }
    return text + "default -> drop\n";
}

// The tests of the same rules as an expression of tcpdump's: it has no verdicts, so this is what it says "yes" to.
std::string tcpdump_expression(int rules)
{
    std::string text;
    for (int i = 0; i < rules; ++i) {
        const int port = 1024 + i * 13 % 50000;
        if (i > 0)
            text += " or ";
        if (i % 3 == 0)
            text += fmt::format("(src host 10.{}.{}.7 and udp dst port {})", i / 256, i % 256, port);
        else if (i % 3 == 1)
            text += fmt::format("(dst net 172.16.{}.0/24 and tcp dst port {})", i % 256, port);
        else
            text += fmt::format("(src net 10.{}.0.0/16 and tcp dst portrange {}-{})", i % 256, port, port + 9);
    }
    return text;
}

void libpcap(benchmark::State &state, const std::string &text)
{
    for (auto _ : state) {
        const auto program = xdpf::pcap::compile(text);
        if (!program) {
            state.SkipWithError(program.error().message.c_str());
            return;
        }
        state.counters["insns"] = static_cast<double>(program->size());
    }
}

void whole(benchmark::State &state, const std::string &text)
{
    for (auto _ : state) {
        const xdpf::Compilation compilation = xdpf::compile(text, "bench.xdpf");
        if (!compilation.ok()) {
            state.SkipWithError(xdpf::to_text(compilation.diagnostics(), compilation.sources()).c_str());
            return;
        }
        state.counters["insns"] = static_cast<double>(compilation.image().programs.front().insns.size());
    }
}

double cpu_seconds()
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The stages by themselves; what each takes of an iteration becomes a counter, in microseconds.
void stages(benchmark::State &state, const std::string &text)
{
    const auto measure = [&state](const char *stage, auto &&work) {
        const double before = cpu_seconds();
        auto result = work();
        auto &counter = state.counters[stage];
        counter.flags = benchmark::Counter::kAvgIterations;
        counter.value += (cpu_seconds() - before) * 1e6;
        return result;
    };
    for (auto _ : state) {
        xdpf::Sources sources;
        xdpf::Diagnostics diagnostics;
        const auto modules =
            measure("parse", [&] { return xdpf::sema::load_text("bench.xdpf", text, sources, diagnostics); });
        const auto unit = measure("analyze", [&] { return xdpf::sema::analyze(modules, sources, diagnostics); });
        auto module = measure("lower", [&] { return xdpf::lower(unit, diagnostics); });
        measure("optimize", [&] {
            xdpf::passes::optimize(module);
            return true;
        });
        xdpf::Image image;
        image.name = unit.name;
        image.license = unit.license;
        image.maps = module.maps;
        for (const auto &program : module.programs) {
            auto code = measure("generate", [&] { return xdpf::bpf::generate(program, &sources); });
            if (!code) {
                state.SkipWithError("too large");
                return;
            }
            image.programs.push_back(std::move(*code));
        }
        benchmark::DoNotOptimize(measure("object", [&] { return xdpf::write_object(image); }));
    }
}

} // namespace

int main(int argc, char **argv)
{
    const auto add = [](const std::string &name, auto function, const std::string &text) {
        benchmark::RegisterBenchmark(name.c_str(), function, text)->Unit(benchmark::kMicrosecond);
    };
    const std::string one = filter("udp");
    const std::string ten = filter("ten_rules");
    add("compile/one_rule", whole, one);
    add("compile/ten_rules", whole, ten);
    for (const int rules : {10, 100, 250, 1000}) {
        add(fmt::format("list/{}", rules), whole, access_list(rules));
        if (rules <= 250) // longer expressions are refused: libpcap takes quadratic time
            add(fmt::format("libpcap/{}", rules), libpcap, tcpdump_expression(rules));
    }
    add("stages/standard_library", stages, ""); // what every compilation parses and analyzes, and nothing else
    add("stages/one_rule", stages, one);
    add("stages/ten_rules", stages, ten);
    add("stages/1000_rules", stages, access_list(1000));
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
