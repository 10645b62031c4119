#include "runtime/verifier_log.hpp"

#include <doctest/doctest.h>

using namespace xdpf;
using namespace xdpf::runtime;

namespace {

ProgramImage program()
{
    ProgramImage image;
    image.name = "dns";
    image.lines = {{0, "dns.xdpf", 3, 1, "match arp -> pass"}, {4, "dns.xdpf", 5, 1, "match udp -> xsk"}};
    return image;
}

} // namespace

TEST_CASE("kernels that print file and line")
{
    const Rejection rejection = read_rejection("0: R1=ctx() R10=fp0\n"
                                               "; match arp -> pass @ dns.xdpf:3\n"
                                               "0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)\n"
                                               "; match udp @ home -> xsk @ my dns.xdpf:41\n"
                                               "1: (71) r0 = *(u8 *)(r2 +0)\n"
                                               "invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0)\n"
                                               "R2 offset is outside of the packet\n"
                                               "processed 2 insns (limit 1000000) max_states_per_insn 0\n",
                                               program());
    CHECK(rejection.message == "invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0); "
                               "R2 offset is outside of the packet");
    CHECK(rejection.place.file == "my dns.xdpf");
    CHECK(rejection.place.line == 41);
    CHECK(rejection.place.text == "match udp @ home -> xsk");
}

TEST_CASE("kernels that print the text only: the line comes from the program")
{
    const Rejection rejection = read_rejection("; match udp -> xsk\n"
                                               "4: (71) r0 = *(u8 *)(r2 +0)\n"
                                               "invalid access to packet\n"
                                               "processed 5 insns\n",
                                               program());
    CHECK(rejection.place.line == 5);
    CHECK(rejection.message == "invalid access to packet");
}

TEST_CASE("without any comment the instruction's number says where")
{
    CHECK(read_rejection("3: (b7) r0 = 1\n4: (71) r0 = *(u8 *)(r2 +0)\nR2 !read_ok\n", program()).place.line == 5);
    CHECK(read_rejection("unreachable insn 2\n", program()).place.line == 3);
    CHECK(read_rejection("jump out of range from insn 6 to 90\n", program()).place.line == 5);
    CHECK(read_rejection("unknown text\n", program()).place.line == 0);
}

TEST_CASE("a log may be empty or end anywhere")
{
    CHECK(read_rejection("", program()).message.empty());
    CHECK(read_rejection("\n\n", program()).message.empty());
    CHECK(read_rejection("; ", program()).place.line == 0);
    CHECK(read_rejection("BPF program is too large. Processed 1000001 insn", {}).place.line == 0);
}
