// The machine behind interpret.hpp. Private to this folder.
//
// Addresses in here: the upper half, the room, tells what is pointed into, so that no distance leads from one thing to
// another. The packet moves into another room each time its ends may have moved; positions in it count from the hard
// start of its buffer. Each lookup's value and each record has a room of its own.
#pragma once

#include "compiler/bpf/insn.hpp"
#include "compiler/bpf/interpret.hpp"

#include <bitset>

namespace xdpf::bpf {

class Processor {
public:
    // `outcome`: what has come about before. All must outlive the processor.
    Processor(const ProgramImage &program, ir::MapStore &maps, ir::PacketBuffer &packet, const ir::Context &context,
              ir::RandomNumbers &random, Outcome &outcome);

    [[nodiscard]] std::expected<void, std::string> run();

private:
    static constexpr std::uint64_t room = std::uint64_t{1} << 32;
    static constexpr std::uint64_t context_at = 1 * room;
    static constexpr std::uint64_t frame_end_at = 6 * room;       // r10
    static constexpr std::uint64_t packet_at = 100 * room;        // and a room for each time its ends have moved
    static constexpr std::uint64_t values_at = 10'000'000 * room; // of maps, and records
    static constexpr std::uint64_t maps_at = 1'000'000'000 * room;
    static constexpr std::size_t stack_size = 512; // MAX_BPF_STACK

    void fail(std::string what)
    {
        if (error_.empty())
            error_ = std::move(what);
    }
    [[nodiscard]] std::uint64_t get(unsigned reg);
    void set(unsigned reg, std::uint64_t number)
    {
        registers_[reg] = number;
        written_[reg] = true;
    }

    // The bytes at an address; empty, and an error, where they are not all there.
    [[nodiscard]] std::span<std::byte> bytes(std::uint64_t address, std::size_t size, bool to_read);
    [[nodiscard]] std::span<std::byte> stack_bytes(std::uint64_t off, std::size_t size, bool to_read);
    // All that is in the room of an address.
    [[nodiscard]] std::span<std::byte> thing_at(std::uint64_t address);

    void step(Insn insn);
    void load(Insn insn);
    void load_context(unsigned dst, std::uint64_t off, unsigned size);
    void store(Insn insn);
    void atomic(Insn insn, std::span<std::byte> memory);
    void arithmetic(Insn insn);
    void wide(Insn insn);
    void jump(Insn insn);

    // ---- Calls; processor_calls.cpp --------------------------------------------------------------------------------

    struct Held {
        ir::MapStore::Value bytes; // of a record that was submitted: null
        MapId ring;                // of a record
    };

    void call(Insn insn);
    [[nodiscard]] std::uint64_t helper(std::int32_t id);
    [[nodiscard]] std::uint64_t kfunc();
    [[nodiscard]] MapId map_in(unsigned reg);
    void want_context();
    [[nodiscard]] std::uint64_t hold(ir::MapStore::Value value, MapId ring = {});
    [[nodiscard]] std::uint64_t status(MapId map, ir::MapStore::Outcome outcome) const;

    [[nodiscard]] std::uint64_t entry(std::int32_t id);
    [[nodiscard]] std::uint64_t keyless(std::int32_t id);
    [[nodiscard]] std::uint64_t redirect_map();
    [[nodiscard]] std::uint64_t redirect();
    [[nodiscard]] std::uint64_t adjust(std::int32_t id);
    [[nodiscard]] std::uint64_t tail_call();
    [[nodiscard]] std::uint64_t reserve();
    [[nodiscard]] std::uint64_t close_record(bool keep);
    [[nodiscard]] std::uint64_t output();
    [[nodiscard]] std::uint64_t copy_packet(bool out);
    [[nodiscard]] std::uint64_t checksum();

    const ProgramImage &program_;
    ir::MapStore &maps_;
    ir::PacketBuffer &packet_;
    const ir::Context &context_;
    ir::RandomNumbers &random_;
    Outcome &outcome_;
    std::array<std::uint64_t, 11> registers_{};
    std::bitset<11> written_;
    std::array<std::byte, stack_size> stack_{};
    std::bitset<stack_size> stack_written_;
    std::vector<Held> held_; // by room
    std::uint64_t packet_room_ = packet_at;
    std::size_t at_ = 0;
    bool done_ = false;
    std::string error_;
};

} // namespace xdpf::bpf
