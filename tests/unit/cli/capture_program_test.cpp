// The program around a predicate: messages are about what was typed, rules that a predicate smuggles in are found.
#include "runtime/cli/capture_program.hpp"

#include "compiler/report.hpp"

#include <doctest/doctest.h>

using namespace xdpf;
using namespace xdpf::cli;

namespace {

CaptureProgram of(std::string predicate, bool steal = false)
{
    return compile_capture({.predicate = std::move(predicate), .steal = steal});
}

std::string said(const CaptureProgram &program) { return to_text(program.diagnostics, program.sources); }

} // namespace

TEST_CASE("a tap samples into one ring, by size, and counts what matched")
{
    for (const char *predicate :
         {"", "udp.dport == 53", "udp\nor tcp # both", "pcap \"port 53\"", "packet.length < 100"}) {
        const CaptureProgram program = of(predicate);
        CAPTURE(predicate);
        REQUIRE_MESSAGE(program.ok(), said(program));
        CHECK(said(program).empty());
        const Image &image = program.compilation.image();
        REQUIRE(image.programs.size() == 1);
        CHECK(image.programs[0].name == "capture");
        CHECK_FALSE(image.programs[0].frags);
        CHECK(image.maps[0].name == hits_map);
        CHECK(image.maps[1].name == ring_map);
        std::uint32_t before = 0;
        for (const RecordType &type : image.records) {
            CHECK(type.sample);
            CHECK(type.bytes > before);
            CHECK(type.layout.size + 8 <= sample_head);
            before = type.bytes;
        }
        CHECK(before == longest_sample);
    }
}

TEST_CASE("the snap length bounds samples; rings of the smallest size that is allowed hold one")
{
    const CaptureProgram program = compile_capture({.snap_length = 4096 - sample_head, .ring_size = 4096});
    REQUIRE_MESSAGE(program.ok(), said(program));
    CHECK(program.compilation.image().records.back().bytes == 4096 - sample_head);
    CHECK(program.compilation.image().records.size() == 4);
    CHECK(compile_capture({.frags = true}).compilation.image().programs[0].frags);
}

TEST_CASE("stealing redirects, and samples nothing")
{
    for (const char *predicate : {"", "udp"}) {
        const CaptureProgram program = of(predicate, true);
        REQUIRE_MESSAGE(program.ok(), said(program));
        CHECK(program.compilation.image().records.empty());
        REQUIRE(program.compilation.image().maps.size() == 1);
        CHECK(program.compilation.image().maps[0].kind == MapKind::xskmap);
    }
}

TEST_CASE("mistakes are shown in what was typed")
{
    CHECK(said(of("udp.dprt == 53")) == "error[unknown_field]: header 'udp' has no field 'dprt'\n"
                                        "  --> <command line>:1:5\n"
                                        "   |\n"
                                        " 1 | udp.dprt == 53\n"
                                        "   |     ^^^^\n"
                                        "   = help: did you mean 'dport'?\n");
    CHECK(said(of("udp or\n  tcp.x")).find("<command line>:2:7") != std::string::npos);
    CHECK(said(of("vxlan")).find("help: --import tunnel/vxlan\n") != std::string::npos);
    CHECK(compile_capture({.predicate = "vxlan", .imports = {"tunnel/vxlan"}}).ok());
    CHECK(said(compile_capture({.imports = {"nothing"}})).find("cannot find 'nothing' to import") != std::string::npos);
    // A definition of the standard library keeps its own place.
    const std::string host = said(of("host(53)"));
    CHECK(host.find("--> <stdlib>/ip:") != std::string::npos);
    CHECK(host.find("--> <command line>:1:1\n") != std::string::npos);
}

TEST_CASE("what is unfinished is missing behind its end, said once")
{
    for (const char *predicate : {"udp.dport ==", "(udp", "udp and", "udp.dport in {1,", "udp }", "packet[0:"}) {
        const CaptureProgram program = of(predicate);
        CAPTURE(predicate);
        CHECK_FALSE(program.ok());
        REQUIRE(program.diagnostics.all().size() == 1);
        const Diagnostic &one = program.diagnostics.all().front();
        CHECK(program.sources.name(one.span.file) == "<command line>");
        CHECK(program.sources.text(one.span.file) == predicate);
        CHECK(said(program).find("capture_") == std::string::npos);
    }
}

TEST_CASE("more than a predicate is none")
{
    for (const bool steal : {false, true})
        for (const char *predicate :
             {"udp) -> drop match (tcp", "udp) { match tcp -> drop } match (ipv4",
              "udp) -> drop default -> pass match (udp", "udp) -> pass } defprogram other { match (udp"}) {
            const CaptureProgram program = of(predicate, steal);
            CAPTURE(predicate);
            CHECK_FALSE(program.ok());
        }
}
