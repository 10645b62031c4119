// What LLVM makes of the IR, without a kernel: the meaning in the bytecode interpreter, and what is written about it.
#include "compiler/bpf/disassemble.hpp"
#include "compiler/bpf/interpret.hpp"
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/llvm/backend.hpp"
#include "tests/skip.hpp"
#include "tests/unit/bpf/operation_programs.hpp"
#include "tests/unit/bpf/random_programs.hpp"
#include "tests/unit/bpf/sample_programs.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#define XDPF_NEEDS_LLVM()                                                                                              \
    do {                                                                                                               \
        if (!llvm_backend::available())                                                                                \
            XDPF_SKIP("built without LLVM");                                                                           \
    } while (false)

using namespace xdpf;

namespace {

using Packet = std::vector<std::byte>;

ir::Module parse(std::string_view text)
{
    auto module = ir::from_text(text);
    REQUIRE_MESSAGE(module.has_value(), module.error());
    const auto findings = ir::verify(*module);
    REQUIRE_MESSAGE(findings.empty(), findings.front());
    return std::move(*module);
}

ProgramImage generate(const ir::Module &module, const Sources *sources = nullptr)
{
    auto image = llvm_backend::generate(module.programs[0], module.maps, sources);
    REQUIRE_MESSAGE(image.has_value(), image.error().why);
    return std::move(*image);
}

std::vector<Packet> packets_of(std::uint64_t seed, std::size_t count)
{
    std::vector<Packet> packets;
    for (std::size_t i = 0; i < count; ++i) {
        packets.emplace_back(14 + (seed * 7 + i * 29) % 130);
        for (std::size_t at = 0; at < packets.back().size(); ++at)
            packets.back()[at] = static_cast<std::byte>(seed * 31 + at * at * (i + 3));
    }
    return packets;
}

// The first program of a module; a tail call that hits is where both end.
void same_meaning(const ir::Module &module, std::span<const Packet> packets, const ir::Context &context = {})
{
    const ProgramImage image = generate(module);
    ir::MapStore ir_maps(module.maps);
    ir::MapStore bpf_maps(module.maps);
    ir::Interpreter interpreter(module.programs[0], ir_maps);
    interpreter.set_asm_hook(bpf::run_asm);
    for (const Packet &packet : packets) {
        ir::PacketBuffer ir_packet(packet);
        ir::PacketBuffer bpf_packet(packet);
        const auto meant = interpreter.run(ir_packet, context);
        const auto outcome = bpf::interpret(image, bpf_maps, bpf_packet, context);
        REQUIRE_MESSAGE(meant.has_value(), meant.error());
        REQUIRE_MESSAGE(outcome.has_value(), outcome.error() << bpf::disassemble(image, module.maps));
        REQUIRE_MESSAGE(outcome->verdict == meant->verdict, bpf::disassemble(image, module.maps));
        CHECK(outcome->redirect == meant->redirect);
        CHECK(outcome->tail_call == meant->tail_call);
        CHECK(std::ranges::equal(ir_packet.bytes(), bpf_packet.bytes()));
        CHECK(std::ranges::equal(ir_packet.metadata(), bpf_packet.metadata()));
        REQUIRE(outcome->records.size() == meant->records.size());
        for (std::size_t i = 0; i < meant->records.size(); ++i)
            CHECK(outcome->records[i].bytes == meant->records[i].bytes);
    }
    for (MapId map(0); map.value < module.maps.size(); ++map.value)
        if (!has(module.maps[map.value].kind, map_trait::redirect | map_trait::programs | map_trait::ring))
            CHECK(ir_maps.entries(map) == bpf_maps.entries(map));
}

} // namespace

TEST_CASE("every operation means the same in IR and in what LLVM makes of it")
{
    XDPF_NEEDS_LLVM();
    ir::Context context{.rx_queue = 1, .cpu = 3, .now = 1'000'000'007, .seed = 5};
    context.rx.hash = 0x12345678;
    context.rx.timestamp = 99;
    const std::vector<Packet> packets = packets_of(3, 60);
    for (const std::string_view text : testing::operation_programs) {
        const ir::Module module = parse(text);
        CAPTURE(module.programs[0].name);
        same_meaning(module, packets, context);
    }
    same_meaning(parse(testing::device_questions), packets, context);
    context.rx = {};
    context.rx.vlan = {.protocol = 0x88a8, .tci = 0x1234};
    same_meaning(parse(testing::device_questions), packets, context);
    same_meaning(parse(testing::times_and_chances), packets, context);
    for (const std::string_view text : testing::sample_programs)
        same_meaning(parse(text), packets);
}

TEST_CASE("random programs mean the same in IR and in what LLVM makes of it")
{
    XDPF_NEEDS_LLVM();
    for (std::uint64_t seed = 200'000; seed < 200'040; ++seed) {
        CAPTURE(seed);
        same_meaning(testing::random_module(seed), packets_of(seed, 8));
    }
}

TEST_CASE("the arithmetic of the machine: by zero, and by more bits than there are")
{
    XDPF_NEEDS_LLVM();
    for (const std::string_view op : {"div", "mod", "shl", "shr"})
        for (const std::string_view operand : {"%4 = load.u8 %1 + 1", "%4 = 0", "%4 = 64", "%4 = 70"}) {
            const auto text = fmt::format("program test {{\nb0():\n  %1 = packet_start\n  %2 = packet_end\n"
                                          "  guard %1 + 14 <= %2 ? b1() : b2()\nb1():\n  %3 = load.be64 %1 + 2\n"
                                          "  {}\n  %5 = {} %3, %4\n  return %5\nb2():\n  return 2\n}}\n",
                                          operand, op);
            std::vector<Packet> packets = packets_of(9, 4);
            for (const int second : {0, 1, 63, 64, 200})
                packets.emplace_back(packets[0])[1] = static_cast<std::byte>(second);
            same_meaning(parse(text), packets);
        }
}

TEST_CASE("two edges to one block, each with its own arguments")
{
    XDPF_NEEDS_LLVM();
    same_meaning(parse("program test {\nb0():\n  %1 = packet_length\n  %2 = 1\n  %3 = 2\n"
                       "  if %1 > 60 ? b1(%2) : b1(%3)\nb1(%4):\n  return %4\n}\n"),
                 packets_of(1, 20));
}

TEST_CASE("lines are those of the source, in units of instructions")
{
    XDPF_NEEDS_LLVM();
    Sources sources;
    const FileId other = sources.add("imported.xdpf", "\n\nheader x\n");
    const FileId file = sources.add("f.xdpf", "match udp\n  -> xsk\n");
    ir::Module module = parse(testing::redirect_all);
    ir::Program &program = module.programs[0];
    program.span = {file, 0, 9};
    auto &insts = program.blocks[ir::BlockId(0)].insts;
    insts[0].span = {other, 2, 8};
    insts[1].span = {file, 12, 18};
    const ProgramImage image = generate(module, &sources);
    REQUIRE(image.lines.size() == 2);
    CHECK(image.lines[0].file == "imported.xdpf");
    CHECK(image.lines[0].line == 3);
    CHECK(image.lines[0].text == "header x");
    CHECK(image.lines[1].file == "f.xdpf");
    CHECK(image.lines[1].line == 2);
    CHECK(image.lines[1].column == 3);
    CHECK(image.lines[1].insn > 0);
}

TEST_CASE("a block of instructions stands as it was written behind the program")
{
    XDPF_NEEDS_LLVM();
    const ir::Module module = parse(testing::instructions);
    const ProgramImage image = generate(module);
    const ir::AsmBlock &block = module.programs[0].asms[0];
    const std::uint32_t first = image.map_references.back().insn - block.maps[0].at;
    for (std::size_t i = 0; i < block.insns.size(); ++i)
        if (i != block.maps[0].at)
            CHECK(std::bit_cast<std::uint64_t>(image.insns[first + i]) == block.insns[i]);
}

TEST_CASE("what LLVM cannot do is an error, and the next program is compiled")
{
    XDPF_NEEDS_LLVM();
    ir::Module module = parse(testing::pressure);
    const std::uint32_t size = std::exchange(module.programs[0].slots[ir::SlotId(0)].size, 520);
    const auto failed = llvm_backend::generate(module.programs[0], module.maps, nullptr);
    REQUIRE(!failed.has_value());
    CHECK(!failed.error().why.empty());
    module.programs[0].slots[ir::SlotId(0)].size = size;
    same_meaning(module, packets_of(4, 4));
}

TEST_CASE("limits of the kernel are the same errors as with our own backend")
{
    XDPF_NEEDS_LLVM();
    std::string text = "program many {\nb0():\n  %1 = packet_start\n  %2 = packet_end\n"
                       "  guard %1 + 64 <= %2 ? b1() : b8301()\n";
    for (int i = 1; i <= 8300; ++i)
        text += fmt::format("b{0}():\n  %{1} = load.u8 %1 + {2}\n  if %{1} == {3} ? b8301() : b{4}()\n", i, i + 10,
                            i % 64, i % 200, i + 1);
    const ir::Module module = parse(text + "b8301():\n  return 2\n}\n");
    const auto branches = llvm_backend::generate(module.programs[0], {}, nullptr);
    REQUIRE(!branches.has_value());
    REQUIRE(branches.error().limit.has_value());
    CHECK(branches.error().limit->kind == bpf::CodegenError::Kind::too_many_branches);
}

TEST_CASE("LLVM's IR has the lines of the source, and nothing where there is no LLVM")
{
    Sources sources;
    const FileId file = sources.add("f.xdpf", "match udp\n  -> xsk\n");
    ir::Module module = parse(testing::redirect_all);
    module.programs[0].span = {file, 0, 9};
    module.programs[0].blocks[ir::BlockId(0)].insts[1].span = {file, 12, 18};
    const std::string text = llvm_backend::to_llvm(module, sources);
    CHECK(text.empty() == !llvm_backend::available());
    if (llvm_backend::available()) {
        CHECK(text.find("define dso_local i32 @redirect_all(ptr %ctx)") != std::string::npos);
        CHECK(text.find("!DILocation(line: 2, column: 3") != std::string::npos);
        CHECK(text.find("!DIFile(filename: \"f.xdpf\"") != std::string::npos);
    }
}
