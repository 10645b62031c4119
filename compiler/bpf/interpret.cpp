#include "compiler/bpf/interpret.hpp"

#include "compiler/bpf/calculate.hpp"
#include "compiler/bpf/disassemble.hpp"
#include "compiler/bpf/processor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>

namespace xdpf::bpf {
namespace {

constexpr std::uint64_t step_limit = 1'000'000;

std::uint64_t read_number(std::span<const std::byte> bytes)
{
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), bytes.size());
    return number;
}

std::uint64_t immediate(Insn insn) { return static_cast<std::uint64_t>(std::int64_t{insn.imm}); }
std::uint64_t offset(Insn insn) { return static_cast<std::uint64_t>(std::int64_t{insn.off}); }
unsigned width_of(Insn insn) { return bytes_of(static_cast<Size>(insn.code & 0x18U)); }
unsigned mode_of(Insn insn) { return insn.code & 0xe0U; }

} // namespace

Processor::Processor(const ProgramImage &program, ir::MapStore &maps, ir::PacketBuffer &packet,
                     const ir::Context &context, ir::RandomNumbers &random, Outcome &outcome)
    : program_(program), maps_(maps), packet_(packet), context_(context), random_(random), outcome_(outcome)
{
    set(1, context_at);
    set(10, frame_end_at);
}

std::expected<void, std::string> Processor::run()
{
    const std::uint64_t limit = outcome_.executed + step_limit;
    while (!done_) {
        if (at_ >= program_.insns.size())
            return std::unexpected("the program runs past its end");
        const std::size_t here = at_;
        const Insn insn = program_.insns[at_];
        step(insn);
        if (++outcome_.executed > limit)
            fail("does not come to an end");
        if (!error_.empty())
            return std::unexpected(fmt::format("instruction {}, {}: {}", here, to_text(insn), error_));
        ++at_;
    }
    if (outcome_.tail_call)
        return {};
    outcome_.verdict = static_cast<std::uint32_t>(registers_[0]);
    if (outcome_.verdict != XDP_REDIRECT)
        outcome_.redirect.reset();
    return {};
}

std::uint64_t Processor::get(unsigned reg)
{
    if (reg > 10 || !written_[reg])
        fail(fmt::format("r{} holds nothing", reg));
    return reg > 10 ? 0 : registers_[reg];
}

std::span<std::byte> Processor::thing_at(std::uint64_t address)
{
    const std::uint64_t start = address / room * room;
    if (start == packet_room_) {
        const std::size_t position = address - start;
        // Metadata ends where the packet begins: no access goes across.
        const std::size_t end = position < packet_.start_at() ? packet_.start_at() : packet_.end_at();
        return position < packet_.meta_at() ? std::span<std::byte>{} : packet_.memory().first(end);
    }
    if (start >= values_at && (start - values_at) / room < held_.size())
        if (const Held &held = held_[(start - values_at) / room]; held.bytes != nullptr)
            return *held.bytes;
    return {};
}

std::span<std::byte> Processor::stack_bytes(std::uint64_t off, std::size_t size, bool to_read)
{
    for (std::size_t i = off; i < off + size; ++i) {
        if (to_read && !stack_written_[i])
            fail(fmt::format("byte {} of the stack was not written", static_cast<int>(i) - int{stack_size}));
        stack_written_[i] = stack_written_[i] || !to_read;
    }
    return std::span(stack_).subspan(off, size);
}

std::span<std::byte> Processor::bytes(std::uint64_t address, std::size_t size, bool to_read)
{
    const bool stack = address >= frame_end_at - stack_size && address < frame_end_at;
    const std::span<std::byte> all = stack ? std::span<std::byte>(stack_) : thing_at(address);
    const std::uint64_t off = stack ? address - (frame_end_at - stack_size) : address % room;
    if (off > all.size() || size > all.size() - off) {
        fail(fmt::format("{} bytes at {:#x} are nobody's", size, address));
        return {};
    }
    return stack ? stack_bytes(off, size, to_read) : all.subspan(off, size);
}

void Processor::load(Insn insn)
{
    const bool extend = mode_of(insn) == mode_mem_sx;
    const unsigned size = width_of(insn);
    if (mode_of(insn) != BPF_MEM && (!extend || size == 8))
        return fail("an unknown instruction");
    const std::uint64_t address = get(insn.src) + offset(insn);
    if (address / room == context_at / room)
        return load_context(insn.dst, address - context_at, extend ? 0 : size);
    if (const auto from = bytes(address, size, true); !from.empty())
        set(insn.dst, extend ? sign_extended(read_number(from), 8 * size) : read_number(from));
}

void Processor::load_context(unsigned dst, std::uint64_t off, unsigned size)
{
    if (size != 4)
        return fail("fields of the context have 4 bytes");
    switch (off) {
    case offsetof(xdp_md, data): return set(dst, packet_room_ + packet_.start_at());
    case offsetof(xdp_md, data_end): return set(dst, packet_room_ + packet_.end_at());
    case offsetof(xdp_md, data_meta): return set(dst, packet_room_ + packet_.meta_at());
    case offsetof(xdp_md, rx_queue_index): return set(dst, context_.rx_queue);
    case offsetof(xdp_md, ingress_ifindex): return set(dst, context_.ingress_ifindex);
    case offsetof(xdp_md, egress_ifindex):
        if (program_.place == ProgramImage::Place::devmap)
            return set(dst, context_.egress_ifindex);
        break;
    default: break;
    }
    fail("no such field in the context");
}

void Processor::store(Insn insn)
{
    const bool from_register = class_of(insn) == BPF_STX;
    const bool is_atomic = from_register && mode_of(insn) == BPF_ATOMIC;
    if (!is_atomic && mode_of(insn) != BPF_MEM)
        return fail("an unknown instruction");
    const std::uint64_t number = from_register ? get(insn.src) : immediate(insn);
    const auto to = bytes(get(insn.dst) + offset(insn), width_of(insn), is_atomic);
    if (to.empty())
        return;
    if (is_atomic)
        return atomic(insn, to);
    std::memcpy(to.data(), &number, to.size());
}

void Processor::atomic(Insn insn, std::span<std::byte> memory)
{
    if (memory.size() < 4)
        return fail("atomic operations have 4 or 8 bytes");
    const bool compares = insn.imm == BPF_CMPXCHG;
    const auto cut = [&](std::uint64_t number) {
        return memory.size() == 4 ? static_cast<std::uint32_t>(number) : number;
    };
    const std::uint64_t old = read_number(memory);
    const auto now = exchange(insn, old, cut(get(insn.src)), compares ? cut(get(0)) : 0);
    if (!now)
        return fail("an unknown atomic operation");
    std::memcpy(memory.data(), &*now, memory.size());
    if ((insn.imm & BPF_FETCH) != 0)
        set(compares ? 0 : insn.src, old);
}

void Processor::arithmetic(Insn insn)
{
    const unsigned operation = operation_of(insn);
    const bool binary = operation != BPF_NEG && operation != BPF_END;
    const std::uint64_t a = operation == BPF_MOV ? 0 : get(insn.dst);
    std::uint64_t b = 0;
    if (binary)
        b = (insn.code & BPF_X) != 0 ? get(insn.src) : immediate(insn);
    const auto result = calculate(insn, a, b);
    if (!result)
        return fail("an unknown instruction");
    set(insn.dst, *result);
}

void Processor::wide(Insn insn)
{
    const auto map = std::ranges::find(program_.map_references, at_, &MapReference::insn);
    if (at_ + 1 >= program_.insns.size())
        return fail("half an instruction");
    const auto high = static_cast<std::uint32_t>(program_.insns[at_ + 1].imm);
    if (map == program_.map_references.end()) {
        set(insn.dst, std::uint64_t{high} << 32 | static_cast<std::uint32_t>(insn.imm));
    } else if (map->value_offset) {
        constexpr std::array<std::byte, sizeof(std::uint32_t)> first{};
        set(insn.dst, hold(maps_.lookup(map->map, first)) + *map->value_offset);
    } else {
        set(insn.dst, maps_at + map->map.value * room);
    }
    ++at_;
}

void Processor::jump(Insn insn)
{
    if (operation_of(insn) != BPF_JA) {
        const std::uint64_t a = get(insn.dst);
        const std::uint64_t b = (insn.code & BPF_X) != 0 ? get(insn.src) : immediate(insn);
        const auto yes = holds(insn, a, b);
        if (!yes)
            return fail("an unknown instruction");
        if (!*yes)
            return;
    }
    at_ += static_cast<std::size_t>(distance_of(insn));
}

void Processor::step(Insn insn)
{
    if (insn.dst > 10 ||
        (insn.dst == 10 && class_of(insn) != BPF_ST && class_of(insn) != BPF_STX && !is_jump_class(insn)))
        return fail("r10 cannot be written");
    if (insn.code == (BPF_JMP | BPF_EXIT)) {
        static_cast<void>(get(0));
        if (std::ranges::any_of(held_, [](const Held &held) { return held.ring.valid() && held.bytes != nullptr; }))
            fail("a record has been reserved and not submitted");
        done_ = true;
    } else if (insn.code == (BPF_JMP | BPF_CALL)) {
        call(insn);
    } else if (is_jump_class(insn)) {
        jump(insn);
    } else if (is_wide(insn)) {
        wide(insn);
    } else if (class_of(insn) == BPF_LDX) {
        load(insn);
    } else if (class_of(insn) == BPF_ST || class_of(insn) == BPF_STX) {
        store(insn);
    } else if (class_of(insn) == BPF_ALU || class_of(insn) == BPF_ALU64) {
        arithmetic(insn);
    } else {
        fail("an unknown instruction");
    }
}

std::expected<Outcome, std::string> interpret(const ProgramImage &program, ir::MapStore &maps, ir::PacketBuffer &packet,
                                              const ir::Context &context)
{
    ir::RandomNumbers random(context.seed);
    Outcome outcome;
    if (auto done = Processor(program, maps, packet, context, random, outcome).run(); !done)
        return std::unexpected(std::move(done.error()));
    return outcome;
}

std::expected<Outcome, std::string> interpret(const ProgramImage &program, ir::MapStore &maps,
                                              std::span<std::byte> packet, const ir::Context &context)
{
    ir::PacketBuffer buffer(packet);
    auto outcome = interpret(program, maps, buffer, context);
    const auto left = buffer.bytes();
    std::ranges::copy(left.first(std::min(left.size(), packet.size())), packet.begin());
    return outcome;
}

std::expected<void, std::string> run_asm(ir::AsmRun run)
{
    ProgramImage program;
    program.place = ProgramImage::Place::devmap; // where the context has most; the block has been checked for its own
    for (const std::uint64_t word : run.block.insns)
        program.insns.push_back(insn_from(word));
    for (const ir::AsmBlock::MapReference &reference : run.block.maps)
        program.map_references.push_back({reference.at, reference.map, {}});
    Outcome outcome;
    outcome.redirect = run.result.redirect;
    auto done = Processor(program, run.maps, run.packet, run.context, run.random, outcome).run();
    run.result.verdict = outcome.verdict;
    run.result.redirect = outcome.redirect;
    run.result.executed += outcome.executed;
    run.result.tail_call = outcome.tail_call;
    run.result.records.insert(run.result.records.end(), std::make_move_iterator(outcome.records.begin()),
                              std::make_move_iterator(outcome.records.end()));
    return done;
}

} // namespace xdpf::bpf
