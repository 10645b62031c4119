#include "compiler/bpf/codegen.hpp"

#include "compiler/bpf/disassemble.hpp"
#include "compiler/bpf/interpret.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "tests/unit/bpf/operation_programs.hpp"
#include "tests/unit/bpf/random_programs.hpp"
#include "tests/unit/bpf/sample_programs.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

using namespace xdpf;

namespace {

ir::Module parse(std::string_view text)
{
    auto module = ir::from_text(text);
    REQUIRE_MESSAGE(module.has_value(), module.error());
    const auto findings = ir::verify(*module);
    REQUIRE_MESSAGE(findings.empty(), findings.front());
    return std::move(*module);
}

ProgramImage generate(const ir::Module &module)
{
    auto image = bpf::generate(module.programs[0], nullptr);
    REQUIRE(image.has_value());
    return std::move(*image);
}

std::string text_of(std::string_view program)
{
    const ir::Module module = parse(program);
    return bpf::disassemble(generate(module), module.maps);
}

// One block that loads %3 and goes on as told; "yes" returns 1, "no" 2.
std::string with_field(std::string_view load, std::string_view rest)
{
    return text_of(fmt::format("program test {{\nb0():\n  %1 = packet_start\n  %2 = packet_end\n"
                               "  guard %1 + 20 <= %2 ? b1() : b3()\nb1():\n  %3 = {}\n  {}\n"
                               "b2():\n  return 1\nb3():\n  return 2\n}}\n",
                               load, rest));
}

bool contains(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }

// The first program of a module; a tail call that hits is where both end.
void same_in_both(const ir::Module &module, std::span<const std::vector<std::byte>> packets,
                  const ir::Context &context = {})
{
    const ProgramImage image = generate(module);
    ir::MapStore ir_maps(module.maps);
    ir::MapStore bpf_maps(module.maps);
    ir::Interpreter interpreter(module.programs[0], ir_maps);
    interpreter.set_asm_hook(bpf::run_asm);
    for (const std::vector<std::byte> &packet : packets) {
        ir::PacketBuffer ir_packet(packet);
        ir::PacketBuffer bpf_packet(packet);
        const auto meant = interpreter.run(ir_packet, context);
        const auto outcome = bpf::interpret(image, bpf_maps, bpf_packet, context);
        REQUIRE_MESSAGE(meant.has_value(), meant.error());
        REQUIRE_MESSAGE(outcome.has_value(), outcome.error() << bpf::disassemble(image, module.maps));
        CHECK(outcome->verdict == meant->verdict);
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

TEST_CASE("redirecting everything is what an expert writes")
{
    CHECK(text_of(testing::redirect_all) == "program redirect_all\n"
                                            "      r2 = *(u32 *)(r1 +16)\n"
                                            "      r1 = map[xsks]\n"
                                            "      r3 = 2\n"
                                            "      call bpf_redirect_map#51\n"
                                            "      exit\n");
}

TEST_CASE("a UDP filter is no longer than the C compiler's")
{
    CHECK(generate(parse(testing::udp_strict)).insns.size() <= 28); // clang 19 -O2 on the same filter
}

TEST_CASE("comparisons for equality swap the constant, others the field")
{
    CHECK(contains(with_field("load.be16 %1 + 12", "if %3 == 0x800 ? b2() : b3()"), "!= 8 goto"));
    CHECK(!contains(with_field("load.be16 %1 + 12", "if %3 == 0x800 ? b2() : b3()"), "be16"));
    CHECK(contains(with_field("load.be16 %1 + 12", "if %3 >= 0x600 ? b2() : b3()"), "be16"));
    CHECK(contains(
        with_field("load.be32 %1 + 0", "%4 = 0xff000000\n  %5 = and %3, %4\n  if %5 == 0xa000000 ? b2() : b3()"),
        "!= 10 goto"));
}

TEST_CASE("constants with the sign bit are compared in 32 bits")
{
    CHECK(contains(with_field("load.le32 %1 + 0", "if %3 == 0x80000001 ? b2() : b3()"), "if w"));
    CHECK(contains(with_field("load.le32 %1 + 0", "if %3 & 0x80000000 ? b2() : b3()"), "if w"));
    CHECK(contains(with_field("load.le32 %1 + 0", "if %3 == 0x7fffffff ? b2() : b3()"), "if r"));
    CHECK(!contains(with_field("load.le64 %1 + 0", "if %3 == 0x80000001 ? b2() : b3()"), "if w"));
    CHECK(contains(with_field("load.le64 %1 + 0", "if %3 == 0x123456789 ? b2() : b3()"), "0x123456789 ll"));
}

TEST_CASE("a guard moves its pointer where nobody needs it where it was")
{
    const std::string alone = with_field("load.u8 %1 + 12", "if %3 == 8 ? b2() : b3()");
    CHECK(contains(alone, "r4 += 20\n      if r4 > r5 goto"));
    CHECK(contains(alone, "*(u8 *)(r4 -8)"));

    // Here both ways read through it.
    constexpr std::string_view both = "program test {\nb0():\n  %1 = packet_start\n  %2 = packet_end\n"
                                      "  guard %1 + 20 <= %2 ? b1() : b4()\nb1():\n  %3 = load.u8 %1 + 12\n"
                                      "  if %3 == 8 ? b2() : b3()\nb2():\n  guard %1 + 40 <= %2 ? b3() : b5()\n"
                                      "b3():\n  %4 = load.u8 %1 + 13\n  return %4\n"
                                      "b4():\n  return 2\nb5():\n  %6 = load.u8 %1 + 14\n  return %6\n}\n";
    CHECK(contains(text_of(both), "r4 += 20\n      if r4 > r5 goto")); // all that is behind has passed the first one
    CHECK(contains(text_of(both), "r3 = r4\n      r3 += 20\n      if r3 <= r5 goto"));
    std::vector<std::vector<std::byte>> packets;
    for (const std::size_t size : {19U, 20U, 39U, 40U})
        for (const int selects : {8, 9}) {
            packets.emplace_back(size);
            for (std::size_t i = 0; i < size; ++i)
                packets.back()[i] = static_cast<std::byte>(i);
            packets.back()[12] = static_cast<std::byte>(selects);
        }
    same_in_both(parse(both), packets);

    // In a loop, only a pointer that each round makes anew.
    constexpr std::string_view loop =
        "program test {\nb0():\n  %1 = packet_start\n  %2 = packet_end\n  %3 = 4\n"
        "  guard %1 + 4 <= %2 ? b1(%1, %3) : b4()\n"
        "b1(%4: packet max 16, %5: max 4) loop 4:\n  %6 = load.u8 %4 + 0\n  if %6 == 7 ? b5() : b2()\n"
        "b2():\n  if %5 != 0 ? b3() : b4()\n"
        "b3():\n  %7 = 4\n  %8 = offset %4 + %7 max 4\n  %9 = 1\n  %10 = sub %5, %9 within 4\n"
        "  guard %8 + 4 <= %2 ? b6() : b4()\n"
        "b4():\n  return 2\nb5():\n  %11 = load.u8 %4 + 1\n  return %11\nb6():\n  again b1(%8, %10)\n}\n";
    packets.clear();
    for (std::size_t size = 3; size < 24; ++size)
        for (std::size_t at = 0; at < size; at += 4) {
            packets.emplace_back(size, std::byte{3});
            packets.back()[at] = std::byte{7};
        }
    same_in_both(parse(loop), packets);

    // Behind a loop, not what the next round would begin with.
    constexpr std::string_view out_of_loop =
        "program test {\nb0():\n  %1 = packet_start\n  %2 = packet_end\n  %3 = 3\n"
        "  guard %1 + 14 <= %2 ? b1(%1, %3) : b8()\n"
        "b1(%4: packet max 765, %5: max 3) loop 3:\n  guard %4 + 2 <= %2 ? b2() : b8()\n"
        "b2():\n  %6 = load.u8 %4 + 0\n  %7 = load.u8 %4 + 1\n  %8 = offset %4 + %6 max 255\n"
        "  if %5 != 0 ? b3() : b8()\n"
        "b3():\n  %9 = 1\n  %10 = sub %5, %9 within 3\n  if %7 == 1 ? b4() : b7()\n"
        "b4():\n  guard %4 + 20 <= %2 ? b5() : b8()\n"
        "b5():\n  %11 = load.u8 %4 + 19\n  if %11 == 7 ? b6() : b8()\n"
        "b6():\n  return 1\nb7():\n  again b1(%8, %10)\nb8():\n  return 2\n}\n";
    packets.clear();
    for (std::size_t rounds = 0; rounds < 3; ++rounds) {
        packets.emplace_back(40, std::byte{2}); // each round two bytes on
        packets.back()[2 * rounds + 1] = std::byte{1};
        packets.back()[2 * rounds + 19] = std::byte{7};
    }
    same_in_both(parse(out_of_loop), packets);
}

TEST_CASE("a distance that the verifier cannot bound gets a mask")
{
    const std::string_view guard = "guard %5 + 4 <= %2 ? b2() : b3()";
    CHECK(!contains(with_field("load.u8 %1 + 0", fmt::format("%5 = offset %1 + %3 max 255\n  {}", guard)), "&="));

    ir::Module module =
        parse("program test {\nb0():\n  %1 = packet_start\n  %2 = packet_end\n"
              "  guard %1 + 20 <= %2 ? b1() : b2()\nb1():\n  %3 = load.u8 %1 + 0\n"
              "  %5 = offset %1 + %3 max 255\n  guard %5 + 4 <= %2 ? b2() : b2()\nb2():\n  return 1\n}\n");
    ir::Inst &load = module.programs[0].blocks[ir::BlockId(1)].insts[0];
    load.width = 2;
    load.order = ir::Order::big; // the verifier forgets bounds where bytes are swapped
    module.programs[0].blocks[ir::BlockId(1)].end.edges[1].target = ir::BlockId(2);
    CHECK(contains(bpf::disassemble(generate(module), {}), "&= 255"));
}

TEST_CASE("more values than registers, across calls")
{
    const ir::Module module = parse(testing::pressure);
    std::vector<std::vector<std::byte>> packets;
    for (std::size_t i = 0; i < 20; ++i) {
        packets.emplace_back(55 + i);
        for (std::size_t at = 0; at < packets.back().size(); ++at)
            packets.back()[at] = static_cast<std::byte>(at * 37 + i * 11);
    }
    CHECK(contains(bpf::disassemble(generate(module), module.maps), "*(u64 *)(r10 -8) = r"));
    same_in_both(module, packets);
}

TEST_CASE("loops, with values that change places and more of them than registers")
{
    const std::string loads = [] {
        std::string out;
        for (int i = 0; i < 9; ++i)
            out += fmt::format("%{} = load.u8 %1 + {}\n", 20 + i, i);
        return out;
    }();
    const std::string sums = [] {
        std::string out = "%40 = add %5, %20\n";
        for (int i = 1; i < 9; ++i)
            out += fmt::format("%{} = add %{}, %{}\n", 40 + i, 39 + i, 20 + i);
        return out;
    }();
    const ir::Module module =
        parse(fmt::format("program loops {{\nb0(): %1 = packet_start %2 = packet_end %3 = 4\n"
                          "guard %1 + 9 <= %2 ? b1() : b4()\nb1(): {} jump b2(%20, %21, %3)\n"
                          "b2(%5, %6, %7: max 4) loop 4: {} if %7 == 0 ? b5() : b3()\n"
                          "b3(): %8 = 1 %9 = sub %7, %8 within 4 %10 = add %6, %48 again b2(%10, %5, %9)\n"
                          "b4(): return 1\nb5(): return %6\n}}\n",
                          loads, sums));
    std::vector<std::vector<std::byte>> packets;
    for (std::size_t i = 0; i < 5; ++i) {
        packets.emplace_back(7 + i);
        for (std::size_t at = 0; at < packets.back().size(); ++at)
            packets.back()[at] = static_cast<std::byte>(at * 37 + i * 11);
    }
    same_in_both(module, packets);
}

TEST_CASE("random programs mean the same in IR and bytecode")
{
    for (std::uint64_t seed = 100'000; seed < 100'300; ++seed) {
        CAPTURE(seed);
        const ir::Module module = testing::random_module(seed);
        std::vector<std::vector<std::byte>> packets;
        for (std::size_t i = 0; i < 8; ++i) {
            packets.emplace_back(14 + (seed * 7 + i * 29) % 120);
            for (std::size_t at = 0; at < packets.back().size(); ++at)
                packets.back()[at] = static_cast<std::byte>(seed * 31 + at * at * (i + 3));
        }
        same_in_both(module, packets);
    }
}

TEST_CASE("every operation means the same in IR and bytecode")
{
    ir::Context context{.rx_queue = 1, .cpu = 3, .now = 1'000'000'007, .seed = 5};
    context.rx.hash = 0x12345678;
    context.rx.timestamp = 99;
    std::vector<std::vector<std::byte>> packets;
    for (std::size_t i = 0; i < 60; ++i) {
        packets.emplace_back(14 + i * 3 % 130);
        for (std::size_t at = 0; at < packets.back().size(); ++at)
            packets.back()[at] = static_cast<std::byte>(at * (i + 1) * 37 + i * 11);
    }
    for (const std::string_view text : testing::operation_programs) {
        const ir::Module module = parse(text);
        CAPTURE(module.programs[0].name);
        same_in_both(module, packets, context);
    }
    same_in_both(parse(testing::device_questions), packets, context);
    context.rx = {};
    context.rx.vlan = {.protocol = 0x88a8, .tci = 0x1234};
    same_in_both(parse(testing::device_questions), packets, context);
    same_in_both(parse(testing::times_and_chances), packets, context);
}

TEST_CASE("after its ends have moved, the packet is asked anew")
{
    const std::string text = text_of(testing::push_tag);
    const std::size_t call = text.find("xdp_adjust_head");
    REQUIRE(call != std::string::npos);
    CHECK(text.find("= *(u32 *)(r6 +0)", call) != std::string::npos); // the context, in a register that calls keep
    CHECK(text.find("= *(u32 *)(r6 +4)", call) != std::string::npos);
}

TEST_CASE("a block of instructions stands as it was written behind the program, under its own line")
{
    Sources sources;
    const FileId file = sources.add("f.xdpf", "default -> asm {\n  r0 = 2\n}\n");
    ir::Module module = parse(testing::instructions);
    ir::Program &program = module.programs[0];
    program.span = {file, 0, 7};
    program.asms[0].span = {file, 19, 25};
    const auto image = bpf::generate(program, &sources);
    REQUIRE(image.has_value());
    const auto first = std::ranges::find(image->lines, 2U, &LineEntry::line);
    REQUIRE(first != image->lines.end());
    const ir::AsmBlock &block = program.asms[0];
    for (std::size_t i = 0; i < block.insns.size(); ++i) {
        const Insn insn = image->insns[first->insn + i];
        if (i != block.maps[0].at)
            CHECK(std::bit_cast<std::uint64_t>(insn) == block.insns[i]);
    }
    CHECK(image->map_references.back().insn == first->insn + block.maps[0].at);
}

TEST_CASE("line entries follow the source, in units of instructions")
{
    Sources sources;
    const FileId file = sources.add("f.xdpf", "match udp\n  -> xsk\n\ndefault -> pass\n");
    ir::Module module = parse(testing::udp_strict);
    ir::Program &program = module.programs[0];
    program.span = {file, 0, 9};
    for (ir::Block &block : program.blocks) {
        for (ir::Inst &inst : block.insts)
            inst.span =
                inst.op == ir::Op::redirect || inst.op == ir::Op::context ? Span{file, 12, 18} : Span{file, 6, 9};
        block.end.span = {file, 6, 9};
    }
    program.blocks[ir::BlockId(5)].end.span = {file, 12, 18};
    program.blocks[ir::BlockId(6)].insts.clear();
    program.blocks[ir::BlockId(6)].end.span = {file, 20, 35};
    const auto image = bpf::generate(program, &sources);
    REQUIRE(image.has_value());
    REQUIRE(image->lines.size() == 3);
    CHECK(image->lines[0].insn == 0);
    CHECK(image->lines[0].line == 1);
    CHECK(image->lines[1].line == 2);
    CHECK(image->lines[1].column == 3);
    CHECK(image->lines[1].text == "  -> xsk");
    CHECK(image->insns[image->lines[1].insn].off == 16); // rx_queue_index
    CHECK(image->lines[2].line == 4);
    CHECK(image->lines[2].insn == image->insns.size() - 1); // its verdict is in r0 from the beginning
}

TEST_CASE("limits of the kernel are errors as data")
{
    const auto branches = bpf::generate(testing::rule_chain(8300, 0).programs[0], nullptr);
    REQUIRE(!branches.has_value());
    CHECK(branches.error().kind == bpf::CodegenError::Kind::too_many_branches);
    CHECK(branches.error().program == "chain");

    const auto far =
        bpf::generate(testing::rule_chain(7000, 4).programs[0], nullptr, {.far_jumps = bpf::FarJumps::refuse});
    REQUIRE(!far.has_value());
    CHECK(far.error().kind == bpf::CodegenError::Kind::jump_too_far);

    ir::Module module = parse(testing::pressure);
    ir::Program &program = module.programs[0];
    program.slots[ir::SlotId(0)].size = 520;
    const auto stack = bpf::generate(program, nullptr);
    REQUIRE(!stack.has_value());
    CHECK(stack.error().kind == bpf::CodegenError::Kind::stack_too_large);
}
