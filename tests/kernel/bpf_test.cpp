// What the back end makes is taken by the kernel's verifier and does what the IR means.
#include "compiler/bpf/codegen.hpp"
#include "compiler/bpf/disassemble.hpp"
#include "compiler/bpf/interpret.hpp"
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/llvm/backend.hpp"

#include "tests/kernel/bpf_kernel.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"
#include "tests/unit/bpf/operation_programs.hpp"
#include "tests/unit/bpf/random_programs.hpp"
#include "tests/unit/bpf/sample_programs.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <bpf/libbpf.h>

#include <linux/if_link.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>

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

ir::MapStore store_of(const ir::Module &module)
{
    ir::MapStore maps(module.maps);
    for (std::size_t i = 0; i < module.maps.size(); ++i)
        if (has(module.maps[i].kind, map_trait::redirect))
            maps.clear_slots(MapId(i)); // there are no sockets in the kernel's either
    return maps;
}

Packet random_packet(std::mt19937_64 &random)
{
    Packet packet(14 + random() % 140);
    for (std::byte &byte : packet)
        byte = static_cast<std::byte>(random() % 3 == 0 ? random() % 4 : random());
    return packet;
}

// One of the three that run a module's first program, and the others by tail calls: slot i of a map of programs is
// filled with program i + 1, as far as there is one.
struct Ran {
    std::uint32_t verdict = 0;
    Packet bytes; // metadata and packet
    std::vector<ir::RingRecord> records;
};

ir::MapStore with_programs(const ir::Module &module)
{
    ir::MapStore maps = store_of(module);
    for (std::size_t i = 0; i < module.maps.size(); ++i)
        if (module.maps[i].kind == MapKind::prog_array) {
            maps.clear_slots(MapId(i));
            for (std::size_t slot = 0; slot + 1 < module.programs.size(); ++slot)
                maps.fill(MapId(i), static_cast<std::uint32_t>(slot));
        }
    return maps;
}

// `run` runs a program by its index; what comes of tail calls is put together.
template <class Run> Ran follow(const Packet &packet, Run run)
{
    Ran ran;
    ir::PacketBuffer buffer(packet);
    for (std::optional<std::size_t> next = 0; next;) {
        auto result = run(*next, buffer);
        ran.verdict = result.verdict;
        ran.records.insert(ran.records.end(), result.records.begin(), result.records.end());
        next.reset();
        if (result.tail_call)
            next = result.tail_call->slot + 1;
    }
    const auto metadata = buffer.metadata();
    const auto bytes = buffer.bytes();
    ran.bytes.assign(metadata.begin(), metadata.end());
    ran.bytes.insert(ran.bytes.end(), bytes.begin(), bytes.end());
    return ran;
}

// A module in the kernel.
class Kernel {
public:
    Kernel(const ir::Module &module, const std::vector<ProgramImage> &images) : specs_(module.maps), maps_(module.maps)
    {
        for (const ProgramImage &image : images) {
            programs_.emplace_back(image, maps_);
            REQUIRE_MESSAGE(programs_.back().loaded(), programs_.back().log() << "\n"
                                                                              << ir::to_text(module)
                                                                              << bpf::disassemble(image, module.maps));
        }
        for (MapId map(0); map.value < specs_.size(); ++map.value) {
            if (specs_[map.value].kind == MapKind::prog_array)
                fill(map);
            if (specs_[map.value].kind == MapKind::ringbuf)
                read_ring(map);
        }
    }

    Ran run(const Packet &packet)
    {
        records_.clear();
        const auto result = programs_[0].run(packet);
        REQUIRE(result.has_value());
        if (ring_ != nullptr)
            ring_buffer__consume(ring_.get());
        return {result->verdict, result->bytes, records_};
    }

    std::vector<std::pair<Packet, Packet>> entries(MapId map) const
    {
        const MapSpec &spec = specs_[map.value];
        std::vector<std::pair<Packet, Packet>> all;
        Packet key(spec.key.size);
        Packet value(spec.value.size);
        if (has(spec.kind, map_trait::keyless)) {
            while (bpf_map_lookup_and_delete_elem(maps_.fd(map), nullptr, value.data()) == 0)
                all.emplace_back(key, value);
            return all;
        }
        for (bool more = bpf_map_get_next_key(maps_.fd(map), nullptr, key.data()) == 0; more;
             more = bpf_map_get_next_key(maps_.fd(map), key.data(), key.data()) == 0) {
            REQUIRE(bpf_map_lookup_elem(maps_.fd(map), key.data(), value.data()) == 0);
            all.emplace_back(key, value);
        }
        std::ranges::sort(all);
        return all;
    }

private:
    void fill(MapId map)
    {
        for (std::uint32_t slot = 0; slot + 1 < programs_.size(); ++slot) {
            const int fd = programs_[slot + 1].fd();
            REQUIRE(bpf_map_update_elem(maps_.fd(map), &slot, &fd, BPF_ANY) == 0);
        }
    }
    void read_ring(MapId map)
    {
        ring_map_ = map;
        const auto take = [](void *kernel, void *data, size_t size) {
            auto &self = *static_cast<Kernel *>(kernel);
            const auto *const bytes = static_cast<const std::byte *>(data);
            self.records_.push_back({self.ring_map_, {bytes, bytes + size}});
            return 0;
        };
        ring_.reset(ring_buffer__new(maps_.fd(map), take, this, nullptr));
        REQUIRE(ring_ != nullptr);
    }

    std::vector<MapSpec> specs_;
    testing::KernelMaps maps_;
    std::vector<testing::KernelProgram> programs_;
    MapId ring_map_;
    std::unique_ptr<ring_buffer, decltype([](ring_buffer *ring) { ring_buffer__free(ring); })> ring_;
    std::vector<ir::RingRecord> records_;
};

void same(const Ran &meant, const Ran &got, std::string_view who, std::size_t packet, const std::string &text)
{
    REQUIRE_MESSAGE(got.verdict == meant.verdict, who << ", packet " << packet << "\n" << text);
    REQUIRE_MESSAGE(got.bytes == meant.bytes, who << ", bytes of packet " << packet << "\n" << text);
    REQUIRE(got.records.size() == meant.records.size());
    for (std::size_t i = 0; i < meant.records.size(); ++i)
        CHECK(got.records[i].bytes == meant.records[i].bytes);
}

// Maps that both sides can list.
bool can_list(MapKind kind)
{
    return !has(kind, map_trait::redirect | map_trait::programs | map_trait::ring) && kind != MapKind::bloom_filter;
}

enum class By : std::uint8_t { own, llvm };

ProgramImage generate(const ir::Program &program, const ir::Module &module, By by)
{
    if (by == By::llvm) {
        auto image = llvm_backend::generate(program, module.maps, nullptr);
        REQUIRE_MESSAGE(image.has_value(), image.error().why << ir::to_text(module));
        return std::move(*image);
    }
    auto image = bpf::generate(program, nullptr);
    REQUIRE_MESSAGE(image.has_value(), "limit " << static_cast<int>(image.error().kind));
    return std::move(*image);
}

// IR interpreter, bytecode interpreter and kernel on the same packets, one after the other with the same maps.
void check(const ir::Module &module, std::span<const Packet> packets, By by = By::own)
{
    std::vector<ProgramImage> images;
    std::string text = ir::to_text(module);
    for (const ir::Program &program : module.programs) {
        images.push_back(generate(program, module, by));
        text += bpf::disassemble(images.back(), module.maps);
    }
    Kernel kernel(module, images);
    ir::MapStore ir_maps = with_programs(module);
    ir::MapStore bpf_maps = with_programs(module);
    std::vector<ir::Interpreter> interpreters;
    for (const ir::Program &program : module.programs)
        interpreters.emplace_back(program, ir_maps).set_asm_hook(bpf::run_asm);
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const Ran meant = follow(packets[i], [&](std::size_t program, ir::PacketBuffer &buffer) {
            auto result = interpreters[program].run(buffer);
            REQUIRE_MESSAGE(result.has_value(), result.error() << "\n" << text);
            return std::move(*result);
        });
        const Ran bytecode = follow(packets[i], [&](std::size_t program, ir::PacketBuffer &buffer) {
            auto outcome = bpf::interpret(images[program], bpf_maps, buffer);
            REQUIRE_MESSAGE(outcome.has_value(), outcome.error() << "\n" << text);
            return std::move(*outcome);
        });
        same(meant, bytecode, "bytecode", i, text);
        same(meant, kernel.run(packets[i]), "kernel", i, text);
        for (MapId map(0); map.value < module.maps.size(); ++map.value)
            if (module.maps[map.value].kind == MapKind::ringbuf) { // as the kernel's reader does
                ir_maps.clear_records(map);
                bpf_maps.clear_records(map);
            }
    }
    for (MapId map(0); map.value < module.maps.size(); ++map.value)
        if (can_list(module.maps[map.value].kind)) {
            CAPTURE(module.maps[map.value].name);
            CHECK(bpf_maps.entries(map) == ir_maps.entries(map));
            CHECK(kernel.entries(map) == ir_maps.entries(map));
        }
}

// And once more with what LLVM makes of it, where it is part of the build.
void check_both(const ir::Module &module, std::span<const Packet> packets)
{
    check(module, packets);
    if (llvm_backend::available())
        check(module, packets, By::llvm);
}

std::uint64_t setting(const char *name, std::uint64_t otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

} // namespace

// XDPF_SEED and XDPF_PROGRAMS: from which number on, and how many; XDPF_LLVM: every how manieth through LLVM, too.
TEST_CASE("random programs mean the same in IR, bytecode and kernel")
{
    XDPF_NEEDS_ROOT();
    const std::uint64_t first = setting("XDPF_SEED", 1);
    const std::uint64_t count = setting("XDPF_PROGRAMS", 500);
    const std::uint64_t each = setting("XDPF_LLVM", 5);
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        CAPTURE(seed);
        const ir::Module module = testing::random_module(seed);
        const auto findings = ir::verify(module);
        REQUIRE_MESSAGE(findings.empty(), findings.front() << "\n" << ir::to_text(module));
        std::mt19937_64 random(seed);
        std::vector<Packet> packets;
        for (int i = 0; i < 12; ++i)
            packets.push_back(random_packet(random));
        if (seed % each == 0)
            check_both(module, packets);
        else
            check(module, packets);
    }
}

TEST_CASE("written programs mean the same in IR, bytecode and kernel")
{
    XDPF_NEEDS_ROOT();
    std::mt19937_64 random(7);
    for (const std::string_view text : testing::sample_programs) {
        const ir::Module module = parse(text);
        std::vector<Packet> packets;
        for (int i = 0; i < 40; ++i)
            packets.push_back(random_packet(random));
        for (std::size_t size = 14; size < 80; ++size)
            packets.push_back(testing::udp_packet(5 + size % 11, size));
        check_both(module, packets);
    }
}

TEST_CASE("every operation means the same in IR, bytecode and kernel")
{
    XDPF_NEEDS_ROOT();
    std::mt19937_64 random(11);
    for (const std::string_view text : testing::operation_programs) {
        const ir::Module module = parse(text);
        CAPTURE(module.programs[0].name);
        std::vector<Packet> packets;
        for (int i = 0; i < 60; ++i)
            packets.push_back(random_packet(random));
        check_both(module, packets);
    }
}

// Without a reader the ring is full at some time.
TEST_CASE("a full ring gives no record, in the kernel as here")
{
    XDPF_NEEDS_ROOT();
    const ir::Module module = parse(testing::records);
    const auto image = bpf::generate(module.programs[0], nullptr);
    REQUIRE(image.has_value());
    const testing::KernelMaps kernel_maps(module.maps);
    const testing::KernelProgram kernel(*image, kernel_maps);
    REQUIRE(kernel.loaded());
    ir::MapStore maps(module.maps);
    bool full = false;
    for (int i = 0; i < 40; ++i) {
        Packet packet(20);
        const auto verdict = bpf::interpret(*image, maps, packet);
        const auto in_kernel = kernel.run(packet);
        REQUIRE(verdict.has_value());
        REQUIRE(in_kernel.has_value());
        CHECK(in_kernel->verdict == verdict->verdict);
        full = full || verdict->verdict == 77;
    }
    CHECK(full);
}

// The kernel runs neither of these without a device.
TEST_CASE("the kernel takes questions to devices, and programs of devmaps that ask where a packet goes")
{
    XDPF_NEEDS_ROOT();
    const ir::Module egress = parse("program egress {\nb0():\n  %1 = ctx egress_ifindex\n  return %1\n}\n");
    const testing::KernelMaps maps({});
    for (const By by : {By::own, By::llvm}) {
        if (by == By::llvm && !llvm_backend::available())
            continue;
        ProgramImage image = generate(egress.programs[0], egress, by);
        CHECK(!testing::KernelProgram(image, maps).loaded());
        image.place = ProgramImage::Place::devmap;
        CHECK(testing::KernelProgram(image, maps).loaded());
    }

    const ir::Module questions = parse(testing::device_questions);
    const auto ask = [&](By by) {
        const ProgramImage asking = generate(questions.programs[0], questions, by);
        const testing::KernelMaps answers(questions.maps);
        const auto device = if_nametoindex("xdpfrt0");
        const testing::KernelProgram kernel(asking, answers, device);
        REQUIRE_MESSAGE(kernel.loaded(), kernel.log());
        REQUIRE(bpf_xdp_attach(static_cast<int>(device), kernel.fd(), XDP_FLAGS_DRV_MODE, nullptr) == 0);
        testing::set_up("xdpfrt0", true);
        testing::set_up("xdpfrt1", true);
        std::array<std::int32_t, 10> answer{};
        for (int i = 0; i < 200 && answer[0] == 0; ++i) {
            testing::Sender("xdpfrt1").send(testing::udp_frame(1));
            const std::uint32_t zero = 0;
            REQUIRE(bpf_map_lookup_elem(answers.fd(MapId(0)), &zero, answer.data()) == 0);
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        CHECK(answer[0] == 1);
        CHECK(answer[9] == (answer[2] < 0 ? 0xffffff : 0)); // the sign goes through all 64 bits
        for (int i = 2; i < 5; ++i)                         // an answer, or none
            CHECK((answer[i] == 0 || answer[i] == -ENODATA || answer[i] == -EOPNOTSUPP));
    };
    testing::with_veth(1, [&] { ask(By::own); });
    if (llvm_backend::available())
        testing::with_veth(1, [&] { ask(By::llvm); });
}

// A chain of rules so long that jumps to its end need 32 bits.
TEST_CASE("the kernel takes far jumps")
{
    XDPF_NEEDS_ROOT();
    const ir::Module module = testing::rule_chain(7900, 4);
    const auto image = bpf::generate(module.programs[0], nullptr);
    REQUIRE(image.has_value());
    CHECK(std::ranges::any_of(image->insns, [](Insn insn) { return insn.code == (BPF_JMP32 | BPF_JA); }));
    std::mt19937_64 random(3);
    check_both(module, std::array{random_packet(random), testing::udp_packet(5, 60)});
}

TEST_CASE("as many branches are taken as the kernel takes")
{
    XDPF_NEEDS_ROOT();
    std::size_t most = 8100;
    while (bpf::generate(testing::rule_chain(most + 1, 0).programs[0], nullptr).has_value())
        ++most;
    const ir::Module module = testing::rule_chain(most, 0);
    std::mt19937_64 random(3);
    check(module, std::array{random_packet(random)});
    MESSAGE("rules: ", most);
}
