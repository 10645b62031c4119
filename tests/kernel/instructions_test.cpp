// Programs written instruction by instruction: each word of the vocabulary, with packets.
#include "compiler/instructions.hpp"
#include "runtime/instructions.hpp"
#include "runtime/queue.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <poll.h>

using namespace xdpf;
using namespace xdpf::bpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;

namespace {

Image image_of(const InstructionProgram &program)
{
    const auto image = program.assemble();
    REQUIRE_MESSAGE(image.has_value(), (image ? "" : image.error()));
    return *image;
}

std::string refused(const InstructionProgram &program)
{
    const auto image = program.assemble();
    REQUIRE_FALSE(image.has_value());
    return image.error();
}

Queue open_queue()
{
    QueueOptions options;
    options.umem = {.frames = 64, .frame_size = 2048};
    Result<Queue> queue = Queue::open(*find_interface("xdpfrt0", ""), 0, options);
    REQUIRE(queue);
    return std::move(*queue);
}

// How many of 20 packets reach the socket, which is in slot `slot` of the map 'xsks', where there is one.
std::uint32_t received(const Image &image, std::uint32_t slot, Mode mode = Mode::native)
{
    std::uint32_t packets = 0;
    with_veth(1, [&] {
        Result<Loaded> loaded = load_program(image);
        REQUIRE_MESSAGE(loaded.has_value(), to_string(loaded.error()));
        Queue queue = open_queue();
        REQUIRE(map_update(*loaded, "xsks", slot, queue.fd()));
        const Result<Attachment> attachment = attach_xdp(*loaded, "xdpfrt0", mode);
        REQUIRE_MESSAGE(attachment.has_value(), to_string(attachment.error()));
        CHECK(attachment->mode() == mode);
        Sender sender("xdpfrt1");
        for (std::uint32_t number = 0; number < 20; ++number)
            sender.send(udp_frame(number));
        pollfd polled{queue.fd(), POLLIN, 0};
        (void)poll(&polled, 1, 200);
        for (const std::span<std::byte> packet : queue.receive()) // IPv6 looks for neighbours meanwhile
            packets += packet[12] == std::byte{8} ? 1 : 0;
    });
    return packets;
}

} // namespace

TEST_CASE("the fields of the context have the kernel's offsets")
{
    CHECK(xdp_md_offset("data") == 0);
    CHECK(xdp_md_offset("rx_queue_index") == 16);
    CHECK(xdp_md_offset("rx_queue") == -1);
}

TEST_CASE("packets go to sockets: by queue, by a constant slot, by one in a register")
{
    XDPF_NEEDS_ROOT();
    for (const Mode mode : {Mode::native, Mode::skb}) {
        InstructionProgram by_queue("by_queue");
        const MapId map = by_queue.create_xsk_map("xsks", 4);
        by_queue.redirect_to_xsk_by_queue(r1, map, r6, XDP_PASS) << exit();
        CHECK(received(image_of(by_queue), 0, mode) == 20);
        CHECK(received(image_of(by_queue), 1, mode) == 0);
    }
    InstructionProgram constant("constant");
    const MapId map = constant.create_xsk_map("xsks", 4);
    constant.redirect_to_xsk(map, 2U) << exit();
    CHECK(received(image_of(constant), 2) == 20);
    CHECK(received(image_of(constant), 1) == 0);

    InstructionProgram in_register("in_register");
    const MapId other = in_register.create_xsk_map("xsks", 4);
    in_register << mov(r7, 3);
    in_register.redirect_to_xsk(other, r7) << exit();
    CHECK(received(image_of(in_register), 3) == 20);
}

TEST_CASE("labels, guards and a test of the packet's bytes; what is missing takes the verdict beside it")
{
    XDPF_NEEDS_ROOT();
    InstructionProgram program("odd_only");
    const MapId map = program.create_xsk_map("xsks", 1);
    const Label pass = program.label();
    program << mov(r6, r1);
    program.load_ctx_field(r2, "data", r6).load_ctx_field(r3, "data_end", r6) << mov(r4, r2) << add(r4, 46);
    program.jump_if(Test::gt, r4, r3, pass) << ldx(u8, r5, r2 + 42); // the frame's number, its lowest byte
    program << and_(r5, 1);
    program.jump_if(Test::eq, r5, 0, pass).redirect_map_with_action(map, 0U, XDP_DROP).operator<<(exit()).bind(pass)
        << mov(r0, XDP_PASS) << exit();
    CHECK(received(image_of(program), 0) == 10);
}

TEST_CASE("maps of other kinds are updated by text")
{
    XDPF_NEEDS_ROOT();
    InstructionProgram program("counts");
    MapSpec spec;
    spec.name = "limits";
    spec.kind = MapKind::hash;
    spec.key = {.name = "", .size = 4, .fields = {{.format = FieldFormat::ipv4, .size = 4}}};
    spec.value = {.name = "", .size = 8, .fields = {{.format = FieldFormat::number, .size = 8}}};
    spec.max_entries = 8;
    const MapId map = program.create_map(spec);
    program.ld_map(r1, map) << mov(r0, XDP_DROP) << exit();
    const Result<Loaded> loaded = load_program(image_of(program));
    REQUIRE_MESSAGE(loaded.has_value(), to_string(loaded.error()));
    REQUIRE(map_update(*loaded, "limits", "10.0.0.1", "300"));
    CHECK(map_of(*loaded, map).text((*map_of(*loaded, map).entries())[0]) == "10.0.0.1 -> 300");
    CHECK_FALSE(map_update(*loaded, "limits", "10.0.0", "300"));
    CHECK_FALSE(map_update(*loaded, "limit", "10.0.0.1", "300"));
}

TEST_CASE("what cannot be assembled says so")
{
    InstructionProgram nowhere("nowhere");
    nowhere.jump(nowhere.label()) << exit();
    CHECK(refused(nowhere).find("label that stands nowhere") != std::string::npos);
    InstructionProgram field("field");
    field.load_ctx_field(r2, "queue") << exit();
    CHECK(refused(field).find("no field 'queue'") != std::string::npos);
    InstructionProgram key("key");
    const MapId map = key.create_xsk_map("xsks", 1);
    key.redirect_to_xsk(map, r1) << exit();
    CHECK(refused(key).find("r1") != std::string::npos);
    InstructionProgram named("a-name");
    named << exit();
    CHECK(refused(named).find("a-name") != std::string::npos);
    CHECK(refused(InstructionProgram("empty")).find("no instructions") != std::string::npos);
}
