// What the checker of `asm` blocks accepts, the kernel's verifier accepts.
#include "tests/kernel/bpf_kernel.hpp"
#include "tests/skip.hpp"
#include "tests/unit/bpf/asm_random.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>

using namespace xdpf;

namespace {

// Loads programs over maps that are made once.
class Loader {
public:
    explicit Loader(std::span<const MapSpec> maps)
    {
        for (const MapSpec &map : maps) {
            LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = map.flags);
            maps_.emplace_back(bpf_map_create(static_cast<bpf_map_type>(bpf_type_of(map.kind)), nullptr, map.key.size,
                                              map.value.size, map.max_entries, &options));
            REQUIRE_MESSAGE(maps_.back().get() >= 0, map.name << ": " << std::strerror(errno));
        }
    }

    [[nodiscard]] testing::Descriptor load(const bpf::AsmBlock &block, bool devmap, std::string *log = nullptr) const
    {
        std::vector<bpf_insn> insns(block.insns.size());
        std::memcpy(insns.data(), block.insns.data(), insns.size() * sizeof(bpf_insn));
        for (const MapReference &reference : block.map_references)
            insns[reference.insn].imm = maps_[reference.map.value].get();
        LIBBPF_OPTS(bpf_prog_load_opts, options,
                    .expected_attach_type = devmap ? BPF_XDP_DEVMAP : static_cast<bpf_attach_type>(0));
        if (log != nullptr) {
            log->resize(1 << 22);
            options.log_level = 1;
            options.log_buf = log->data();
            options.log_size = static_cast<__u32>(log->size());
        }
        testing::Descriptor program(
            bpf_prog_load(BPF_PROG_TYPE_XDP, "asm", "GPL", insns.data(), insns.size(), &options));
        if (log != nullptr)
            log->resize(std::strlen(log->c_str()));
        return program;
    }

private:
    std::vector<testing::Descriptor> maps_;
};

std::uint64_t setting(const char *name, std::uint64_t otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

std::string said(const Diagnostics &diagnostics)
{
    std::string text;
    for (const Diagnostic &diagnostic : diagnostics.all())
        text += fmt::format("{}: {}\n", diagnostic.span.begin, diagnostic.message);
    return text;
}

testing::Descriptor load(std::string_view text, const Loader &loader, std::span<const MapSpec> maps,
                         ProgramImage::Place place = ProgramImage::Place::interface)
{
    Diagnostics diagnostics;
    const auto block = bpf::assemble_asm(text, Span{FileId(0), 0, 0}, {maps, {}}, place, diagnostics);
    REQUIRE_MESSAGE(block.has_value(), said(diagnostics) << text);
    const bool devmap = place == ProgramImage::Place::devmap;
    testing::Descriptor program = loader.load(*block, devmap);
    if (program.get() < 0) {
        std::string log;
        program = loader.load(*block, devmap, &log);
        FAIL_CHECK(log << "\n" << text);
    }
    return program;
}

std::uint32_t run(const testing::Descriptor &program, std::span<const std::byte> packet)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(), .data_size_in = static_cast<__u32>(packet.size()),
                .repeat = 1);
    REQUIRE(bpf_prog_test_run_opts(program.get(), &options) == 0);
    return options.retval;
}

} // namespace

// XDPF_SEED and XDPF_PROGRAMS: from which number on, and how many.
TEST_CASE("the kernel takes every random block that the checker accepts")
{
    XDPF_NEEDS_ROOT();
    const std::uint64_t first = setting("XDPF_SEED", 1);
    const std::uint64_t count = setting("XDPF_PROGRAMS", 300);
    const std::vector<MapSpec> maps = testing::asm_maps();
    const Loader loader(maps);
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        CAPTURE(seed);
        load(testing::AsmGenerator(seed).run(), loader, maps);
    }
}

TEST_CASE("a block reads the packet and answers")
{
    XDPF_NEEDS_ROOT();
    const std::vector<MapSpec> maps = testing::asm_maps();
    const Loader loader(maps);
    const auto program = load(R"(
        r2 = *(u32 *)(r1 + xdp_md.data)
        r3 = *(u32 *)(r1 + xdp_md.data_end)
        r0 = XDP_PASS
        r4 = r2; r4 += 14
        if r4 > r3 goto out             # shorter than 14 bytes
        r5 = *(u16 *)(r2 + 12)
        r5 = be16 r5
        if r5 != 0x8100 goto out
        r6 = *(u8 *)(r2 + 0)
        w6 &= 0xf
        r2 += r6                        # as many bytes farther
        r4 = r2
        r4 += 16
        if r3 < r4 goto out
        r0 = *(u8 *)(r2 + 15)
    out:
        exit
    )",
                              loader, maps);
    std::vector<std::byte> packet(60);
    CHECK(run(program, packet) == XDP_PASS);
    packet[0] = std::byte{5};
    packet[12] = std::byte{0x81};
    packet[20] = std::byte{77};
    CHECK(run(program, packet) == 77);
    packet.resize(20);
    CHECK(run(program, packet) == XDP_PASS);
}

TEST_CASE("a block looks up, counts and redirects")
{
    XDPF_NEEDS_ROOT();
    const std::vector<MapSpec> maps = testing::asm_maps();
    const Loader loader(maps);
    const std::vector<std::byte> packet(60);
    const auto redirect = load(R"(
        r2 = *(u32 *)(r1 + xdp_md.rx_queue_index)
        r1 = map xsks
        r3 = XDP_PASS
        call bpf_redirect_map
        exit
    )",
                               loader, maps);
    CHECK(run(redirect, packet) == XDP_PASS);
    const auto count = load(R"(
        *(u32 *)(r10 - 4) = 2
        r2 = r10
        r2 += -4
        r1 = map array
        call bpf_map_lookup_elem
        if r0 == 0 goto none
        r1 = 1
        lock *(u64 *)(r0 + 8) += r1
        r0 = *(u64 *)(r0 + 8)
        exit
    none:
        r0 = XDP_ABORTED
        exit
    )",
                            loader, maps);
    CHECK(run(count, packet) == 1);
    CHECK(run(count, packet) == 2);
}

TEST_CASE("the device a packet leaves by, in a program on a devmap")
{
    XDPF_NEEDS_ROOT();
    const std::vector<MapSpec> maps = testing::asm_maps();
    load("r0 = *(u32 *)(r1 + xdp_md.egress_ifindex)\nexit", Loader(maps), maps, ProgramImage::Place::devmap);
}

// As many ways as the checker lets through, and as many conditions, behind one another and with each its own state.
TEST_CASE("the largest blocks")
{
    XDPF_NEEDS_ROOT();
    const std::vector<MapSpec> maps = testing::asm_maps();
    const Loader loader(maps);
    std::string ways = "r2 = *(u32 *)(r1 + 16)\nr0 = 0\n";
    for (int i = 0; i < 14; ++i)
        ways += fmt::format("if r2 & {} goto l{}\nr0 += {}\nl{}:\n", 1U << i, i, 1U << i, i);
    load(ways + "exit\n", loader, maps);
    std::string chain = "r2 = *(u32 *)(r1 + 16)\nr0 = 1\n";
    for (int i = 0; i < 1000; ++i)
        chain += fmt::format("if r2 == {} goto out\n", i * 7);
    load(chain + "r0 = 2\nout: exit\n", loader, maps);
}
