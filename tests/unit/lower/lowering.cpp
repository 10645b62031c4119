#include "compiler/compile.hpp"
#include "compiler/interpret.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/state.hpp"

#include <doctest/doctest.h>
#include <linux/bpf.h>

#include <initializer_list>

using namespace xdpf;

namespace {

std::vector<std::byte> bytes(std::initializer_list<unsigned> values)
{
    std::vector<std::byte> out(12);
    for (const unsigned value : values)
        out.push_back(static_cast<std::byte>(value));
    return out;
}

std::uint32_t verdict(const Compilation &compilation, const std::vector<std::byte> &packet)
{
    return Interpreter(compilation).run(packet).verdict;
}

const ir::Program &lowered(const Compilation &compilation) { return compilation.state().module.programs[0]; }

} // namespace

// The first link's presence is no fact of its own here.
TEST_CASE("a later link of a chain is asked for alone")
{
    const Compilation second_tag = compile("match vlan[1].id == 7 -> drop", "t.xdpf", {.optimize = false});
    REQUIRE(second_tag.ok());
    CHECK(ir::verify(second_tag.state().module).empty());
    CHECK(verdict(second_tag, bytes({0x88, 0xa8, 0, 1, 0x81, 0, 0, 7, 8, 0})) == XDP_DROP);
    CHECK(verdict(second_tag, bytes({0x88, 0xa8, 0, 7, 0x81, 0, 0, 1, 8, 0})) == XDP_PASS);
    CHECK(verdict(second_tag, bytes({0x81, 0, 0, 7, 8, 0})) == XDP_PASS);

    const Compilation third = compile("match destination_options[2].length == 0 -> drop");
    REQUIRE(third.ok());
    std::vector<std::byte> packet = bytes({0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 60, 64});
    packet.resize(packet.size() + 32);
    for (int link = 0; link < 3; ++link) {
        CHECK(verdict(third, packet) == XDP_PASS);
        packet.push_back(std::byte{60});
        packet.resize(packet.size() + 7);
    }
    CHECK(verdict(third, packet) == XDP_DROP);
}

TEST_CASE("keys of one size share their place on the stack")
{
    std::string source = "defmap ports : hash<u16>[8]\ndefmap seen : hash<ipv4.src -> counter>[8]\n";
    for (int rule = 0; rule < 200; ++rule)
        source += "match udp.dport in ports and udp.sport in ports -> { count seen[ipv4.src]; continue }\n";
    const Compilation compilation = compile(source);
    REQUIRE(compilation.ok());
    CHECK(fmt::format("{}", fmt::join(ir::verify(compilation.state().module), "\n")) == "");
    CHECK(lowered(compilation).slots.size() <= 3);
}

TEST_CASE("a size that only `where` keeps small is bounded in the program, too")
{
    const Compilation compilation =
        compile("header own on ethernet.type == 0x9000 where units in 0..60 size = 1 + units "
                "{ units : u8 }\n"
                "header behind on own.units <= 60 { value : u8 }\n"
                "match behind.value == 7 -> drop");
    REQUIRE(compilation.ok());
    CHECK(ir::verify(compilation.state().module).empty());
    CHECK(verdict(compilation, bytes({0x90, 0, 2, 0, 0, 7})) == XDP_DROP);
    CHECK(verdict(compilation, bytes({0x90, 0, 2, 0, 7})) == XDP_PASS);
}
