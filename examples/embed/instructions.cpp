// embed_instructions INTERFACE: a program without a source, instruction by instruction: UDP over IPv4 goes to the
// socket of its queue, and is counted, until Ctrl-C.
#include "compiler/instructions.hpp"
#include "runtime/session.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

int main(int argc, char **argv)
{
    using namespace xdpf::bpf;
    xdpf::InstructionProgram program("udp_to_xsk");
    const xdpf::MapId xsks = program.create_xsk_map("xsks", 64);
    const Label pass = program.label();
    program.load_ctx_field(r2, "data").load_ctx_field(r3, "data_end") << mov(r4, r2) << add(r4, 34);
    program.jump_if(Test::gt, r4, r3, pass) << ldx(u16, r5, r2 + 12); // the EtherType, in the order of its bytes
    program.jump_if(Test::ne, r5, htons(0x0800), pass) << ldx(u8, r5, r2 + 23);
    program.jump_if(Test::ne, r5, IPPROTO_UDP, pass).redirect_to_xsk_by_queue(r1, xsks, r6) << exit();
    program.bind(pass) << mov(r0, XDP_PASS) << exit();
    const auto image = program.assemble();
    if (!image || argc != 2)
        return fmt::print(stderr, "{}\n", image ? "embed_instructions INTERFACE" : image.error()), 2;
    auto session = xdpf::runtime::Session::open(*image, {.interface = argv[1]});
    for (std::uint64_t packets = 0; session && session->wait(std::chrono::milliseconds(-1));) {
        packets += session->receive([](std::uint32_t, std::span<std::byte>) {});
        fmt::print("{} packets\n", packets);
        std::fflush(stdout);
    }
    fmt::print(stderr, "{}\n", session ? "the interface is gone" : to_string(session.error()));
    return 1;
}
